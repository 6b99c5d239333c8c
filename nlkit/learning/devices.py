"""Devices, and the precision in which a network computes on them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import torch
from torch import Tensor, nn

PRECISIONS = ("auto", "float32", "fast", "bfloat16")
_lock = threading.Lock()
_within, _before = 0, ("none", "none")  # of `fast_products`: how many are within it, and what was set before the first


def pick_device(device: str | torch.device = "auto") -> torch.device:
    """The device that a name stands for, `"auto"` being CUDA, then Apple's MPS, then the CPU.

    Raises a ValueError when it is not a device or not on this machine.
    """
    if str(device) == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        picked = torch.device(device)
        torch.empty(0, device=picked)
    except (RuntimeError, AssertionError, TypeError) as error:
        raise ValueError(f"device={device!r} can't be used here; take 'auto', 'cpu', 'cuda' or 'mps'") from error
    return picked


def pick_precision(precision: str, network: nn.Module, device: torch.device) -> str:
    """ "float32", "fast" or "bfloat16", as far as they are here.

    `"auto"` is bfloat16 for convolutions on an NVIDIA GPU that computes in it; `"fast"` is float32 on any GPU, and on a
    processor without the instructions.
    """
    if precision == "fast":
        return "fast" if device.type == "cpu" and has_bfloat16_products() else "float32"
    if precision != "auto":
        return precision
    # Older GPUs emulate it, which is slower than float32.
    fast = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return "bfloat16" if fast and has_convolutions(network) else "float32"


def has_convolutions(network: nn.Module) -> bool:
    """Whether any layer of `network` is a two-dimensional convolution."""
    return any(isinstance(layer, nn.Conv2d) for layer in network.modules())


def pick_threads(network: nn.Module) -> int:
    """How many of torch's threads a training step is best computed with: one for a small network of linear layers.

    Its products are over before a second thread, which sleeps meanwhile (see nlkit/__init__.py), has woken up: a step
    of the classroom network took 0.88 ms on one thread of a 2-core machine and 1.11 ms on two.
    """
    small = sum(p.numel() for p in network.parameters()) < 500_000 and not has_convolutions(network)
    return 1 if small else torch.get_num_threads()


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    """Within it torch computes with `count` threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def has_bfloat16_products() -> bool:
    """Whether this processor multiplies in bfloat16 (AMX, AVX-512 BF16, Arm BF16), and torch (from 2.9 on) lets it."""
    onednn = torch.backends.mkldnn
    if not onednn.is_available() or not hasattr(onednn, "matmul"):
        return False
    can = torch.cpu.get_capabilities()
    return any(can.get(name) for name in ("amx_bf16", "avx512_bf16", "bf16"))


@contextlib.contextmanager
def fast_products(on: bool = True) -> Iterator[None]:
    """Within it, if `on`, the processor rounds what goes into products and convolutions of float32 to bfloat16.

    They add up in float32, and what comes out is float32. Only where `has_bfloat16_products`. The setting is the whole
    process's, so that what another thread computes meanwhile is computed so too; it is set back when all are out of it.
    """
    global _within, _before
    if not on:
        yield
        return
    kinds = torch.backends.mkldnn.matmul, torch.backends.mkldnn.conv
    with _lock:
        if not _within:
            _before = tuple(kind.fp32_precision for kind in kinds)
            for kind in kinds:
                kind.fp32_precision = "bf16"
        _within += 1
    try:
        yield
    finally:
        with _lock:
            _within -= 1
            if not _within:
                for kind, before in zip(kinds, _before):
                    kind.fp32_precision = before


class InBfloat16(nn.Module):
    """A network whose layers compute in bfloat16 where that is safe (`torch.autocast`).

    Its parameters stay float32, and so do its logits (B, K): losses, example weights and the optimizer's step never see
    less. It needs no loss scaling, since bfloat16 has float32's range.
    """

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        # Entered anew each pass: autocast remembers the parameters that it cast, and those of a pass without gradients
        # (a method's first look at a batch) must not serve one with gradients.
        with torch.autocast(images.device.type, torch.bfloat16):
            logits = self.network(images)
        return logits.float()
