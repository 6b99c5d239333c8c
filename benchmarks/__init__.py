"""How fast the kit is, measured side by side with what people would use instead: `make bench`."""

import nlkit  # noqa: F401  (before torch: it sets how torch's threads wait)
