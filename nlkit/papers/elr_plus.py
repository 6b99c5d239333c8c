"""ELR+: early-learning regularization with two networks, each held to what the other's averaged weights have said.

    Liu, Niles-Weed, Razavian, Fernandez-Granda: Early-learning regularization prevents memorization of noisy labels.
    NeurIPS 2020, arXiv:2007.00151, section 4.3.

    θ̄ ← γ θ̄ + (1 - γ) θ                                        (a moving average of each network's weights)
    t_i ← β t_i + (1 - β) p(x_i; θ̄')                            (of the other network's)
    x̃_i, ỹ_i, t̃_i: image, given label and target, blended with those of another example by λ_i ~ Beta(α, α)
    L(θ) = 1/B Σ_i CE(p(x̃_i; θ), ỹ_i) + λ/B Σ_i log(1 - ⟨p(x̃_i; θ), t̃_i⟩)

What one network says of its own past it says again; the other started elsewhere, and averages are steadier than either.
β = 0.7, λ = 3, γ = 0.997 and α = 1 are the authors' for CIFAR-10 with symmetric noise. The average's weight grows at
first as in `optimizers.averaged_network`. Both networks answer together, by the mean of their probabilities, as in
the authors' program, which trains with a rate that restarts. Clean examples are among those that are learned from.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from nlkit.checks import check_number
from nlkit.learning.learner import Batch, Run, StepResult
from nlkit.learning.models import in_evaluation_mode
from nlkit.learning.optimizers import averaged_network
from nlkit.learning.peer import TwoTogether
from nlkit.papers.mixup import draw_beta, mix, soft_cross_entropy


class EarlyLearningPlus(TwoTogether):
    learns_from = "noisy and clean"
    needs_clean = False
    weighs = False
    sees_noise = True

    def __init__(self, beta: float = 0.7, strength: float = 3.0, average: float = 0.997, alpha: float = 1.0):
        """beta: β, in [0, 1]. strength: λ, 0 or more. average: γ, in [0, 1). alpha: α, above 0. Else a ValueError."""
        self.beta = check_number("beta", beta, 0, 1)
        self.strength = check_number("strength", strength, 0)
        self.average = check_number("average", average, 0, 1 - 1e-9)
        self.alpha = check_number("alpha", alpha, 0, above=True)
        super().__init__()
        self.averages: list[AveragedModel] = []  # of the run's network and of the other

    def step(self, run: Run, batch: Batch) -> StepResult:
        self.peer.begin(run)
        networks = run.model, self.peer.network
        if not self.averages:
            self._begin(run, networks)
        size, device = len(batch.labels), batch.labels.device
        partner = torch.randperm(size, generator=run.generator).to(device)
        lam = draw_beta(self.alpha, size, run.generator).to(batch.images)
        images = mix(batch.images, partner, lam)
        targets = self._targets(batch, lam, partner)
        logits = self.peer.both(run, images)
        losses = [self._loss(z, batch.labels, partner, lam, t) for z, t in zip(logits, targets)]
        self.peer.descend_together(run, torch.stack(losses).sum())
        for average, network, key in zip(self.averages, networks, ("average", "peer's average")):
            average.update_parameters(network)
            self.state[key] = average.state_dict()
        return StepResult(losses[0].detach())

    def _begin(self, run: Run, networks: tuple[nn.Module, nn.Module]) -> None:
        self.averages = [averaged_network(network, self.average) for network in networks]
        if "said" not in self.state:
            said = torch.zeros(2, run.num_examples, run.num_classes, device=run.given_labels.device)
            self.state["said"] = said.to(next(run.model.parameters()).dtype)
        else:  # of a checkpoint
            for average, key in zip(self.averages, ("average", "peer's average")):
                average.load_state_dict(self.state[key])

    @torch.no_grad()
    def _targets(self, batch: Batch, lam: Tensor, partner: Tensor) -> list[Tensor]:
        """t̃ (B, K) for each network: what the other's average has said of the batch's examples, blended."""
        found = []
        for said, average in zip(self.state["said"], reversed(self.averages)):
            with in_evaluation_mode(average):
                p = average(batch.images).softmax(1).clamp(1e-4, 1 - 1e-4)
            said[batch.index] = self.beta * said[batch.index] + (1 - self.beta) * p / p.sum(1, keepdim=True)
            t = said[batch.index]
            found.append(t[partner].lerp(t, lam[:, None]))
        return found

    def _loss(self, logits: Tensor, labels: Tensor, partner: Tensor, lam: Tensor, targets: Tensor) -> Tensor:
        fits = soft_cross_entropy(logits, labels, labels[partner], lam).mean()
        p = logits.softmax(1).clamp(1e-4, 1 - 1e-4)
        return fits + self.strength * (1 - (p * targets).sum(1)).log().mean()
