"""Early-learning regularization: hold on to what the network said of each example before it learned labels by heart.

    Liu, Niles-Weed, Razavian, Fernandez-Granda: Early-learning regularization prevents memorization of noisy labels.
    NeurIPS 2020, arXiv:2007.00151.

    t_i ← β t_i + (1 - β) p_i                          (what it has said of example i, averaged; p detached)
    L(θ) = 1/B Σ_i CE(p_i, ỹ_i) + λ/B Σ_i log(1 - ⟨p_i, t_i⟩)

The second term is smallest where the network agrees with its own past. Its gradient cancels that of a wrong label once
the past says otherwise. Probabilities are kept off 0 and 1 by 1e-4.

β = 0.7 and λ = 3 are published for CIFAR-10 with symmetric noise; for asymmetric noise β = 0.9 and λ = 1, for CIFAR-100
0.9 and 7. The authors' program (shengliu66/ELR) trains a ResNet-34 with momentum, at a rate of 0.02 that falls or
restarts, and weight decay 1e-3. Its symmetric noise may draw the own class: of "80 %", 72 % are wrong.

The theory (section 3) is about a linear model. v is a unit vector, ε* = ±1 the true cluster, z ~ N(0, I_p):

    x = ε* (v − σ z),  given ε, a share q of them wrong;    ∇L(θ) = 1/(2n) Σ_i x_i κ_i,  κ_i = tanh(θᵀx_i / 2) − ε_i

κ_i is how hard example i pulls. The paper's appendix prints tanh(θᵀx_i), which belongs to another loss. Its Δ is 2q: a
label is drawn anew, and half of the time it is the same. For large p and n a plane fits all labels if and only if
p/n > h (nlkit/data/two_clusters.py); the paper has the bound p/n > 1 − q, which is enough:

    h(q, σ) = min_t E (Z − t M)₊²,   M = ±(1 − σ Z') / σ, with the minus with probability q;  Z, Z' ~ N(0, 1)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F

from nlkit.checks import check_number
from nlkit.data.two_clusters import a_plane_fits, two_clusters
from nlkit.learning.learner import Batch, Run, StepResult
from nlkit.measures import lead
from nlkit.page import Claim, Page, Trial
from nlkit.randomness import seeded_generator
from nlkit.records import Measured
from nlkit.settings import check_settings, setting

if TYPE_CHECKING:
    from nlkit.plots import Figure


class EarlyLearning:
    learns_from = "noisy and clean"
    needs_clean = False
    weighs = False
    sees_noise = True

    def __init__(self, beta: float = 0.7, strength: float = 3.0):
        """beta: β, in [0, 1]. strength: λ, 0 or more. Raises a ValueError for any other value."""
        self.beta = check_number("beta", beta, 0, 1)
        self.strength = check_number("strength", strength, 0)
        self.state: dict[str, Tensor] = {}

    def step(self, run: Run, batch: Batch) -> StepResult:
        logits = run.logits(batch.images)
        p = logits.softmax(1).clamp(1e-4, 1 - 1e-4)  # (B, K)
        said = self._remember(run, batch.index, p.detach())  # (B, K)
        holding = (1 - (p * said).sum(1)).log().mean()
        loss = F.cross_entropy(logits, batch.labels) + self.strength * holding
        run.descend(loss)
        return StepResult(loss)

    def _remember(self, run: Run, index: Tensor, p: Tensor) -> Tensor:
        """The moving averages t (B, K) of the batch's examples, brought up to date with p (B, K)."""
        if "said" not in self.state:
            self.state["said"] = torch.zeros(run.num_examples, p.shape[1], dtype=p.dtype, device=p.device)
        said = self.state["said"]
        said[index] = self.beta * said[index] + (1 - self.beta) * p / p.sum(1, keepdim=True)
        return said[index]


def push(z: Tensor, said: Tensor, term: str) -> Tensor:
    """The derivative (n,) of a term by z = θᵀx (n,), at λ = 1, for p = (σ(z), σ(-z)). said: t (n, 2), a constant.

    "ELR" is log(1 - ⟨p, t⟩), "KL" the cross-entropy of t: the same targets, held on to in the usual way.
    """
    p = z.sigmoid()
    if term == "KL":
        return said.sum(1) * p - said[:, 0]
    agree = p * said[:, 0] + (1 - p) * said[:, 1]
    return -(said[:, 0] - said[:, 1]) * p * (1 - p) / (1 - agree).clamp(min=1e-12)


TERMS = ("none", "ELR", "KL", "decay")


@dataclass(frozen=True)
class Linear:
    """Full gradient descent on a linear model. A record is a step, early ones all, then fewer and fewer.

    In its `numbers`: accuracy on new examples in closed form, the share of the wrong labels that are "memorized", θᵀv
    ("along"), and κ², how hard examples with a right and with a wrong label pull ("pull_right", "pull_wrong").
    """

    term: str = setting("none", "what is added to cross entropy", choices=TERMS)
    wrong: float = setting(0.2, "q: share of wrong labels", low=0.0, high=0.45, knob=True)
    dimensions: float = setting(0.9, "p/n: dimensions an example", low=0.1, high=1.2, knob=True)
    sigma: float = setting(0.25, "σ: noise in each dimension", low=0.05, high=0.6, knob=True)
    strength: float = setting(3.0, "λ of ELR and KL", low=0.0, high=7.0, knob=True)
    beta: float = setting(0.7, "β: how long ELR and KL remember", low=0.0, high=0.99, knob=True)
    begin: int = setting(0, "step at which the term comes in", low=0, high=3000, knob=True)
    decay: float = setting(0.1, "weight decay, if that is the term", low=0.0, high=1.0)
    n: int = setting(500, "examples", low=20, high=2000)
    rate: float = setting(0.5, "learning rate", low=0.001, high=1.0)
    steps: int = setting(3000, "steps of gradient descent", low=1, high=10_000)
    plane: bool = setting(False, "whether it is told if a plane fits all labels, which takes a second")
    seed: int = setting(0, "draws clusters, wrong labels and the start", low=0)

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def times(self) -> list[int]:
        """The steps that are recorded, 0 first."""
        return sorted({0, *(round((self.steps + 1) ** (k / 60) - 1) for k in range(61))})

    @property
    def epochs(self) -> int:
        return len(self.times)

    def run(self, *, steps: bool = False) -> Iterator[Measured]:
        x, true, given, v = two_clusters(self.n, round(self.dimensions * self.n), self.sigma, self.wrong, self.seed)
        theta = torch.randn(len(v), generator=seeded_generator(self.seed, "start"), dtype=torch.float64)
        return self._records(x, true, given, v, 2 * theta / theta.norm())

    def _records(self, x: Tensor, true: Tensor, given: Tensor, v: Tensor, theta: Tensor) -> Iterator[Measured]:
        said, times, right = x.new_zeros(len(x), 2), self.times, given == true
        fits = {"plane": float(a_plane_fits(x, given))} if self.plane else {}
        for step in range(self.steps + 1):
            z = x @ theta
            if step in times:
                kappa = ((z / 2).tanh() - given).square()
                numbers = {"step": float(step), "along": float(theta @ v), "pull_right": float(kappa[right].mean())}
                numbers["test_accuracy"] = float(torch.special.ndtr(theta @ v / (self.sigma * theta.norm())))
                if not right.all():
                    numbers["pull_wrong"] = float(kappa[~right].mean())
                    numbers["memorized"] = float((z * given > 0)[~right].double().mean())
                yield Measured(1 + times.index(step), numbers | fits)
            said = self.beta * said + (1 - self.beta) * torch.stack([z.sigmoid(), (-z).sigmoid()], 1)
            slope = z.sigmoid() - (given > 0).double()  # ((z / 2).tanh() - given) / 2
            on = step >= self.begin
            if on and self.term in ("ELR", "KL"):
                slope = slope + self.strength * push(z, said, self.term)
            theta = theta - self.rate * (
                x.T @ slope / len(x) + (self.decay * theta if on and self.term == "decay" else 0)
            )


def draw(records: Mapping[str, Sequence[Measured]]) -> Figure:
    """Accuracy, memorized labels and pull along the steps."""
    from nlkit.plots.pulls import early_learning

    return early_learning(records, tuple(PAGE.variants))


SLOW: dict[str, Any] = {"rate": 0.05, "steps": 300}  # so that T is some steps away
NEAR = (0.8, 1.2)  # times h, where planes are asked for
DECAYS = (0.003, 0.01, 0.03)
_DIGITS: dict[str, Any] = {"ratio": 0.4, "clean_per_class": 0, "epochs": 30}


def _grid() -> Iterator[tuple[str, Mapping[str, object]]]:
    for wrong in (0.1, 0.2, 0.3, 0.4):
        yield from ((name, {"wrong": wrong}) for name in ("CE", "ELR"))
        yield from (("CE", _near(wrong, factor)) for factor in NEAR)
    yield from [
        ("CE", SLOW),
        ("KL", {}),
        ("ELR", {"beta": 0.0}),
        ("weight decay", {}),
        ("weight decay", {"decay": 0.3}),
    ]
    yield from [("ELR", {"strength": lam}) for lam in (1.0, 2.0)] + [("ELR", {"begin": at}) for at in (1000, 2000)]
    yield from (("digits CE", {"weight_decay": decay}) for decay in (0.0, *DECAYS))
    yield from (("digits ELR", changes) for changes in ({}, {"beta": 0.0}, {"strength": 1.0}))
    yield from ((name, {"ratio": 0.8}) for name in ("digits CE", "digits ELR"))


def _near(wrong: float, factor: float) -> dict[str, Any]:
    return {"wrong": wrong, "dimensions": round(factor * H[wrong], 3), "steps": 1, "plane": True}


def _pulls(t: Trial) -> tuple[float, float]:
    """By how much κ² falls on right and rises on wrong labels until θᵀv is 0.1."""
    curves = t.run("CE", **SLOW).curves
    at = next(k for k, along in enumerate(curves["along"]) if along >= 0.1)
    return curves["pull_right"][0] - curves["pull_right"][at], curves["pull_wrong"][at] - curves["pull_wrong"][0]


def _planes(t: Trial) -> list[float]:
    """Whether a plane fits above h, and none below, for each share of wrong labels."""
    found = {(q, f): t.run("CE", **_near(q, f)).last("plane") for q in H for f in NEAR}
    return [fits if factor > 1 else 1 - fits for (_, factor), fits in found.items()]


H = {0.1: 0.267, 0.2: 0.382, 0.3: 0.450, 0.4: 0.488}  # `all_can_be_fitted_from` at σ = 0.25
_LINEAR, _ON_DIGITS = "linear model, 20 % wrong", "digits, 40 % symmetric noise, 30 epochs"
PAGE = Page(
    title="Early-learning regularization",
    source="Liu, Niles-Weed, Razavian, Fernandez-Granda, NeurIPS 2020, arXiv:2007.00151",
    finding="Right labels stop pulling once learned, wrong ones go on; what was said early holds against them.",
    variants={"CE": {"term": "none"}, "ELR": {"term": "ELR"}, "KL": {"term": "KL"}, "weight decay": {"term": "decay"}},
    besides={
        "digits CE": (None, {"method": "standard", **_DIGITS}),
        "digits ELR": (None, {"method": "elr", **_DIGITS}),
    },
    experiment=Linear, picture=draw, grid=_grid, tiny={"n": 60, "steps": 60},
    claims=(
        Claim("elr_early", "Cross entropy first predicts the truth of most wrongly labelled examples, then memorizes "
              "all of them.", "theorem 1, figure A.1",
              lambda t: (1 - min((run := t.run("CE")).curves["memorized"]), run.last("memorized")),
              f"predicted as true at the peak, memorized at the end, {_LINEAR}", at_least=0.85),
        Claim("elr_pull", "At first right labels pull less and less, wrong ones more and more.", "theorem 1",
              _pulls, f"fall of κ² on right, rise on wrong labels, until θᵀv = 0.1; {_LINEAR}", at_least=0.05, unit=""),
        Claim("elr_plane", "All labels can be fitted if p/n is above h, and not if it is below.",
              "a sharper form of theorem 6", _planes,
              "how often a plane fits at 1.2 h, and none at 0.8 h; 10 to 40 % wrong", at_least=0.9),
        Claim("elr_holds", "With ELR hardly any wrong label is memorized.", "figure A.1",
              lambda t: ((run := t.run("ELR")).last("test_accuracy"), 1 - run.last("memorized")),
              f"test accuracy, share not memorized, {_LINEAR}", at_least=0.98),
        Claim("elr_kl", "The same targets in a cross-entropy of their own only put it off.", "appendix C",
              lambda t: t.run("KL").last("memorized"), f"memorized at the end, {_LINEAR}", at_least=0.99),
        Claim("elr_decay", "Weight decay does as well on the linear model.", "a control that the paper lacks",
              lead("weight decay", "ELR", decay=0.3), f"test accuracy, decay 0.3 less ELR, {_LINEAR}", at_least=-0.005,
              unit="points"),
        Claim("elr_digits", "On a network ELR ends above cross entropy at its best epoch.", "table 1",
              lambda t: t.run("digits ELR").final - t.run("digits CE").best, f"its lead, {_ON_DIGITS}", at_least=0.01,
              published="40 %: 89.2 and 81.9 at the end", unit="points"),
        Claim("elr_digits_decay", "There no weight decay does as well.", "a control that the paper lacks",
              lambda t: t.run("digits ELR").final - max(t.run("digits CE", weight_decay=d).final for d in DECAYS),
              f"lead over the best of three, {_ON_DIGITS}", at_least=0.02, unit="points"),
        Claim("elr_digits_80", "At 80 % too it keeps wrong labels from being memorized.", "abstract: prevents",
              lambda t: t.run("digits ELR", ratio=0.8).last("memorized"), "memorized, digits, 80 %", at_most=0.1,
              why="So few labels are right that the network is rarely sure of the truth before it learns the rest by "
              "heart, and its past speaks for it only as far as it was sure."),
    ),
)  # fmt: skip
