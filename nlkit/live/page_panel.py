"""The panel of a page: its variants race, its knobs move, and what is seen is the page's picture."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import ipywidgets as widgets

from nlkit import plots
from nlkit.checks import check_choice
from nlkit.contents import PAGES, accepts, experiment_of, knobs_of, told_apart_by
from nlkit.data.load import load
from nlkit.identity import key
from nlkit.learning.devices import threads
from nlkit.live.controls import field_control, noise_types, seed_control
from nlkit.live.session import in_turn, table_of_numbers
from nlkit.live.ticked_panel import TickedPanel
from nlkit.page import Page
from nlkit.training.classification import Experiment


def panel(
    name: str, *, variants: str | Sequence[str] = (), mode: str | None = None, **settings: object
) -> widgets.Widget:
    """The panel of a lesson or a paper: ticks for its variants, controls for its knobs, its picture and a table.

    name: as `nlkit papers` lists it. variants: those that are ticked at first; the first two unless given. settings:
    where the controls start; what has no control stays at what is given here, or at what the page gives its panel.
    mode: how it is driven, see `nlkit.live`.

    Raises a ValueError for a page, a variant, a setting or a value that there is not.
    """
    page = PAGES[check_choice("page", name, PAGES)]
    ticked = (variants,) if isinstance(variants, str) else tuple(variants) or tuple(page.variants)[:2]
    for variant in ticked:
        check_choice("variants", variant, page.variants)
    for setting in settings:
        if setting in told_apart_by(page):
            raise ValueError(
                f"{setting}={settings[setting]!r} must be left out: it tells the variants of {name!r} apart"
            )
        if not any(accepts(page, variant, setting) for variant in page.variants):
            known = [*knobs_of(page), "seed"]
            check_choice("setting", setting, known)
    settings = {**page.panel, **settings}
    for variant in ticked:
        experiment_of(page, variant, **_accepted(page, variant, settings))
    return PagePanel(name, page, ticked, settings, mode)


class PagePanel(TickedPanel):
    """See `panel`."""

    doing = "running"

    def __init__(self, name: str, page: Page, ticked: Sequence[str], settings: Mapping[str, object], mode: str | None):
        self._page, self._settings = page, dict(settings)
        controls: dict[str, widgets.Widget] = {}
        for knob, (field, start) in knobs_of(page).items():
            told = field.metadata
            if knob == "noise" and page.experiment is None:
                data = str(settings.get("data", experiment_of(page, ticked[0]).data))
                told = {**field.metadata, "choices": noise_types(load(data))}
            controls[knob] = field_control(knob, told, settings.get(knob, start))
        controls["seed"] = seed_control(settings.get("seed", page.seeds[0]))  # type: ignore[arg-type]
        make = functools.partial(_run, page, {n: v for n, v in settings.items() if n not in controls})
        super().__init__(name, make, controls, "variants", page.variants, ticked, None, mode)

    def figure(self) -> plots.Figure:
        histories = {run.method: run.history for run in self.current if run.history}
        if self._page.picture:
            return self._page.picture(histories) if histories else plots.nothing_yet()
        return plots.headline_curves(
            {run.name: (run.method, run.history) for run in self.current if run.history},
            {run.name: (run.method, run.history) for run in self.earlier[-4:]},
            self._page.headline, tuple(self._page.variants), records=self.epochs(),
        )  # fmt: skip

    def words(self) -> str:
        return table_of_numbers([*self.earlier, *self.current], self._page.headline, self._at_first)

    def watched(self, record: Any) -> float:
        return record.numbers[self._page.headline]

    def epochs(self) -> int:
        ticked = self.methods() or list(self._page.variants)[:1]
        settings = {**self._settings, **(self.current[0].settings if self.current else self._at_first)}
        found = 1
        for variant in [run.method for run in self.current] or ticked:
            experiment = experiment_of(self._page, variant, **_accepted(self._page, variant, settings))
            filled = experiment.resolved() if hasattr(experiment, "resolved") else experiment
            found = max(found, getattr(filled, "epochs", 1) or 1)
        return found


def _accepted(page: Page, variant: str, settings: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in settings.items() if accepts(page, variant, name)}


def _run(
    page: Page, fixed: Mapping[str, object], asked: tuple[list[str], dict[str, object]]
) -> Iterator[tuple[str, object]]:
    variants, settings = asked
    if not variants:
        raise ValueError("no variant is ticked; pick at least one")
    experiments = [experiment_of(page, v, **_accepted(page, v, {**fixed, **settings})) for v in variants]
    yield "run", (variants, settings, None)
    for event in in_turn(_begun(experiments)):
        yield "step", event


def _begun(experiments: Sequence[Any]) -> Iterator[Iterator[Any]]:
    """Their runs; those of the kit's own task that ask for the same data share them."""
    tasks: dict[str, object] = {}
    for experiment in experiments:
        if isinstance(experiment, Experiment):
            names = ("data", "noise", "ratio", "clean_per_class", "seed", "device")
            data = key({name: getattr(experiment, name) for name in names})
            if data not in tasks:
                tasks[data] = experiment.task()
            yield experiment.run(tasks[data], steps=True)
        else:
            yield _on_one_thread(experiment)


def _on_one_thread(experiment: Any) -> Iterator[Any]:
    """The run of a paper's own world, whose networks are small: two of torch's threads would wait for each other."""
    with threads(1):
        run = iter(experiment.run(steps=True))
    while True:
        with threads(1):
            event = next(run, None)
        if event is None:
            return
        yield event
