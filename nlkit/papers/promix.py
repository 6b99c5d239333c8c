"""ProMix: trust small losses class by class, and whatever the network is sure of; allow for the classes it prefers.

    Xiao, Dong, Wang, Feng, Wu, Chen, Zhao: ProMix: Combating label noise via maximizing clean sample utility. IJCAI
    2023, arXiv:2207.10276. Two networks θ, θ', each with a head z and beside it, on the same features, a second one z°.

    S = the ⌈ρ N/K⌉ examples of each given label of the smallest losses, found anew each epoch;  y_i = ỹ_i in S
    S ← S ∪ { i : p_ỹ(x_i) > τ }                                       matched confidence;  y_i = ỹ_i
    S ← S ∪ { i : θ and θ' say the same, both with p > τ }             late in the training;  y_i = argmax (z - a log π)
    π, π_U ← m π + (1 - m) mean p over S, over the others              what the network prefers, 1/K at first
    ℓ(z) = CE(z(x) + a log π, y) + w [ CE(z(x') + a log π, y) + CE(z(x̃) + a log π, ỹ) ]     means over S
    L(θ) = ℓ(z) + ℓ(z°) + b/|U| Σ_U [ CE(z°(x) + a log π_U, t) + w CE(z°(x') + a log π_U, t) ]
    t = sharp(softmax(z - a log π_U))

x' is a strong view, x̃ and ỹ blended with another of S by λ ~ Beta(4, 4), at least ½ of the own one; sharp is that of
dividemix.py. Guesses train the second head alone, so that their errors spoil none of the first, which answers.

For CIFAR-10 the authors have ρ = 0.5 (0.7 at 20 % noise; no command for more than 50 %), τ = 0.99, a = 0.8, m =
0.9999 for each of some 117,000 steps; of 600 epochs 10 are burn-in, w grows over 50 to 1, b over 100 to 0.1, and the
two may agree in the last 250. Here all these are parts of the training, and the burn-in has a floor (see burn_in.py).
In their program (Justherozen/ProMix) b is 0 from epoch 100 on, and so here. It adds FMix, a blend by patches, which is
left out; its strong view is RandAugment, here that of views.py; it mixes anew for the second head, here once. Where
noise is asymmetric it rewards entropy in the burn-in. Second heads learn by Adam at a rate of their own.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nlkit.checks import check_number
from nlkit.learning.burn_in import burnt_in
from nlkit.learning.features import head_of, said_by, second_head, with_features
from nlkit.learning.learner import Batch, Run, StepResult, in_passing
from nlkit.learning.models import evaluate, seeded
from nlkit.learning.optimizers import LEARNING_RATE
from nlkit.learning.peer import TwoTogether
from nlkit.learning.restart import begins_epoch
from nlkit.learning.views import strong
from nlkit.papers.dividemix import TEMPERATURE
from nlkit.papers.mixup import draw_beta, mix, soft_cross_entropy

EPOCHS, WARM, LATE, STEPS = 600, 50, 250, 117_000  # of the authors' training
MOMENTUM, ALPHA, FULL, GUESSED = 0.9999, 4.0, 0.9, 0.1


class ProMix(TwoTogether):
    learns_from = "noisy"
    needs_clean = False
    weighs = True
    sees_noise = True

    def __init__(self, rho: float = 0.5, tau: float = 0.99, debias: float = 0.8, burn_in: float = 10 / EPOCHS):
        """rho: ρ, in (0, 1]. tau: τ, in [0, 1]. debias: a, 0 or more. burn_in: in [0, 0.9], with a floor.

        Raises a ValueError for any other value.
        """
        self.rho = check_number("rho", rho, 0, 1, above=True)
        self.tau = check_number("tau", tau, 0, 1)
        self.debias = check_number("debias", debias, 0)
        self.burn_in = check_number("burn_in", burn_in, 0, 0.9)
        super().__init__()
        self.heads: list[nn.Linear] = []  # the first ones, of both networks

    def prepare(self, run: Run) -> None:
        super().prepare(run)
        for number, network in enumerate((run.model, self.peer.network)):
            head = head_of(network, run.noisy_images[:2], run.num_classes)
            seed = int(torch.randint(2**31, (), generator=run.generator))
            for name, p in seeded(lambda head=head: second_head(head), seed).named_parameters():  # type: ignore[misc]
                self.state[f"{name} {number}"] = p
            self.heads.append(head)
        run.also_learn([p for p in self.state.values() if isinstance(p, nn.Parameter)], LEARNING_RATE)
        even = torch.full((2, 2, run.num_classes), 1 / run.num_classes)
        self.state["prefers"] = even.to(run.noisy_images)  # π and π_U of both networks

    def step(self, run: Run, batch: Batch) -> StepResult:
        if not self.heads:
            self.prepare(run)
        self.peer.begin(run)
        networks = run.model, self.peer.network
        if burnt_in(run, self.burn_in) < 1:
            return self.learn_as_given(run, batch)
        if "small" not in self.state or begins_epoch(run):
            self.state["small"] = torch.stack([self._small(run, network) for network in networks])
        with torch.no_grad():
            said = torch.stack([in_passing(network, batch.images) for network in networks])  # (2, B, K)
        sure, best = said.softmax(2).max(2)
        agreed = (sure > self.tau).all(0) & (best[0] == best[1]) & (run.progress > 1 - LATE / EPOCHS)
        views, losses, chosen = (batch.images, strong(batch.images, run.generator)), [], []
        for number, network in enumerate(networks):
            preferred = self.state["prefers"][number].log()
            trusted = self.state["small"][number, batch.index]
            trusted |= said[number].softmax(1).gather(1, batch.labels[:, None])[:, 0] > self.tau
            own = (said[number] - self.debias * preferred[0]).argmax(1)
            chosen.append(trusted | room_for(agreed & ~trusted, sure.mean(0), int(trusted.sum())))
            labels = torch.where(trusted, batch.labels, own)
            losses.append(self._loss(run, number, network, views, said[number], labels, chosen[-1]))
            self._remember(run, number, said[number].softmax(1), chosen[-1])
        self.peer.descend_together(run, torch.stack(losses).sum())
        kept = chosen[0].to(said)
        return StepResult(losses[0].detach(), kept / kept.sum().clamp(min=1))

    def _small(self, run: Run, network: nn.Module) -> Tensor:
        losses = F.cross_entropy(evaluate(network, run.noisy_images), run.given_labels, reduction="none")
        return smallest_by_class(losses, run.given_labels, self.rho / run.num_classes)

    def _loss(
        self, run: Run, number: int, network: nn.Module, views: tuple[Tensor, Tensor], said: Tensor, labels: Tensor,
        chosen: Tensor,
    ) -> Tensor:  # fmt: skip
        """L of one network; said: what it says of the first view (B, K). chosen: which examples are of S (B,)."""
        grown, half = run.progress * EPOCHS / WARM, len(labels)
        weight, guessed = min(1.0, grown), GUESSED * grown / 2 if grown < 2 else 0.0
        inside, outside = chosen.nonzero()[:, 0], (~chosen).nonzero()[:, 0]
        partner = torch.randperm(len(inside), generator=run.generator).to(labels.device)
        lam = draw_beta(ALPHA, len(inside), run.generator)
        lam = torch.maximum(lam, 1 - lam).to(said)
        images = torch.cat([*views, mix(views[0][inside], partner, lam)])
        logits, features = with_features(network, self.heads[number], images)
        second = said_by((self.state[f"weight {number}"], self.state[f"bias {number}"]), features)
        own, total = labels[inside], logits.sum() * 0
        preferred, preferred_outside = self.debias * self.state["prefers"][number].log()
        for z in (logits, second) if len(inside) else ():
            weak, other, blended = (z + preferred).split([half, half, len(inside)])
            total = total + F.cross_entropy(weak[inside], own) + weight * F.cross_entropy(other[inside], own)
            total = total + weight * soft_cross_entropy(blended, own, own[partner], lam).mean()
        if guessed and len(outside):
            sharp = ((said[outside] - preferred_outside) / TEMPERATURE).softmax(1)
            weak, other = (second[: 2 * half] + preferred_outside).split(half)
            total = total + guessed * F.cross_entropy(weak[outside], sharp)
            total = total + guessed * weight * F.cross_entropy(other[outside], sharp)
        return total

    def _remember(self, run: Run, number: int, p: Tensor, chosen: Tensor) -> None:
        """Move π and π_U towards the mean of p (B, K) over the chosen and over the others."""
        steps = run.steps_done / run.progress if run.progress else math.inf  # of this training
        momentum = MOMENTUM ** (STEPS / steps)
        for place, which in enumerate((chosen, ~chosen)):
            if which.any():
                prefers = self.state["prefers"][number, place]
                prefers.lerp_(p[which].mean(0), 1 - momentum)


def smallest_by_class(losses: Tensor, labels: Tensor, share: float) -> Tensor:
    """Which of the losses (N,) are among the ⌈share · N⌉ smallest of their label (N,), at least one a label."""
    number = max(1, math.ceil(share * len(labels)))
    found = torch.zeros_like(labels, dtype=torch.bool)
    for label in labels.unique():
        places = (labels == label).nonzero()[:, 0]
        found[places[losses[places].argsort()[:number]]] = True
    return found


def room_for(agreed: Tensor, sure: Tensor, trusted: int) -> Tensor:
    """Which of the `agreed` (B,) come into S: the surest (B,), until with those `trusted` it is nine tenths of B."""
    room = max(0, int(FULL * len(agreed)) - trusted)
    surest = torch.where(agreed, sure, -1.0).argsort(descending=True)[:room]
    return torch.zeros_like(agreed).index_fill_(0, surest, True) & agreed
