"""A grid of the user's own: settings of a page's experiments, or of the kit's own task, times seeds."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from nlkit.checks import DataError, check_choice, check_integer
from nlkit.commands.train import parse_value
from nlkit.contents import PAGES, experiment_of, told_apart_by
from nlkit.identity import key
from nlkit.page import Page
from nlkit.papers import METHODS
from nlkit.training.classification import Experiment

_KEYS = ("page", "variants", "set", "seeds")
_OWN = Page("", "", "", (), {"": {}})  # the kit's own task as it is


@dataclass(frozen=True)
class Grid:
    """What is asked for: all combinations of the values, for each of the variants, with each of the seeds.

    page: whose experiments; the kit's own task unless given. variants: of the page; all, unless some are named or
    `values` has one of the settings that tell them apart. seeds: the page's own unless given.
    """

    page: str | None = None
    variants: Sequence[str] | None = None
    values: Mapping[str, Sequence[object]] = field(default_factory=dict)
    seeds: Sequence[int] | None = None

    def experiments(self) -> list[Any]:
        """Its experiments, seed by seed, each once. Raises a ValueError for a name or a value that can't be."""
        page = _OWN if self.page is None else PAGES[check_choice("page", self.page, PAGES)]
        if self.variants is None and told_apart_by(page) & self.values.keys():
            page = replace(page, variants={"": _shared(page)})
        known = [name for name in known_settings(page) if name != "seed"]
        for name, values in self.values.items():
            if name == "seed":
                raise ValueError("setting='seed' goes by a name of its own: seeds, such as 0-4")
            check_choice("setting", name, known)
            if not values:
                raise ValueError(f"{name}=[] must have one value or more")
        found = [
            experiment_of(page, variant, **dict(zip(self.values, chosen)), seed=seed)
            for seed in (page.seeds if self.seeds is None else self.seeds)
            for variant in (page.variants if self.variants is None else self.variants)
            for chosen in itertools.product(*self.values.values())
        ]
        return list({key(experiment): experiment for experiment in found}.values())


def known_settings(page: Page) -> list[str]:
    """The settings that a page's experiments have; of the kit's own task, the options of all methods too."""
    kind = page.experiment or Experiment
    names = [f.name for f in fields(kind) if f.name != "options"]
    methods = METHODS.values() if page.experiment is None else ()
    return list(dict.fromkeys([*names, *(name for method in methods for name in inspect.signature(method).parameters)]))


def _shared(page: Page) -> dict[str, Any]:
    """The settings that all variants of a page have alike, options of methods among them."""
    first: Any = next(iter(page.variants.values()))
    apart = told_apart_by(page) | {"options"}
    return {name: value for name, value in {**first, **first.get("options", {})}.items() if name not in apart}


def check_experiments(experiments: Iterable[Any]) -> None:
    """Have experiments refuse what they can't be before any is run: a ValueError, or a DataError where data lack.

    Those of other kinds did when they were made. On the kit's own task, settings are held to what is possible where
    they are used: so each task is made, and each training begun up to its first step, with one seed alone.
    """
    own = {key(replace(e, seed=0)): e for e in experiments if isinstance(e, Experiment)}.values()
    for _, alike in itertools.groupby(sorted(own, key=_of_task), key=_of_task):
        task = None
        for experiment in alike:
            task = task or experiment.task()
            experiment.run(task)


def _of_task(experiment: Experiment) -> str:
    task = (experiment.data, experiment.noise, experiment.ratio, experiment.clean_per_class, experiment.device)
    return repr(task)


def read_grids(file: Path) -> list[Grid]:
    """The grids of a YAML file: one, or a list of them, each with some of `page`, `variants`, `set` and `seeds`.

    Raises a ValueError for a file that can't be read or says something else, a DataError without the package pyyaml.
    """
    try:
        import yaml
    except ImportError as error:
        raise DataError(
            "a grid in YAML needs the package pyyaml, which is not installed: python -m pip install 'nlkit[cluster]'"
        ) from error
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        return [_grid_of(part) for part in (content if isinstance(content, list) and content else [content])]
    except (OSError, UnicodeDecodeError, ValueError, yaml.YAMLError) as error:
        raise ValueError(f"{str(file)!r} holds no grid: {error}") from error


def _grid_of(part: object) -> Grid:
    if not isinstance(part, dict) or not part:
        raise ValueError(f"{part!r} must be a mapping with some of {', '.join(_KEYS)}")
    for name in part:
        check_choice("key", name, _KEYS)
    chosen = part.get("set", {})
    if not isinstance(chosen, dict):
        raise ValueError(f"set={chosen!r} must be a mapping: a setting, and its value or a list of values")
    values = {str(name): value if isinstance(value, list) else [value] for name, value in chosen.items()}
    variants, seeds = part.get("variants"), part.get("seeds")
    variants = [variants] if isinstance(variants, str) else variants
    return Grid(part.get("page"), variants, values, None if seeds is None else seeds_of(seeds))


def values_of(text: str) -> tuple[str, list[object]]:
    """A setting and its values, of "ratio=0.2,0.4". A ValueError for anything else."""
    name, equals, values = text.partition("=")
    if not name or not equals or not values:
        raise ValueError(f"--set {text!r} must be NAME=VALUES, such as ratio=0.2,0.4")
    return name.replace("-", "_"), [parse_value(value) for value in values.split(",")]


def seeds_of(told: object) -> list[int]:
    """Seeds from a number, a list of numbers, or a text such as "0-4" or "0,2,5-9". A ValueError for anything else."""
    if not isinstance(told, str):
        return [check_integer("seeds", seed, 0) for seed in (told if isinstance(told, list) else [told])]
    found: list[int] = []
    for part in told.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()) or (dash and int(last) < int(first)):
            raise ValueError(f"seeds={told!r} must be whole numbers such as 0-4 or 0,2,5-9")
        found += range(int(first), int(last or first) + 1)
    return found
