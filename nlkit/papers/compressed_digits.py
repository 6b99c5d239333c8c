"""Both stages of `nlkit.papers.compressing_features` on digits: a network that is cut, and two that teach each other.

A batch in halves; each network keeps of its half the ⌊(1 − r) n⌋ examples with the least loss at k*, and learns from
what the other kept of the other half. (In Co-teaching both see the whole batch.) What a pair says is the mean of its
logits at one k*, chosen anew after each epoch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from nlkit.checks import check_number
from nlkit.data.load import load
from nlkit.learning.first_features import (
    Masks,
    accuracy_by_cut,
    best_cut,
    last_layer,
    logits_at,
    logits_by_cut,
    masked,
)  # fmt: skip
from nlkit.learning.learner import Batch, Run
from nlkit.learning.models import build_model
from nlkit.learning.optimizers import LEARNING_RATE, build_optimizer, clear_gradients, take_step
from nlkit.noise.draws import corrupt
from nlkit.noise.matrices import noise_matrix
from nlkit.papers.co_teaching import easiest
from nlkit.papers.nested_dropout import CompressedFeatures
from nlkit.randomness import seeded_generator
from nlkit.records import Measured
from nlkit.settings import check_settings, setting

BATCH, FINE = 128, 0.25  # examples a step; of the learning rate, in stage 2


@dataclass(frozen=True)
class Digits:
    """Stage 1 on digits. In its `numbers`: the test accuracy at each epoch's k*, of "all" features, and of the "kept"
    network, which labels that are not learned from have chosen; of the first 8 alone; and the share "memorized" at k*.
    """

    mask: str = setting("nested", "what is kept of the features", choices=("nested", "dropout", "none"))
    ratio: float = setting(0.4, "noise ratio, symmetric", low=0.0, high=0.8, knob=True)
    clean_per_class: int = setting(50, "clean set a class: it chooses k and epoch", low=0, high=100, knob=True)
    sigma: float = setting(12.0, "σ: how many features nested masks keep", low=1.0, high=200.0, knob=True, log=True)
    p: float = setting(0.5, "p: share of features that dropout takes away", low=0.0, high=0.95, knob=True)
    epochs: int = setting(25, "passes through the noisy set", low=1, high=100, knob=True)
    seed: int = setting(0, "draws labels, clean set, networks, batches and masks", low=0)

    def __post_init__(self) -> None:
        check_settings(self)

    def problem(self) -> tuple[Tensor, Tensor, Tensor, int]:
        """Images (n, 1, 28, 28), given and true labels (n,), the noisy set first, and how many are noisy."""
        data = load("mnist5k")
        order = torch.randperm(len(data.train_labels), generator=seeded_generator(self.seed, "clean set"))
        of_class = F.one_hot(data.train_labels[order], 10)  # (n, 10), whose running sum numbers a class's images
        clean = torch.zeros(len(order), dtype=torch.bool)
        clean[order] = (of_class.cumsum(0) * of_class).amax(1) <= self.clean_per_class
        order, noisy = torch.cat([(~clean).nonzero()[:, 0], clean.nonzero()[:, 0]]), int((~clean).sum())
        true = data.train_labels[order]
        given = corrupt(true[:noisy], noise_matrix("symmetric", 10, self.ratio), seed=self.seed)
        return data.train_images[order], torch.cat([given, true[noisy:]]), true, noisy

    def network(self, images: Tensor, given: Tensor, noisy: int, number: int = 0) -> tuple[CompressedFeatures, Run]:
        """The method and what it is handed, for the network of this number."""
        seed = 2 * self.seed + number
        model = build_model("mlp", (1, 28, 28), 10, seed=seed)
        run = Run(
            model, build_optimizer("adam", model, LEARNING_RATE), images[noisy:], given[noisy:],
            seeded_generator(seed, "method"), 10, len(given), noisy_images=images[:noisy], given_labels=given[:noisy],
        )  # fmt: skip
        method = CompressedFeatures(self.mask, self.sigma, self.p)
        method.prepare(run)
        return method, run

    def learn(self, method: CompressedFeatures, run: Run, number: int = 0) -> Iterator[dict[str, float]]:
        """Stage 1, an epoch at a time: what the method says after it."""
        draw, held = seeded_generator(2 * self.seed + number, "batches"), method.hold_out(run)
        places = torch.arange(len(run.given_labels))
        places = places[~torch.isin(places, held)]
        for run.steps_done in range(self.epochs):  # an epoch counts as one step, which is all that the method asks
            for index in places[torch.randperm(len(places), generator=draw)].split(BATCH):
                method.step(run, Batch(index, run.noisy_images[index], run.given_labels[index]))
            yield method.after_epoch(run, run.model)

    def run(self, *, steps: bool = False) -> Iterator[Measured]:
        images, given, true, noisy = self.problem()
        return self._records(images, given, true, noisy, load("mnist5k"))

    def _records(self, images: Tensor, given: Tensor, true: Tensor, noisy: int, data: Any) -> Iterator[Measured]:
        method, run = self.network(images, given, noisy)
        wrong, kept = (given != true).nonzero()[:, 0], 0.0
        for epoch, said in enumerate(self.learn(method, run), start=1):
            by_cut = accuracy_by_cut(run.model, data.test_images, data.test_labels)
            assert method.judged is not None
            cut, _ = method.choose(run.model, *method.judged)
            numbers = {"cut": float(cut), "test_accuracy": by_cut[cut - 1], "all": by_cut[-1], "first 8": by_cut[7]}
            shown: dict[str, Any] = {"by_cut": by_cut, "cut": cut, "reach": method.masks.reach(len(by_cut))}
            if len(wrong):
                shown["memorized"] = accuracy_by_cut(run.model, images[wrong], given[wrong])
                numbers["memorized"] = shown["memorized"][cut - 1]
            if said["kept_epoch"] == epoch:
                kept = by_cut[cut - 1]
            yield Measured(epoch, numbers | {"kept": kept, "kept_epoch": said["kept_epoch"]}, shown)


def kept_number(examples: int, forget: float) -> int:
    """How many of a half are kept: ⌊(1 − r) n⌋, and at least one. forget: r, in [0, 1); a ValueError otherwise."""
    if check_number("forget", forget, 0, 1) == 1:
        raise ValueError("forget=1 must be below 1: nothing would be kept to learn from")
    return max(1, int((1 - forget) * examples + 1e-9))


def exchange_step(
    members: Sequence[tuple[nn.Module, Optimizer]], images: Tensor, labels: Tensor, *,
    cut: int, forget: float, masks: Masks, generator: torch.Generator,
) -> Tensor:  # fmt: skip
    """One step of two networks on a batch (B, …), and the places in it that were kept: those of its first half first.

    cut: k*. forget: r, see `kept_number`. masks: drawn from `generator` for both; of nested ones, one k for both.
    """
    middle = len(labels) // 2
    halves, kept = (torch.arange(middle), torch.arange(middle, len(labels))), []
    for (model, _), half in zip(members, halves):
        losses = F.cross_entropy(logits_at(model, images[half], cut), labels[half], reduction="none")
        kept.append(half[easiest(losses, kept_number(len(half), forget))])
    mask: Tensor | None = None
    for (model, optimizer), places in zip(members, reversed(kept)):
        layer = last_layer(model)
        if mask is None or mask.ndim == 2:
            mask = masks.draw(len(places), layer.in_features, generator)
        with masked(layer, mask):
            loss = F.cross_entropy(model(images[places]), labels[places])
        clear_gradients(optimizer)
        loss.backward()
        take_step(optimizer)
    return torch.cat(kept)


@dataclass(frozen=True)
class Pair(Digits):
    """Both stages. In its `numbers`: the pair's test accuracy at its k* by epoch of stage 2, the first record being
    before it; that of the pair that the judging labels have chosen ("kept"), and the share of the kept labels that are
    "right".
    """

    forget: float = setting(0.4, "r: share of a half that is not kept", low=0.0, high=0.95)
    exchange: int = setting(10, "epochs of stage 2", low=0, high=50)

    def _records(self, images: Tensor, given: Tensor, true: Tensor, noisy: int, data: Any) -> Iterator[Measured]:
        pair = [self.network(images, given, noisy, number) for number in (0, 1)]
        for number, (method, run) in enumerate(pair):
            for _ in self.learn(method, run, number):
                pass
            run.model.load_state_dict(method.state["weights"])
            with torch.no_grad():
                last_layer(run.model).weight.copy_(method.state["uncut"])
        method, run = pair[0]
        networks, masks = [run.model for _, run in pair], method.masks
        members = [(network, build_optimizer("adam", network, FINE * LEARNING_RATE)) for network in networks]
        draw, best, kept, right = seeded_generator(self.seed, "exchange"), -1.0, 0.0, torch.empty(0)
        assert method.judged is not None
        held = torch.isin(torch.arange(noisy), method.held)
        for epoch in range(self.exchange + 1):
            judged = together(networks, *method.judged)
            reach = masks.reach(len(judged))
            cut = best_cut(judged[:reach]) if masks.kind == "nested" else reach
            accuracy = together(networks, data.test_images, data.test_labels)[cut - 1]
            if judged[cut - 1] > best:
                best, kept = judged[cut - 1], accuracy
            numbers = {"cut": float(cut), "test_accuracy": accuracy, "kept": kept}
            yield Measured(epoch + 1, numbers | ({"right": float(right.double().mean())} if len(right) else {}))
            taught = []
            for index in torch.randperm(noisy, generator=draw).split(2 * BATCH) if epoch < self.exchange else ():
                index = index[~held[index]]
                batch = images[index], given[index]
                chosen = exchange_step(members, *batch, cut=cut, forget=self.forget, masks=masks, generator=draw)
                taught.append(given[index[chosen]] == true[index[chosen]])
            right = torch.cat(taught) if taught else right


def together(networks: Sequence[nn.Module], images: Tensor, labels: Tensor) -> list[float]:
    """For each k, how often the mean of the networks' logits by their first k features names the label."""
    both = zip(*(logits_by_cut(network, images) for network in networks))
    return [float((sum(logits).argmax(1) == labels).double().mean()) for logits in both]
