"""Many networks at once: whole trainings at ten noise ratios as one batched product, against one after the other."""

from __future__ import annotations

from benchmarks.timing import Row, interleaved, rows_of
from nlkit import load, train
from nlkit.tasks.make import tasks_at
from nlkit.training.many import train_many

RATIOS = tuple(tenth / 10 for tenth in range(10))


def measure(rounds: int = 5, epochs: int = 2, counts: tuple[int, ...] = (2, 5, 10)) -> list[Row]:
    """Part 8 of the list in run.py. What is measured after each epoch is part of both sides."""
    tasks = tasks_at(RATIOS, load("mnist5k", device="cpu"), device="cpu")
    rows = []
    for count in counts:
        some = tasks[:: len(tasks) // count][:count]

        def in_turn(some=some) -> None:
            for task in some:
                list(train(task, epochs=epochs))

        def at_once(some=some) -> None:
            list(train_many(some, epochs=epochs))

        sides = {"one after the other": in_turn, "at once": at_once}
        rows += rows_of("many", f"mlp, {count} noise ratios, {epochs} epochs", interleaved(sides, rounds), "at once")
    return rows
