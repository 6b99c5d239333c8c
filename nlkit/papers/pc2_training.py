"""Learning to find the caption of an image where a share of the pairs is wrong: co-dividing, and the parts of PC².

The formulas stand in `nlkit.papers.pc2`; losses and split that it shares with its forerunner in
`nlkit.learning.retrieval`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from nlkit.data.pairs import FEWEST, Pairs, halves
from nlkit.learning.optimizers import build_optimizer, descend
from nlkit.learning.retrieval import Split, Towers, average, divide, hardest, recalls
from nlkit.randomness import seeded_generator
from nlkit.records import Measured
from nlkit.settings import check_settings, setting

RATE, AMONG, TESTED, SHOWN = 1e-3, 500, 500, 12
STANDARD, DIVIDED, CLASSES, PC2 = WAYS = ("standard", "co-divided", "class head", "PC²")
PSEUDO, GIVEN, RANDOM, SAME, TRUE = CAPTIONS = ("pseudo", "given", "random", "same digit", "true")


def class_loss(of_images: Tensor, of_captions: Tensor, lam: float) -> Tensor:
    """L_pc of the head's logits (B, C)."""
    spread = of_images.softmax(1).mean(0)
    return F.cross_entropy(of_images, of_captions.argmax(1)) + lam * torch.xlogy(spread, spread).sum()


def unrest(now: Tensor, before: Tensor) -> Tensor:
    """o (N,) of probabilities (N, C): KL(now ‖ before)."""
    return (torch.xlogy(now, now) - now * before.clamp(min=1e-30).log()).sum(1)


def lend(p: Tensor, p_clean: Tensor) -> tuple[Tensor, Tensor]:
    """k (B,), from which of the clean images each takes its caption, and y (B,). p: (B, C), p_clean: (M, C)."""
    cosine, k = (F.normalize(p, dim=1) @ F.normalize(p_clean, dim=1).T).max(1)
    return k, torch.where(cosine < 0.5, 0, cosine)


@dataclass(frozen=True)
class Correspondence:
    """Two networks learn to find the other half of a digit. A record is an epoch of both.

    In its `numbers`: "recall", the mean of recall at 1, 5 and 10 both ways; after the warm-up "split", the share of the
    pairs that are rightly called clean or not, and "kept", the share called clean; for PC² "same", how many of the
    lent captions are of the same digit.
    """

    method: str = setting(PC2, "what is done about wrong pairs", choices=WAYS)
    ratio: float = setting(0.4, "noise ratio: share of the pairs shuffled", low=0.0, high=0.8, knob=True)
    captions: str = setting(PSEUDO, "what a wrong pair's image gets for a caption", choices=CAPTIONS, knob=True)
    weight: float = setting(0.2, "weight of those captions", low=0.0, high=1.0, knob=True)
    eta: float = setting(0.4, "η: weight of the classes", low=0.0, high=2.0, knob=True)
    classes: int = setting(128, "C: classes that nobody named", low=2, high=256, knob=True, log=True)
    warm_up: int = setting(5, "epochs on all pairs", low=1, high=12, knob=True)
    oscillation: bool = setting(True, "whether unrest counts (PC²)")
    lam: float = setting(1.0, "λ: that classes be in equal use", low=0.0, high=10.0)
    borrow: int = setting(13, "epoch from which captions are lent", low=2, high=100)
    pairs: int = setting(2000, "pairs to learn from", low=FEWEST, high=4000)
    batch: int = setting(128, "pairs a step", low=8, high=512)
    length: int = setting(20, "epochs", low=1, high=100)
    record_every: int = setting(1, "epochs from one record to the next", low=1, high=100)
    seed: int = setting(0, "decides pairs, shuffling, weights, batches", low=0)

    kept = ("recall", "split", "kept", "same")

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def epochs(self) -> int:
        return -(-self.length // self.record_every)

    def problem(self) -> tuple[Pairs, Pairs]:
        """The pairs to learn from, and 500 true ones to search in."""
        return halves("train", self.pairs, self.ratio, self.seed), halves("test", TESTED, seed=self.seed)

    def run(self, *, steps: bool = False) -> Iterator[Measured]:
        world, tested = self.problem()
        return self._records(world, tested)

    def _records(self, world: Pairs, tested: Pairs) -> Iterator[Measured]:
        sizes = world.images.shape[1], world.captions.shape[1], self.classes
        networks = [Towers(*sizes, seed=2 * self.seed + n) for n in (0, 1)]
        optimizers = [build_optimizer("adam", network, RATE) for network in networks]
        draw = seeded_generator(self.seed, "batches of pairs")
        bank: list[Tensor | None] = [None, None]
        for epoch in range(1, self.length + 1):
            said = [self._look(network, world, draw) for network in networks]
            splits: list[Split | None] = [None, None]
            if self.method != STANDARD and epoch > self.warm_up:
                for n, (losses, p) in enumerate(said):
                    before = bank[n] if self.method == PC2 and self.oscillation else None
                    splits[n] = divide(losses, None if before is None else unrest(p, before))
            bank = [p for _, p in said]
            for n, network in enumerate(networks):
                self._train(network, optimizers[n], world, splits[1 - n], epoch, draw)
            if epoch % self.record_every == 0 or epoch == self.length:
                place = -(-epoch // self.record_every)
                yield Measured(
                    place, *self._measure(networks, world, tested, splits[1], seeded_generator(epoch, "lent"))
                )

    @torch.no_grad()
    def _look(self, network: Towers, world: Pairs, draw: torch.Generator) -> tuple[Tensor, Tensor]:
        """Losses (N,) of the given pairs, each among some 500, and classes (N, C) of the images."""
        u, t = network.embed(world.images, world.captions[world.given])
        losses = torch.empty(len(u))
        for index in torch.randperm(len(u), generator=draw).tensor_split(-(-len(u) // AMONG)):
            losses[index] = average(u[index] @ t[index].T)
        return losses, network.head(u).softmax(1)

    def _train(self, network, optimizer, world: Pairs, split: Split | None, epoch: int, draw) -> None:
        clean = torch.arange(len(world.given)) if split is None else split.clean.nonzero().flatten()
        noisy = clean[:0] if split is None else (~split.clean).nonzero().flatten()
        lends = self.method == PC2 and self.weight > 0 and epoch >= self.borrow and len(noisy) > 1
        y = torch.ones(len(world.given)) if split is None else split.y
        for index in clean[torch.randperm(len(clean), generator=draw)].tensor_split(-(-len(clean) // self.batch)):
            u, t = network.embed(world.images[index], world.captions[world.given[index]])
            loss = (average(u @ t.T) if epoch <= self.warm_up else hardest(u @ t.T, y[index])).mean()
            if self.method in (CLASSES, PC2):
                loss = loss + self.eta * class_loss(network.head(u), network.head(t), self.lam)
            descend(optimizer, loss)
            if lends:
                some = noisy[torch.randperm(len(noisy), generator=draw)[: self.batch]]
                places, certain = self._captions(network, world, some, index, draw)
                u, t = network.embed(world.images[some], world.captions[places])
                descend(optimizer, self.weight * hardest(u @ t.T, certain).mean())

    @torch.no_grad()
    def _captions(self, network: Towers, world: Pairs, noisy: Tensor, clean: Tensor, draw) -> tuple[Tensor, Tensor]:
        """Places (B,) of the captions that noisy images get, and y (B,). clean: (M,) pairs that may lend theirs."""
        sure = torch.ones(len(noisy))
        if self.captions == GIVEN:
            return world.given[noisy], sure
        if self.captions == TRUE:
            return noisy, sure
        if self.captions == PSEUDO:
            k, y = lend(*(network.classes(world.images[which]) for which in (noisy, clean)))
            return world.given[clean[k]], y
        fits = torch.rand(len(noisy), len(clean), generator=draw)
        if self.captions == SAME:
            fits = fits * (world.labels[noisy][:, None] == world.labels[world.given[clean]])
        likeliest, k = fits.max(1)
        return world.given[clean[k]], sure * (likeliest > 0)

    @torch.no_grad()
    def _measure(self, networks, world: Pairs, tested: Pairs, split: Split | None, draw) -> tuple[dict, dict]:
        embedded = [network.embed(tested.images, tested.captions) for network in networks]
        S = torch.stack([u @ t.T for u, t in embedded]).mean(0)
        found, wrong = recalls(S), world.mismatched
        numbers, shown = {"recall": sum(found.values()) / len(found)} | found, {}
        if split is not None:
            numbers |= {"split": (split.clean != wrong).double().mean().item(),
                        "kept": split.clean.double().mean().item()}  # fmt: skip
        if split is not None and self.method == PC2 and wrong.any():
            clean, those = split.clean.nonzero().flatten()[: self.batch], wrong.nonzero().flatten()
            lent, _ = self._captions(networks[0], world, those, clean, draw)
            numbers["same"] = (world.labels[lent] == world.labels[those]).double().mean().item()
            left = world.images[those[:SHOWN]]
            for name, which in (("given", world.given[those]), ("lent", lent), ("true", those)):
                both = left, world.captions[which[:SHOWN]]
                shown[name] = torch.cat([half.view(len(half), 28, 14) for half in both], 2).numpy()
        return numbers, shown
