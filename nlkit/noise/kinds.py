"""Kinds of noise: what each needs of a data set, what it is asked for, and how it makes labels or images wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from nlkit.checks import check_choice, check_number, shown
from nlkit.data.dataset import Dataset, normalize
from nlkit.data.gather import Gathered
from nlkit.data.load import DATASETS
from nlkit.noise.boundary import boundary_labels
from nlkit.noise.draws import corrupt, moving_order
from nlkit.noise.human import HUMAN_LABEL_SETS, human_labels
from nlkit.noise.instance import instance_labels, remembered_noise
from nlkit.noise.look_alikes import draw_look_alikes
from nlkit.noise.matrices import ASYMMETRIC_MAPS, NOISE_TYPES, noise_matrix
from nlkit.noise.nearest_images import nearest_images


@dataclass
class Draft:
    """A task in the making: what a kind of noise may look at, and what it changes."""

    data: str | Dataset  # as it was handed in: by its name, or one's own
    dataset: Dataset
    images: Any  # Tensor or `Gathered` (N + M, C, H, W); noise may replace some of the first N
    given: Tensor  # (N + M,) on the CPU; noise makes some of the first N wrong
    true: Tensor  # (N + M,) likewise; -1 where an image is of no class any more
    index: Tensor  # (N + M,) places in the data set's training part
    noisy_count: int  # N
    ratio: Any  # a number, a list of one for each class, or None
    seed: int
    exact: bool

    @property
    def at_a_glance(self) -> bool:
        """Whether only a few examples will be looked at, so that images are made when they are asked for."""
        return isinstance(self.images, Gathered)


class Noise(Protocol):
    """A kind of noise."""

    takes_ratio: bool  # or it has its own
    at_a_glance: bool  # whether a few examples can be shown without making them all

    def fits(self, dataset: Dataset) -> str:
        """Why a data set can't have it, in words that go on after its name; empty if it can."""

    def matrix(self, dataset: Dataset, ratio: Any) -> Tensor | None:
        """The transition matrix (K, K) that is asked for; None where images or people decide."""

    def apply(self, draft: Draft) -> None:
        """Make it so."""


@dataclass(frozen=True)
class ByMatrix:
    """Labels are drawn from a transition matrix: one that has a name, a mapping {true: given}, or one's own."""

    asked: str | Mapping[int, int] | Tensor
    takes_ratio = True
    at_a_glance = True

    def fits(self, dataset: Dataset) -> str:
        known = self.asked != "asymmetric" if isinstance(self.asked, str) else True
        return "" if known or dataset.name in ASYMMETRIC_MAPS else f"has no classes to confuse in {dataset.name}"

    def matrix(self, dataset: Dataset, ratio: Any) -> Tensor:
        return noise_matrix(self.asked, dataset.num_classes, ratio, dataset.name)

    def apply(self, draft: Draft) -> None:
        noisy = slice(draft.noisy_count)
        matrix = self.matrix(draft.dataset, draft.ratio)
        draft.given[noisy] = corrupt(draft.true[noisy], matrix, seed=draft.seed, exact=draft.exact)


class Instance:
    """The image decides what a wrong label says."""

    takes_ratio = True
    at_a_glance = True

    def fits(self, dataset: Dataset) -> str:
        return ""

    def matrix(self, dataset: Dataset, ratio: Any) -> None:
        return None

    def apply(self, draft: Draft) -> None:
        noisy, seed = slice(draft.noisy_count), draft.seed
        if draft.at_a_glance:
            kept = remembered_noise(draft.dataset, draft.images, draft.index, draft.true[noisy], seed)
            draft.given[noisy] = kept.given(draft.ratio)
        else:
            draft.given[noisy] = instance_labels(
                draft.images[noisy], draft.true[noisy], draft.dataset.num_classes, draft.ratio,
                seed=seed, exact=draft.exact,
            )  # fmt: skip


class InstanceBoundary(Instance):
    """The image decides how often its label is wrong as well: the nearer to another class, the more often."""

    def matrix(self, dataset: Dataset, ratio: Any) -> None:
        if isinstance(ratio, list):
            raise ValueError(
                f"ratio={shown(ratio)} must be one number for noise='instance-boundary': the images share it out"
            )

    def apply(self, draft: Draft) -> None:
        noisy = slice(draft.noisy_count)
        draft.given[noisy] = boundary_labels(
            draft.data, draft.index[noisy], draft.ratio, seed=draft.seed, exact=draft.exact
        )


class _Red:
    """The label stays, and the image becomes one that is of no class."""

    takes_ratio = True

    def matrix(self, dataset: Dataset, ratio: Any) -> Tensor:
        return torch.eye(dataset.num_classes, dtype=torch.float64)  # every label stays as it is

    def _replaced(self, draft: Draft) -> Tensor:
        """(N,) bool: those whose label symmetric noise would move, so counted and nested as it is."""
        share = noise_matrix("symmetric", draft.dataset.num_classes, draft.ratio)
        true = draft.true[: draft.noisy_count]
        return corrupt(true, share, seed=draft.seed, exact=draft.exact) != true


class LookAlikes(_Red):
    """Digits become letters and signs that look like them."""

    at_a_glance = True

    def fits(self, dataset: Dataset) -> str:
        named = set(dataset.class_names or ()) <= set("0123456789")
        if named and tuple(dataset.train_images.shape[1:]) == (1, 28, 28):
            return ""
        return (
            f"draws look-alikes of digits; {dataset.name} is not a set of 28×28 digits. Take images of other data: "
            "noise='red:cifar10' or the like, or a source of your own"
        )

    def apply(self, draft: Draft) -> None:
        replaced, dataset, images = self._replaced(draft), draft.dataset, draft.images
        digits = torch.tensor([int(name) for name in dataset.class_names or ()])[draft.given[: draft.noisy_count]]

        def draw(which: Tensor) -> Tensor:
            drawn = draw_look_alikes(digits, seed=draft.seed, only=which[: draft.noisy_count])
            return normalize(drawn, dataset.mean, dataset.std)

        places = replaced.nonzero().flatten()
        if isinstance(images, Gathered):
            images.replace(replaced, draw)
        else:
            images[places.to(images.device)] = draw(replaced).to(images.device, images.dtype)
        draft.true[places] = -1


@dataclass(frozen=True)
class NearestImages(_Red):
    """Images become those of another data set that are nearest to their class in feature space."""

    source: str | Dataset
    at_a_glance = False

    def fits(self, dataset: Dataset) -> str:
        return ""  # what the two must not share is found out when they are there

    def apply(self, draft: Draft) -> None:
        order, replaced, images = moving_order(draft.noisy_count, seed=draft.seed), self._replaced(draft), draft.images
        places = order[replaced[order]]  # the first to be replaced get the nearest images, whatever the ratio
        fresh, _ = nearest_images(draft.data, self.source, draft.given[places])
        images[places.to(images.device)] = fresh.to(images.device, images.dtype)
        draft.true[places] = -1


@dataclass(frozen=True)
class Human:
    """Labels that people gave: those of CIFAR-10N."""

    which: str
    takes_ratio = False
    at_a_glance = True

    def fits(self, dataset: Dataset) -> str:
        return "" if dataset.name == "cifar10" else f"has human labels of cifar10 only, not of {dataset.name}"

    def matrix(self, dataset: Dataset, ratio: Any) -> None:
        return None

    def apply(self, draft: Draft) -> None:
        draft.given[: draft.noisy_count] = human_labels(self.which)[draft.index[: draft.noisy_count]]


NOISES: dict[str, Noise] = {
    **{name: ByMatrix(name) for name in NOISE_TYPES},
    "instance": Instance(),
    "instance-boundary": InstanceBoundary(),
    "red": LookAlikes(),
    **{f"red:{name}": NearestImages(name) for name in DATASETS},
    **{f"human:{which}": Human(which) for which in HUMAN_LABEL_SETS},
}


def pick_noise(noise: object, ratio: object, dataset: Dataset, source: Dataset | None) -> Noise:
    """The kind of noise that is asked for. Raises a ValueError that names what can't be."""
    if not isinstance(source, Dataset | None):
        hint = "a data set of the kit goes by its name, as in noise='red:cifar10'"
        raise ValueError(f"source={source!r} must be a Dataset of your own; {hint}")
    if source is not None and not (isinstance(noise, str) and noise == "red"):
        raise ValueError(f"source={source.name!r} must be left out unless noise='red', without a name of its own")
    if not isinstance(noise, str) or noise in NOISE_TYPES:
        return ByMatrix(noise)  # type: ignore[arg-type]  # its own checks have more to say
    kind = NearestImages(source) if source else NOISES[check_choice("noise", noise, NOISES)]
    if why := kind.fits(dataset):
        raise ValueError(f"noise={noise!r} {why}")
    if not kind.takes_ratio:
        if ratio is not None:
            raise ValueError(f"ratio={shown(ratio)} must be left out for noise={noise!r}, which has its own ratio")
    elif not isinstance(ratio, list):  # those by class are checked
        check_number("ratio", ratio, 0, 1)
    return kind
