"""T-revision: an estimated transition matrix is put right while the network learns, and examples are reweighted.

    Xia, Liu, Wang, Han, Gong, Niu, Sugiyama: Are anchor points really indispensable in label-noise learning? NeurIPS
    2019, arXiv:1906.00189.

    T = T̂ + ΔT,    w_i = p_ỹ(x_i) / (p(x_i) T)_ỹ,    L(θ, ΔT) = 1/B [ Σ_noisy w_i CE(p_i, ỹ_i) + Σ_clean CE(p_i, y_i) ]

w_i is how likely the given label is as a *true* one, over how likely it is as a *given* one: an average over noisy
labels, so weighted, is one over true labels. Where there is no example that surely belongs to its class, T̂ is off, and
the slack ΔT, which starts at 0, learns what is missing. Through the weights the gradient reaches the slack alone: the
network could lower the loss by finding given labels unlikely.

T̂ is told or estimated as in forward.py, at the end of a burn-in on given labels. The paper then trains the network
anew, first without and then with the slack, at the small rate of 5·10⁻⁷; here it goes on from where it is, and the
slack learns at `slack_rate` from the first step. Entries of T are kept above 0, and its rows sum to 1.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nlkit.checks import check_number
from nlkit.learning.learner import Batch, Run, StepResult
from nlkit.papers.forward import Forward, Matrix


class TRevision(Forward):
    def __init__(self, matrix: Matrix | None = None, burn_in: float = 0.1, slack_rate: float = 1e-3):
        """As those of forward correction. slack_rate: of ΔT, 0 or more. Else a ValueError."""
        super().__init__(matrix, burn_in)
        self.slack_rate = check_number("slack_rate", slack_rate, 0)

    def prepare(self, run: Run) -> None:
        self.state["slack"] = nn.Parameter(torch.zeros(run.num_classes, run.num_classes).to(run.clean_images))
        run.also_learn([self.state["slack"]], self.slack_rate)

    def step(self, run: Run, batch: Batch) -> StepResult:
        if "slack" not in self.state:
            self.prepare(run)
        return super().step(run, batch)

    def corrected(self, p: Tensor, matrix: Tensor, labels: Tensor, noisy: Tensor) -> Tensor:
        revised = (matrix + self.state["slack"]).clamp(min=1e-6)
        revised = revised / revised.sum(1, keepdim=True)
        here = labels[:, None]
        true, given = (each.gather(1, here)[:, 0] for each in (p, p.detach() @ revised))
        return torch.where(noisy, true.detach() / given.clamp(min=1e-8), 1.0) * -true.log()
