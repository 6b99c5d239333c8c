"""Checkpoints: a run in one file, from which it goes on to the same result as if it had never stopped."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from nlkit.records import Record
from nlkit.task import Task


def check_checkpoint_path(checkpoint: str | Path) -> Path:
    """The path of a checkpoint; a ValueError when its folder does not exist."""
    path = Path(checkpoint)
    if not path.absolute().parent.is_dir():
        raise ValueError(f"checkpoint={str(path)!r} is in a folder that does not exist")
    return path


def save_checkpoint(path: Path, settings: dict[str, object], records: list[Record], state: dict[str, object]) -> None:
    """Write a run's settings, its records so far and its state. What was there before is replaced at once."""
    rows = [{**vars(record)} for record in records]
    partial = path.with_name(path.name + ".partial")
    torch.save({"settings": settings, "records": rows, **state}, partial)
    os.replace(partial, path)  # so that an interrupt leaves the old checkpoint or the new one, never half of one


def load_checkpoint(
    path: Path, settings: dict[str, object], device: torch.device
) -> tuple[list[Record], dict[str, object]]:
    """The records and the state of the run with these `settings`, its tensors on `device`.

    Raises a ValueError when the file is no checkpoint, or one of a run with other settings.
    """
    try:
        saved = torch.load(path, map_location=device, weights_only=True)
        found = saved["settings"]
    except Exception as error:
        raise ValueError(f"checkpoint={str(path)!r} is not a checkpoint of a run: {error}") from error
    differ = [key for key in settings.keys() | found.keys() if settings.get(key) != found.get(key)]
    if differ:
        was = ", ".join(f"{key}={found.get(key)!r} (now {settings.get(key)!r})" for key in sorted(differ))
        raise ValueError(f"checkpoint={str(path)!r} is of another run: {was}; name another file, or remove it")
    return [Record(**row) for row in saved["records"]], saved


def task_fingerprint(task: Task) -> str:
    """Tells tasks apart by what training sees: which examples, with which given labels."""
    place = torch.arange(1, len(task.given) + 1)
    mixed = (task.index * 1009 + task.given.cpu()) * place % 1_000_000_007
    return f"{task.dataset}, {len(task.wrong)} noisy, {len(task.clean_labels)} clean, {int(mixed.sum()):x}"
