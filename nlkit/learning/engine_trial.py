"""Which engine is exact for a network: tried on a few clean examples, before the first step and without a trace.

A network is any torch.nn.Module, and what is exact for plain layers need not be for others: hooks on layers and on
gradients, parts that no gradient passes, operators that cannot be differentiated forwards. So each engine is held
against what it stands for, the inner product of an example's gradient and a direction, one example at a time.
Operators that come as one kernel (recurrent layers, attention) often have these derivatives only in their parts.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.optim import Optimizer

from nlkit.learning.devices import InBfloat16
from nlkit.learning.look_ahead import clean_direction

Examples = tuple[Tensor, Tensor]  # images (B, C, H, W) and labels (B,)
Engine = Callable[[nn.Module, Optimizer, Examples, Examples, str], tuple[Tensor, Tensor]]
AUTO = ("layers", "jvp", "double-backward")  # the fastest first
EXAMPLES = 4
TOLERANCE = 0.02  # of the largest help; an engine that is wrong for a network is wrong by far more


def first_exact(
    engines: Mapping[str, Engine], asked: str, model: nn.Module, optimizer: Optimizer, clean: Examples, ahead: str
) -> tuple[str, Engine]:
    """The name of an engine that is exact for a network, and the engine: the one `asked` for, or the fastest ("auto").

    The name tells when it needs the network's operators in their parts. A warning tells when "auto" takes a slow one.
    Raises a ValueError when what was asked for cannot be had.
    """
    images, labels = (torch.cat([part] * EXAMPLES)[:EXAMPLES] for part in clean)
    network = model.network if isinstance(model, InBfloat16) else model
    kind, reason = type(network).__name__, ""

    def tried(engine: Engine, network: nn.Module, seed: int = 0) -> Tensor:
        with _without_a_trace(network, images.device, seed):
            help_, losses = engine(network, optimizer, (images.clone(), labels), (images.clone(), labels), ahead)
            learned = [p for p in network.parameters() if p.requires_grad]
            torch.autograd.grad(losses.sum(), learned, allow_unused=True)  # as the step that learns needs it
        return help_

    def exact(name: str, engine: Engine) -> bool:
        if _close(tried(engine, network), expected):
            return True
        # Of a network that is random by itself nothing can be said. `higher` draws dropout's masks in its own order.
        return not _close(tried(one_by_one, network, seed=int(name == "higher")), expected)

    try:
        expected = tried(one_by_one, network)
    except ValueError:
        raise
    except Exception as error:
        raise ValueError(f"model={kind} can't be trained on images {tuple(images.shape)}: {_line(error)}") from error
    for name in AUTO if asked == "auto" else (asked,):
        for title, engine in ((name, engines[name]), (f"{name}, operators in parts", in_parts(engines[name]))):
            try:
                if not exact(name, engine):
                    reason = "its weights are not those of the examples' own gradients"
                    break  # operators in parts would not help
                if model is not network:
                    tried(engine, model)  # in bfloat16: what works in full precision may not work there
            except ValueError as error:
                if asked == "layers":
                    raise
                reason = reason if name == "layers" else _line(error)
                break
            except Exception as error:
                reason = _line(error)
                continue
            if asked == "auto" and title not in AUTO[:2]:
                warnings.warn(f"engine='auto' takes {title!r} for model={kind}, others failing: {reason}", stacklevel=4)
            return title, engine
    instead = "take another method" if asked == "auto" else "take engine='auto'"
    raise ValueError(f"engine={asked!r} can't be used for model={kind}: {reason}; {instead}")


def one_by_one(
    model: nn.Module, optimizer: Optimizer, noisy: Examples, clean: Examples, ahead: str
) -> tuple[Tensor, Tensor]:
    """What engines compute, u (B,), by one backward pass an example: slow, and all that training itself needs."""
    images, labels = noisy
    direction = clean_direction(model, optimizer, clean, ahead)
    losses = F.cross_entropy(model(images), labels, reduction="none")
    help_ = torch.zeros_like(losses)
    for i, loss in enumerate(losses):
        gradients = torch.autograd.grad(loss, list(direction), retain_graph=True, allow_unused=True)
        help_[i] = sum((g * d).sum() for g, d in zip(gradients, direction.values()) if g is not None)
    return help_.detach(), losses


def in_parts(engine: Engine) -> Engine:
    """An engine that computes fused operators part by part: slower, but each part can be differentiated any way."""

    def compute(*arguments: object) -> tuple[Tensor, Tensor]:
        on_cpu = torch.backends.mkldnn.flags(enabled=False, deterministic=None, allow_tf32=None, fp32_precision=None)
        with torch.backends.cudnn.flags(enabled=False), on_cpu, sdpa_kernel(SDPBackend.MATH):
            return engine(*arguments)

    return compute


@contextlib.contextmanager
def _without_a_trace(network: nn.Module, device: torch.device, seed: int) -> Iterator[None]:
    """Within it the network trains and draws from `seed`. Buffers, modes and random states are then put back."""
    layers = list(network.modules())
    modes, buffers = [layer.training for layer in layers], [dict(layer._buffers) for layer in layers]
    values = {b: b.clone() for b in network.buffers()}
    chip = torch.get_device_module(device) if device.type != "cpu" else None
    place = (device,) if device.type == "cuda" else ()
    state = chip and chip.get_rng_state(*place)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed every device there is
            if chip:
                chip.manual_seed(seed)
            if not network.training:
                network.train()
            yield
    finally:
        if chip:
            chip.set_rng_state(state, *place)
        with torch.no_grad():
            for layer, mode, own in zip(layers, modes, buffers):
                layer.training = mode
                layer._buffers.update(own)
            for buffer, value in values.items():
                buffer.copy_(value)


def _close(ours: Tensor, theirs: Tensor) -> bool:
    """Whether two helps (B,) are the same but for rounding; where one isn't a number there is nothing to tell."""
    size = theirs.abs().max()
    return not size.isfinite() or bool((ours - theirs).abs().max() <= TOLERANCE * size)


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
