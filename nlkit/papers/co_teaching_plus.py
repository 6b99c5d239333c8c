"""Co-teaching+: two networks teach each other easy examples, among those about which they disagree.

    Yu, Han, Yao, Niu, Tsang, Sugiyama: How does disagreement help generalization against label corruption? ICML 2019,
    arXiv:1901.04215, algorithm 1.

    D  = the examples of a batch with argmax f_θ(x_i) ≠ argmax f_θ'(x_i)
    S  = the p |D| examples of D with the smallest loss under θ,   S' likewise under θ'
    L(θ) = 1/|S'| Σ_{i ∈ S'} CE(f_θ(x_i), ỹ_i)          L(θ') = 1/|S| Σ_{i ∈ S} CE(f_θ'(x_i), ỹ_i)

Co-teaching's two networks grow alike, and then each is its own teacher once more; disagreement holds them apart. Both
learn from whole batches during the burn-in, a tenth of the training as in the authors' program (xingruiyu/
coteaching_plus), which has come down to its share p by then. In that program a batch on which the two agree is learned
from whole in the first 5,000 steps, and its cross-entropy takes probabilities for logits; here it teaches nothing.
p is told or estimated as in mentornet.py.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F

from nlkit.learning.learner import Batch, Run, StepResult
from nlkit.papers.co_teaching import CoTeaching, easiest


class CoTeachingPlus(CoTeaching):
    def step(self, run: Run, batch: Batch) -> StepResult:
        self.peer.begin(run)
        logits, theirs = run.logits(batch.images), self.peer.logits(batch.images)
        losses, peers_losses = (F.cross_entropy(each, batch.labels, reduction="none") for each in (logits, theirs))
        self.mentor.watch(run, logits, batch.labels)
        weights = torch.zeros_like(losses.detach())
        if self.mentor.burnt_in(run) < 1:
            chosen = peers_choice = torch.arange(len(losses), device=losses.device)
        else:
            apart = (logits.argmax(1) != theirs.argmax(1)).nonzero()[:, 0]
            if not len(apart):
                return StepResult(losses.detach().mean(), weights)
            number = max(1, round(float(self.mentor.keep) * len(apart)))
            chosen, peers_choice = (apart[easiest(each.detach()[apart], number)] for each in (losses, peers_losses))
        loss = losses[peers_choice].mean()
        run.descend(loss)
        self.peer.descend(peers_losses[chosen].mean())
        return StepResult(loss, weights.index_fill_(0, peers_choice, 1 / len(peers_choice)))
