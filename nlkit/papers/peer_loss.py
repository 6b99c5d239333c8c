"""Peer loss: cross-entropy, less that of an image with a label which belongs to another one.

    Liu, Guo: Peer loss functions: Learning from noisy labels without knowing noise rates. ICML 2020, arXiv:1910.03231.

    L(θ) = 1/B Σ_i [ ℓ(x_i, ỹ_i) - α ℓ(x_j, ỹ_k) ],   j and k drawn anew for each i, by themselves

A network that answers every image as the labels are spread over all is paid nothing: what is rewarded is to know which
label belongs to which image. With α well chosen, noise that depends on the class multiplies the loss by a number
and moves its minimum nowhere, whatever that noise is.

The peers are drawn from the batch's noisy examples. p is held above 10⁻⁸, for the second term has no bound else; α
grows from 0 at an even pace over the burn-in, as in the authors' program. Clean examples have cross-entropy alone.
"""

from __future__ import annotations

import torch
from torch import Tensor

from nlkit.checks import check_number
from nlkit.learning.burn_in import burnt_in
from nlkit.learning.learner import Batch, Run, StepResult


class PeerLoss:
    learns_from = "noisy and clean"
    needs_clean = False
    weighs = False
    sees_noise = True

    def __init__(self, alpha: float = 1.0, burn_in: float = 0.3):
        """alpha: weight of the peers, in [0, 10]. burn_in: share of the training, in [0, 0.9], with a floor.

        Raises a ValueError for any other value.
        """
        self.alpha = check_number("alpha", alpha, 0, 10)
        self.burn_in = check_number("burn_in", burn_in, 0, 0.9)

    def step(self, run: Run, batch: Batch) -> StepResult:
        log_p = run.logits(batch.images).softmax(1).clamp(min=1e-8).log()  # (B, K)
        noisy = run.noisy(batch).nonzero()[:, 0]
        loss = -log_p.gather(1, batch.labels[:, None]).mean()
        if len(noisy):
            images, labels = draw_peers(noisy, run.generator)
            peers = -log_p[images, batch.labels[labels]].sum() / len(batch.labels)
            loss = loss - self.alpha * min(1.0, burnt_in(run, self.burn_in)) * peers
        run.descend(loss)
        return StepResult(loss)


def draw_peers(noisy: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Places (n,) of images and places (n,) of labels, each drawn by itself from the places `noisy` (n,) in a batch."""
    images, labels = (torch.randint(len(noisy), (len(noisy),), generator=generator).to(noisy.device) for _ in "jk")
    return noisy[images], noisy[labels]
