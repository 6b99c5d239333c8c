"""Recipes: how a network is trained when nothing else is said. An `Experiment` takes from here what it leaves out."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from nlkit.checks import check_integer
from nlkit.learning.optimizers import LEARNING_RATE

PAPER_EPOCHS = 512  # the released commands: 200,000 steps of 128 examples on the 50,000 of CIFAR-10
PAPER_AVERAGE = 0.9999


@dataclass(frozen=True)
class Recipe:
    """Settings of `nlkit.train`, under its names. The defaults are the classroom's: Adam at a constant rate."""

    epochs: int = 25
    batch_size: int = 128
    optimizer: str = "adam"
    learning_rate: float = LEARNING_RATE
    schedule: str = "constant"
    weight_decay: float = 0.0
    augment: str = "none"
    weight_average: float | None = 0.0  # None: as long a part of the training as in MentorMix's release
    precision: str = "float32"

    def settings(self, epochs: int | None = None) -> dict[str, object]:
        """All settings for a run of `epochs` (the recipe's own, left out): one number scales the whole schedule.

        The learning rate follows the share of the training that is over (`optimizers.steps`). A moving average
        with decay 0.9999 looks back over 10,000 of the released 200,000 steps; in a run of fewer epochs it looks back
        over as many fewer: decay = 1 - (1 - 0.9999) · 512 / epochs.
        Raises a ValueError when `epochs` is not a whole number of at least 1.
        """
        epochs = self.epochs if epochs is None else check_integer("epochs", epochs, 1)
        average = self.weight_average
        if average is None:
            average = 1 - (1 - PAPER_AVERAGE) * PAPER_EPOCHS / epochs
        return asdict(self) | {"epochs": epochs, "weight_average": average}


# ResNet-32: Jiang, Huang, Liu, Yang: Beyond synthetic noise. ICML 2020, arXiv:1911.09781, and their code. The commands
# that they released train for 200,000 steps, which is 512 epochs and, as their README says, fewer than in the paper;
# 100 keep the shape of the schedule at a fifth of the cost. "wide-resnet32" is the network of that code, with its
# augmentation and its averaged network (learning/wide_resnet.py); images are normalised channel by channel all the
# same, where theirs are scaled to [-1, 1].
PAPER = Recipe(
    epochs=100, optimizer="momentum", learning_rate=0.1, schedule="steps", weight_decay=2e-4, augment="crop-flip",
    weight_average=None, precision="auto",
)  # fmt: skip
RECIPES: dict[str, Recipe] = {
    "mlp": Recipe(),
    "cnn": Recipe(),
    "resnet32": PAPER,
    "wide-resnet32": replace(PAPER, augment="crop-flip-color"),
}


def describe(setting: str) -> str:
    """A setting's value in every recipe, in a few words: the common one, then the networks that have another."""
    common = getattr(Recipe(), setting)
    values = {name: getattr(recipe, setting) for name, recipe in RECIPES.items()}
    others = [f"{name}: {_in_words(value)}" for name, value in values.items() if value != common]
    return "; ".join([_in_words(common), *others])


def _in_words(value: object) -> str:
    return f"1 - {(1 - PAPER_AVERAGE) * PAPER_EPOCHS:.4f} / epochs" if value is None else str(value)
