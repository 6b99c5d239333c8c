"""Claims: what the course says, where it comes from, and what must be measured for it to hold.

A notebook measures, and hands its numbers to `check_claims`; sentence, source, published value and bound stand
here alone, so that no number is typed twice. A claim that does not hold is shown as such.
"""

from nlkit.claims.checked import check_claims
from nlkit.claims.claim import Claim
from nlkit.claims.registry import CLAIMS

__all__ = ["CLAIMS", "Claim", "check_claims"]
