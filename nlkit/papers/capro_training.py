"""Learning ten digits from a small web that means another thing in places: CAPro, and what it is measured against.

The parts are in `nlkit.papers.capro_parts`; their formulas stand in `nlkit.papers.capro`.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from nlkit.data.captioned import CLASSES, Web, web
from nlkit.data.load import load
from nlkit.learning.optimizers import adam, descend
from nlkit.papers.capro_parts import (
    GRAPH,
    PICKS,
    PROJECTED,
    TAU,
    Cleaned,
    bootstrapped,
    clean,
    closeness,
    few_shots,
    instance_loss,
    mixed,
    moved,
    named_by_text,
    new_network,
    prototypes,
)  # fmt: skip
from nlkit.randomness import seeded_generator
from nlkit.records import Measured
from nlkit.settings import check_settings, setting

QUEUE, BATCH, RATE, SHOWN = 1000, 100, 2e-3, 8
ALPHA, BETA, MOMENTUM, DRIFT, FIRST, EPOCHS, TUNING = 0.5, 0.1, 0.99, 0.999, 4, 16, 4
STANDARD, VISUAL, FEW, BY_TEXT, CAPRO, TRUE = WAYS = ("standard", "visual", "few", "by text", "CAPro", "true labels")


@dataclass(frozen=True)
class Searching:
    """A network learns ten digits from a small web. A record is an epoch, the last four of them of fine-tuning.

    In its `numbers`: "test_accuracy" of 1,000 right digits; "right", the share of right labels among those it learns
    from, "kept", how many of 2,000 these are; and once there are picks, "picks", the share of them that is right.
    """

    method: str = setting(CAPRO, "what is done about images of another thing", choices=WAYS)
    ratio: float = setting(0.5, "noise ratio ρ: share that shows the next digit", low=0.0, high=0.8, knob=True)
    k: int = setting(8, "K: picks a class", low=1, high=40, knob=True)
    picks: str = setting(GRAPH, "by what they are picked", choices=PICKS, knob=True)
    missing: float = setting(0.3, "share of captions that are missing", low=0.0, high=0.5, knob=True)
    mismatched: float = setting(0.2, "share of captions about another digit", low=0.0, high=0.5, knob=True)
    words: int = setting(2, "words of the digit's own in a caption", low=1, high=5, knob=True)
    threshold: float = setting(0.6, "how sure one must be to change a label", low=0.1, high=1.0, knob=True)
    beta: float = setting(BETA, "β: weight of collective bootstrapping", low=0.0, high=1.0)
    length: int = setting(EPOCHS, "epochs", low=1, high=200)
    tuning: int = setting(TUNING, "then epochs of fine-tuning", low=0, high=200)
    record_every: int = setting(1, "epochs from one record to the next", low=1, high=1000)
    seed: int = setting(0, "decides images, captions, weights, batches", low=0)

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def epochs(self) -> int:
        return -(-(self.length + self.tuning) // self.record_every)

    def web(self) -> Web:
        told = {"missing": self.missing, "mismatched": self.mismatched, "words": self.words}
        return web(self.ratio, **told, seed=self.seed)

    def run(self, *, steps: bool = False) -> Iterator[Measured]:
        world, data = self.web(), load("mnist5k", device="cpu")
        learning = Learning(self, world)
        for epoch in range(1, self.length + self.tuning + 1):
            learning.epoch(epoch)
            if epoch % self.record_every == 0 or epoch == self.length + self.tuning:
                with torch.no_grad():
                    right = learning.network(data.test_images)[1].argmax(1) == data.test_labels
                now, few = learning.now, learning.few
                numbers = {"test_accuracy": right.double().mean().item(), "kept": now.kept.double().mean().item()}
                numbers["right"] = (now.labels == world.true)[now.kept].double().mean().item()
                if few.any():
                    numbers["picks"] = (world.given == world.true)[few].double().mean().item()
                yield Measured(-(-epoch // self.record_every), numbers, learning.shown)


class Learning:
    """The state of a training, epoch by epoch."""

    def __init__(self, how: Searching, world: Web) -> None:
        self.how, self.world = how, world
        given = world.true if how.method == TRUE else world.given
        self.now = Cleaned(given, torch.ones(len(given), dtype=torch.bool))
        self.few = torch.zeros(len(given), dtype=torch.bool)
        self.generator = seeded_generator(how.seed, "batches")
        self.prototypes: Tensor | None = None
        self.queue = F.normalize(torch.randn(QUEUE, PROJECTED, generator=seeded_generator(how.seed, "queue")), dim=1)
        self.said = torch.full((QUEUE, CLASSES), 1 / CLASSES)
        self.shown = self.look()  # for the picture
        self.start()

    def start(self) -> None:
        self.network = new_network(self.how.seed)
        self.slow = copy.deepcopy(self.network).requires_grad_(False)
        self.optimizer = adam(self.network.parameters(), RATE)

    def epoch(self, epoch: int) -> None:
        how = self.how
        if how.method in (CAPRO, VISUAL, FEW, BY_TEXT) and epoch == min(FIRST, how.length):
            self.pick()
        if self.prototypes is not None and epoch <= how.length + 1:
            self.clean()
        if self.prototypes is not None and epoch == how.length + 1:
            self.optimizer = adam(self.network.of_q.parameters(), RATE)
        places = self.now.kept.nonzero().flatten()
        if how.method == FEW and self.few.any():  # as many steps as the others take
            places = self.few.nonzero().flatten().repeat(len(places) // int(self.few.sum()))
        for batch in places[torch.randperm(len(places), generator=self.generator)].split(BATCH):
            self.step(batch, tuning=epoch > how.length)

    @torch.no_grad()
    def pick(self) -> None:
        """Steps 1 to 3: the few shots, and the prototypes."""
        features = self.network.encoder(self.world.images)
        z = self.network(self.world.images)[0]
        self.shown = self.look(features)
        if self.how.method == BY_TEXT:
            self.now = self.now._replace(labels=named_by_text(self.world, features))
            return
        if self.how.method == VISUAL:
            self.prototypes = prototypes(z, self.world.given, self.now.kept)
            return
        self.few = few_shots(closeness(self.world, features, self.how.picks), self.world.given, self.how.k)
        if self.how.method == CAPRO:
            self.prototypes = prototypes(z, self.world.given, self.few)
        else:  # whoever learns from the few alone has seen nothing else
            self.start()

    def say(self, z: Tensor, o: Tensor) -> Tensor:
        """s (B, C), what classifier and prototypes say together."""
        assert self.prototypes is not None
        return ALPHA * o.softmax(1) + (1 - ALPHA) * (z @ self.prototypes.T / TAU).softmax(1)

    @torch.no_grad()
    def clean(self) -> None:
        z, o, _ = self.network(self.world.images)
        self.now = clean(self.say(z, o), self.world.given, self.few, self.how.threshold)

    def step(self, batch: Tensor, *, tuning: bool) -> None:
        """One step of all losses; of the classifier alone while tuning; of plain cross-entropy without prototypes."""
        y, images = self.now.labels[batch], moved(self.world.images[batch], self.generator)
        if self.how.method not in (CAPRO, VISUAL):
            descend(self.optimizer, F.cross_entropy(self.network(images)[1], y))
            return
        if tuning:
            images, targets = mixed(images, F.one_hot(y, CLASSES).float(), self.generator)
            descend(self.optimizer, F.cross_entropy(self.network.of_q(self.network.encoder(images)), targets))
            return
        z, o, o_z = self.network(images)
        with torch.no_grad():
            other, _, said = self.slow(moved(self.world.images[batch], self.generator))
            b = bootstrapped(z, self.queue, self.said)
            said = said.softmax(1)
            if self.prototypes is not None:
                said = ALPHA * said + (1 - ALPHA) * (other @ self.prototypes.T / TAU).softmax(1)
        beta = self.how.beta if self.prototypes is not None else 0.0
        loss = instance_loss(z, other, self.queue)
        for logits in (o, o_z):
            loss = loss + (1 - beta) * F.cross_entropy(logits, y) + beta * F.cross_entropy(logits, b)
        if self.prototypes is not None:
            loss = loss + F.cross_entropy(z @ self.prototypes.T / TAU, y)
        descend(self.optimizer, loss)
        self.remember(z.detach(), y, other, said)

    @torch.no_grad()
    def remember(self, z: Tensor, y: Tensor, other: Tensor, said: Tensor) -> None:
        """After a step: the slow network, the prototypes and the queue follow."""
        for slow, fast in zip(self.slow.parameters(), self.network.parameters()):
            slow.lerp_(fast, 1 - MOMENTUM)
        if self.prototypes is not None:
            counts = F.one_hot(y, CLASSES).sum(0)[:, None]
            means = F.one_hot(y, CLASSES).float().T @ z / counts.clamp(min=1)
            self.prototypes = F.normalize(torch.lerp(means, self.prototypes, DRIFT**counts), dim=1)
        self.queue = torch.cat([self.queue, other])[len(other) :]
        self.said = torch.cat([self.said, said])[len(said) :]

    def look(self, features: Tensor | None = None) -> dict[str, object]:
        """Eight images of the class "8" as they were found, and with features those picked by each of `PICKS`."""
        where = (self.world.given == SHOWN).nonzero().flatten()
        rows = {"found": where[:: len(where) // 8][:8]}
        for picks in PICKS[::-1]:
            if features is None:
                break
            close = closeness(self.world, features, picks)[where]
            rows[f"by {picks}"] = where[close.argsort(descending=True, stable=True)[:8]]
        pixels, right = self.world.images[:, 0], self.world.true == SHOWN
        return {name: (pixels[those].numpy(), right[those].tolist()) for name, those in rows.items()}
