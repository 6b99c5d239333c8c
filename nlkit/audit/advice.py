"""What to do next: from what an audit found, in sentences, each with the number that it rests on."""

from __future__ import annotations

import math
from typing import NamedTuple

from nlkit.audit.audit import Audit

FEW = 0.02  # share of wrong labels below which they are hardly worth a method
HALF = 0.5  # beyond, plain training stopped early falls behind (lesson 6)
APART = 0.15  # between ways of estimating: beyond, the features tell the classes badly
WITHIN = 0.02  # half the interval of a ratio that a random sample should give
CLEAN_PER_CLASS = 20  # from which on a clean set pays in the kit's map of noise ratio and clean-set size (lesson 6)


class Advice(NamedTuple):
    """One thing to do."""

    title: str
    words: str


def advise(found: Audit) -> list[Advice]:
    """What to do next, the first thing first: keep or look, fix by hand, train by a method, buy clean labels."""
    share, collection = found.wrong_share, found.collection
    ratios = [estimate.ratio for estimate in found.estimates.values()]
    steps = [_by_hand(found, share)]
    if found.contradictions:
        exact = sum(each.exact for each in found.contradictions)
        steps.insert(0, Advice(
            f"Settle {_counted(len(found.contradictions), 'contradiction')}",
            f"In {_counted(exact, 'group')} the same example has different labels, and in "
            f"{_counted(len(found.contradictions) - exact, 'pair')} nearly the same. At least one label of each is "
            "wrong, or the classes overlap.",
        ))  # fmt: skip
    if max(ratios) - min(ratios) > APART:
        steps.insert(0, Advice(
            "Bring better features, or trust no ratio here",
            f"The ways of estimating are far apart ({min(ratios):.0%} to {max(ratios):.0%}), and the model predicts "
            f"{found.accuracy:.0%} of the labels. What a small network can't tell apart looks like noise to each of "
            "them, so even the lowest may be too high. The outputs of a network that was trained on much more of such "
            "data, kept as an .npz, make a better audit; or check a random sample by hand, as below.",
        ))  # fmt: skip
    return [*steps, _method(found, share), _clean_labels(collection, share)]


def _by_hand(found: Audit, share: float) -> Advice:
    count = math.ceil(share * found.collection.count)
    if share < FEW:
        return Advice(
            "Keep the labels",
            f"An estimated {share:.1%} of them are wrong. Look at the first {max(20, count):,} suspects; the rest can "
            "stay as it is.",
        )
    return Advice(
        f"Look at the first {count:,} suspects by hand",
        f"An estimated {share:.0%} of the {found.collection.count:,} labels are wrong, which is as many. Go down the "
        "list and stop where hardly one in ten is wrong: from there on, looking costs more than it finds.",
    )


def _method(found: Audit, share: float) -> Advice:
    clean = int(found.collection.clean.sum()) / found.collection.num_classes
    if share < FEW:
        return Advice("Train as usual", "With so few wrong labels a method for noisy ones has little to win.")
    if clean >= CLEAN_PER_CLASS:
        return Advice(
            "Train with method reweight",
            f"There are {clean:.0f} trusted examples a class. From {CLEAN_PER_CLASS} on, reweighting by them is ahead "
            "of training that is stopped early by up to three points (digits, lesson 6); compare it with that, and "
            "with training on the trusted ones alone.",
        )
    if share <= HALF:
        return Advice(
            "Train with method early_stopping",
            "Hold out a tenth of the given labels and keep the best epoch: what is right is learned before what is "
            "wrong is memorized, and no clean set is needed. On the digits of lessons 4 and 6, no method without a "
            "clean set was told from it at 20 and 40 % noise.",
        )
    return Advice(
        "Train with method mentormix",
        "It needs no clean set, and at 60 % noise it was ahead of training that is stopped early (digits, lesson 4). "
        f"With {CLEAN_PER_CLASS} trusted examples a class, reweighting is worth a try.",
    )


def _clean_labels(collection, share: float) -> Advice:
    have = int(collection.clean.sum())
    guess = min(max(share, 0.05), 0.5)
    of_many = 1.96**2 * guess * (1 - guess) / WITHIN**2
    sample = math.ceil(of_many / (1 + of_many / max(1, collection.count - have)))  # drawn without putting back
    more = max(0, CLEAN_PER_CLASS * collection.num_classes - have)
    words = (
        f"Draw {sample:,} examples at random and have them labelled anew: the share of wrong ones is then known within "
        f"{100 * WITHIN:.0f} points, whatever the model can tell. The first suspects won't do for it, since they were "
        "chosen for being wrong."
    )
    if more:
        words += f" {more:,} of them make {CLEAN_PER_CLASS} a class, enough to reweight by; hand them in with --clean."
    return Advice(f"Buy {max(sample, more):,} clean labels, if the ratio matters", words)


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
