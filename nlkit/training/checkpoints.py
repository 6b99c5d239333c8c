"""Checkpoints: a run in one file, from which it goes on to the same result as if it had never stopped."""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor, nn

from nlkit.files import check_writable, write_whole
from nlkit.records import Record
from nlkit.tasks.task import Task


class Checkpoint:
    """The file of one run: its settings, the epochs that it was planned for, its records so far and its state."""

    def __init__(self, path: str | Path):
        """Raises a ValueError when the file's folder does not exist, and an OSError when it can't be written."""
        self.path = check_writable(path, "checkpoint")
        self.settings: dict[str, object] = {}
        self.planned: list[int] = []  # epochs: as first planned, and as planned when the run went on past that

    @property
    def replanned(self) -> bool:
        return len(self.planned) > 1

    def open(
        self, settings: dict[str, object], epochs: int, device: torch.device
    ) -> tuple[list[Record], dict[str, object]]:
        """The records and the state of the run with these plain `settings`, tensors on `device`; none of a new run.

        Raises a ValueError when the file is no checkpoint, is one of a run with other settings, or holds more than
        `epochs`. Warns when the run was planned for another number of epochs, or started from other weights.
        """
        self.settings, self.planned = settings, [epochs]
        if not self.path.exists():
            return [], {}
        saved = self._read(device)
        found, self.planned = saved["settings"], saved["planned"]
        ours, theirs = _without_weights(settings), _without_weights(found)
        differ = sorted(key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key))
        if differ:
            was = ", ".join(f"{key}={theirs.get(key)!r} (now {ours.get(key)!r})" for key in differ)
            raise ValueError(f"checkpoint={str(self.path)!r} is of another run: {was}; name another file, or remove it")
        records = [Record(**row) for row in saved["records"]]
        if epochs < len(records):
            raise ValueError(
                f"checkpoint={str(self.path)!r} holds {len(records)} epochs; epochs={epochs} must be as many or more"
            )
        if epochs != self.planned[-1]:
            self.planned = [*self.planned, epochs]
        if self.replanned:
            plans = " and then ".join(map(str, self.planned))
            self._warn(
                f"was planned for {plans} epochs: from here on schedule={settings['schedule']!r} is that of {epochs} "
                "epochs, and what the method counts as a share of the training stays as it was; a run planned for "
                f"{epochs} epochs from the start may end elsewhere"
            )
        if settings["model"] != found["model"]:
            self._warn("is of a network that started from other weights; it goes on from those of the file")
        self.settings = found
        return records, saved

    def save(self, records: list[Record], state: dict[str, object]) -> None:
        """Write the run so far. What was there before is replaced at once."""
        rows = [{**vars(record)} for record in records]
        content = {"settings": self.settings, "planned": self.planned, "records": rows, **state}
        write_whole(self.path, lambda stream: torch.save(content, stream))

    def _read(self, device: torch.device) -> dict[str, object]:
        try:
            saved = torch.load(self.path, map_location=device, weights_only=True)
            saved["settings"], saved["planned"]
        except Exception as error:
            raise ValueError(f"checkpoint={str(self.path)!r} is not a checkpoint of a run: {error}") from error
        return saved

    def _warn(self, text: str) -> None:
        warnings.warn(f"checkpoint={str(self.path)!r} {text}", UserWarning, stacklevel=4)


def task_fingerprint(task: Task) -> str:
    """Tells tasks apart by all that a run learns from or is measured on, to the last bit of an image."""
    seen = (task.images, task.given, task.true, task.test_images, task.test_labels)
    return f"{task.dataset}, {len(task.wrong)} noisy, {len(task.clean_labels)} clean, {_digest(seen)}"


def network_fingerprint(network: nn.Module) -> dict[str, str]:
    """Tells networks of one's own apart: by what they are made of, what does not learn, and where they start.

    What they are made of is each layer's kind and options, as the network prints itself, and the shapes of its tensors.
    """
    learns = {name for name, p in network.named_parameters() if p.requires_grad}
    state = {name: tensor for name, tensor in network.state_dict().items() if isinstance(tensor, Tensor)}
    shapes = [(name, tuple(tensor.shape), str(tensor.dtype), name in learns) for name, tensor in state.items()]
    printed = re.sub(r"0x[0-9a-f]+", "", repr(network))  # an address of this process
    made_of = hashlib.blake2b(f"{printed} {shapes}".encode(), digest_size=8).hexdigest()
    fixed = (tensor for name, tensor in state.items() if name not in learns)
    return {
        "kind": type(network).__name__, "made of": made_of, "fixed": _digest(fixed),
        "start": _digest(state[name] for name in state if name in learns),
    }  # fmt: skip


def _without_weights(settings: dict[str, object]) -> dict[str, object]:
    """Settings without where a network of one's own starts: a run that goes on has its weights from the file."""
    model = settings["model"]
    return settings | {"model": model if isinstance(model, str) else {k: v for k, v in model.items() if k != "start"}}


def _digest(tensors: Iterable[Tensor]) -> str:
    found = hashlib.blake2b(digest_size=8)
    for tensor in tensors:
        found.update(f"{tuple(tensor.shape)} {tensor.dtype}".encode())
        found.update(tensor.detach().cpu().reshape(-1).contiguous().view(torch.uint8).numpy())
    return found.hexdigest()
