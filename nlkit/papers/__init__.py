"""Papers: one file each, and one line here. Panels, command line, index and book offer what is found here.

A module of `PAPERS` has a `PAGE` (see `nlkit.page`), and if it brings methods for the kit's own task, a `METHODS`.
The methods of the course come first; `METHODS` holds all. A method is a class whose constructor arguments are its
options. It has

- `learns_from`: the examples that an epoch runs through: `"noisy"`, `"clean"`, or `"noisy and clean"`;
- `needs_clean`: whether it is lost without a clean set;
- `step(run, batch) -> StepResult`: one update of `run.model` on one batch;
- `matrix` (only if it may be told one): the transition matrix (K, K), or None; `train` holds its size to the data;
- `prepare(run)` (only if there is something to): called once before the first step, when `train` is called. It refuses
  by a ValueError what the method can't do with this network;
- `state` (only if it remembers anything between steps): a dictionary that a checkpoint can hold;
- `kept` (only if it shows any that matter): names of numbers that sweeps keep of its runs;
- `knobs` (only if panels may move them): option -> a field made by `nlkit.settings.setting`.

It sees given labels and the clean set, and never true labels or the test set.
"""

from __future__ import annotations

import importlib
import inspect

from nlkit.checks import check_choice
from nlkit.papers.clean_only import CleanOnly
from nlkit.papers.co_teaching import CoTeaching
from nlkit.papers.elr import EarlyLearning
from nlkit.papers.em import ExpectationMaximization
from nlkit.papers.forward import Forward
from nlkit.papers.gce import GeneralizedCrossEntropy
from nlkit.papers.mentormix import MentorMix
from nlkit.papers.mentornet import MentorNet
from nlkit.papers.mixup import Mixup
from nlkit.papers.reweight import Reweight
from nlkit.papers.standard import Standard

METHODS = {
    "standard": Standard,
    "clean_only": CleanOnly,
    "reweight": Reweight,
    "mixup": Mixup,
    "mentornet": MentorNet,
    "mentormix": MentorMix,
    "co-teaching": CoTeaching,
    "forward": Forward,
    "gce": GeneralizedCrossEntropy,
    "elr": EarlyLearning,
    "em": ExpectationMaximization,
}

# The atlas, in reading order: the names of modules of this folder.
PAPERS: tuple[str, ...] = ("ldr",)

for _name in PAPERS:
    METHODS |= getattr(importlib.import_module(f"nlkit.papers.{_name}"), "METHODS", {})


def build_method(name: str, options: dict[str, object]):
    """Make a method from its name and options; a ValueError names an unknown method or option."""
    check_choice("method", name, METHODS)
    known = inspect.signature(METHODS[name]).parameters
    for option in options:
        if option not in known:
            takes = ", ".join(known) or "none"
            raise ValueError(f"{option}={options[option]!r} is not an option of method {name!r}; its options: {takes}")
    return METHODS[name](**options)
