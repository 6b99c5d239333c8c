"""Methods: one file an algorithm, and one line here. Widgets, command line and plots offer what this registry holds.

A method is a class whose constructor arguments are its options. It has

- `learns_from`: the examples that an epoch runs through: `"noisy"`, `"clean"`, or `"noisy and clean"`;
- `needs_clean`: whether it is lost without a clean set;
- `step(run, batch) -> StepResult`: one update of `run.model` on one batch;
- `matrix` (only if it may be told one): the transition matrix (K, K), or None; `train` holds its size to the data;
- `prepare(run)` (only if there is something to): called once before the first step, when `train` is called. It refuses
  by a ValueError what the method can't do with this network;
- `state` (only if it remembers anything between steps): a dictionary that a checkpoint can hold.

It sees given labels and the clean set, and never true labels or the test set.
"""

from __future__ import annotations

import inspect

from nlkit.checks import check_choice
from nlkit.methods.clean_only import CleanOnly
from nlkit.methods.co_teaching import CoTeaching
from nlkit.methods.elr import EarlyLearning
from nlkit.methods.em import ExpectationMaximization
from nlkit.methods.forward import Forward
from nlkit.methods.gce import GeneralizedCrossEntropy
from nlkit.methods.mentormix import MentorMix
from nlkit.methods.mentornet import MentorNet
from nlkit.methods.mixup import Mixup
from nlkit.methods.reweight import Reweight
from nlkit.methods.standard import Standard

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


def build_method(name: str, options: dict[str, object]):
    """Make a method from its name and options; a ValueError names an unknown method or option."""
    check_choice("method", name, METHODS)
    known = inspect.signature(METHODS[name]).parameters
    for option in options:
        if option not in known:
            takes = ", ".join(known) or "none"
            raise ValueError(f"{option}={options[option]!r} is not an option of method {name!r}; its options: {takes}")
    return METHODS[name](**options)
