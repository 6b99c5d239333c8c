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

"Most like" is the example at the 97th percentile of p_k, as Patrini et al. take it: the very highest may be an outlier.
After the burn-in the network goes on from where it is.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from nlkit.checks import check_number
from nlkit.models import evaluate
from nlkit.noise import check_matrix
from nlkit.run import Batch, Run, StepResult

ANCHOR = 0.97  # quantile of p_k


class Forward:
    learns_from = "noisy and clean"
    needs_clean = False

    def __init__(self, matrix: Sequence[Sequence[float]] | None = None, burn_in: float = 0.1):
        self.matrix = None if matrix is None else check_matrix(torch.tensor(matrix, dtype=torch.float64))
        self.burn_in = check_number("burn_in", burn_in, 0, 0.9, above=True)
        self.state: dict[str, Tensor] = {}

    def step(self, run: Run, batch: Batch) -> StepResult:
        noisy = batch.index < run.num_examples - len(run.clean_labels)  # (B,) the noisy set comes first
        p = run.model(batch.images).softmax(1).clamp(min=1e-8)  # (B, K)
        if self.matrix is None and run.progress < self.burn_in:
            self._remember(run, batch.index, p.detach())
            loss = -p.gather(1, batch.labels[:, None])[noisy].log().sum() / len(noisy)
        else:
            explained = torch.where(noisy[:, None], p @ self._transition(run, p), p)
            loss = -explained.gather(1, batch.labels[:, None]).log().mean()
        run.descend(loss)
        return StepResult(loss)

    def _remember(self, run: Run, index: Tensor, p: Tensor) -> None:
        if "said" not in self.state:
            self.state["said"] = torch.zeros(run.num_examples, p.shape[1], dtype=p.dtype, device=p.device)
        self.state["said"][index] = p

    def _transition(self, run: Run, p: Tensor) -> Tensor:
        """T (K, K), estimated at the first step after the burn-in unless it was told."""
        if "matrix" not in self.state:
            told = self.matrix
            if told is None:
                told = self._from_clean(run) if len(run.clean_labels) else self._from_anchors(run)
            elif len(told) != run.num_classes:
                raise ValueError(f"matrix has shape {tuple(told.shape)}; the data has {run.num_classes} classes")
            self.state["matrix"] = told.to(p)
        return self.state["matrix"]

    def _from_clean(self, run: Run) -> Tensor:
        p = evaluate(run.model, run.clean_images).softmax(1)  # (M, K)
        return torch.stack([p[run.clean_labels == k].mean(0) for k in range(run.num_classes)])

    def _from_anchors(self, run: Run) -> Tensor:
        said = self.state.pop("said")  # (N, K)
        place = (said.argsort(0)[int(ANCHOR * (len(said) - 1))]).tolist()  # of each class's anchor
        return said[place]
