"""The panel of noise ratios: all of them train together, and a slider moves through them without waiting."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence

import ipywidgets as widgets

from nlkit import plots
from nlkit.checks import check_choice
from nlkit.data.dataset import Dataset
from nlkit.data.load import load
from nlkit.live.any_panel import polite_line, tell
from nlkit.live.controls import noise_types, on_change, task_controls, values_of
from nlkit.live.run_panel import RunPanel, check_history, training_controls
from nlkit.noise.kinds import NOISES
from nlkit.plots.figure import QuickFigure
from nlkit.plots.ratios import in_words
from nlkit.records import Record, Step
from nlkit.tasks.make import tasks_at
from nlkit.tasks.task import Task
from nlkit.training.many import train_many

RATIOS = tuple(tenth / 10 for tenth in range(10))


def ratios(
    data: str | Dataset = "mnist5k",
    *,
    noise: str | None = None,
    ratio: float | None = None,
    clean_per_class: int | None = None,
    epochs: int = 25,
    learning_rate: float = 6e-4,
    seed: int = 0,
    histories: Mapping[float, Sequence[Record]] | None = None,
    mode: str | None = None,
) -> widgets.Widget:
    """A panel that trains the classroom network by standard training at 0, 10 … 90 % noise, all at the same time.

    The noise-ratio slider picks the ratio whose curves are drawn in full; it needs no new training. data: the name of a
    data set, or one of your own. noise: a type that replaces no images. ratio: where the slider stands at first, 0.4
    unless given. histories: noise ratio -> records of a run that you have made with just these settings; the panel
    shows them until Start is pressed. The other arguments are those of `live.training`.

    Raises a ValueError for what is not offered, and for a history without records.
    """
    if isinstance(data, Task):
        raise ValueError(f"data={data!r} is made with one noise ratio; hand in a data set, or a data set's name")
    data = load(data) if isinstance(data, str) else data
    controls = task_controls(
        data, noise=noise, ratio=ratio, clean_per_class=clean_per_class, seed=seed, usual_ratio=0.4
    ) | training_controls(epochs=epochs, learning_rate=learning_rate)
    start, moved = controls["noise"].value, controls["ratio"]
    kinds = [name for name in noise_types(data) if NOISES[name].takes_ratio and not name.startswith("red")]
    controls["noise"].options = kinds
    controls["noise"].value = check_choice("noise", start, kinds)
    if moved.value not in RATIOS:
        raise ValueError(f"ratio={moved.value:g} is not offered here; choose one of {', '.join(map(str, RATIOS))}")
    moved.step, moved.max = 0.1, RATIOS[-1]
    made = {round(at, 12): history for at, history in (histories or {}).items()}
    for at, history in made.items():
        if at not in RATIOS:
            raise ValueError(f"histories has the ratio {at:g}; the panel's are {', '.join(map(str, RATIOS))}")
        check_history(f"{at:.0%}", history)
    return RatiosPanel(data, controls, made, mode)


class RatiosPanel(RunPanel):
    """See `ratios`."""

    at_once = len(RATIOS)  # they come together

    def __init__(
        self,
        data: Dataset,
        controls: Mapping[str, widgets.Widget],
        made: Mapping[float, Sequence[Record]],
        mode: str | None,
    ):
        self.ratio, self.words = controls["ratio"], polite_line()
        self._ratio_at_first = self.ratio.value
        self._about = {"chance": 1 / data.num_classes, "tested": len(data.test_labels) > 0}
        self._drawn: QuickFigure | None = None
        super().__init__(
            "ratios", functools.partial(_run, data), {n: c for n, c in controls.items() if n != "ratio"},
            above=[self.ratio], below=[self.words], histories={f"{at:.0%}": history for at, history in made.items()},
            mode=mode,
        )  # fmt: skip
        on_change([self.ratio], self.look)

    def methods(self) -> list[str]:
        return [f"{ratio:.0%}" for ratio in RATIOS]

    def figure(self) -> plots.Figure:
        self._drawn = plots.ratio_curves(
            self.seen, self._chosen, self._drawn,
            epochs=self.epochs() if self.current else self._at_first["epochs"], **self._about,
        )  # fmt: skip
        return self._drawn

    @property
    def seen(self) -> dict[float, list[Record]]:
        """The records of each ratio so far."""
        histories = {run.method: run.history for run in self.current}
        return {ratio: histories.get(name, []) for ratio, name in zip(RATIOS, self.methods())}

    @property
    def _chosen(self) -> float:
        return values_of({"ratio": self.ratio})["ratio"]

    def look(self, _change: object = None) -> None:
        """Show the ratio that the slider stands at."""
        with self.driver.lock:
            self.draw()
            self._tell()
            if not self.driver.busy:
                self.keep_picture()

    def on_state(self) -> None:
        super().on_state()
        if not self.driver.busy:
            self._tell()

    def reset(self, _button: object = None) -> None:
        with self.driver.lock:
            super().reset()
            self.ratio.value = self._ratio_at_first

    def _tell(self) -> None:
        tell(self.words, f"At {self._chosen:.0%} noise. {in_words(self.seen[self._chosen])}")


def _run(data: Dataset, asked: tuple[list[str], dict[str, object]]) -> Iterator[tuple[str, object]]:
    """Events as those of a race; progress within an epoch is told as if the ratios took it one after the other."""
    names, settings = asked
    training = {name: settings[name] for name in ("epochs", "learning_rate", "seed")}
    tasks = tasks_at(RATIOS, data, **{name: settings[name] for name in ("noise", "clean_per_class", "seed")})
    yield "run", (names, settings, None)
    for event in train_many(tasks, **training, yield_steps=True):
        if isinstance(event, Step):
            place, part = divmod(event.step * len(names), event.steps)
            yield "step", (place, Step(event.epoch, part, event.steps))
        else:
            for place, record in enumerate(event):
                yield "step", (place, record)
