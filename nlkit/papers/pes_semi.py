"""PES (semi): progressive early stopping, and then the labels that are not confirmed are forgotten, not their images.

    Bai, Yang, Han, Yang, Li, Mao, Niu, Liu: Understanding and improving early stopping for learning with noisy labels.
    NeurIPS 2021, arXiv:2106.15853; MixMatch is that of Berthelot et al., NeurIPS 2019, arXiv:1905.02249.

    1   the whole network learns every given label;  2   its last part is drawn anew and learns them, the others rest
    3   D and w as in pes.py, found anew each epoch;   y_i = ỹ_i for i ∈ D, else sharp(p(x_i)),  sharp(y) ∝ y^(1/T)
        x̃_i, ỹ_i blended with those of another example by λ_i ~ Beta(α, α), at least ½ of its own
        L(θ) = - Σ_k w_k 1/|D| Σ_{i ∈ D} ỹ_ik log p_k(x̃_i) + λ_u/|U| Σ_{i ∉ D} mean_k (p_k(x̃_i) - ỹ_ik)²

For CIFAR-10 the authors have 20 and 5 epochs of about 305, w of at most 3, T = 0.5, α = 4 and in the second half 0.75;
λ_u, which grows over 16 epochs, they choose by the noise: 15 for 40 % that hangs on the image. Lengths of stages: see
pes.py. Their program (tmllab/2021_NeurIPS_PES) draws batches of D and of the others, here a batch is split as it falls;
it guesses from two augmentations, here from one, in evaluation mode; its optimizer leaves the renewed head as it is.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from nlkit.checks import check_number
from nlkit.learning.learner import Batch, Run, StepResult
from nlkit.learning.models import evaluate
from nlkit.papers.dividemix import GROWS_FOR, TEMPERATURE
from nlkit.papers.mixup import draw_beta, mix
from nlkit.papers.pes import PES

LATER_ALPHA = 0.75  # α in the second half of the training


class SemiPES(PES):
    renewed = (1,)
    heaviest = 3.0

    def __init__(self, first: float = 0.2, second: float = 0.2, unlabelled: float = 15.0, alpha: float = 4.0):
        """first, second: as those of PES. unlabelled: λ_u, 0 or more. alpha: α, above 0. Else a ValueError."""
        super().__init__(first, second)
        self.unlabelled = check_number("unlabelled", unlabelled, 0)
        self.alpha = check_number("alpha", alpha, 0, above=True)

    def learn_confident(self, run: Run, batch: Batch) -> StepResult:
        """One step on the batch, its images and targets blended."""
        confident, of_classes = self.confident(run)
        labelled, size = confident[batch.index], len(batch.labels)
        sharp = evaluate(run.model, batch.images).softmax(1) ** (1 / TEMPERATURE)
        given = F.one_hot(batch.labels, run.num_classes).to(sharp)
        targets = torch.where(labelled[:, None], given, sharp / sharp.sum(1, keepdim=True))
        partner = torch.randperm(size, generator=run.generator).to(batch.labels.device)
        lam = draw_beta(min(self.alpha, LATER_ALPHA) if run.progress >= 0.5 else self.alpha, size, run.generator)
        lam = torch.maximum(lam, 1 - lam).to(batch.images)
        logits = run.logits(mix(batch.images, partner, lam))
        targets = targets[partner].lerp(targets, lam[:, None])
        start = self.state.setdefault("start", run.progress)
        weight = self.unlabelled * min(1.0, max(0.0, (run.progress - start) / GROWS_FOR))
        loss = split_loss(logits, targets, labelled, of_classes, weight)
        run.descend(loss)
        kept = labelled.to(given)
        return StepResult(loss.detach(), kept / kept.sum().clamp(min=1))


def split_loss(logits: Tensor, targets: Tensor, labelled: Tensor, of_classes: Tensor, weight: float) -> Tensor:
    """L of logits and targets (B, K), of which those `labelled` (B,) count by w (K,), the others by λ_u, `weight`."""
    log_p = logits.log_softmax(1)
    fits = -(targets * log_p * of_classes).sum(1)[labelled].sum() / labelled.sum().clamp(min=1)
    apart = (log_p.exp() - targets).square().mean(1)[~labelled].sum() / (~labelled).sum().clamp(min=1)
    return fits + weight * apart
