"""Forward correction: predict the true class, and let the transition matrix explain the given label.

    Patrini, Rozza, Menon, Nock, Qu: Making deep neural networks robust to label noise: a loss correction approach.
    CVPR 2017, arXiv:1609.03683. The estimate on a clean set is that of Hendrycks, Mazeika, Wilson, Gimpel: Using
    trusted data to train deep networks on labels corrupted by severe noise. NeurIPS 2018, arXiv:1802.05300.

    L(θ) = -1/B [ Σ_noisy log Σ_k T[k, ỹ_i] p_k(x_i)  +  Σ_clean log p_y(x_i) ]

With the right T and enough data, the first term is least where cross-entropy on the true labels is. T is told
(`matrix`), or estimated when a first part of the training, the burn-in, is over. In it the network learns from the
noisy labels alone, and so to predict *given* labels. Then

    T̂[k, j] = mean of p_j over the clean examples of class k                        (with a clean set)
    T̂[k, j] = p_j of the noisy example that looks most like class k                 (without one)

The example that looks most like class k is its *anchor*. The very highest p_k may be an outlier; Patrini et al. take,
on ten classes, the 97th percentile of p_k, which lies 30 % down among the examples of class k where each class is a
tenth of the data. Of a hundred classes no example of class k lies there, and their program then takes the highest. Here
the anchor is always 30 % down among as many examples as the network takes for class k, an even share at most. That is
the 97th percentile on ten even classes, and the highest in a class of three examples; and it is inside a rare class
too, whose share of the *given* labels would mislead, since at high noise they are mostly those of other classes.

Patrini et al. estimate with the network of a whole training and then train another from the start. Here the network is
asked when the burn-in is over (see burn_in.py), once about every image as it is, and goes on from where it is.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from nlkit.checks import check_number
from nlkit.learning.burn_in import burnt_in
from nlkit.learning.learner import Batch, Run, StepResult
from nlkit.learning.models import evaluate
from nlkit.noise.matrices import check_matrix

ANCHOR = 0.3  # how far down among the examples of a class
Matrix = Tensor | np.ndarray | Sequence[Sequence[float]]


class Forward:
    learns_from = "noisy and clean"
    needs_clean = False
    weighs = False
    sees_noise = True

    def __init__(self, matrix: Matrix | None = None, burn_in: float = 0.1):
        """matrix: T (K, K), rows summing to 1. burn_in: share of the training, in (0, 0.9], with a floor.

        Raises a ValueError for any other value; `train` refuses a matrix of another size than the data has classes.
        """
        self.matrix = None if matrix is None else check_matrix(matrix)
        self.burn_in = check_number("burn_in", burn_in, 0, 0.9, above=True)
        self.state: dict[str, Tensor] = {}

    def step(self, run: Run, batch: Batch) -> StepResult:
        noisy = run.noisy(batch)  # (B,)
        p = run.logits(batch.images).softmax(1).clamp(min=1e-8)  # (B, K)
        if self.matrix is None and burnt_in(run, self.burn_in) < 1:
            loss = -p.gather(1, batch.labels[:, None])[noisy].log().sum() / len(noisy)
        else:
            loss = self.corrected(p, self._transition(run, p), batch.labels, noisy).mean()
        run.descend(loss)
        return StepResult(loss)

    def corrected(self, p: Tensor, matrix: Tensor, labels: Tensor, noisy: Tensor) -> Tensor:
        """(B,) losses of p (B, K) by labels (B,), where `noisy` (B,) with the matrix (K, K), else without."""
        explained = torch.where(noisy[:, None], p @ matrix, p)
        return -explained.gather(1, labels[:, None])[:, 0].log()

    def _transition(self, run: Run, p: Tensor) -> Tensor:
        """T (K, K), estimated at the first step after the burn-in unless it was told."""
        if "matrix" not in self.state:
            matrix = self.matrix
            if matrix is None:
                matrix = self._from_clean(run) if len(run.clean_labels) else self._from_anchors(run)
            self.state["matrix"] = matrix.to(p)
        return self.state["matrix"]

    def _from_clean(self, run: Run) -> Tensor:
        p = evaluate(run.model, run.clean_images).softmax(1)  # (M, K)
        return torch.stack([p[run.clean_labels == k].mean(0) for k in range(run.num_classes)])

    def _from_anchors(self, run: Run) -> Tensor:
        return at_anchors(evaluate(run.model, run.noisy_images).softmax(1))


def at_anchors(p: Tensor) -> Tensor:
    """T̂ (K, K): row k is what p (N, K), rows summing to 1, says of the anchor of class k."""
    examples, classes = p.shape
    members = torch.bincount(p.argmax(1), minlength=classes).clamp(max=examples / classes)  # (K,) taken for each class
    places = (ANCHOR * members).long()  # (K,) from the highest p_k down
    return p[p.sort(0, descending=True).indices.gather(0, places[None])[0]]
