"""Early-learning regularization: hold on to what the network said of each example before it learned labels by heart.

    Liu, Niles-Weed, Razavian, Fernandez-Granda: Early-learning regularization prevents memorization of noisy labels.
    NeurIPS 2020, arXiv:2007.00151.

    t_i ← β t_i + (1 - β) p_i                          (what it has said of example i, averaged; p detached)
    L(θ) = 1/B Σ_i CE(p_i, ỹ_i) + λ/B Σ_i log(1 - ⟨p_i, t_i⟩)

The second term is smallest where the network agrees with its own past. Its gradient cancels that of a wrong label once
the past says otherwise. Probabilities are kept off 0 and 1 by 1e-4.

β = 0.7 and λ = 3 are published for CIFAR-10 with symmetric noise; for asymmetric noise β = 0.9 and λ = 1, for CIFAR-100
0.9 and 7. The authors' program (shengliu66/ELR) trains a ResNet-34 with momentum, at a rate of 0.02 that falls or
restarts, and weight decay 1e-3. Its symmetric noise may draw the own class: of "80 %", 72 % are wrong.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from nlkit.checks import check_number
from nlkit.learning.learner import Batch, Run, StepResult


class EarlyLearning:
    learns_from = "noisy and clean"
    needs_clean = False
    weighs = False
    sees_noise = True

    def __init__(self, beta: float = 0.7, strength: float = 3.0):
        """beta: β, in [0, 1]. strength: λ, 0 or more. Raises a ValueError for any other value."""
        self.beta = check_number("beta", beta, 0, 1)
        self.strength = check_number("strength", strength, 0)
        self.state: dict[str, Tensor] = {}

    def step(self, run: Run, batch: Batch) -> StepResult:
        logits = run.logits(batch.images)
        p = logits.softmax(1).clamp(1e-4, 1 - 1e-4)  # (B, K)
        said = self._remember(run, batch.index, p.detach())  # (B, K)
        holding = (1 - (p * said).sum(1)).log().mean()
        loss = F.cross_entropy(logits, batch.labels) + self.strength * holding
        run.descend(loss)
        return StepResult(loss)

    def _remember(self, run: Run, index: Tensor, p: Tensor) -> Tensor:
        """The moving averages t (B, K) of the batch's examples, brought up to date with p (B, K)."""
        if "said" not in self.state:
            self.state["said"] = torch.zeros(run.num_examples, p.shape[1], dtype=p.dtype, device=p.device)
        said = self.state["said"]
        said[index] = self.beta * said[index] + (1 - self.beta) * p / p.sum(1, keepdim=True)
        return said[index]
