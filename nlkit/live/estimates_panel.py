"""The panel of noise rates: how many labels are wrong, as three ways estimate it, beside what was planted."""

from __future__ import annotations

from collections.abc import Iterator

import ipywidgets as widgets

from nlkit.audit.judged import Judged, judged_digits
from nlkit.audit.noise_rates import Rates, ratio_of
from nlkit.checks import check_integer
from nlkit.lessons.how_noisy import DISAGREEMENT, NOISES, WAYS, disagreement, estimated
from nlkit.live.any_panel import Frame, drawn
from nlkit.live.controls import choice, percent_slider, scale_slider, seed_control, whole_slider
from nlkit.live.judging import as_it_is_judged, parts_in_words
from nlkit.live.picture_panel import PicturePanel
from nlkit.plots.estimates import estimates_beside_truth

DIMENSIONS = (2, 3, 5, 10, 20, 50)
MOST = 0.8  # noise ratio


def noise_rates(
    noise: str = "pair",
    *,
    ratio: float = 0.3,
    epochs: int = 10,
    last: int | None = None,
    mean: bool = True,
    dimensions: int = 50,
    seed: int = 0,
    per_class: int = 400,
    mode: str | None = None,
) -> widgets.Widget:
    """A panel of the estimated noise ratio and transition matrix beside the planted ones, on digits with planted noise.

    Clusterability answers at once; the two ways that ask a network do so part by part, while five networks are
    cross-validated. What was trained is kept: "after epoch", "mean up to it" and "dimensions" change what is asked
    of it, and nothing is trained for them.

    noise: of `nlkit.lessons.how_noisy.NOISES`. ratio: 0 to 0.8. epochs: of each network, 1 to 40. last: the epoch at
    which they are asked, the last unless given. mean: take the mean over the epochs up to it. dimensions: of the space
    of neighbours, 2 to 50. per_class: digits of each class, 20 to 400. mode: how it is driven, see `nlkit.live`.

    Raises a ValueError for what is not offered, and beyond the end of a slider.
    """
    check_integer("epochs", epochs, 1, 40)
    check_integer("per_class", per_class, 20, 400)
    check_integer("dimensions", dimensions, 2, 50)
    controls = {
        "noise": choice("noise type", NOISES, noise),
        "ratio": percent_slider("noise ratio", ratio, 0.0, MOST, argument="ratio"),
        "last": whole_slider("after epoch", epochs if last is None else last, 1, epochs, argument="last"),
        "mean": widgets.Checkbox(bool(mean), description="mean up to it", style={"description_width": "7.5em"}),
        "dimensions": scale_slider("dimensions", dimensions, DIMENSIONS),
        "seed": seed_control(seed),
    }
    return PicturePanel("noise-rates", controls, _Drawing(per_class, epochs), mode, works=True)


class _Drawing:
    """Draws what is known so far, and anew after each part of the cross-validation."""

    def __init__(self, per_class: int, epochs: int):
        self.per_class, self.epochs = per_class, epochs

    def __call__(self, values: dict[str, object]) -> Iterator[tuple[Frame, str]]:
        judged = judged_digits(values["noise"], values["ratio"], self.per_class, values["seed"], self.epochs)
        if not judged.knows(values["dimensions"]):
            yield _picture(judged, values, {})
        yield from as_it_is_judged(judged, lambda: _picture(judged, values, _estimated(judged, values)))


def _asked(values: dict[str, object]) -> dict[str, int]:
    return {"first": 1 if values["mean"] else values["last"], "last": values["last"]}  # type: ignore[dict-item]


def _estimated(judged: Judged, values: dict[str, object]) -> dict[str, Rates]:
    return estimated(judged, **_asked(values), dimensions=values["dimensions"])  # type: ignore[arg-type]


def _picture(judged: Judged, values: dict[str, object], rates: dict[str, Rates]) -> tuple[Frame, str]:
    ratios = {way: ratio_of(*found) for way, found in rates.items()}
    if rates and judged.parts_done:
        ratios[DISAGREEMENT] = disagreement(judged, **_asked(values))
    planted, true = float(judged.wrong.mean()), judged.task.realized_matrix.numpy()
    figure = estimates_beside_truth(
        ratios, {way: found[0] for way, found in rates.items()}, planted, true, judged.task.class_names,
        ways=(*WAYS, DISAGREEMENT),
    )  # fmt: skip
    told = ", ".join(f"{way} {share:.1%}" for way, share in ratios.items()) or "nothing yet"
    return drawn(figure), f"planted {planted:.1%}; estimated: {told}{parts_in_words(judged)}"
