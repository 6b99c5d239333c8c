"""Devices: `"auto"` takes CUDA, then Apple's MPS, then the CPU."""

from __future__ import annotations

import torch


def pick_device(device: str | torch.device = "auto") -> torch.device:
    """The device that a name stands for; a ValueError when it is not a device or not on this machine."""
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
