"""A network of one's own: what it must be to be trained here, and what training must leave as it was."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.parameter import is_lazy

from nlkit.learning.devices import pick_threads, threads
from nlkit.learning.learner import in_passing
from nlkit.learning.models import in_evaluation_mode
from nlkit.randomness import seeded_generator


def check_network(network: nn.Module, images: Tensor, num_classes: int) -> None:
    """Refuse a network that can't be trained on `images` (B, C, H, W) with one class of `num_classes` each.

    It is tried on them, once as it will be trained and once as it will be measured, and comes back as it was.
    Raises a ValueError that says what is off: no parameter that learns, an error of its own, an output that is not one
    float tensor (B, K), or that no parameter reaches, or images that it changes in place.
    """
    name = f"model={type(network).__name__}"
    if any(is_lazy(tensor) for tensor in (*network.parameters(), *network.buffers())):
        raise ValueError(f"{name} has layers whose size is not yet known; pass one batch through it first")
    if not any(p.requires_grad for p in network.parameters()):
        raise ValueError(f"{name} has no parameter that learns: none has requires_grad=True")
    with threads(pick_threads(network)), OwnDraws(0, images.device).active(), torch.enable_grad():
        logits = _tried(name, network, images)
        if tuple(logits.shape) != (len(images), num_classes):
            raise ValueError(
                f"{name} gives {tuple(logits.shape)} for {len(images)} images; it must be ({len(images)}, "
                f"{num_classes}), a logit for each of the {num_classes} classes"
            )
        if (logits.dtype, logits.device) != (images.dtype, images.device):
            raise ValueError(
                f"{name} gives {logits.dtype} on {logits.device}; logits must be {images.dtype} on {images.device}"
            )
        if not logits.requires_grad:
            raise ValueError(f"{name} gives logits that no parameter reaches, so that nothing can be learned")
        loss = F.cross_entropy(logits, torch.zeros(len(images), dtype=torch.long, device=images.device))
        try:
            torch.autograd.grad(loss, [p for p in network.parameters() if p.requires_grad], allow_unused=True)
        except RuntimeError as error:
            raise ValueError(f"{name} has no gradient: {_in_short(error)}") from error
        with in_evaluation_mode(network), torch.no_grad():
            _tried(name, network, images)


def _tried(name: str, network: nn.Module, images: Tensor) -> Tensor:
    """What the network gives for a copy of the images; a ValueError where it fails, or spoils them."""
    given = images.clone()
    try:
        logits = in_passing(network, given)
    except Exception as error:  # whatever a network of somebody's own may raise
        told = f"{type(error).__name__}: {_in_short(error)}"
        raise ValueError(
            f"{name} can't take a batch of {len(images)} images {tuple(images.shape[1:])}; {told}"
        ) from error
    if not isinstance(logits, Tensor):
        raise ValueError(
            f"{name} gives a {type(logits).__name__}; it must give one tensor of logits ({len(images)}, K)"
        )
    if not torch.equal(given, images):
        raise ValueError(
            f"{name} changes the images that it is given, in place, and with them the task; "
            "let it make new ones, as in x = x - 0.5 for x -= 0.5"
        )
    return logits


def _in_short(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def start_training_mode(network: nn.Module) -> None:
    """Put a network that comes in evaluation mode, as from a file, in training mode.

    One in training mode is left as it is: a norm in it that is in evaluation mode was frozen on purpose.
    """
    if not network.training:
        network.train()


class OwnDraws:
    """A stream of torch's global randomness for one network, which is all that layers such as dropout can draw from.

    So they depend on the run's seed alone, and leave everybody else's draws as they were. `state` goes in a checkpoint.
    """

    def __init__(self, seed: int, device: torch.device):
        generator = seeded_generator(seed, "network")
        self.state = {"cpu": generator.get_state()}
        if device.type in ("cuda", "mps"):
            self.state[device.type] = torch.Generator(device).manual_seed(generator.initial_seed()).get_state()
        self._device = device

    @contextlib.contextmanager
    def active(self) -> Iterator[None]:
        """Within it, torch's global generators are this stream."""
        before = self._global_state()
        self._set_global(self.state)
        try:
            yield
        finally:
            self.state = self._global_state()
            self._set_global(before)

    def _global_state(self) -> dict[str, Tensor]:
        state = {"cpu": torch.get_rng_state()}
        if self._device.type == "cuda":
            state["cuda"] = torch.cuda.get_rng_state(self._device)
        elif self._device.type == "mps":
            state["mps"] = torch.mps.get_rng_state()
        return state

    def _set_global(self, state: dict[str, Tensor]) -> None:
        torch.set_rng_state(state["cpu"])
        if self._device.type == "cuda":
            torch.cuda.set_rng_state(state["cuda"], self._device)
        elif self._device.type == "mps":
            torch.mps.set_rng_state(state["mps"])
