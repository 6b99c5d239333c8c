"""What a method is handed: the run (network, optimizer, clean set, randomness) and one batch."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from nlkit.learning.augment import unchanged
from nlkit.learning.by_hand import Passes, fill_cross_entropy, fill_weighted
from nlkit.learning.devices import InBfloat16
from nlkit.learning.optimizers import adam, clear_gradients, take_step


class Batch(NamedTuple):
    index: Tensor  # (B,) places in the examples that the method learns from; the noisy set comes first
    images: Tensor  # (B, C, H, W), augmented
    labels: Tensor  # (B,) given labels
    originals: Tensor | None = None  # (B, C, H, W) the images as they were before they were augmented


class StepResult(NamedTuple):
    loss: Tensor  # scalar, detached or not
    weights: Tensor | None = None  # (B,) weights of the batch's examples, summing to 1 (or all 0)
    shown: Mapping[str, Tensor] | None = None  # name -> (B,) a number of each of the batch's examples, to be looked at


class Method(Protocol):
    """An algorithm on the kit's own task: a class whose constructor's arguments are its options.

    It may also have `prepare(run)`, which is called once, before the first step, and refuses by a ValueError what it
    can't do with this network; `state`, a dictionary of what it remembers between steps, for checkpoints; `matrix`, if
    it may be told one; `knobs`, the options that a panel lets be moved: name -> `nlkit.settings.setting(…)`; and
    `kept`, the names of numbers of its own that sweeps keep.

    A method that chooses among epochs has more: `hold_out(run)`, asked once, before the first step, for the places (H,)
    in the noisy set that no batch is to have; `after_epoch(run, network)`, told at the end of each epoch the network
    that would be measured, which gives numbers for the record; and `weights`, the state of the network that is measured
    instead and that the run leaves behind, or None for the one it has.

    A method that answers with more than the run's network has `jurors(run)`, the other networks that answer with it:
    the mean of all their probabilities is measured. (The run averages the weights of its own network alone; one that
    averages as the run does is in peer.py.) What it learns beside the network, it hands to `run.also_learn` in
    `prepare` and keeps in `state` as a Parameter.
    One that trains in stages finds in restart.py how layers start again or rest, and when an epoch begins.
    """

    learns_from: str  # what an epoch runs through: "noisy", "clean", or "noisy and clean"
    needs_clean: bool  # whether it is lost without a clean set
    weighs: bool  # whether it gives the examples weights, which its steps report
    sees_noise: bool  # whether it sees noisy examples at all

    def step(self, run: Run, batch: Batch) -> StepResult:
        """One update of `run.model` on one batch."""


@dataclass
class Run:
    """One training run as its method sees it. There are no true labels and no test set in here."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    clean_images: Tensor  # (M, C, H, W)
    clean_labels: Tensor  # (M,)
    generator: torch.Generator  # on the CPU, for the method's own draws
    num_classes: int
    num_examples: int  # N + M, noisy and clean: the places that a batch's index can name
    progress: float = 0.0  # share of the training's steps that lie behind, in [0, 1)
    steps_done: int = 0  # training steps that lie behind, over all epochs
    steps_an_epoch: int = 1
    augment: Callable[[Tensor, torch.Generator], Tensor] = unchanged  # for clean batches; a `Batch` comes augmented
    noisy_images: Tensor = field(default_factory=lambda: torch.empty(0))  # (N, C, H, W) as they are
    given_labels: Tensor = field(default_factory=lambda: torch.empty(0))  # (N,) theirs
    averaged: nn.Module | None = None  # the network whose weights are averaged over the steps, if the run has one
    build: Callable[[int], nn.Module] | None = None  # another network from a seed; None if the first was handed in
    beside: list[torch.optim.Optimizer] = field(default_factory=list)  # of what is learned beside the network
    _passes: Passes = field(default_factory=Passes, init=False, repr=False)

    @property
    def groups(self) -> list[dict[str, Any]]:
        """The groups of parameters whose learning rates follow the schedule."""
        return [group for optimizer in (self.optimizer, *self.beside) for group in optimizer.param_groups]

    def noisy(self, batch: Batch) -> Tensor:
        """(B,) which of a batch's examples are of the noisy set; it comes first."""
        return batch.index < self.num_examples - len(self.clean_labels)

    def logits(self, images: Tensor) -> Tensor:
        """What the network says of images, (B, K), for a loss that `descend` is handed.

        It says the same as `self.model(images)`, which a loss may go through too, and takes less time where the network
        is of linear layers (learning/by_hand.py). For derivatives of derivatives take `self.model`.
        """
        return self._passes.logits(self.model, images)

    def descend(self, loss: Tensor) -> None:
        """One optimizer step down the gradient of `loss`, of the network and of what is learned beside it."""
        self.fill(loss)
        self.take_step()

    def fill(self, loss: Tensor) -> None:
        """Make the gradient of `loss` that of all that learns, and take no step."""
        for optimizer in (self.optimizer, *self.beside):
            clear_gradients(optimizer)
        self._passes.backward(loss)

    def take_step(self) -> None:
        """One optimizer step by the gradients that are there."""
        for optimizer in (self.optimizer, *self.beside):
            take_step(optimizer)

    def also_learn(self, parameters: list[Tensor], learning_rate: float) -> None:
        """Let `descend` move these too, by Adam, at a rate of their own that follows the run's schedule."""
        self.beside.append(adam(parameters, learning_rate))

    def descend_weighted(self, losses: Tensor, weights: Tensor) -> Tensor:
        """One optimizer step down Σ_i w_i ℓ_i, for losses (B,) and weights (B,), a constant; returns the sum."""
        clear_gradients(self.optimizer)
        total = (weights * losses).sum()
        if not fill_weighted(losses, weights):
            self._passes.backward(total)
        take_step(self.optimizer)
        return total.detach()

    def learn(self, images: Tensor, labels: Tensor) -> Tensor:
        """One optimizer step down the mean cross-entropy of labels (B,), and the losses (B,) before it."""
        clear_gradients(self.optimizer)
        losses = fill_cross_entropy(self.model, images, labels)
        if losses is None:
            losses = F.cross_entropy(self.model(images), labels, reduction="none")
            losses.mean().backward()
        take_step(self.optimizer)
        return losses.detach()

    def clean_batch(self, size: int) -> tuple[Tensor, Tensor]:
        """`size` examples of the clean set (all of it, if it is smaller), drawn afresh without replacement.

        They are augmented as the noisy ones are: what helps on them should not hang on where in the image things are.
        """
        chosen = torch.randperm(len(self.clean_labels), generator=self.generator)[:size].to(self.clean_labels.device)
        return self.augment(self.clean_images.index_select(0, chosen), self.generator), self.clean_labels[chosen]

    def companion(self) -> tuple[nn.Module, torch.optim.Optimizer]:
        """A second network, made as the first was but drawn from another seed, and an optimizer of the same settings.

        A network that was handed in cannot be made once more. Of that, a copy is drawn anew as far as it learns: see
        `draw_anew`, which also says when that is refused by a ValueError. So is a second network that equals the first.
        """
        seed = int(torch.randint(2**62, (), generator=self.generator))
        wrapped = isinstance(self.model, InBfloat16)
        network = self.build(seed) if self.build else draw_anew(self.model.network if wrapped else self.model, seed)
        network = InBfloat16(network) if wrapped else network
        pairs = list(zip(self.model.parameters(), network.parameters()))
        if all(torch.equal(p, q) for p, q in pairs if p.requires_grad):
            raise ValueError("model makes the same network whatever the seed; a second one must start elsewhere")
        optimizer = copy.deepcopy(self.optimizer)
        optimizer.state.clear()
        own = dict(pairs)
        for ours, theirs in zip(self.optimizer.param_groups, optimizer.param_groups):
            theirs["params"] = [own[p] for p in ours["params"]]
        return network, optimizer


def draw_anew(network: nn.Module, seed: int) -> nn.Module:
    """A copy of a network in which all that learns is drawn from `seed`, on the CPU, and all that is frozen is kept.

    Layers are asked to draw their parameters themselves (`reset_parameters`). A trained layer that goes on learning
    starts from scratch then, since nobody knows what it came from; hand in what makes the network where that matters.
    torch's own random state is left as it was. Raises a ValueError that names a parameter that learns and that no layer
    draws, or that tells why the network can't be copied.
    """
    instead = "hand in what makes the network, as in model=lambda: Net(), and it is made twice"
    kind = type(network).__name__
    try:
        copied = copy.deepcopy(network)
    except Exception as error:
        line = str(error).partition("\n")[0]
        raise ValueError(f"model={kind} can't be copied to make a second network; {instead} ({line})") from error
    device = next((p.device for p in network.parameters()), "cpu")
    frozen = [p for p in copied.parameters() if not p.requires_grad]
    frozen += [b for layer in copied.modules() if layer.training < copied.training for b in layer.buffers()]
    kept = [name for name, tensor in places(copied) if any(tensor is each for each in frozen)]
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        for p in copied.cpu().parameters():
            if p.requires_grad:
                p.fill_(torch.nan)  # which a layer that draws it writes over
        for layer in reversed(list(copied.modules())):  # parts first: some layers set what their parts have drawn
            draw = getattr(layer, "reset_parameters", getattr(layer, "_reset_parameters", None))
            if draw is not None and any(p.requires_grad for p in layer.parameters()):
                draw()
    for name, p in copied.named_parameters():
        if p.requires_grad and p.isnan().any():
            raise ValueError(
                f"model={kind} has a parameter {name!r} that no layer draws anew (by reset_parameters), as a second "
                f"network needs it; {instead}"
            )
    own, theirs = dict(places(network)), dict(places(copied.to(device)))
    with torch.no_grad():
        for name in kept:
            theirs[name].copy_(own[name])
    return copied


def places(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Where a network keeps its parameters and buffers: the name of each place, and the tensor that is there.

    A layer that the network uses twice comes once, and a tensor that two layers share comes with the place of each.
    """
    for prefix, module in model.named_modules():
        for name, tensor in (*module._parameters.items(), *module._buffers.items()):
            if tensor is not None:
                yield f"{prefix}.{name}" if prefix else name, tensor


def call_with(model: nn.Module, others: Mapping[Tensor, Tensor], images: Tensor) -> Tensor:
    """What a network says of images with other tensors in place of some of its own; it keeps its own.

    Left to itself, `functional_call` puts them in twice where a layer is used twice, and leaves them there.
    """
    here = {name: others[tensor] for name, tensor in places(model) if tensor in others}
    return functional_call(model, here, (images,), tie_weights=False)


def spare_buffers(model: nn.Module) -> dict[Tensor, Tensor]:
    """Copies of a network's buffers, for `call_with` to write to in place of the network's own.

    With batch norm every pass in training mode moves the running statistics, which only evaluation reads. A step is to
    move them once, by the pass that it learns from; a pass that only looks ahead, or only weighs, gets spare ones.
    """
    return {buffer: buffer.clone() for buffer in model.buffers()}


def in_passing(model: nn.Module, images: Tensor) -> Tensor:
    """What a network in training mode says of images, without a trace in its buffers."""
    spare = spare_buffers(model)
    return call_with(model, spare, images) if spare else model(images)  # the latter takes 50 µs less


def normalize_weights(weights: Tensor) -> Tensor:
    """Weights (B,) made a distribution: negative ones become 0, the rest sum to 1 (or all stay 0)."""
    positive = weights.clamp(min=0)
    total = positive.sum()
    return torch.where(total > 0, positive / total, positive)
