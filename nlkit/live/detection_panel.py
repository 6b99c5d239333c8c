"""The panel of detection: so many labels are looked at, by one list of suspects or another, and so many are found."""

from __future__ import annotations

from collections.abc import Iterator

import ipywidgets as widgets
import numpy

from nlkit.audit.dynamics import FOLDS
from nlkit.audit.evidence import neighbours_vote
from nlkit.audit.judged import Judged
from nlkit.checks import check_integer
from nlkit.data.load import find_dataset
from nlkit.learning.devices import threads
from nlkit.lessons.which_labels import (
    CONTROLS,
    FOUND_BY,
    KINDS,
    NOISES,
    PEOPLE,
    Detecting,
    at_random,
    found_among_first,
    suspicions,
)
from nlkit.live.any_panel import Frame, drawn
from nlkit.live.controls import choice, percent_slider, seed_control
from nlkit.live.judging import as_it_is_judged, parts_in_words
from nlkit.live.picture_panel import PicturePanel
from nlkit.noise.human import find_human_labels
from nlkit.plots.suspects import ends_of_a_list, suspects_looked_at

LEAST, MOST = 0.05, 0.8  # noise ratio


def detection(
    noise: str = "instance",
    *,
    ratio: float = 0.2,
    looked_at: float = 0.2,
    kind: str = "held-out margin",
    epochs: int = 10,
    seed: int = 0,
    per_class: int = 400,
    mode: str | None = None,
) -> widgets.Widget:
    """A panel of precision and recall when a share of the labels is looked at, for eight ways of listing suspects.

    The list by neighbours in pixels is there at once; the others follow when six small networks have been trained. What
    was trained is kept: "looked at" and "list" move through it.

    noise: of `nlkit.lessons.which_labels.NOISES`; where CIFAR-10 and CIFAR-10N are found, also "aggregate", "random1"
    and "worst", labels that people gave. ratio: 0.05 to 0.8, of planted noise. looked_at: share of the labels, above 0
    to 1. kind: the list whose images are shown. epochs: of each network, 1 to 40. per_class: examples of each class, 20
    to 400. mode: how it is driven, see `nlkit.live`.

    Raises a ValueError for what is not offered, and beyond the end of a slider.
    """
    check_integer("epochs", epochs, 1, 40)
    check_integer("per_class", per_class, 20, 400)
    people = PEOPLE if find_human_labels() is not None and find_dataset("cifar10") is not None else ()
    controls = {
        "noise": choice("noise type", (*NOISES, *people), noise),
        "ratio": percent_slider("noise ratio", ratio, LEAST, MOST, argument="ratio"),
        "looked_at": percent_slider("looked at", looked_at, 0.05, 1.0, argument="looked_at"),
        "kind": choice("list", (*FOUND_BY, *CONTROLS), kind),
        "seed": seed_control(seed),
    }

    def own_ratio(_change: object = None) -> None:
        controls["ratio"].disabled = controls["noise"].value in PEOPLE

    controls["noise"].observe(own_ratio, names="value")
    own_ratio()
    return PicturePanel("detection", controls, _Drawing(per_class, epochs), mode, works=True)


class _Drawing:
    """Draws the list by neighbours first, and all of them once the networks are trained."""

    def __init__(self, per_class: int, epochs: int):
        self.per_class, self.epochs = per_class, epochs

    def __call__(self, values: dict[str, object]) -> Iterator[tuple[Frame, str]]:
        asked = {name: values[name] for name in ("noise", "ratio", "seed")}
        with threads(1):
            judged = Detecting(**asked, passes=self.epochs, per_class=self.per_class).judged()  # type: ignore[arg-type]
        if not judged.knows():
            yield _picture(judged, values, {"at random": at_random(judged)})
        yield from as_it_is_judged(judged, lambda: _picture(judged, values, _lists(judged)))


def _lists(judged: Judged) -> dict[str, numpy.ndarray]:
    """All lists once the networks are trained, before that those that need none."""
    if judged.parts_done == FOLDS:
        return suspicions(judged)
    near = neighbours_vote(judged.given, judged.near(), judged.classes)
    return {"neighbours in pixels": near, "at random": at_random(judged)}


def _picture(judged: Judged, values: dict[str, object], lists: dict[str, numpy.ndarray]) -> tuple[Frame, str]:
    share = values["looked_at"]
    found = {kind: found_among_first(judged.wrong, suspicion, share) for kind, suspicion in lists.items()}
    chosen = values["kind"] if values["kind"] in lists else next(iter(lists))
    figure = suspects_looked_at(
        found, judged.task, ends_of_a_list(lists[chosen], share), share=share, chosen=chosen, controls=CONTROLS,
        kinds=KINDS,
    )  # fmt: skip
    precision, recall = found[chosen]
    count, wrong = round(share * len(judged.wrong)), int(judged.wrong.sum())
    return drawn(figure), (
        f"{count:,} of {len(judged.wrong):,} labels are looked at by {chosen}: {precision:.0%} of them are wrong, and "
        f"{recall:.0%} of all {wrong:,} wrong ones are among them{parts_in_words(judged)}"
    )
