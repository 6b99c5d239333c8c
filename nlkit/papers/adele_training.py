"""The parts of ADELE, and the training that compares them. The formulas stand in `nlkit.papers.adele`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy
import torch
from torch import Tensor
from torch.nn import functional as F

from nlkit.data.masked_scenes import ORGANS, Scenes, chest_slices
from nlkit.learning.optimizers import adam, descend
from nlkit.learning.segmentation import DIVISOR, MaskNetwork, likeliest, overlaps, predicted
from nlkit.noise.masks import KINDS, OUTLINES, noisy_masks
from nlkit.randomness import seeded_generator
from nlkit.records import Measured
from nlkit.settings import check_settings, setting

CLASSES, RATE, TESTED, LATE = 1 + len(ORGANS), 4e-3, 60, 5
SCALES = (0.75, 1.0, 1.25)
FOUND, POINTS = 0.1, 5  # IoU from which a class's curve counts; how many points a fit takes at least
STANDARD, CORRECTION, CONSISTENCY, ADELE = WAYS = ("standard", "correction", "consistency", "ADELE")


class Rise(NamedTuple):
    """f(t) = a (1 - exp(-t^b / c))."""

    a: float
    b: float
    c: float

    def at(self, t: float) -> float:
        return -self.a * math.expm1(-(t**self.b) / self.c)

    def slope(self, t: float) -> float:
        """f'(t), for t > 0."""
        return self.a * math.exp(-(t**self.b) / self.c) * self.b * t ** (self.b - 1) / self.c

    def slowed(self, t: float) -> float:
        """|f'(1) - f'(t)| / |f'(1)|; NaN for a curve that does not rise at 1."""
        first = self.slope(1)
        return abs(first - self.slope(t)) / abs(first) if first else math.nan


def fitted(curve: Sequence[float]) -> Rise | None:
    """The `Rise` nearest to IoU at t = 1, 2, …, late points weighing most; None for fewer than five, or no fit."""
    from scipy.optimize import least_squares

    if len(curve) < POINTS:
        return None
    t, weight = numpy.arange(1.0, len(curve) + 1), numpy.geomspace(1, 10, len(curve))

    def off(parameters: numpy.ndarray) -> numpy.ndarray:
        a, b, c = parameters
        return weight * (-a * numpy.expm1(-(t**b) / c) - curve)

    def slopes(parameters: numpy.ndarray) -> numpy.ndarray:
        a, b, c = parameters
        left = numpy.exp(-(t**b) / c)
        by_power = a * left * t**b / c
        return weight[:, None] * numpy.stack([1 - left, by_power * numpy.log(t), -by_power / c], 1)

    found = least_squares(off, (1.0, 1.0, 1.0), slopes, bounds=((0, 0, 1e-6), (1, 1, numpy.inf)))
    return Rise(*found.x.tolist()) if found.success else None


def from_found(curve: Sequence[float]) -> Sequence[float]:
    """The part of a curve since the class was found: IoU above 0.1."""
    first = next((t for t, iou in enumerate(curve) if iou > FOUND), len(curve))
    return curve[first:]


def corrected(given: Tensor, q: Tensor, on: Tensor, tau: float) -> Tensor:
    """Masks (N, H, W) in which sure predictions q (N, K, H, W) replace classes of masks as given (N, H, W).

    on: (K,) bool, classes that are corrected, the background among them. A pixel changes if max q > τ, its class and
    the new one are on, and the new one is in the image's own mask or background.
    """
    sure, new = q.max(1)
    here = F.one_hot(given, len(on)).amax((1, 2)).bool()  # (N, K)
    here[:, 0] = True
    allowed = here.gather(1, new.flatten(1)).view_as(new)
    return torch.where((sure > tau) & on[given] & on[new] & allowed, new, given)


def disagreement(logits: Sequence[Tensor], rho: float) -> tuple[Tensor, Tensor]:
    """Mean over pixels of Σ_k KL(p_k ‖ q), counted only where max q > ρ; and q, the mean of the p_k (B, K, H, W).

    logits: of each scale, (B, K, H, W). No gradient goes by way of q: since q is the mean, it would add up to nothing.
    """
    logs = torch.stack([each.log_softmax(1) for each in logits])
    q = logs.detach().exp().mean(0)
    pixels = (logs.exp() * (logs - q.clamp(min=1e-30).log())).sum((0, 2))
    return (pixels * (q.amax(1) > rho)).mean(), q


def at_scales(network: torch.nn.Module, images: Tensor, scales: Sequence[float]) -> list[Tensor]:
    """Logits (B, K, H, W) of images (B, 1, H, W) made larger or smaller, at their own size again."""
    told, size = [], images.shape[-2:]
    for scale in scales:
        sides = [max(1, round(scale * side / DIVISOR)) * DIVISOR for side in size]
        seen = images if scale == 1 else F.interpolate(images, sides, mode="bilinear", align_corners=False)
        logits = network(seen)
        told.append(logits if scale == 1 else F.interpolate(logits, size, mode="bilinear", align_corners=False))
    return told


@dataclass(frozen=True)
class Segmenting:
    """A network learns to outline four organs from noisy masks. A record is an epoch.

    In its `numbers`: "iou", the mean IoU of the organs in 60 test images, and "settled", its mean over the last five
    epochs; "masks", the IoU of the masks that the next epoch learns from with the truth. Of what was predicted for the
    training images during the epoch: "true" and "given", on wrong pixels alone, the IoU with the truth and with the
    masks as given. The epochs from which organs are corrected are "onset, heart" and so on, NaN until then, "apart" the
    epochs from the first of them to the last; "loss" is the mean of the epoch's steps. What can't be
    measured is absent.
    """

    method: str = setting(ADELE, "what is done about noisy masks", choices=WAYS)
    ratio: float = setting(1.0, "noise ratio: share of the images whose mask is wrong", low=0.0, high=1.0, knob=True)
    noise: str = setting(OUTLINES, "what is wrong with a mask", choices=KINDS, knob=True)
    r: float = setting(0.95, "r: how far a class must have slowed down", low=0.5, high=0.999, knob=True)
    tau: float = setting(0.8, "τ: how sure a correction must be", low=0.5, high=0.99, knob=True)
    lam: float = setting(1.0, "λ: weight of consistency", low=0.0, high=3.0, knob=True)
    start: int = setting(0, "one epoch from which all are corrected (0: each in time)", low=0, high=100, knob=True)
    count: int = setting(30, "images to learn from", low=10, high=200, knob=True)
    rho: float = setting(0.8, "ρ: how sure the mean of scales must be", low=0.0, high=0.99)
    fewest: int = setting(3, "steps of erosion or dilation, at least", low=1, high=8)
    most: int = setting(6, "steps of erosion or dilation, at most", low=1, high=8)
    batch: int = setting(5, "images a step", low=1, high=100)
    length: int = setting(28, "epochs", low=1, high=200)
    seed: int = setting(0, "decides scenes, noise, weights, batches", low=0)

    kept = ("iou", "settled", "true", "given", "masks", "apart", *(f"onset, {organ}" for organ in ORGANS))

    def __post_init__(self) -> None:
        check_settings(self)
        if self.most < self.fewest:
            raise ValueError(f"most={self.most} must be a whole number of at least fewest={self.fewest}")

    @property
    def epochs(self) -> int:
        return self.length

    def problem(self) -> tuple[Scenes, Tensor, Scenes]:
        """Scenes to learn from, their masks (N, 32, 32) as given, and test scenes."""
        world = chest_slices("train", self.count, self.seed)
        given = noisy_masks(world.masks, self.ratio, self.noise, self.fewest, self.most, self.seed)
        return world, given, chest_slices("test", TESTED, self.seed)

    def run(self, *, steps: bool = False) -> Iterator[Measured]:
        world, given, tested = self.problem()
        network, draw = MaskNetwork(CLASSES, self.seed), seeded_generator(self.seed, "batches of scenes")
        optimizer = adam(network.parameters(), RATE)
        consistent, corrects = self.method in (CONSISTENCY, ADELE), self.method in (CORRECTION, ADELE)
        scales = SCALES if consistent else (1.0,)
        watch, masks, scores = Watch(), given, []
        q = torch.zeros(self.count, CLASSES, *given.shape[1:])
        for epoch in range(1, self.length + 1):
            losses = []
            for places in torch.randperm(self.count, generator=draw).split(self.batch):
                logits = at_scales(network, world.images[places], scales)
                loss = torch.stack([F.cross_entropy(each, masks[places]) for each in logits]).mean()
                apart, q[places] = disagreement(logits, self.rho)
                loss = loss + self.lam * apart if consistent else loss
                descend(optimizer, loss)
                losses.append(loss.detach())
            told = likeliest(q)
            watch.see(overlaps(told, given, CLASSES))  # with masks as given: corrected ones would make it jump
            if corrects:
                watch.decide(epoch, self.r, self.start)
                masks = corrected(given, q, watch.on, self.tau)
            found = predicted(network, tested.images)
            scores.append(mean(overlaps(found, tested.masks, CLASSES)))
            numbers, shown = self._measure(world, given, masks, told, watch)
            numbers |= {"iou": scores[-1], "settled": mean(scores[-LATE:]), "loss": float(torch.stack(losses).mean())}
            yield Measured(epoch, {name: round(value, 5) for name, value in numbers.items()}, shown)

    def _measure(self, world: Scenes, given: Tensor, masks: Tensor, told: Tensor, watch: Watch) -> tuple[dict, dict]:
        wrong = given != world.masks
        by_class = {"true": overlaps(told, world.masks, CLASSES, wrong), "given": overlaps(told, given, CLASSES, wrong)}
        numbers = {"masks": mean(overlaps(masks, world.masks, CLASSES))}
        if wrong.any():
            numbers |= {name: mean(values) for name, values in by_class.items()}
        if self.method in (CORRECTION, ADELE):
            onsets = [float(watch.onsets.get(organ, math.nan)) for organ in range(len(ORGANS))]
            numbers |= {f"onset, {name}": epoch for name, epoch in zip(ORGANS, onsets)}
            numbers["apart"] = max(onsets) - min(onsets) if len(watch.onsets) == len(ORGANS) else math.nan
        place = int(wrong.sum((1, 2)).argmax())  # the image with the most wrong pixels
        shown = {"image": world.images[place, 0], "truth": world.masks[place], "given mask": given[place],
                 "prediction": told[place], "corrected": masks[place], "fit": [curve[-1] for curve in watch.curves],
                 "rises": dict(watch.rises)}  # fmt: skip
        return numbers, shown | by_class


class Watch:
    """Of each organ: its IoU with masks as given, epoch by epoch, the fit, and since when it is corrected."""

    def __init__(self) -> None:
        self.curves: list[list[float]] = [[] for _ in ORGANS]
        self.rises: dict[int, tuple[int, Rise]] = {}  # organ -> epochs before it was found, and the fit
        self.onsets: dict[int, int] = {}  # organ -> epoch

    def see(self, ious: Sequence[float]) -> None:
        for curve, iou in zip(self.curves, ious):
            curve.append(iou)

    def decide(self, epoch: int, r: float, start: int) -> None:
        """Turn organs on that have slowed down by more than r; if `start` is not 0, all of them from that epoch."""
        for organ, curve in enumerate(self.curves):
            if organ in self.onsets:
                continue
            part = from_found(curve)
            if rise := None if start else fitted(part):
                self.rises[organ] = len(curve) - len(part), rise
            if epoch >= start if start else rise is not None and rise.slowed(len(part)) > r:
                self.onsets[organ] = epoch

    @property
    def on(self) -> Tensor:
        """(K,) bool: the classes that are corrected. Background is."""
        return torch.tensor([True] + [organ in self.onsets for organ in range(len(ORGANS))])


def mean(values: Sequence[float]) -> float:
    """Of those that are numbers; NaN if none is."""
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan
