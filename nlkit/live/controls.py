"""The controls that panels share, and how they are laid out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import ipywidgets as widgets

from nlkit.checks import check_choice, check_integer, check_number, shown
from nlkit.data.dataset import Dataset
from nlkit.data.load import load
from nlkit.noise.human import find_human_labels
from nlkit.noise.kinds import NOISES
from nlkit.randomness import MAX_SEED
from nlkit.tasks.task import Task

_WORDS = {"description_width": "7.5em"}
_WIDTH = {"width": "auto", "min_width": "18em", "margin": "2px"}


def noise_types(dataset: Dataset) -> list[str]:
    """The noise types that this data set can have, of those that have a name and can be shown at a glance."""
    people = find_human_labels() is not None
    return [
        name
        for name, noise in NOISES.items()
        if noise.at_a_glance and not noise.fits(dataset) and (people or not name.startswith("human:"))
    ]


def data_of(data: str | Dataset | Task) -> Dataset | Task:
    """What a panel's `data` stands for: a data set by its name is loaded, the others are taken as they are."""
    return data if isinstance(data, (Dataset, Task)) else load(data)


def task_controls(
    data: Dataset | Task,
    *,
    noise: str | None,
    ratio: float | None,
    clean_per_class: int | None,
    seed: int = 0,
    usual_ratio: float = 0.8,
) -> dict[str, widgets.Widget]:
    """Controls for what `make_task` takes, by the names of its arguments; a task that is made has only the seed.

    noise, ratio, clean_per_class: None stands for symmetric noise, `usual_ratio`, and 50 or as many as there are.
    Raises a ValueError for a start that the data set does not have, as `make_task` does, and for one of these three
    with a task that is made.
    """
    seeds = {"seed": seed_control(seed)}
    if isinstance(data, Task):
        check_left_out(data, noise=noise, ratio=ratio, clean_per_class=clean_per_class)
        return seeds
    noise, ratio = "symmetric" if noise is None else noise, usual_ratio if ratio is None else ratio
    most = int(data.train_labels.bincount().min()) - 1
    if clean_per_class is None:
        clean_per_class = min(50, most)
    why = f": the smallest class of {data.name} has {most + 1} training examples, and one must stay noisy"
    check_integer("clean_per_class", clean_per_class, 0, most, why=why)
    controls = {
        "noise": choice("noise type", noise_types(data), noise),
        "ratio": percent_slider("noise ratio", ratio, 0.0, 1.0, argument="ratio"),
        "clean_per_class": whole_slider("clean per class", clean_per_class, 0, most, argument="clean_per_class"),
        **seeds,
    }

    def own_ratio(_change: object = None) -> None:
        controls["ratio"].disabled = controls["noise"].value.startswith("human:")

    controls["noise"].observe(own_ratio, names="value")
    own_ratio()
    return controls


def check_left_out(task: Task, **starts: object) -> None:
    """A ValueError unless all of these arguments, which say how a task is to be made, are None: this one is made."""
    for argument, value in starts.items():
        if value is not None:
            raise ValueError(
                f"{argument}={shown(value)} says how a task is to be made, and this one is already made ({task!r}); "
                f"leave {argument} out, or hand in a data set, or a data set's name, in place of the task"
            )


def task_settings(values: dict[str, object]) -> dict[str, object]:
    """The arguments of `make_task` among the values of controls; human labels have their own ratio."""
    settings = {name: values[name] for name in ("noise", "ratio", "clean_per_class", "seed") if name in values}
    return settings | ({"ratio": None} if settings.get("noise", "").startswith("human:") else {})


def seed_control(seed: int) -> widgets.BoundedIntText:
    value = check_integer("seed", seed, 0, MAX_SEED)
    return widgets.BoundedIntText(value, min=0, max=MAX_SEED, description="seed", **_look())


def choice(name: str, options: Iterable[str], value: str) -> widgets.Dropdown:
    options = list(options)
    if value not in options:
        raise ValueError(f"{name}={value!r} is not offered here; choose one of {', '.join(options)}")
    return widgets.Dropdown(options=options, value=value, description=name.replace("_", " "), **_look())


def check_methods(methods: Sequence[str], known: Iterable[str]) -> tuple[str, ...]:
    """Names of methods, or the name of one; otherwise a ValueError."""
    methods = (methods,) if isinstance(methods, str) else tuple(methods)
    return tuple(check_choice("methods", method, known) for method in methods)


def percent_slider(name: str, value: float, low: float, high: float, *, argument: str) -> widgets.FloatSlider:
    """argument: what the value is called in a ValueError, when it lies beyond an end of the slider."""
    value = check_number(argument, value, low, high)
    return widgets.FloatSlider(
        value, min=low, max=high, step=0.05, readout_format=".0%", description=name, **_look()
    )  # fmt: skip


def whole_slider(name: str, value: int, low: int, high: int, *, argument: str) -> widgets.IntSlider:
    value = check_integer(argument, value, low, high)
    return widgets.IntSlider(value, min=low, max=high, description=name, **_look())


def scale_slider(name: str, value: float, steps: Iterable[float]) -> widgets.SelectionSlider:
    """A slider over these numbers and the value: a logarithmic one would change 0.0006 into 0.00060256."""
    number = check_number(name.replace(" ", "_"), value, 0, above=True)
    value = int(value) if isinstance(value, int) else number
    options = [(f"{number:g}", number) for number in sorted({*steps, value})]
    return widgets.SelectionSlider(options=options, value=value, description=name.replace("_", " "), **_look())


def field_control(name: str, told: Mapping[str, Any], value: object) -> widgets.Widget:
    """The control of a setting, by what its field knows of it (see `nlkit.settings.setting`).

    Raises a ValueError for a value that it can't stand at.
    """
    words, low, high, choices = name.replace("_", " "), told["low"], told["high"], told["choices"]
    if choices is not None and all(isinstance(each, str) for each in choices):
        return choice(words, choices, str(value))
    if choices is not None:
        if value not in choices:
            raise ValueError(f"{name}={value!r} is not offered here; choose one of {', '.join(map(str, choices))}")
        options = [(f"{each:g}", each) for each in choices]
        return widgets.SelectionSlider(options=options, value=value, description=words, **_look())
    if isinstance(value, bool):
        return widgets.Checkbox(value, description=words, indent=True, **_look())
    if told["log"]:
        return scale_slider(name, value, _round_steps(low, high, whole=isinstance(value, int)))
    if isinstance(value, int):
        return whole_slider(words, value, low, high, argument=name)
    if (low, high) == (0, 1):
        return percent_slider(words, value, 0.0, 1.0, argument=name)
    value = check_number(name, value, low, high)
    step = max(s for s in _round_steps((high - low) / 1000, high - low, whole=False) if s <= (high - low) / 50)
    return widgets.FloatSlider(value, min=low, max=high, step=step, description=words, **_look())


def _round_steps(low: float, high: float, *, whole: bool) -> list[float]:
    """1, 2 and 5 times powers of ten from `low` to `high`, both included."""
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = {float(f"{factor}e{exponent}") for exponent in exponents for factor in (1, 2, 5)}
    found = sorted({step for step in steps if low <= step <= high} | {low, high})
    return sorted({int(step) for step in found}) if whole else found


def values_of(controls: dict[str, widgets.Widget]) -> dict[str, object]:
    """What the controls stand at, by name. A browser counts in steps of 0.05, and 12 of them are more than 0.6."""
    values = {name: control.value for name, control in controls.items()}
    return {name: round(value, 12) if isinstance(value, float) else value for name, value in values.items()}


def on_change(controls: Iterable[widgets.Widget], act: Callable[[object], None]) -> None:
    """Call `act` when the value of a control changes."""
    for control in controls:
        control.observe(act, names="value")


def columns(children: Iterable[widgets.Widget]) -> widgets.GridBox:
    """In two columns where the page is wide, in one where it is narrow."""
    as_wide = "repeat(auto-fit, minmax(min(25em, 100%), 1fr))"
    return widgets.GridBox(
        list(children), layout=widgets.Layout(grid_template_columns=as_wide, width="100%", grid_gap="0 1em")
    )  # fmt: skip


def rows(children: Iterable[widgets.Widget]) -> widgets.HBox:
    """Side by side where the page is wide, below each other where it is narrow."""
    return widgets.HBox(list(children), layout=widgets.Layout(flex_flow="row wrap", width="100%", grid_gap="0 1em"))


def _look() -> dict[str, object]:
    return {"style": _WORDS, "layout": widgets.Layout(**_WIDTH)}
