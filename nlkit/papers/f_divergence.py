"""f-divergence: make what the network says, and the labels, depend on each other as much as they can.

    Wei, Liu: When optimizing f-divergence is robust with label noise. ICLR 2021, arXiv:2011.03687.

    L(θ) = 1/B Σ_i [ f*(g(p_ỹk(x_j))) - g(p_ỹ(x_i)) ],   j and k drawn anew for each i, by themselves

is the negative of a lower bound of the f-divergence between pairs of image and label as they come and pairs drawn at
random. g is the best function of the divergence's own form, f* the convex conjugate of f (Nowozin et al.,
arXiv:1606.00709, table 6), and the network's probability of the label stands for the witness:

    "total variation"  g(v) = ½ tanh v            f*(t) = t
    "Kullback-Leibler" g(v) = v                   f*(t) = exp(t - 1)
    "Pearson"          g(v) = v                   f*(t) = t²/4 + t
    "Jensen-Shannon"   g(v) = log 2 - log(1 + e⁻ᵛ)   f*(t) = -log(2 - eᵗ)

Noise of the same rate in all classes only scales total variation, and moves its optimum nowhere; the others are moved
a little. Peer loss is its relative with cross-entropy for both terms. The peers are drawn from the batch's noisy
examples; a burn-in with cross-entropy goes before, as in the authors' program. Clean examples have cross-entropy.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from nlkit.checks import check_choice, check_number
from nlkit.learning.burn_in import burnt_in
from nlkit.learning.learner import Batch, Run, StepResult
from nlkit.papers.peer_loss import draw_peers

# name -> g, and f* of g
FORMS: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "total variation": (lambda v: v.tanh() / 2, lambda t: t),
    "Kullback-Leibler": (lambda v: v, lambda t: (t - 1).exp()),
    "Pearson": (lambda v: v, lambda t: t.square() / 4 + t),
    "Jensen-Shannon": (lambda v: math.log(2) - F.softplus(-v), lambda t: -(2 - t.exp()).log()),
}


class FDivergence:
    learns_from = "noisy and clean"
    needs_clean = False
    weighs = False
    sees_noise = True

    def __init__(self, divergence: str = "total variation", burn_in: float = 0.3):
        """divergence: one of `FORMS`. burn_in: share of the training, in [0, 0.9], with a floor. Else a ValueError."""
        self.divergence = check_choice("divergence", divergence, FORMS)
        self.burn_in = check_number("burn_in", burn_in, 0, 0.9)

    def step(self, run: Run, batch: Batch) -> StepResult:
        logits = run.logits(batch.images)
        noisy = run.noisy(batch).nonzero()[:, 0]
        if burnt_in(run, self.burn_in) < 1 or not len(noisy):
            loss = F.cross_entropy(logits, batch.labels)
        else:
            clean = torch.ones_like(batch.labels, dtype=torch.bool).index_fill_(0, noisy, False)
            images, labels = draw_peers(noisy, run.generator)
            p, (g, conjugate) = logits.softmax(1), FORMS[self.divergence]
            bound = g(p[noisy, batch.labels[noisy]]).sum() - conjugate(g(p[images, batch.labels[labels]])).sum()
            loss = (F.cross_entropy(logits[clean], batch.labels[clean], reduction="sum") - bound) / len(batch.labels)
        run.descend(loss)
        return StepResult(loss.detach())
