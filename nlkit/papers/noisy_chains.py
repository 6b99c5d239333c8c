"""Noisy chains of thought: a wrong value that is only written down, and one that the rest of the chain builds on.

    Havrilla, Iyer: Understanding the effect of noise in LLM training data with algorithmic chains of thought. 2024,
    arXiv:2402.04004.

    A program writes its own chain of thought, so that the right one is known; then a share c of the chains is spoiled:
    static:   each state written is replaced with probability p; the computation and the answer stay right
    dynamic:  each state computed is replaced with probability p, and the chain goes on from there to its answer
    A network learns the chains, lines and answer. It is asked for answers to new prompts, and writes its own chain.

What differs: the paper fine-tunes language models on traces of Python functions. Here a transformer of 2 layers and
width 32 learns from nothing; a trace is a running maximum (or a sum modulo 5) of eight numbers, and shows every m-th
state (nlkit/noise/chains.py, nlkit/learning/chain_writer.py). That m is a setting is ours; so is the limit below. Only
abstract, introduction and summaries of the paper were to be had. Spoiled examples in a prompt need a language model;
that part is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nlkit.learning.chain_writer import learn, new_writer
from nlkit.noise.chains import CLEAN, DYNAMIC, FUNCTIONS, KINDS, STATIC, Chains, draw_chains, likeliest_answers
from nlkit.page import Claim, Page, Trial
from nlkit.randomness import seeded_generator
from nlkit.records import Measured
from nlkit.settings import check_settings, setting

if TYPE_CHECKING:
    from torch import Tensor

    from nlkit.plots import Figure

LENGTH, BASES, ASKED, LOOK = 8, {"max": 10, "sum": 5}, 500, 40  # T, K, test prompts, steps from one look to the next
MOST = 1_000  # looks
ORDER = (STATIC, DYNAMIC, CLEAN)  # of colours


def share(where: Tensor) -> float:
    return where.double().mean().item()


@dataclass(frozen=True)
class Writing:
    """A network that learns chains. In a record's `numbers`, of 500 new prompts and chains of its own: "accuracy" of
    the likeliest answers, "drawn" if each value is drawn by its chance instead, "lines", the share of lines that are
    right; "told_right", the share of right answers among those it learns from; and "limit", the accuracy of whoever
    writes the likeliest line after endlessly many chains.
    """

    noise: str = setting(STATIC, "what is spoiled", choices=KINDS)
    every: int = setting(8, "m: every m-th state is shown", choices=(1, 2, 4, 8), knob=True)
    intensity: float = setting(0.4, "p: chance of each state to be spoiled", low=0.0, high=0.9, knob=True)
    contamination: float = setting(1.0, "c: share of chains that are spoiled", low=0.0, high=1.0, knob=True)
    function: str = setting("max", "what is computed (sum: of m = 1 or 2)", choices=tuple(FUNCTIONS), knob=True)
    steps: int = setting(200, "training steps", low=1, high=LOOK * MOST)
    chains: int = setting(8_000, "chains to learn from", low=128, high=100_000)
    record_every: int = setting(1, "looks (of 40 steps) from one record to the next", low=1, high=MOST)
    seed: int = setting(0, "decides chains, noise, initial weights, batches", low=0)

    def __post_init__(self) -> None:
        check_settings(self)
        if self.function == "sum" and self.every > 2:
            raise ValueError(f"every={self.every} must be 1 or 2 with function='sum': a network of this size does not "
                             "learn sums of more numbers")  # fmt: skip

    @property
    def epochs(self) -> int:
        return -(-self.steps // (LOOK * self.record_every))

    def draw(self, count: int, purpose: str, kind: str = "") -> Chains:
        """Chains as they are learned ("chains"), or others of the same kind for the same seed."""
        return draw_chains(
            count, length=LENGTH, base=BASES[self.function], function=self.function, kind=kind or self.noise,
            intensity=self.intensity, contamination=self.contamination, seed=self.seed, purpose=purpose,
        )  # fmt: skip

    def run(self, *, steps: bool = False) -> Iterator[Measured]:
        given, asked, base = self.draw(self.chains, "chains"), self.draw(ASKED, "asked"), BASES[self.function]
        right, example = asked.right[:, -1], self.example()
        fixed = {"told_right": share(given.answers == given.right[:, -1]), "limit": 1.0}
        if self.noise == DYNAMIC:
            likeliest = likeliest_answers(asked.prompts, every=self.every, base=base, function=self.function,
                                          intensity=self.intensity, contamination=self.contamination)  # fmt: skip
            fixed["limit"] = share(likeliest == right)
        writer = new_writer(LENGTH, base, self.every, self.seed)
        learning = learn(writer, given.prompts, given.chain(self.every), steps=self.steps, seed=self.seed)
        for step, _ in enumerate(learning, start=1):
            if step % (LOOK * self.record_every) and step < self.steps:
                continue
            own = writer.write(asked.prompts)
            drawn = writer.write(asked.prompts, seeded_generator(self.seed, "drawn"))
            numbers = fixed | {"step": float(step), "accuracy": share(own[:, -1] == right)}
            numbers["drawn"] = share(drawn[:, -1] == right)
            numbers["lines"] = share(own[:, :-1] == asked.right[:, self.every - 1 :: self.every])
            shown = {"numbers": asked.prompts[example], "states": asked.right[example], "every": self.every}
            shown |= {"read": asked.chain(self.every)[example], "own": own[example]}
            yield Measured(-(-step // (LOOK * self.record_every)), numbers, shown)

    def example(self) -> int:
        """The place of the first test prompt whose answer dynamic noise would spoil; 0 if there is none."""
        spoiled = self.draw(ASKED, "asked", DYNAMIC)
        return int((spoiled.answers != spoiled.right[:, -1]).int().argmax())


def draw(records: Mapping[str, Sequence[Measured]]) -> Figure:
    """The chain of one prompt, as it is, as each kind spoils it and as each network writes it; and accuracy by step."""
    from nlkit.plots.chains import chains_and_accuracy

    return chains_and_accuracy(records, ORDER)


LAST: dict[str, Any] = {"record_every": MOST}  # one record, at the end
LONG: dict[str, Any] = {"steps": 600}
ONCE: dict[str, Any] = {"steps": 600, "chains": 80_000}  # each chain is seen once at most
MIXED: dict[str, Any] = {"contamination": 0.7}  # as many wrong answers as of intensity 0.2 in all chains
LIGHT: dict[str, Any] = {"intensity": 0.2}
SUM: dict[str, Any] = {"function": "sum", "every": 1, "intensity": 0.2}


def _grid() -> Iterator[tuple[str, Mapping[str, object]]]:
    yield CLEAN, LAST
    for kind in (STATIC, DYNAMIC):
        yield from ((kind, {"every": m, "intensity": p, **LAST}) for m in (1, 8) for p in (0.4, 0.8))
    yield from ((kind, {**SUM, **LAST}) for kind in KINDS)
    yield STATIC, {**SUM, "steps": 400, **LAST}
    yield from ((DYNAMIC, {**change, **LAST}) for change in ({"every": 2}, {"every": 4}, LIGHT, MIXED, LONG, ONCE))


def at(t: Trial, kind: str, number: str = "accuracy", **changes: Any) -> float:
    """A number at the end."""
    return t.run(kind, **changes, **LAST).last(number)


def worse(t: Trial, **changes: Any) -> float:
    """How much less accurate dynamic noise leaves a network than static noise of the same settings."""
    return at(t, STATIC, **changes) - at(t, DYNAMIC, **changes)


ABSTRACT, OURS = "abstract", "a control that the paper leaves out"
POINTS: dict[str, Any] = {"unit": "points"}
PAGE = Page(
    title="Noisy chains of thought",
    source="Havrilla, Iyer, 2024, arXiv:2402.04004",
    finding="Errors in two states of five, carried on, do no harm where every state is shown; out of sight they cost a "
    "quarter of the answers.",
    variants={kind: {"noise": kind} for kind in ORDER},
    headline="accuracy", experiment=Writing, picture=draw, grid=_grid,
    tiny={"steps": 3, "chains": 200},
    claims=(
        Claim("noisy_chains_static", "Static noise does hardly any harm, even of four states in five.", ABSTRACT,
              lambda t: [at(t, STATIC, every=m, intensity=p) for m in (1, 8) for p in (0.4, 0.8)],
              "accuracy, m = 1 and 8, p = 0.4 and 0.8", at_least=0.9),
        Claim("noisy_chains_dynamic", "Dynamic noise does harm where the chain shows its result alone.", ABSTRACT,
              lambda t: worse(t), "accuracy, static less dynamic, m = 8, p = 0.4", at_least=0.1, **POINTS),
        Claim("noisy_chains_visible", "Dynamic noise does harm where every state is shown, too.", ABSTRACT,
              lambda t: worse(t, every=1), "the same, m = 1", at_least=0.02, **POINTS,
              why="Of the lines 60 % follow from the line before, so that the likeliest next one is right; only what "
              "happens between two lines adds up."),
        Claim("noisy_chains_sum", "Static noise does hardly any harm to sums either.", ABSTRACT,
              lambda t: at(t, STATIC, **SUM), "accuracy, sum modulo 5, m = 1, p = 0.2", at_least=0.9,
              why="It delays: after 400 steps the sums are right. 200 are enough for clean chains, and for dynamic "
              "ones, in which more lines follow from the line before."),
        Claim("noisy_chains_longer", "Three times as long a training makes dynamic noise worse.", OURS,
              lambda t: at(t, DYNAMIC) - at(t, DYNAMIC, **LONG), "accuracy, dynamic, m = 8, 200 steps less 600",
              at_least=0.1, **POINTS),
        Claim("noisy_chains_by_heart", "It gets worse since spoiled chains are learned by heart, which takes seeing "
              "them again.", OURS, lambda t: at(t, DYNAMIC, **ONCE) - at(t, DYNAMIC, **LONG),
              "accuracy, 600 steps, each chain seen once at most less ten times", at_least=0.1, **POINTS,
              why="New chains harm nearly as much. Mostly it comes nearer to the likeliest answer, which is wrong for "
              "half of the prompts."),
        Claim("noisy_chains_mixed", "If half of all answers are wrong, it is better that some chains are spoiled "
              "badly than all of them lightly.", OURS, lambda t: at(t, DYNAMIC, **MIXED) - at(t, DYNAMIC, **LIGHT),
              "accuracy, p = 0.4 in 70 % of chains less p = 0.2 in all", at_least=0.02, **POINTS),
        Claim("noisy_chains_drawn", "What saves it, where every state is shown, is choosing the likeliest value: drawn "
              "ones lead astray.", OURS, lambda t: at(t, DYNAMIC, every=1) - at(t, DYNAMIC, "drawn", every=1),
              "accuracy, dynamic, m = 1, likeliest less drawn", at_least=0.3, **POINTS),
    ),
)  # fmt: skip
