"""ERASE: vectors of nodes for which each class takes little room and all together much, so that wrong labels do little.

    Chen, Zhang, Huang, Su, Lin, Xiao, Xia, Liu: ERASE: Error-resilient representation learning on graphs for label
    noise tolerance. CIKM 2024, arXiv:2312.08852.

    Y_d = propagate(Y⁰, A of the labelled nodes)                                     (once: structural denoising)
    c_k = mean of z_i, labelled i with argmax Y_d,i = k;   S_ik = |cos(z_i, c_k)|    (prototypes)
    Y   = propagate(softmax(β Y_d + (1 − β) S), A);        L_i = argmax_k Y_ik       (semantic labels of all nodes)
    loss = R_c(Z, L) − γ R(Z)                                                        (see nlkit.learning.coding_rate)

Z (n, d) are the outputs of a graph attention network, each row with ‖z_i‖₁ = 1, then ReLU. Y⁰ has the given labels,
one-hot, and 0 at all other nodes; a propagation is T steps (see nlkit.learning.label_propagation) whose α is the weight
of what is there. Labels and prototypes are made anew at each step, and no gradient goes through them. A logistic
regression on the vectors of the labelled nodes, and on their semantic labels, names the classes in the end.

The authors' program (github.com/eraseai/erase, for research that is not commercial) was read for facts: it takes the
epoch that does best on *right* validation labels. Nothing is selected here: what is told is the last step. The network
is smaller (64 numbers a node, 4 heads), its rate higher, for 1,797 nodes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nlkit.learning.coding_rate import coding_rate, coding_rate_of_classes
from nlkit.learning.devices import threads
from nlkit.learning.graph_attention import AttentionEncoder, edges_of
from nlkit.learning.label_propagation import denoised, semantic_labels, shares_of
from nlkit.learning.optimizers import adam, descend
from nlkit.noise.noisy_nodes import GRAPHS, LabelledNodes, labelled_nodes
from nlkit.page import Claim, Page, Trial
from nlkit.randomness import seeded_generator
from nlkit.records import Measured
from nlkit.settings import check_settings, setting

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nlkit.plots import Figure

WIDTH, WEIGHT_DECAY = 64, 5e-4
FAR = 50  # steps of the propagation that is a method of its own
SHOWN = 12  # nodes of each class whose cosines are drawn
GIVEN, PROPAGATED, SEMANTIC = SOURCES = ("given", "propagated", "semantic")


@dataclass(frozen=True)
class Nodes:
    """One training on a graph. In its `numbers`: accuracy on the nodes without a label, of the network and of
    "propagation", shares of semantic labels that are right, mean cosines within and between true classes.
    """

    loss: str = setting("coding rate", "what the network is trained by", choices=("coding rate", "cross-entropy"))
    labels: str = setting(SEMANTIC, "the labels that it learns from", choices=SOURCES)
    data: str = setting("digits", "the graph", choices=GRAPHS)
    noise: str = setting("symmetric", "kind of label noise", choices=("symmetric", "pair"), knob=True)
    ratio: float = setting(0.4, "share of wrong labels", low=0.0, high=0.8, knob=True)
    per_class: int = setting(20, "labelled nodes a class", low=2, high=100, knob=True)
    alpha: float = setting(0.6, "α, how much of its label a node keeps", low=0.0, high=1.0, knob=True)
    beta: float = setting(0.6, "β, weight of the labels against the prototypes", low=0.0, high=1.0, knob=True)
    steps: int = setting(5, "T, steps of a propagation while it trains", low=0, high=50, knob=True)
    first_steps: int = setting(5, "steps of the propagation before", low=0, high=50)
    epsilon: float = setting(0.05, "ε of the coding rates", low=0.001, high=10.0, knob=True, log=True)
    gamma: float = setting(2.0, "γ, weight of the room for all", low=1.0, high=10.0)
    learning_rate: float = setting(5e-3, "of Adam", low=1e-5, high=1.0, log=True)
    updates: int = setting(150, "training steps: each is on all nodes", low=1, high=2000)
    every: int = setting(25, "training steps from one record to the next", low=1, high=2000)
    seed: int = setting(0, "decides labelled nodes, wrong labels, network and dropout", low=0)
    kept = ("accuracy", "propagation", "right_labelled", "right_learned", "within", "between")

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def epochs(self) -> int:
        return -(-self.updates // self.every)

    @property
    def by_rate(self) -> bool:
        return self.loss == "coding rate"

    def run(self, *, steps: bool = False) -> Iterator[Measured]:
        nodes = labelled_nodes(self.data, self.per_class, self.noise, self.ratio, seed=self.seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seeded_generator(self.seed, "network").initial_seed())
            encoder = AttentionEncoder(nodes.attributes.shape[1], WIDTH, unit=self.by_rate)
            head = nn.Linear(WIDTH, nodes.classes)
            state = torch.get_rng_state()
        return self._records(nodes, encoder, head, state)

    def _records(self, nodes: LabelledNodes, encoder: nn.Module, head: nn.Module, state: Tensor) -> Iterator[Measured]:
        true, x = torch.as_tensor(nodes.graph.classes), nodes.attributes
        edges, shares_out = edges_of(nodes.graph.adjacency), shares_of(nodes.graph.adjacency)
        y = self._smoothed(nodes, self.first_steps, alone=True)
        far = torch.as_tensor(self._smoothed(nodes, FAR).argmax(1))
        parameters = [*encoder.parameters(), *(() if self.by_rate else head.parameters())]
        optimizer = adam(parameters, self.learning_rate, weight_decay=WEIGHT_DECAY, amsgrad=True, fused=False)
        learned = nodes.labelled if self.labels == GIVEN else torch.arange(len(x))
        labels = nodes.given if self.labels == GIVEN else far
        for step in range(1, self.updates + 1):
            with threads(1), torch.random.fork_rng(devices=[]):  # dropout draws the run's own numbers
                torch.set_rng_state(state)
                z = encoder(x, edges)
                state = torch.get_rng_state()
                if self.labels == SEMANTIC:
                    seen, at = z.detach().double().numpy(), nodes.labelled.numpy()
                    found = semantic_labels(seen, y, at, shares_out, self.alpha, self.beta, self.steps)
                    labels = torch.as_tensor(found)
                if self.by_rate:
                    room = self.gamma * coding_rate(z[learned], self.epsilon)
                    loss = coding_rate_of_classes(z[learned], labels, self.epsilon, nodes.classes) - room
                else:
                    loss = F.cross_entropy(head(z[learned]), labels)
                descend(optimizer, loss)
            if step % self.every == 0 or step == self.updates:
                right = labels == true[learned]
                shares = {
                    "step": float(step),
                    "right_labelled": float((right if self.labels == GIVEN else right[nodes.labelled]).float().mean()),
                    "right_learned": float(right.float().mean()),
                    "propagation": float((far == true)[nodes.tested].float().mean()),
                }
                with torch.no_grad():
                    encoder.eval()
                    z = encoder(x, edges)
                    encoder.train()
                    said = head(z).argmax(1).numpy()
                if self.by_rate:
                    told = labels if self.labels == GIVEN else labels[nodes.labelled]
                    said = named(F.normalize(z).numpy(), nodes.labelled.numpy(), told.numpy())
                yield self._record(-(-step // self.every), nodes, z, said, shares)

    def _smoothed(self, nodes: LabelledNodes, steps: int, *, alone: bool = False) -> NDArray[numpy.float64]:
        return denoised(nodes.given.numpy(), nodes.labelled.numpy(), nodes.classes, nodes.graph.adjacency, self.alpha,
                        steps, alone)  # fmt: skip

    def _record(self, epoch: int, nodes: LabelledNodes, z: Tensor, said: NDArray, shares: dict) -> Measured:
        true, unit = nodes.graph.classes, F.normalize(z)
        some = numpy.concatenate([numpy.flatnonzero(true == k)[:SHOWN] for k in range(nodes.classes)])
        numbers = {"accuracy": float((said == true)[nodes.tested.numpy()].mean()), **shares}
        numbers["within"], numbers["between"] = cosines(unit.numpy(), true)
        return Measured(epoch, numbers, {"cosines": (unit[some] @ unit[some].T).numpy(), "classes": nodes.classes})


def named(z: NDArray, learned: NDArray, labels: NDArray) -> NDArray[numpy.int64]:
    """(n,) classes by a logistic regression on vectors z (n, d), which was told those (m,) of the learned ones (m,)."""
    from sklearn.linear_model import LogisticRegression

    if len(numpy.unique(labels)) == 1:
        return numpy.full(len(z), labels[0])
    return LogisticRegression(max_iter=1000).fit(z[learned], labels).predict(z)


def cosines(unit: NDArray, classes: NDArray) -> tuple[float, float]:
    """Mean cosine of two nodes of one class (each with itself too) and of two of different ones: rows of length 1."""
    sums = numpy.stack([unit[classes == k].sum(0) for k in range(classes.max() + 1)])
    pairs, of_one = (numpy.bincount(classes) ** 2).sum(), (sums**2).sum()
    return float(of_one / pairs), float(((sums.sum(0) ** 2).sum() - of_one) / (len(unit) ** 2 - pairs))


def draw(records: Mapping[str, Sequence[Measured]]) -> Figure:
    """Cosines of some nodes for each run, and accuracy by step beside the propagation's."""
    from nlkit.plots.subspaces import cosines_and_accuracy

    return cosines_and_accuracy(records, tuple(PAGE.variants))


RATIOS = (0.0, 0.2, 0.4, 0.6)
PAIR: dict[str, Any] = {"noise": "pair", "ratio": 0.3}
HARD = ({"ratio": 0.6}, PAIR)
ENTROPY, REPAIRED, SPREAD = "cross-entropy", "cross-entropy, its labels", "cross-entropy, spread labels"


def _grid() -> Iterator[tuple[str, dict[str, Any]]]:
    kinds: list[dict[str, Any]] = [*({"ratio": ratio} for ratio in RATIOS), PAIR]
    yield from ((name, kind) for name in PAGE.variants for kind in kinds)
    yield from ((name, {}) for name in PAGE.besides)
    yield from (("ERASE", part) for part in PARTS.values())


PARTS: dict[str, dict[str, Any]] = {
    "before": {"first_steps": 0}, "prototypes": {"beta": 1.0}, "structure": {"steps": 0},
}  # fmt: skip


def lead(over: str, number: str = "last", **changes: Any) -> Any:
    """Accuracy of ERASE at its end, less that of another run at its end or at its "highest"."""

    def measure(t: Trial) -> float:
        ours, other = (t.run(name, **changes) for name in ("ERASE", over))
        return ours.last("accuracy") - getattr(other, number)("accuracy")

    return measure


def without(part: str, number: str = "accuracy") -> Any:
    """What ERASE loses of a number where a part is taken away."""
    return lambda t: t.run("ERASE").last(number) - t.run("ERASE", **PARTS[part]).last(number)


def _apart(t: Trial) -> tuple[float, float]:
    run = t.run("ERASE")
    return run.last("within") - 0.5, 0.15 - run.last("between")


OURS = "a control that the paper leaves out"
LEAD: dict[str, Any] = {"says": "its lead in accuracy", "at_least": 0.0, "unit": "points"}
PAGE = Page(
    title="ERASE: error-resilient representation learning on graphs",
    source="Chen, Zhang, Huang, Su, Lin, Xiao, Xia, Liu, CIKM 2024, arXiv:2312.08852",
    finding="Two coding rates as a loss mind many wrong labels less than cross-entropy does; spreading helps as much.",
    variants={
        ENTROPY: {"loss": "cross-entropy", "labels": GIVEN}, "ERASE": {},
        REPAIRED: {"loss": "cross-entropy"}, SPREAD: {"loss": "cross-entropy", "labels": PROPAGATED},
    },
    besides={
        "coding rate, given labels": (Nodes, {"labels": GIVEN}),
        "coding rate, spread labels": (Nodes, {"labels": PROPAGATED}),
    },
    headline="accuracy", experiment=Nodes, picture=draw, grid=_grid, needs=("package:scikit-learn",),
    tiny={"updates": 2, "every": 1, "per_class": 5}, panel={"updates": 100},
    claims=(
        Claim("erase_resists", "With 40 % of the labels wrong, ERASE at its end is ahead of cross-entropy at the best "
              "of its records.", "abstract", lead(ENTROPY, "highest"), **LEAD),
        Claim("erase_hard", "So it is with 60 % wrong, and with 30 % moved to the next class.", "abstract",
              lambda t: tuple(lead(ENTROPY, "highest", **kind)(t) for kind in HARD), **LEAD),
        Claim("erase_apart", "Classes stand nearly at right angles: cosines are above 0.5 within one, and below 0.15 "
              "between two.", "its picture of cosines", _apart, "by how much", at_least=0.0, unit=""),
        Claim("erase_parts", "Each of its parts adds accuracy: smoothing before, prototypes, edges while it trains.",
              "ablation", lambda t: tuple(without(part)(t) for part in PARTS), **(LEAD | {"says": "what each adds"})),
        Claim("erase_loss", "Cross-entropy on the same labels, made anew in the same loop, falls 5 points behind.",
              OURS, lead(REPAIRED), "its lead in accuracy", at_least=0.05, unit="points"),
        Claim("erase_tolerates", "Without prototypes many more semantic labels are wrong, and accuracy hardly knows.",
              OURS, lambda t: without("prototypes", "right_learned")(t) - without("prototypes")(t),
              "right labels lost, less accuracy lost", at_least=0.1, unit="points"),
        Claim("erase_spread", "It is ahead of cross-entropy on labels that were spread along the graph once.", OURS,
              lead(SPREAD), **LEAD),
        Claim("erase_free", "Where no label is wrong, it costs nothing against cross-entropy.", OURS,
              lead(ENTROPY, ratio=0.0), **LEAD, why="A class squeezed into few directions keeps less of what tells "
              "digits apart, and there is nothing to resist."),
    ),
)  # fmt: skip
