"""NBPO: a shop learns what its customers like, and beside it how likely a like is to go without a vote.

    Yu, Qin: Sampler design for implicit feedback data by noisy-label robust learning. SIGIR 2020, arXiv:2007.07204;
    github.com/Wenhui-Yu/NBPO.

    R = U Wᵀ,  P(like) = σ(R);     γ = P Qᵀ,  P(not voted | like) = σ(γ),  P(voted | not liked) = 0
    P(vote) = σ(−γ) σ(R),     p = P(no vote) = σ(−R) + σ(γ) σ(R)

Of a vote i and an item j without one, of the same customer, the directions of ascent are

                 by R_i              by γ_i             by R_j                           by γ_j
    BPR          σ(R_j − R_i)                           −σ(R_j − R_i)
    BPO          σ(−R_i)                                −σ(R_j)
    NBPO         σ(−γ_i) σ(−R_i)     −σ(γ_i) σ(R_i)     σ(γ_j) σ(−R_j) − σ(R_j)          σ(−γ_j) σ(R_j)
    likelihood   σ(−R_i)             −σ(γ_i)            (σ(γ_j) − 1) σ(R_j) σ(−R_j) / p  σ(γ_j) σ(−γ_j) σ(R_j) / p

BPR ranks pairs (Rendle and others, UAI 2009), BPO is logistic regression. "likelihood" is the gradient of log P(vote) +
log p, "no log" that of P(vote) + p. NBPO's is the gradient of nothing: its derivatives by R, γ and by γ, R differ. All
were derived anew from the authors' program, as were rates, decays, starts and pairs: a step takes 5,000 votes, 4 items
for each, and sums. 40 epochs in place of 200, K = 20 in place of 50, and λ_φ of the likelihood are ours. The program
reports the mean of the five best epochs by each measure; here the last counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, sigmoid

from nlkit.data.votes import HIDINGS, shop
from nlkit.learning.recommending import f1_and_ndcg, fit, ranked
from nlkit.page import Claim, Page, Trial
from nlkit.records import Measured
from nlkit.settings import check_settings, setting

if TYPE_CHECKING:
    from nlkit.plots import Figure

Four = tuple[Tensor, Tensor, Tensor, Tensor]  # by R_i, γ_i, R_j, γ_j


def bpr(R_i: Tensor, g_i: Tensor, R_j: Tensor, g_j: Tensor) -> Four:
    return (x := sigmoid(R_j - R_i)), torch.zeros_like(x), -x, torch.zeros_like(x)


def bpo(R_i: Tensor, g_i: Tensor, R_j: Tensor, g_j: Tensor) -> Four:
    return sigmoid(-R_i), torch.zeros_like(R_i), -sigmoid(R_j), torch.zeros_like(R_j)


def nbpo(R_i: Tensor, g_i: Tensor, R_j: Tensor, g_j: Tensor) -> Four:
    voted = sigmoid(-g_i) * sigmoid(-R_i), -sigmoid(g_i) * sigmoid(R_i)
    return *voted, sigmoid(g_j) * sigmoid(-R_j) - sigmoid(R_j), sigmoid(-g_j) * sigmoid(R_j)


def no_vote(R: Tensor, g: Tensor) -> Tensor:
    """p."""
    return sigmoid(-R) + sigmoid(g) * sigmoid(R)


def likelihood(R_i: Tensor, g_i: Tensor, R_j: Tensor, g_j: Tensor) -> Four:
    p, *_, by_R, by_g = no_vote(R_j, g_j), *no_log(R_i, g_i, R_j, g_j)
    return sigmoid(-R_i), -sigmoid(g_i), by_R / p, by_g / p


def no_log(R_i: Tensor, g_i: Tensor, R_j: Tensor, g_j: Tensor) -> Four:
    vote = sigmoid(-g_i) * sigmoid(R_i)
    by_R = -sigmoid(-g_j) * sigmoid(R_j) * sigmoid(-R_j)
    return vote * sigmoid(-R_i), -vote * sigmoid(g_i), by_R, sigmoid(g_j) * sigmoid(-g_j) * sigmoid(R_j)


METHODS_OF_VOTES = {"BPR": bpr, "BPO": bpo, "NBPO": nbpo, "likelihood": likelihood, "no log": no_log}
PRIORS = {"NBPO": 5.0, "likelihood": 0.5, "no log": 0.5}  # λ_φ
TOP, SHORT, SHOWN = 20, 10, 5  # items recommended, for NDCG and for F1; customers in the picture


@dataclass(frozen=True)
class Voting:
    """A shop that learns from votes: a record an epoch. In its `numbers`, by likes that were hidden,

    "ndcg" of the 20 items recommended and "f1" of 10, "popular", the NDCG of the most voted items. Where flips matter,
    their mean "flip", and P(like | no vote) of "hidden" likes and of what is "disliked".
    """

    method: str = setting("NBPO", "what is climbed", choices=tuple(METHODS_OF_VOTES))
    flips: str = setting("learned", "where P(not voted | like) is from", choices=("learned", "held", "told"))
    hiding: str = setting("by chance", "how likes are hidden", choices=HIDINGS, knob=True)
    ratio: float = setting(0.5, "share of the likes hidden", low=0.05, high=0.8, knob=True)
    held: float = setting(0.5, "P(not voted | like), if held", low=0.0, high=0.9, knob=True)
    prior: float = setting(1.0, "λ_φ, times that of the method", low=0.0, high=4.0, knob=True)
    factors: int = setting(20, "K: factors of a customer", low=1, high=50, knob=True)
    epochs: int = setting(40, "passes through the votes", low=1, high=200, knob=True)
    customers: int = setting(400, "customers", low=50, high=2000)
    rate: float = setting(0.05, "η, which falls by 1 % an epoch", low=0.001, high=0.05)
    decay: float = setting(1.0, "λ_r", low=0.0, high=20.0)
    seed: int = setting(0, "decides customers, hidden likes, start and pairs", low=0)

    kept = ("ndcg", "f1", "popular", "flip", "hidden", "disliked")

    def __post_init__(self) -> None:
        check_settings(self)

    def run(self, *, steps: bool = False) -> Iterator[Measured]:
        ours = shop(self.customers, self.ratio, self.hiding, self.seed)
        flips = {"learned": None, "held": self.held, "told": ours.hiding}[self.flips]
        found = fit(
            ours.votes, METHODS_OF_VOTES[self.method], flips=flips, factors=self.factors, rate=self.rate,
            decay=self.decay, flip_decay=self.prior * PRIORS.get(self.method, 0.0), epochs=self.epochs, seed=self.seed,
        )  # fmt: skip
        hidden = ours.likes & ~ours.votes
        popular = f1_and_ndcg(ours.votes.sum(0).expand(ours.votes.shape).float(), ours.votes, hidden, SHORT, TOP)[1]
        for epoch, (R, g) in enumerate(found, start=1):
            f1, ndcg = f1_and_ndcg(R, ours.votes, hidden, SHORT, TOP)
            numbers = {"ndcg": ndcg, "f1": f1, "popular": popular}
            shown: dict[str, Any] = {"votes": ours.votes[:SHOWN], "hidden": hidden[:SHOWN], "places": ours.places}
            shown |= {"top": ranked(R[:SHOWN], ours.votes[:SHOWN], TOP), "hiding": ours.hiding, "flip": None}
            if self.method in PRIORS:
                like = sigmoid(g) * sigmoid(R) / no_vote(R, g)
                numbers |= {"flip": sigmoid(g).mean().item(), "hidden": like[hidden].mean().item()}
                numbers["disliked"] = like[~ours.likes].mean().item()
                shown["flip"] = sigmoid(g).mean(0)
            yield Measured(epoch, numbers, shown)


def draw(records: Mapping[str, Sequence[Measured]]) -> Figure:
    """What each recommends to some customers, the flips that it learned, and NDCG by epoch."""
    from nlkit.plots.recommended import pictures_and_ndcg

    return pictures_and_ndcg(records, tuple(PAGE.variants))


HELD, LIKELIHOOD, TOLD = "flips held at ½", "likelihood", "likelihood, told"
RATIOS, RATES, BY_ITEM = (0.2, 0.8), (0.01, 0.02), {"hiding": "by item"}


def _grid() -> Iterator[tuple[str, Mapping[str, object]]]:
    for changes in ({}, BY_ITEM):
        yield from ((name, changes) for name in (*PAGE.variants, *PAGE.besides))
    yield from ((name, {"ratio": 0.3, **BY_ITEM}) for name in ("BPO", "NBPO", LIKELIHOOD))
    yield from ((name, {"ratio": ratio}) for ratio in RATIOS for name in ("BPO", "NBPO"))
    yield from ((name, {"rate": rate}) for rate in RATES for name in ("BPR", "BPO", "NBPO"))
    yield "NBPO", {"prior": 0.02}


def gain(t: Trial, ours: str, theirs: str, **changes: Any) -> float:
    """NDCG after the last epoch: ours less theirs."""
    return t.run(ours, **changes).last("ndcg") - t.run(theirs, **changes).last("ndcg")


def _tuned(t: Trial, name: str) -> float:
    return max(t.run(name, **changes).last("ndcg") for changes in ({}, *({"rate": rate} for rate in RATES)))


def _flips(t: Trial) -> list[float]:
    return [t.run("NBPO", **changes).last("flip") for changes in ({}, *({"ratio": ratio} for ratio in RATIOS))]


PAPER, OURS, CHANCE, ITEM = "abstract", "a control that the paper leaves out", "half hidden by chance", "hidden by item"
POINTS: dict[str, Any] = {"unit": "points", "at_least": 0.0}
PAGE = Page(
    title="NBPO: votes that are missing",
    source="Yu, Qin, SIGIR 2020, arXiv:2007.07204",
    finding="NBPO's flips come to ½ whatever is hidden; where items are hidden unequally, only the proper likelihood "
    "gains by learning them.",
    variants={
        "BPO": {"method": "BPO"}, "NBPO": {"method": "NBPO"}, "BPR": {"method": "BPR"},
        HELD: {"method": "NBPO", "flips": "held"}, LIKELIHOOD: {"method": "likelihood"},
        TOLD: {"method": "likelihood", "flips": "told"},
    },
    besides={"no log": (Voting, {"method": "no log"}), "NBPO, told": (Voting, {"method": "NBPO", "flips": "told"})},
    headline="ndcg", experiment=Voting, picture=draw, grid=_grid, seeds=tuple(range(6)),
    tiny={"customers": 60, "epochs": 3},
    claims=(
        Claim("nbpo_bpo", "Where half of the likes are hidden by chance, NBPO ranks better than BPO.", PAPER,
              lambda t: gain(t, "NBPO", "BPO"), f"NDCG at 20 of hidden likes, {CHANCE}: NBPO less BPO", **POINTS),
        Claim("nbpo_bpr", "It ranks better than BPR.", PAPER, lambda t: gain(t, "NBPO", "BPR"),
              "the same: NBPO less BPR", **POINTS),
        Claim("nbpo_tuned", "It does so where each has the best of three learning rates.", OURS,
              lambda t: tuple(_tuned(t, "NBPO") - _tuned(t, rival) for rival in ("BPO", "BPR")),
              "the same, the best of three rates: NBPO less BPO, less BPR",
              why="Its gentler pull does what a lower rate does: at η = 0.02 BPO and BPR are ahead.", **POINTS),
        Claim("nbpo_ablations", "It ranks better than the gradients of likelihood and of log-likelihood.",
              "the authors' program", lambda t: tuple(gain(t, "NBPO", rival) for rival in ("no log", LIKELIHOOD)),
              "the same: NBPO less no log, less likelihood", **POINTS),
        Claim("nbpo_held", "A flip probability of ½ for all, not learned, does as well.", OURS,
              lambda t: gain(t, "NBPO", HELD), "the same: NBPO less flips held at ½", at_least=-0.01, at_most=0.01,
              unit="points"),
        Claim("nbpo_half", "Whatever share is hidden, NBPO learns a half.", OURS, _flips,
              "mean learned flip probability with 50, 20 and 80 % hidden by chance", at_least=0.45, at_most=0.52),
        Claim("nbpo_by_item", "It is better than BPO too where some items are hidden more often than others.", PAPER,
              lambda t: gain(t, "NBPO", "BPO", **BY_ITEM), f"the same, {ITEM}: NBPO less BPO",
              why="It weighs a vote by σ(−γ), so that the few votes of an item mostly hidden hardly count, even "
              "if it is told the true flips.", **POINTS),
        Claim("nbpo_likelihood", "There the gradient of the log-likelihood finds what is hidden.", OURS,
              lambda t: (gain(t, LIKELIHOOD, "BPO", **BY_ITEM), gain(t, LIKELIHOOD, "BPO", ratio=0.3, **BY_ITEM)),
              f"the same, 50 and 30 % {ITEM}: likelihood less BPO", at_least=0.03, unit="points"),
    ),
)  # fmt: skip
