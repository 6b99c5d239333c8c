"""C-Mixup: in regression, blend an example with one of a similar label.

    Yao, Wang, Zhang, Zou, Finn: C-Mixup: Improving generalization in regression. NeurIPS 2022, arXiv:2210.05775; the
    authors' program is github.com/huaxiuyao/C-Mixup.

    P(j | i) = exp(-‖y_i - y_j‖² / 2σ²) / Σ_k exp(-‖y_i - y_k‖² / 2σ²)        partner of i, itself allowed
    λ ~ Beta(α, α)                                                           one for the batch
    x̃ = λ x_i + (1 - λ) x_j        ỹ = λ y_i + (1 - λ) y_j
    L(θ) = mean (f_θ(x̃) - ỹ)²

σ = ∞ is mixup, and σ → 0 plain training (ERM, empirical risk minimization), if no two labels are equal. With `hidden`
what is blended is what the first layer says ("manifold").

What differs: the program gives σ in the raw unit of each table's labels; here it is in standard deviations of the given
labels, and labels are learned as such; chances are computed a batch at a time, so that a table may be long. Ours are
digits turned by a known angle, beside a real table of cars; partners by true labels and by inputs; weight decay. The
body of the paper was not to be had: what it is said to report is from memory.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy
import torch
from torch import Tensor

from nlkit.data.regression import CARS, DIGITS, UNITS, Regression, regression
from nlkit.page import Claim, Page, Trial
from nlkit.papers.similar_partners import blend, c_mixup, partner_chances
from nlkit.records import Measured
from nlkit.settings import check_settings, setting

if TYPE_CHECKING:
    from nlkit.plots import Figure

PARTNERS = ("nobody", "anybody", "like labels", "true labels", "like inputs")
RATES, BATCHES = {DIGITS: 1e-3, CARS: 1e-2}, {DIGITS: 64, CARS: 32}


@dataclass(frozen=True)
class CMixup:
    """One network that learns to tell a number. A record an epoch; in its `numbers`, in the unit of the labels,

    "rmse", the root mean squared error on the test set; "valid" on the clean validation set; "best", the first of these
    at the epoch where the second was least so far.
    """

    partners: str = setting("like labels", "whom an example is blended with", choices=PARTNERS)
    data: str = setting(DIGITS, "what is to be told of what", choices=tuple(UNITS), knob=True)
    ratio: float = setting(0.0, "share of labels that are another one's", low=0.0, high=0.6, knob=True)
    sigma: float = setting(0.2, "σ, in standard deviations of labels", low=0.001, high=10.0, knob=True, log=True)
    alpha: float = setting(2.0, "α: the larger, the more even the blends", low=0.5, high=4.0, knob=True)
    train: int = setting(600, "examples to learn from (cars: 200)", low=100, high=2000, knob=True, log=True)
    hidden: bool = setting(False, "blend what the first layer says", knob=True)
    decay: float = setting(0.0, "weight decay", low=0.0, high=100.0)
    passes: int = setting(60, "epochs", low=1, high=500)
    record_every: int = setting(1, "epochs from one record to the next", low=1, high=500)
    seed: int = setting(0, "decides all that is drawn", low=0)
    kept = ("rmse", "best")

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def epochs(self) -> int:
        return -(-self.passes // self.record_every)

    def run(self, *, steps: bool = False) -> Iterator[Measured]:
        here = regression(self.data, self.train, self.ratio, seed=self.seed)
        alike = self.alike(here)
        sigma = {"nobody": None, "anybody": math.inf}.get(self.partners, self.sigma)
        learned = c_mixup(
            here.x, here.given, sigma=sigma, alike=alike, alpha=self.alpha, hidden=self.hidden, epochs=self.passes,
            batch=BATCHES[self.data], rate=RATES[self.data], decay=self.decay, seed=self.seed,
        )  # fmt: skip
        shown, best = farther_pair(here, alike, sigma) | {"unit": UNITS[self.data]}, (math.inf, math.inf)
        for epoch, predict in enumerate(learned, start=1):
            valid, rmse = (
                float(numpy.sqrt(((predict(x) - y.numpy()) ** 2).mean()))
                for x, y in ((here.x_valid, here.y_valid), (here.x_test, here.y_test))
            )
            best = min(best, (valid, rmse))
            if epoch % self.record_every == 0 or epoch == self.passes:
                numbers = {"epoch": float(epoch), "rmse": rmse, "valid": valid, "best": best[1]}
                yield Measured(-(-epoch // self.record_every), numbers, shown)

    def alike(self, here: Regression) -> Tensor:
        """What partners are to have alike (n, …), with the spread of a number whose standard deviation is 1."""
        if self.partners == "like inputs":
            return here.x / here.x.var(0).sum().sqrt()
        labels = here.true if self.partners == "true labels" else here.given
        return (labels / labels.std(0))[:, None]


def farther_pair(here: Regression, alike: Tensor, sigma: float | None) -> dict[str, Any]:
    """An example with a label far from the middle, a partner so far that three in four are nearer, and their blend."""
    place = int((here.given - here.given.mean() - 0.8 * here.given.std()).abs().argmin())
    partner = place
    if sigma is not None:
        far = (here.given - here.given[place]).abs().argsort()
        reached = partner_chances(alike, sigma, torch.tensor([place]))[0, far].cumsum(0)
        partner = int(far[min(int((reached < 0.75).sum()), len(far) - 1)])
    own, other = here.x[place], here.x[partner]
    images = torch.stack([own, other, blend(own, other, 0.5)]).numpy()
    side = math.isqrt(images.shape[1])
    labels = here.given[[place, partner]].tolist()
    shown = {"labels": [*labels, sum(labels) / 2]}
    return shown | ({"images": images.reshape(3, side, side)} if side**2 == images.shape[1] else {})


def draw(records: Mapping[str, Sequence[Measured]]) -> Figure:
    """A blend of each way, and the error by epoch."""
    from nlkit.plots.blends import pairs_and_error

    return pairs_and_error(records, tuple(PAGE.variants))


OURS = "a control that the paper leaves out"
LAST = {"record_every": 500}  # one record, at the end
SIGMAS, BY_INPUTS, DECAYS, RATIOS = (0.001, 0.5, 1.0, 10.0), (0.2, 0.5), (3.0, 10.0), (0.3, 0.5)


def _grid() -> Iterator[tuple[str, Mapping[str, object]]]:
    yield from ((variant, LAST) for variant in PAGE.variants)
    yield from (("C-Mixup", {"sigma": sigma, **LAST}) for sigma in SIGMAS)
    yield from (("like inputs", {"sigma": sigma, **LAST}) for sigma in BY_INPUTS)
    yield from (("weight decay", {"decay": decay, **LAST}) for decay in DECAYS[1:])
    yield from ((variant, {"hidden": True, **LAST}) for variant in ("mixup", "C-Mixup"))
    yield from ((variant, {"ratio": ratio, **LAST}) for ratio in RATIOS for variant in PAGE.variants)
    for ratio in (0.0, 0.3):
        yield from ((variant, {"data": CARS, "ratio": ratio, **LAST}) for variant in PAGE.variants)


def error(t: Trial, variant: str, number: str = "rmse", **changes: Any) -> float:
    """Test error, in degrees or miles a gallon: "rmse" at the end, "best" where the validation error was least."""
    return t.run(variant, **changes, **LAST).last(number)


def gain(t: Trial, variant: str, over: str = "ERM", number: str = "rmse", **changes: Any) -> float:
    """By how much it is below that of another variant."""
    return error(t, over, number, **changes) - error(t, variant, number, **changes)


BOTH, ENDS = ("rmse", "best"), (("ERM", 0.001), ("mixup", 10.0))
HELPS: dict[str, Any] = {"unit": "", "at_least": 0.0}
PAGE = Page(
    title="C-Mixup: blends of examples with similar labels",
    source="Yao, Wang, Zhang, Zou, Finn, NeurIPS 2022, arXiv:2210.05775",
    finding="In regression, blend what has similar labels: blending anything does harm. But wrong labels choose wrong "
    "partners.",
    variants={"ERM": {"partners": "nobody"}, "mixup": {"partners": "anybody"}, "C-Mixup": {},
              "true partners": {"partners": "true labels"}, "weight decay": {"partners": "nobody", "decay": DECAYS[0]}},
    besides={"like inputs": (CMixup, {"partners": "like inputs"})},
    headline="rmse", experiment=CMixup, picture=draw, grid=_grid, seeds=tuple(range(20)),
    tiny={"passes": 2, "train": 100},
    claims=(
        Claim("c_mixup_helps", "On right labels C-Mixup is better than plain training.", "tables 1, 3",
              lambda t: [gain(t, "C-Mixup", number=n) for n in BOTH],
              "test error of ERM less that of C-Mixup, degrees, last epoch and the validated one",
              published="−6 % (airfoil), −10 % (RCF-MNIST)", **HELPS),
        Claim("c_mixup_mixup", "Mixup is no better than plain training.", "table 1: airfoil",
              lambda t: [gain(t, "mixup", number=n) for n in BOTH], "the same of mixup", unit="", at_most=0.0,
              published="+29 %"),
        Claim("c_mixup_ends", "A wide σ is mixup and a narrow one plain training, within half a degree.",
              "the definition", lambda t: [error(t, end) - error(t, "C-Mixup", sigma=s) for end, s in ENDS],
              "ERM less C-Mixup at σ 0.001, mixup less C-Mixup at σ 10, degrees", unit="", at_least=-0.5, at_most=0.5),
        Claim("c_mixup_labels", "Partners with similar labels are better than partners with similar inputs.",
              "theory; abstract",
              lambda t: [error(t, "like inputs", sigma=s) - error(t, "C-Mixup") for s in BY_INPUTS],
              "test error by inputs (σ 0.2, 0.5) less by labels, degrees", **HELPS),
        Claim("c_mixup_noise", "With 30 % of the labels exchanged C-Mixup is better too, if right ones say when to "
              "stop.", OURS, lambda t: gain(t, "C-Mixup", number="best", ratio=0.3),
              "test error of ERM less that of C-Mixup, degrees, validated epoch", **HELPS),
        Claim("c_mixup_partners", "There, partners chosen by true labels would help more.", OURS,
              lambda t: gain(t, "true partners", "C-Mixup", "best", ratio=0.3),
              "test error of C-Mixup less that with true partners, degrees, validated epoch", **HELPS),
        Claim("c_mixup_decay", "Weight decay does not do as well, whether labels are right or 30 % are exchanged.",
              OURS, lambda t: [gain(t, "C-Mixup", "weight decay"), gain(t, "C-Mixup", "weight decay", ratio=0.3)],
              "test error with weight decay less that of C-Mixup, degrees, last epoch",
              why="On right labels the two are level. With 30 % exchanged weight decay is ahead, 38.4 against 39.8: it "
              "hinders learning by heart, and blends of near equals do not.", **HELPS),
        Claim("c_mixup_cars", "On cars, with 30 % of the labels exchanged, C-Mixup is better than plain training.",
              OURS, lambda t: gain(t, "C-Mixup", data=CARS, ratio=0.3),
              "test error of ERM less that of C-Mixup, miles a gallon, last epoch", **HELPS),
    ),
)  # fmt: skip
