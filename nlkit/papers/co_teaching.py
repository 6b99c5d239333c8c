"""Co-teaching: two networks, each of which learns from the examples that the other finds easy.

    Han, Yao, Yu, Niu, Xu, Hu, Tsang, Sugiyama: Co-teaching: Robust training of deep neural networks with extremely
    noisy labels. NeurIPS 2018, arXiv:1804.06872, algorithm 1.

    R(t) = 1 - (1 - p) min(t / t_k, 1)                  the share of a batch to keep, from all of it down to p
    S  = the R(t) B examples of the batch with the smallest loss under θ,   S' likewise under θ'
    L(θ) = 1/|S'| Σ_{i ∈ S'} CE(f_θ(x_i), ỹ_i)          L(θ') = 1/|S| Σ_{i ∈ S} CE(f_θ'(x_i), ỹ_i)

A network that chooses for itself is confirmed in its errors; two that started differently err differently, at first.
The second is made as the first was, from another seed (`Run.companion`, which says what that means for a network of
one's own).
p is the share of right labels: in the paper 1 minus the noise ratio. Left out, it is estimated (see mentornet.py).
t_k is `burn_in`, a share of the training with a floor (see burn_in.py; where the floor holds, the fall begins later).
Its default is a tenth, twice the 10 epochs of 200 of the paper. The network that is measured is the first.

Where the authors' program (bhanML/Co-teaching) differs: R falls once an epoch, here with every step. It divides the
mean over the kept examples by their number once more, which Adam hardly notices and SGD would; here it is the mean, as
in the paper. From epoch 80 its rate falls in a line and Adam's first momentum is 0.1; here both are as the run has
them. It reports both networks, as the mean of the last ten epochs.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F

from nlkit.learning.learner import Batch, Run, StepResult
from nlkit.learning.peer import TwoNetworks
from nlkit.papers.mentornet import Mentor


class CoTeaching(TwoNetworks):
    learns_from = "noisy"
    needs_clean = False
    weighs = True
    sees_noise = True

    def __init__(self, percentile: float | None = None, burn_in: float = 0.1):
        """percentile: p, in [0, 1]. burn_in: t_k, in [0, 1]. Raises a ValueError for any other value."""
        self.mentor = Mentor(percentile, burn_in)
        super().__init__(self.mentor.state)

    def step(self, run: Run, batch: Batch) -> StepResult:
        self.peer.begin(run)
        logits = run.logits(batch.images)
        losses = F.cross_entropy(logits, batch.labels, reduction="none")
        peers_losses = F.cross_entropy(self.peer.logits(batch.images), batch.labels, reduction="none")
        self.mentor.watch(run, logits, batch.labels)
        number = max(1, round(share_to_keep(self.mentor, run) * len(losses)))
        chosen, peers_choice = (easiest(each.detach(), number) for each in (losses, peers_losses))
        loss = losses[peers_choice].mean()
        run.descend(loss)
        self.peer.descend(peers_losses[chosen].mean())
        return StepResult(loss, torch.zeros_like(losses.detach()).index_fill_(0, peers_choice, 1 / number))


def share_to_keep(mentor: Mentor, run: Run) -> float:
    """R(t), the share of a batch to keep."""
    return 1 - (1 - float(mentor.keep)) * mentor.burnt_in(run)


def easiest(losses: torch.Tensor, number: int) -> torch.Tensor:
    """Places (number,) of the smallest of the losses (B,)."""
    return losses.topk(number, largest=False).indices
