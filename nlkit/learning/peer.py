"""Networks beside the run's own, for methods that train several: made as the first was, from another seed."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel

from nlkit.learning.by_hand import Passes
from nlkit.learning.devices import InBfloat16
from nlkit.learning.learner import Batch, Run, StepResult
from nlkit.learning.optimizers import clear_gradients, take_step


class Peer:
    """The second network, its optimizer, and both in the method's `state`, so that a checkpoint has them.

    name: what they are called there, where a method has several.
    """

    def __init__(self, state: dict[str, Any], name: str = "peer"):
        self.state = state
        self.name = name
        self.made: tuple[nn.Module, Optimizer] | None = None
        self._met = False  # whether it has been in a step
        self._passes = Passes()  # both networks' where they learn together, else its own

    @property
    def network(self) -> nn.Module:
        assert self.made is not None
        return self.made[0]

    @property
    def in_float32(self) -> nn.Module:
        """The network as it is measured, also where its training passes are in bfloat16."""
        return self.network.network if isinstance(self.network, InBfloat16) else self.network

    @property
    def optimizer(self) -> Optimizer:
        assert self.made is not None
        return self.made[1]

    def prepare(self, run: Run) -> None:
        """Make it; a ValueError before the first step where it can't be made."""
        self.made = run.companion()

    def begin(self, run: Run) -> None:
        """At the start of a step: make it if need be, or go on from a checkpoint, at the learning rate of this step."""
        if self.made is None:
            self.prepare(run)
        if not self._met:
            self._met = True
            for ours, theirs in zip(run.model.modules(), self.network.modules()):
                theirs.training = ours.training
            if self.name in self.state:  # of a checkpoint
                self.network.load_state_dict(self.state[self.name])
                self.optimizer.load_state_dict(self.state[f"{self.name}'s optimizer"])
        for group, peers_group in zip(run.optimizer.param_groups, self.optimizer.param_groups):
            peers_group["lr"] = group["lr"]

    def logits(self, images: Tensor) -> Tensor:
        """What it says of images, (B, K), for a loss that `descend` is handed."""
        return self._passes.logits(self.network, images)

    def descend(self, loss: Tensor) -> None:
        """One step of it alone down the gradient of `loss`, to which `logits` led."""
        clear_gradients(self.optimizer)
        self._passes.backward(loss)
        take_step(self.optimizer)
        self._remember()

    def both(self, run: Run, images: Tensor) -> tuple[Tensor, Tensor]:
        """What the run's network and this one say of images, (B, K) each, for one loss of `descend_together`."""
        return self._passes.logits(run.model, images), self.logits(images)

    def descend_together(self, run: Run, loss: Tensor) -> None:
        """One step of each network, and of what is learned beside, down the gradient of a loss that both are in."""
        for optimizer in (run.optimizer, *run.beside, self.optimizer):
            clear_gradients(optimizer)
        self._passes.backward(loss)
        for optimizer in (run.optimizer, *run.beside, self.optimizer):
            take_step(optimizer)
        self._remember()

    def _remember(self) -> None:
        self.state[self.name] = self.network.state_dict()
        self.state[f"{self.name}'s optimizer"] = self.optimizer.state_dict()


class AveragedPeer(Peer):
    """A further network; where the run averages its weights, so does it, with the same decay."""

    def __init__(self, state: dict[str, Any], name: str):
        super().__init__(state, name)
        self.average: AveragedModel | None = None

    @property
    def measured(self) -> nn.Module:
        """What answers for it: its average, or else the network in float32."""
        return self.in_float32 if self.average is None else self.average

    def begin(self, run: Run) -> None:
        first = not self._met
        super().begin(run)
        if first and run.averaged is not None:
            self.average = copy.deepcopy(run.averaged)  # which has the run's decay
            kept = self.state.get(f"{self.name}'s average")
            if kept:  # of a checkpoint
                self.average.load_state_dict(kept)
            else:
                self.average.module.load_state_dict(self.in_float32.state_dict())

    def _remember(self) -> None:
        super()._remember()
        if self.average is not None:
            self.average.update_parameters(self.in_float32)
            self.state[f"{self.name}'s average"] = self.average.state_dict()


class TwoNetworks:
    """What methods with a second network have in common."""

    def __init__(self, state: dict[str, Any] | None = None):
        self.state: dict[str, Any] = {} if state is None else state
        self.peer = Peer(self.state)

    def prepare(self, run: Run) -> None:
        """Make the second network; a ValueError before the first step where it can't be made."""
        self.peer.prepare(run)


class TwoTogether(TwoNetworks):
    """Those whose networks learn from one loss, the sum of theirs, and answer together."""

    def jurors(self, run: Run) -> list[nn.Module]:
        """The second network, which answers with the first."""
        return [self.peer.in_float32]

    def learn_as_given(self, run: Run, batch: Batch) -> StepResult:
        """One step of both networks on the cross-entropy of every label of a batch, each as good as the others."""
        logits = self.peer.both(run, batch.images)
        losses = [F.cross_entropy(z, batch.labels) for z in logits]
        self.peer.descend_together(run, torch.stack(losses).sum())
        return StepResult(losses[0].detach(), torch.full_like(logits[0][:, 0].detach(), 1 / len(batch.labels)))


class Jury(nn.Module):
    """Networks that answer together: the logarithm of the mean of their probabilities."""

    def __init__(self, networks: Sequence[nn.Module]):
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, images: Tensor) -> Tensor:
        """(B, K) of images (B, C, H, W)."""
        said = torch.stack([network(images).log_softmax(1) for network in self.networks])
        return said.logsumexp(0) - math.log(len(self.networks))
