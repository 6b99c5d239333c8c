"""Labels that somebody changes by hand, while a network trains on them."""

from __future__ import annotations

import torch

from nlkit.checks import check_integer
from nlkit.tasks.task import Task


def relabel(task: Task, place: int, label: int) -> None:
    """Give a noisy example another given label, **in the task itself**: what trains on it goes on with the new one.

    A training reads labels and weighs what it measures at each step, so it learns from the new label from its next step
    on, with the weights and the memory that it has by then. `task.wrong` and what is counted from it follow. (For a
    copy with other labels, take `dataclasses.replace`.)

    place: of the noisy example, 0 … N - 1. label: a class, 0 … K - 1. Raises a ValueError for what is none of these.
    """
    check_integer("place", place, 0, task.noisy_count - 1)
    check_integer("label", label, 0, task.num_classes - 1)
    task.given[place] = label
    task.wrong[place] = bool(task.known[place]) and label != int(task.true[place])


def flip(task: Task, place: int) -> int:
    """Give a noisy example of a task with two classes the other label, in the task itself; returns that label."""
    if task.num_classes != 2:
        raise ValueError(f"task has {task.num_classes} classes; a label is flipped where there are two: take relabel")
    check_integer("place", place, 0, task.noisy_count - 1)
    relabel(task, place, 1 - int(task.given[place]))
    return int(task.given[place])


def flip_where(task: Task, indices: set[int]) -> None:
    """Flip the noisy examples that lie at these places of the data set's training part (see `Task.index`)."""
    chosen = torch.isin(task.index[: task.noisy_count].cpu(), torch.tensor(sorted(indices), dtype=torch.long))
    for place in chosen.nonzero().flatten().tolist():
        flip(task, place)
