"""VolMinNet: learn the transition matrix with the network, and of those that explain the labels the tightest.

    Li, Liu, Han, Niu, Sugiyama: Provably end-to-end label-noise learning without anchor points. ICML 2021,
    arXiv:2102.02400.

    L(θ, w) = 1/B [ -Σ_noisy log (p(x_i) T)_ỹ_i - Σ_clean log p_y(x_i) ] + λ log |det T|
    T = rows of (1 on the diagonal, σ(w_jk) off it), made to sum to 1

Many pairs of network and matrix explain the given labels equally well: any matrix whose rows span a triangle round all
of p(x) T does. The tightest one is the right one where the posteriors are "scattered enough", and that asks for less
than an anchor point a class. |det T| is the volume, so its logarithm, slightly, is made small: λ = 10⁻⁴.

w starts where an off-diagonal entry is 1/K of the diagonal one. The authors' program (xuefeng-li1) has -2 for ten
classes and -4.5 for a hundred, which is nearly that. It gives the matrix a rate of 0.01, for MNIST with Adam, and no
weight decay; here likewise, following the schedule of the network's own rate.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from nlkit.checks import check_number
from nlkit.learning.learner import Batch, Run, StepResult


class VolMinNet:
    learns_from = "noisy and clean"
    needs_clean = False
    weighs = False
    sees_noise = True

    def __init__(self, volume: float = 1e-4, matrix_rate: float = 0.01):
        """volume: λ, 0 or more. matrix_rate: the matrix's learning rate, above 0. Else a ValueError."""
        self.volume = check_number("volume", volume, 0)
        self.matrix_rate = check_number("matrix_rate", matrix_rate, 0, above=True)
        self.state: dict[str, Tensor] = {}

    def prepare(self, run: Run) -> None:
        start = torch.full((run.num_classes,) * 2, -math.log(max(run.num_classes - 1, 1)))
        self.state["w"] = nn.Parameter(start.to(next(run.model.parameters())))
        run.also_learn([self.state["w"]], self.matrix_rate)

    @property
    def transition(self) -> Tensor:
        """T (K, K)."""
        w = self.state["w"]
        eye = torch.eye(len(w), dtype=w.dtype, device=w.device)
        entries = eye + (1 - eye) * w.sigmoid()
        return entries / entries.sum(1, keepdim=True)

    def step(self, run: Run, batch: Batch) -> StepResult:
        if "w" not in self.state:
            self.prepare(run)
        p, matrix = run.logits(batch.images).softmax(1), self.transition
        noisy = run.noisy(batch)
        explained = torch.where(noisy[:, None], p @ matrix, p).gather(1, batch.labels[:, None])
        loss = -explained.clamp(min=1e-8).log().mean() + self.volume * matrix.slogdet().logabsdet
        run.descend(loss)
        return StepResult(loss.detach())
