"""SOP+: an offset an example, and beside it two views that are to be called alike, and classes that are to be even.

    Liu, Zhu, Qu, You: Robust training under label noise by over-parameterization. ICML 2022, arXiv:2202.14026,
    section 2.3.

    L(θ, u) = L_SOP + λ_C/B Σ_i KL( p(x_i) ‖ p(x'_i) ) - λ_B Σ_k 1/K log q̄_k      x'_i a strong view of x_i

q̄ is the mean over the batch of what the network and the offsets say. L_SOP and the steps of the offsets are those of
sop.py. The first term lets nothing but what is in both views be learned, and so puts off learning by heart. The second
is least where all classes are said equally often, and is the wrong thing to ask for where they are not. p(x_i) is a
constant in the first term, as in the authors' program (shengliu66/SOP).

λ_C = 0.9 and λ_B = 0.1 are the authors' for CIFAR-10 and CIFAR-100, over 300 epochs of a rate that falls to a hundredth
along a cosine; their strong view is AutoAugment's policy for CIFAR-10 and a hole of 16 pixels. Here it is that of
views.py, made for digits, on top of the run's own augmentation. An offset moves once an epoch, in a classroom's run 25
times.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from nlkit.checks import check_number
from nlkit.learning.learner import Batch, Run, StepResult
from nlkit.learning.views import strong
from nlkit.papers.sop import SOP


class SOPPlus(SOP):
    def __init__(
        self, rate_u: float = 10.0, rate_v: float = 10.0, start: float = 1e-8, consistency: float = 0.9,
        balance: float = 0.1,
    ):  # fmt: skip
        """As those of SOP. consistency: λ_C, 0 or more. balance: λ_B, 0 or more. Else a ValueError."""
        super().__init__(rate_u, rate_v, start)
        self.consistency = check_number("consistency", consistency, 0)
        self.balance = check_number("balance", balance, 0)

    def step(self, run: Run, batch: Batch) -> StepResult:
        images = batch.images
        if self.consistency:
            images = torch.cat([images, strong(images, run.generator)])
        logits, *views = run.logits(images).split(len(batch.labels))

        def besides(q: Tensor) -> Tensor:
            uneven = -q.mean(0).log().mean()
            apart = [alike(logits.detach(), view) for view in views]
            return self.balance * uneven + self.consistency * sum(apart, torch.zeros_like(uneven))

        return self.explain(run, batch, logits, besides)


def alike(logits: Tensor, others: Tensor) -> Tensor:
    """The mean divergence of what is said of other views (B, K) from what is said of the images (B, K)."""
    return F.kl_div(others.log_softmax(1), logits.log_softmax(1), reduction="batchmean", log_target=True)
