"""The boundary panel: flip the label of a point, and see how networks bend their decision boundaries round it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import ipywidgets as widgets

from nlkit import plots
from nlkit.data.plane import PLANES, as_points, nearest
from nlkit.live.any_panel import polite_line, tell
from nlkit.live.bench import OFFERED, PER_CLASS, Bench, from_left, points
from nlkit.live.clicks import clicks
from nlkit.live.controls import (
    check_methods,
    choice,
    on_change,
    rows,
    scale_slider,
    task_controls,
    values_of,
    whole_slider,
)
from nlkit.live.run_panel import LEARNING_RATES
from nlkit.live.session import results_table
from nlkit.live.ticked_panel import TickedPanel
from nlkit.plots.boundaries import point_at
from nlkit.records import Step
from nlkit.tasks.flips import flip

PACE = 50.0  # epochs a second: a label that was flipped takes a second or two to be fitted, which can be watched
_REACH = 0.2  # in the plane, whose arcs have a radius of 1: how far from a point a click still means it
_REST = 0.1  # seconds between two pictures at least


def boundary(
    data: str = "moons",
    *,
    methods: str | Sequence[str] = ("standard", "mentornet"),
    noise: str | None = None,
    ratio: float = 0.0,
    clean_per_class: int = 5,
    epochs: int = 300,
    learning_rate: float = 3e-3,
    seed: int = 0,
    mode: str | None = None,
) -> widgets.Widget:
    """A panel in which a click on a point of the plane flips its label, before, while or after networks train on it.

    Each method that is ticked, up to four, trains a small network (2-128-64-2), and what it says of every place of the
    plane is drawn several times a second, together with its decision boundary. A label that is flipped meanwhile is
    learned from at the next step, with the weights and all that the method remembers: so the boundary is seen to bend,
    or not to. After the last epoch a flip trains on for as many epochs more, and so does *Go on*; *Start* begins anew.
    Without a mouse: *point* picks one by its number, counted from left to right, and *Flip label* flips it.

    data: "moons" or "blobs", 40 points a class (see `nlkit.data.plane`). methods: of `nlkit.live.bench.OFFERED`.
    The others: where the controls start, as `make_task` and `train` take them. mode: how it is driven, see
    `nlkit.live`.

    Raises a ValueError for what is not offered, for more than four methods, and beyond the end of a slider.
    """
    methods = check_methods(methods, OFFERED)
    task = {"noise": noise, "ratio": ratio, "clean_per_class": clean_per_class, "seed": seed}
    controls = {"data": choice("data", PLANES, data), **task_controls(points(data), **task)}
    controls["epochs"] = whole_slider("epochs", epochs, 1, 1000, argument="epochs")
    controls["learning_rate"] = scale_slider("learning rate", learning_rate, LEARNING_RATES)
    return BoundaryPanel(controls, methods, mode)


class BoundaryPanel(TickedPanel):
    """See `boundary`."""

    def __init__(self, controls: dict[str, widgets.Widget], methods: Sequence[str], mode: str | None):
        self.flips: set[int] = set()  # places in the data set whose labels are flipped
        self.bench = Bench(points(controls["data"].value), methods, values_of(controls))
        self._until, self._drawn, self._follows, self._points_out = 0, None, False, False
        self.said = polite_line()
        self.point = widgets.BoundedIntText(1, min=1, max=2 * PER_CLASS, description="point")
        self.point.layout.width, self.point.style.description_width = "13em", "7.5em"
        self.flip_button, self.more = (widgets.Button(description=name) for name in ("Flip label", "Go on"))
        self.flip_button.layout.width = self.more.layout.width = "7em"
        self.flip_button.on_click(lambda _: self.flip(self.place))
        self.more.on_click(self.go_on)
        by_hand = rows([self.point, self.flip_button, self.more, clicks(self.clicked)])
        super().__init__("boundary", _run, controls, "methods", OFFERED, methods, None, mode, more=[by_hand, self.said])
        on_change([self.point], self._point_out)
        on_change([controls["data"]], self._other_data)

    @property
    def place(self) -> int:
        """Place in the task of the point whose number stands in the field."""
        return self._place_of(self.point.value)

    def asked(self) -> tuple[list[str], dict[str, object], set[int], Bench | None, int, float | None]:
        return (*super().asked(), set(self.flips), None, self.controls["epochs"].value, self._pace)

    @property
    def _pace(self) -> float | None:
        return None if self.driver.mode == "blocking" else PACE  # where nobody watches

    def clicked(self, across: float, down: float) -> None:
        """Flip the label of the point at a place of the picture, in shares of its width and height."""
        with self.driver.lock:
            at = point_at(len(self.bench.networks), across, down)
            place, far = nearest(as_points(self.bench.task.images), *at) if at else (0, _REACH)
            if far >= _REACH:
                return tell(self.said, "No point is there.")
            self._follows = True
            self.point.value = self._order.index(int(self.bench.task.index[place])) + 1
            self._follows = False
            self.flip(place)

    def flip(self, place: int) -> None:
        """Flip the given label of a noisy point, by its place in the task, and train on if the run has ended."""
        with self.driver.lock:
            task = self.bench.task
            if place >= task.noisy_count:
                return tell(self.said, f"{self._named(place)} is of the clean set, whose labels stay.")
            label = flip(task, place)
            self.bench.flips ^= {int(task.index[place])}
            self.flips ^= {int(task.index[place])}
            verdict = "wrong" if task.wrong[place] else "right"
            tell(self.said, f"{self._named(place)} is now labelled {task.class_names[label]}, which is {verdict}.")
            if self.driver.state == "done":
                self.go_on()
            elif self.driver.busy:
                self._next_picture = 0.0
            else:
                self.draw()
                self.keep_picture()

    def go_on(self, _button: object = None) -> None:
        """Train for as many epochs more, from where the networks stand."""
        with self.driver.lock:
            if self.driver.busy or not self.bench.ended:
                return
            epochs = self.controls["epochs"].value
            self._until = self.bench.ended + epochs
            asked = [run.method for run in self.current], self.current[0].settings, set(self.flips), self.bench
        self.driver.start((*asked, epochs, self._pace))

    def figure(self) -> plots.Figure:
        trained = [run.history[-1] if run.history else None for run in self.current]
        words = self.bench.words(trained or [None] * len(self.bench.networks))
        self._drawn = plots.decision_boundaries(
            self.bench.task,
            self.bench.fields(),
            self._drawn,
            words=words,
            chosen=self.place if self._points_out else None,
        )
        return self._drawn

    def words(self) -> str:
        return results_table([*self.earlier, *self.current])

    def epochs(self) -> int:
        return self._until

    def on_event(self, event: tuple[str, object]) -> None:
        kind, what = event
        if kind == "run":
            methods, settings, self.bench = what
            self.bench.take(self.flips)  # one may have been flipped while the data were made
            self._until = settings["epochs"]
            super().on_event((kind, (methods, settings, self.bench.task)))
        elif kind == "on":
            self._began = time.monotonic()
        else:
            super().on_event(event)
            self._show_progress(what[0], Step(what[1].epoch, 1, 1))

    def on_state(self) -> None:
        super().on_state()
        self.more.disabled = self.driver.busy or not self.bench.ended

    def draw(self) -> None:
        began = time.monotonic()
        super().draw()
        now = time.monotonic()
        self._next_picture = now + max(_REST, now - began)  # training is paced, and leaves drawing half of the time

    def changed(self, change: object = None) -> None:
        super().changed(change)
        with self.driver.lock:
            if self.driver.state == "idle":
                self._lay_out()

    def reset(self, button: object = None) -> None:
        with self.driver.lock:
            self.flips, self.point.value = set(), 1
            super().reset(button)
            self.said.value, self._points_out = "", False
            self._lay_out()

    def _lay_out(self) -> None:
        """Show the points as the controls have them, and networks that are not trained."""
        if 1 <= len(self.methods()) <= plots.boundaries.MOST:
            settings = values_of(self.controls)
            self.bench = Bench(points(settings["data"]), self.methods(), settings, self.flips)
            self.draw()

    def _show_progress(self, place: int, step: Step) -> None:
        self.progress.value = step.epoch / self._until
        if place == 0 and step.epoch % 5 == 1:  # else a browser would get too much to read
            tell(self.line, f"training: epoch {step.epoch} of {self._until}")

    def _point_out(self, _change: object) -> None:
        with self.driver.lock:
            task, place, self._points_out = self.bench.task, self.place, not self._follows
            given = task.class_names[int(task.given[place])]
            kind = "of the clean set, " if place >= task.noisy_count else "wrongly " if task.wrong[place] else ""
            if not self._follows:
                tell(self.said, f"{self._named(place)} is {kind}labelled {given}.")
                if not self.driver.busy:
                    self.draw()

    def _other_data(self, _change: object) -> None:
        self.flips = set()

    def _named(self, place: int) -> str:
        x, y = as_points(self.bench.task.images[place : place + 1])[0].tolist()
        number = self._order.index(int(self.bench.task.index[place])) + 1
        return f"Point {number} (x {x:.1f}, y {y:.1f})".replace("-", "−")

    @property
    def _order(self) -> list[int]:
        return from_left(self.bench.task.dataset)

    def _place_of(self, number: int) -> int:
        return int((self.bench.task.index == self._order[number - 1]).nonzero())


def _run(asked: tuple) -> Iterator[tuple[str, object]]:
    """Events of a race that begins, or of one that goes on where its bench stands."""
    methods, settings, flips, bench, epochs, pace = asked
    if bench is None:
        bench = Bench(points(settings["data"]), methods, settings, flips)
        yield "run", (methods, settings, bench)
    else:
        yield "on", None
    for event in bench.records(epochs, pace):
        yield "step", event
