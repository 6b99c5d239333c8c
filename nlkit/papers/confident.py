"""Confident learning: ask about every label a network that has not learned it, drop the suspects, and train again.

    Northcutt, Jiang, Chuang: Confident learning: Estimating uncertainty in dataset labels. JAIR 2021, arXiv:1911.00068.

    1   the noisy set in F parts; F networks, each of which learns the given labels of all parts but its own
    2   p_i of the network that has not learned ỹ_i;  the confident joint C of labels and p (confident_joint.py)
        m = Σ_{j≠k} C_jk labels are dropped, those of the smallest margin p_ỹ - max_{k≠ỹ} p_k
    3   a network from the beginning learns what is left, S:  L(θ) = Σ_{i ∈ S} w_ỹi CE(p_i, ỹ_i) / Σ_{i ∈ S} w_ỹi
        w_k = examples with label k, over those of them that are left

What was learned by heart is no evidence; so out-of-sample probabilities are needed, and F + 1 trainings. Of the paper's
ways to drop labels, this is the one by the counts of the confident joint, not calibrated, in the form that
`pervasive_label_errors` has too.

The authors' programs (cgnorthcutt/confidentlearning-reproduce) train networks for F = 4 parts for 350 epochs, of which
they take the best by *test* accuracy, and a fifth for 250 epochs, by co-teaching in their best results; here it learns
plainly. In one run of the kit all must have room: the F networks learn in its first sixth, side by side (a step costs F
passes), with a floor (see burn_in.py). Longer, and they would learn wrong labels by heart, as no epoch is chosen. Until
then the network that is measured is the one of the first part, and its weights are 0 for that part.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from nlkit.checks import check_integer, check_number
from nlkit.learning.burn_in import burnt_in
from nlkit.learning.confident_joint import most_suspicious
from nlkit.learning.learner import Batch, Run, StepResult
from nlkit.learning.models import evaluate
from nlkit.learning.peer import Peer
from nlkit.learning.restart import renew


class ConfidentLearning:
    learns_from = "noisy"
    needs_clean = False
    weighs = True
    sees_noise = True

    def __init__(self, folds: int = 4, burn_in: float = 0.16):
        """folds: F, from 2 to 20. burn_in: share of the training for the F networks, in (0, 0.9], with a floor.

        Raises a ValueError for any other value.
        """
        self.folds = check_integer("folds", folds, 2, 20)
        self.burn_in = check_number("burn_in", burn_in, 0, 0.9, above=True)
        self.state: dict[str, Any] = {}
        self.peers = [Peer(self.state, f"network {fold}") for fold in range(1, folds)]

    def prepare(self, run: Run) -> None:
        for peer in self.peers:
            peer.prepare(run)

    def step(self, run: Run, batch: Batch) -> StepResult:
        if "weight" not in self.state:
            self._begin(run)
        if "weight" in self.state:
            return self._learn(run, batch, self.state["weight"][batch.index])
        for fold, peer in enumerate(self.peers, 1):
            others = self.state["fold"][batch.index] != fold
            if others.any():
                peer.descend(F.cross_entropy(peer.logits(batch.images[others]), batch.labels[others]))
        return self._learn(run, batch, (self.state["fold"][batch.index] != 0).float())

    def _begin(self, run: Run) -> None:
        """The F networks and their parts; or, when they have learned, what is kept, and a network that starts again."""
        for peer in self.peers:
            peer.begin(run)
        if "fold" not in self.state:
            drawn = torch.randperm(len(run.given_labels), generator=run.generator) % self.folds
            self.state["fold"] = drawn.to(run.given_labels.device)
        elif burnt_in(run, self.burn_in) >= 1:
            kept, labels = self._kept(run), run.given_labels
            before, after = (torch.bincount(each, minlength=run.num_classes) for each in (labels, labels[kept]))
            self.state["weight"] = kept * (before / after.clamp(min=1))[labels]
            renew(run)

    def _learn(self, run: Run, batch: Batch, weights: Tensor) -> StepResult:
        """One step of the run's network on the batch's examples, by weights (B,) that are made to sum to 1."""
        weights = weights.to(batch.images) / weights.sum().clamp(min=1e-12)
        losses = F.cross_entropy(run.logits(batch.images), batch.labels, reduction="none")
        if weights.any():
            return StepResult(run.descend_weighted(losses, weights), weights)
        return StepResult(weights.sum(), weights)

    def _kept(self, run: Run) -> Tensor:
        """(N,) which given labels are not dropped."""
        fold = self.state["fold"]
        p = torch.zeros(len(fold), run.num_classes)
        for number, network in enumerate((run.model, *(peer.network for peer in self.peers))):
            mine = fold == number
            p[mine.cpu()] = evaluate(network, run.noisy_images[mine]).softmax(1).float().cpu()
        return kept_labels(run.given_labels, p).to(fold.device)


def kept_labels(labels: Tensor, p: Tensor) -> Tensor:
    """Which labels (N,) are kept, by out-of-sample probabilities (N, K); a class that no label names is left out."""
    classes, own = labels.cpu().unique(return_inverse=True)
    p = p[:, classes].double().clamp(min=1e-12)
    order, suspects = most_suspicious(own.numpy(), (p / p.sum(1, keepdim=True)).numpy())
    kept = torch.ones(len(labels), dtype=torch.bool)
    kept[order[:suspects].copy()] = False
    return kept
