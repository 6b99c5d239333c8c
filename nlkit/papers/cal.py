"""CAL: a loss that takes out how mistakes and losses go together where some images are harder to label than others.

    Zhu, Liu, Liu: A second-order approach to learning with instance-dependent label noise. CVPR 2021, arXiv:2012.11854.

    1   L₁(θ) = 1/B Σ_i [ CE(p_i, ỹ_i) - α₁ Σ_k π'_k CE(p_i, k) ],  π'_k ∝ √π_k,  π_k the share of k among given labels
        ŷ_i = ỹ_i where CE(p_i, ỹ_i) - 1/K Σ_k CE(p_i, k) < -8,  else argmax p_i;   D_j = { i : ŷ_i = j }
        M_jk = share of ỹ_i = k in D_j,  C_jk = mean of CE(p_i, k) over D_j in the last epoch
    2   from the beginning, with the covariance of the noise and the losses within each class taken out:
        L₂(θ) = 1/B Σ_i [ CE(p_i, ỹ_i) - α₂ Σ_k π_k CE(p_i, k) ]
                - Σ_j |D_j|/N Σ_k mean_{i ∈ D_j} (1[ỹ_i = k] - M_jk) (CE(p_i, k) - C_jk)

If the chance of a mistake hangs on the class alone, the second sum is 0 on average, and L₂ is peer loss, for which such
noise moves no minimum. If it hangs on the image, peer loss counts hard images less than easy ones; the covariance is
what that adds up to, and needs but a guess ŷ of the true label, of which single errors average out.

As in the authors' program (UCSC-REAL/CAL) α₁ and α₂ grow from 0 between a tenth and four tenths of a training of 100
epochs, and α₂ = 1. For CIFAR-10 their α₁ is 2, for noise up to 60 %; here it is 1, for with 80 % of 5,000 digits at 2
the first stage says one class of all. They make ŷ in epoch 65 and train anew for 100: here the first stage is 65/165 of
the training, with a floor (see burn_in.py), and ŷ comes of one pass in evaluation mode. One schedule runs through both.
p is raised by 10⁻⁵ in the terms of all classes and by 10⁻⁸ in others, which bounds them. -8 is theirs too, and in a
training of 25 epochs hardly reached: what the network says is then nearly all of ŷ. Clean examples have cross-entropy
alone.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from nlkit.checks import check_number
from nlkit.learning.burn_in import burnt_in
from nlkit.learning.learner import Batch, Run, StepResult
from nlkit.learning.models import evaluate
from nlkit.learning.restart import begins_epoch, check_renewable, renew

PLAIN, GROWN = 0.1, 0.4  # where α begins to grow and where it is whole, as parts of a training of 100 epochs
FIRST = 65 / 165  # part of both trainings that ŷ is made after
BELIEVED = -8.0


class CAL:
    learns_from = "noisy and clean"
    needs_clean = False
    weighs = False
    sees_noise = True

    def __init__(self, first_alpha: float = 1.0, alpha: float = 1.0):
        """first_alpha, alpha: α₁ and α₂, in [0, 10]. Raises a ValueError for any other value."""
        self.first_alpha = check_number("first_alpha", first_alpha, 0, 10)
        self.alpha = check_number("alpha", alpha, 0, 10)
        self.state: dict[str, Any] = {}

    def prepare(self, run: Run) -> None:
        check_renewable(run)

    def step(self, run: Run, batch: Batch) -> StepResult:
        if "guess" not in self.state and burnt_in(run, FIRST) >= 1:
            self._begin(run)
        p = run.logits(batch.images).softmax(1)  # (B, K)
        noisy, losses = run.noisy(batch), -(p + 1e-5).log()
        own = -(p.gather(1, batch.labels[:, None])[:, 0] + 1e-8).log()
        shares = torch.bincount(run.given_labels, minlength=run.num_classes).to(p)
        if "guess" not in self.state:
            alpha = self.first_alpha * grown(run.progress / FIRST * 0.65)
            shares = shares.sqrt()
        else:
            start = self.state["start"]
            alpha = self.alpha * grown((run.progress - start) / (1 - start))
        total = own - alpha * noisy * (losses @ (shares / shares.sum().clamp(min=1)))
        loss = total.mean()
        if "guess" in self.state and noisy.any():
            loss = loss - noisy.to(p).mean() * self._covariance(run, losses[noisy], batch, noisy)
        run.descend(loss)
        return StepResult(loss.detach())

    def _begin(self, run: Run) -> None:
        """ŷ and M from what the first stage has learned, and a network that has learned nothing."""
        losses = -(evaluate(run.model, run.noisy_images).softmax(1) + 1e-8).log()
        guess = guesses(losses, run.given_labels)
        pairs = F.one_hot(guess, run.num_classes).to(losses).T @ F.one_hot(run.given_labels, run.num_classes).to(losses)
        sizes = pairs.sum(1, keepdim=True)  # (K, 1)
        nothing = torch.zeros_like(pairs)
        self.state.update(
            guess=guess, start=run.progress, given=pairs / sizes.clamp(min=1), share=sizes[:, 0] / sizes.sum(),
            mean=nothing, sums=nothing.clone(), seen=nothing[0].clone(),
        )  # fmt: skip
        renew(run)

    def _covariance(self, run: Run, losses: Tensor, batch: Batch, noisy: Tensor) -> Tensor:
        """The second sum of L₂, of losses (n, K) of the batch's noisy examples, which are also remembered for C."""
        guess = self.state["guess"][batch.index[noisy]]
        sums, seen = self.state["sums"], self.state["seen"]
        if begins_epoch(run):
            self.state["mean"] = sums / seen[:, None].clamp(min=1)
            sums.zero_(), seen.zero_()
        sums.index_add_(0, guess, losses.detach())
        seen += torch.bincount(guess, minlength=run.num_classes)
        given = F.one_hot(batch.labels[noisy], run.num_classes).to(losses)
        return covariance(given - self.state["given"][guess], losses - self.state["mean"][guess], guess,
                          self.state["share"])  # fmt: skip


def guesses(losses: Tensor, labels: Tensor) -> Tensor:
    """ŷ (N,) of the losses of every class (N, K) and the given labels (N,)."""
    own = losses.gather(1, labels[:, None])[:, 0]
    return torch.where(own - losses.mean(1) < BELIEVED, labels, losses.argmin(1))


def covariance(noise: Tensor, losses: Tensor, guess: Tensor, share: Tensor) -> Tensor:
    """Σ_j share_j Σ_k mean over ŷ = j of noise_k losses_k, of noise and losses (n, K), ŷ (n,) and shares (K,)."""
    of_class = torch.zeros_like(share).index_add(0, guess, (noise * losses).sum(1))
    counts = torch.bincount(guess, minlength=len(share)).to(share)
    return (share * of_class / counts.clamp(min=1)).sum()


def grown(progress: float) -> float:
    """How much of α there is at a part of a training of 100 epochs: 0 at first, then evenly more, then all of it."""
    return min(1.0, max(0.0, (progress - PLAIN) / (GROWN - PLAIN)))
