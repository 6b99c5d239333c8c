"""The table of contents: the lessons of the course, then the papers of the atlas, in reading order."""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
from collections.abc import Iterable
from dataclasses import Field, fields
from typing import Any

from nlkit.checks import check_choice
from nlkit.data.load import find_dataset
from nlkit.lessons import (
    beyond_synthetic,
    clean_label_budget,
    clothes,
    how_far,
    how_noisy,
    human_labels,
    label_noise,
    memorization,
    mentormix,
    meta_reweighting,
    noisy_or_clean,
    robust_losses,
    tutorial,
    which_labels,
    your_own_data,
)
from nlkit.noise.human import find_human_labels
from nlkit.page import Claim, Page
from nlkit.papers import METHODS, PAPERS
from nlkit.settings import knobs
from nlkit.training.classification import Experiment

# A lesson goes by the name of its grid, where it has one: the package carries results/NAME.json.
_COURSE: dict[str, tuple[str, Page]] = {  # name -> its notebook, which two pages may share, and its page
    "label-noise": ("01_label_noise", label_noise.PAGE),
    "memorization": ("02_memorization", memorization.PAGE),
    "meta-reweighting": ("03_meta_reweighting", meta_reweighting.PAGE),
    "mentormix": ("04_mentormix", mentormix.PAGE),
    "blue-and-red": ("05_beyond_synthetic_noise", beyond_synthetic.PAGE),
    "tutorial": ("03_meta_reweighting", tutorial.PAGE),
    "reweight-or-clean": ("06_noisy_or_clean", noisy_or_clean.PAGE),
    "leaderboard": ("07_how_far", how_far.PAGE),
    "leaderboard-clothes": ("07_how_far", clothes.PAGE),
    "your-own-data": ("08_your_own_data", your_own_data.PAGE),
    "clean-label-budget": ("09_clean_label_budget", clean_label_budget.PAGE),
    "robust-losses": ("10_robust_losses", robust_losses.PAGE),
    "how-noisy": ("11_how_noisy", how_noisy.PAGE),
    "which-labels": ("12_which_labels", which_labels.PAGE),
    "which-human-labels": ("12_which_labels", which_labels.PEOPLE_PAGE),
    "human-labels": ("13_human_labels", human_labels.PAGE),
}
LESSONS: dict[str, Page] = {name: page for name, (_, page) in _COURSE.items()}
NOTEBOOKS: dict[str, str] = {name: notebook for name, (notebook, _) in _COURSE.items()}  # of the course alone
PAGES: dict[str, Page] = LESSONS | {name: importlib.import_module(f"nlkit.papers.{name}").PAGE for name in PAPERS}
GRIDS = [name for name, page in PAGES.items() if page.grid or name in PAPERS]  # those whose results are carried
PAGE_OF: dict[str, str] = {claim.id: name for name, page in PAGES.items() for claim in page.claims}
CLAIMS: dict[str, Claim] = {claim.id: claim for page in PAGES.values() for claim in page.claims}

# Curves that a report keeps: part -> name of a line -> page and variant.
CURVES: dict[str, dict[str, tuple[str, str]]] = {
    "mnist5k": {
        "standard training": ("meta-reweighting", "standard"),
        "reweighting": ("meta-reweighting", "reweight"),
        "clean set alone": ("meta-reweighting", "clean_only"),
    },
    "mnist": {name: ("tutorial", name) for name in tutorial.ROWS},
}


def notebook_of(name: str) -> str:
    """Where the notebook of a page is, below the folder of the notebooks."""
    return f"{NOTEBOOKS[name]}.ipynb" if name in NOTEBOOKS else f"atlas/{name}.ipynb"


def experiment_of(page: Page, variant: str, **changes: object) -> Any:
    """The experiment of a variant of a page, or of a run `besides` them, with some settings changed.

    On the kit's own task, what `nlkit.Experiment` doesn't know is an option of the method. A device is passed on to
    those that have one.
    Raises a ValueError for a variant that the page does not have, or a setting that the experiment does not.
    """
    runs = {name: (page.experiment, settings) for name, settings in page.variants.items()} | dict(page.besides)
    experiment, own = runs[check_choice("variant", variant, runs)]
    settings, kind = {**own, **changes}, experiment or Experiment
    names = [f.name for f in fields(kind)]
    if "device" not in names:
        settings.pop("device", None)
    if experiment is None:
        options = dict(own.get("options", {})) | dict(settings.pop("options", {}))  # type: ignore[call-overload]
        options |= {name: settings.pop(name) for name in list(settings) if name not in names}
        return kind(**settings, options=options)
    for name in settings:
        check_choice("setting", name, names)
    return kind(**settings)


def grid_of(name: str, seeds: Iterable[int] | None = None) -> list[Any]:
    """The experiments of a page's grid, seed by seed; of its own seeds unless others are named.

    A run whose changes name a seed has that one alone.
    """
    page = PAGES[check_choice("page", name, PAGES)]
    runs = list(page.grid()) if page.grid else [(variant, {}) for variant in page.variants]
    found = [
        experiment_of(page, variant, **{"seed": seed, **changes})
        for seed in (page.seeds if seeds is None else seeds)
        for variant, changes in runs
        if "seed" not in changes
    ]
    return found + [experiment_of(page, variant, **changes) for variant, changes in runs if "seed" in changes]


def what_is_missing(page: Page) -> str:
    """What a page needs and does not find here, in words; empty if all is there."""
    for need in page.needs:
        package = need.removeprefix("package:")
        if package != need:
            try:
                importlib.metadata.version(package)
            except importlib.metadata.PackageNotFoundError:
                return f"the package {package} is not installed: python -m pip install {package}"
        elif need == "cifar10n":
            if find_human_labels() is None:
                return "CIFAR-10N's labels were not found; nlkit/noise/human.py says where they come from"
        elif find_dataset(need) is None:
            return f"{need} was not found: `nlkit data {need}`, or set NLKIT_DATA to a folder that has it"
    return ""


def accepts(page: Page, variant: str, setting: str) -> bool:
    """Whether a variant's experiment has a setting, or on the kit's own task its method such an option."""
    kind = page.experiment or Experiment
    if setting in {f.name for f in fields(kind)}:
        return setting != "options"
    if page.experiment is not None:
        return False
    method = page.variants[variant].get("method", Experiment.method)
    return setting in inspect.signature(METHODS[str(method)]).parameters


def told_apart_by(page: Page) -> set[str]:
    """The settings in which a page's variants differ."""
    flat = [{**settings, **settings.get("options", {})} for settings in page.variants.values()]  # type: ignore
    return {name for one in flat for name in one if any(name not in o or o[name] != one[name] for o in flat)}


def knobs_of(page: Page) -> dict[str, tuple[Field, object]]:
    """The settings that its panel lets be moved, and where they start: name -> field, value.

    Those of the experiment, and of the kit's own task those of the methods (their `knobs`); what tells the variants
    apart is none.
    """
    told = told_apart_by(page)
    first = experiment_of(page, next(iter(page.variants)))
    filled = first.resolved() if hasattr(first, "resolved") else first
    found = {name: (field, getattr(filled, name)) for name, field in knobs(type(first)).items()}
    if page.experiment is None:
        for settings in page.variants.values():
            method = METHODS[str(settings.get("method", Experiment.method))]
            found |= {name: (field, field.default) for name, field in getattr(method, "knobs", {}).items()}
    return {name: knob for name, knob in found.items() if name not in told}
