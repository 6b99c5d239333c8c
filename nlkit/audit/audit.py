"""The audit itself: a collection in; ranked suspects, estimates of the noise and contradictions out.

One call does all of the work that takes long; what people then decide about suspects is fed in by `decide`, which
estimates anew from what is already there, in a second or so, so that a panel can follow each decision.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from nlkit.audit import evidence, noise_rates
from nlkit.audit.collection import Collection, at
from nlkit.audit.duplicates import Contradiction, contradictions
from nlkit.audit.dynamics import FOLDS, as_images, course, cross_validated, epochs_for, weights_by_clean_set
from nlkit.audit.noise_rates import Estimate
from nlkit.audit.space import dense, neighbours, space_of
from nlkit.checks import check_choice, check_integer

WRONG, RIGHT, UNSURE = "wrong", "right", "unsure"
Progress = Callable[[int, int, str], None]  # units of work done, all of them, and what is being done


@dataclass(frozen=True)
class Suspect:
    """A label that is doubted."""

    place: int  # in the collection
    id: str
    given: str  # its label
    suggested: str  # the class that the model holds to be most probable, of the others
    suspicion: float  # in (0, 1]: the mean of its ranks over the kinds of evidence
    ranks: Mapping[str, float]  # kind of evidence -> its rank in (0, 1], 1 the most suspicious of all
    scores: Mapping[str, float]  # kind of evidence -> its score, in units of its own


@dataclass(frozen=True, eq=False)
class Audit:
    """What was found in a collection. All arrays are in its order."""

    collection: Collection
    probabilities: np.ndarray  # (N, K) held out, see `nlkit.audit.dynamics.cross_validated`
    scores: Mapping[str, np.ndarray]  # kind of evidence -> (N,), higher is more suspicious
    suspicion: np.ndarray  # (N,) the mean of the ranks, in (0, 1]
    nearest: np.ndarray  # (N, k) places of the neighbours
    contradictions: tuple[Contradiction, ...]
    estimates: Mapping[str, Estimate]  # way of estimating -> T and ratio, from what is believed of the labels
    decisions: Mapping[int, str] = field(default_factory=dict)  # place -> "wrong", "right", "unsure" or a class

    @property
    def accuracy(self) -> float:
        """Share of the labels that the held-out model predicts, of those that nobody has called wrong; in [0, 1]."""
        known = self.labels >= 0
        return float((self.probabilities.argmax(1) == self.labels)[known].mean())

    @property
    def labels(self) -> np.ndarray:
        """(N,) what is believed of each label: the trusted or decided one, the given one, or -1 where it was wrong."""
        labels = self.collection.believed.copy()
        for place, verdict in self.decisions.items():
            if verdict == WRONG:
                labels[place] = -1
            elif verdict in self.collection.class_names:
                labels[place] = self.collection.class_names.index(verdict)
        return labels

    @property
    def settled(self) -> np.ndarray:
        """(N,) bool: somebody has looked and said whether the label is right."""
        settled = self.collection.clean.copy()
        settled[[place for place, verdict in self.decisions.items() if verdict != UNSURE]] = True
        return settled

    @property
    def flagged(self) -> np.ndarray:
        """(N,) bool: labels that confident learning calls wrong, of those that are not settled."""
        from cleanlab.filter import find_label_issues

        even = self.probabilities.astype(np.float64)
        issues = find_label_issues(
            self.collection.believed, even / even.sum(1, keepdims=True), filter_by="prune_by_noise_rate", n_jobs=1
        )
        return issues & ~self.settled

    @property
    def likely(self) -> str:
        """The way of estimating that is taken: counted or by clusterability, whichever finds fewer wrong labels.

        Both take for noise what they can't tell apart, so they err upwards the more, the harder the data are. Anchor
        points err both ways, as the network is too sure or not sure enough of its examples, and are told beside.
        """
        ways = [way for way in ("counted", "clusterability") if way in self.estimates]
        return min(ways, key=lambda way: self.estimates[way].ratio)

    @property
    def wrong_share(self) -> float:
        """The estimated share of wrong labels in [0, 1]: what was decided as decided, the rest in the `likely` way."""
        settled, given = self.settled, self.collection.given
        wrong = int((self.labels != given)[settled].sum())
        return (wrong + self.estimates[self.likely].ratio * int((~settled).sum())) / len(given)

    def settled_collection(self) -> Collection:
        """The collection with what was decided: right and corrected labels are trusted, what is only wrong is left out.

        To audit it again takes the decisions into all that is learned.
        """
        trusted = np.where(self.settled, self.labels, -1)
        return at(replace(self.collection, trusted=trusted), np.flatnonzero(self.labels >= 0))

    def suspects(self, count: int = 50, *, decided: bool = False) -> list[Suspect]:
        """The most suspicious labels, in order, without the trusted ones, and those decided only if asked for."""
        check_integer("count", count, 0)
        hidden = self.collection.clean.copy()
        if not decided:
            hidden[list(self.decisions)] = True
        order = np.argsort(-self.suspicion, kind="stable")
        places = order[~hidden[order]][:count]
        ranks = {kind: evidence.ranks(scores) for kind, scores in self.scores.items()}
        names, given, others = self.collection.class_names, self.collection.given, self.probabilities[places].copy()
        others[np.arange(len(places)), given[places]] = -1
        return [
            Suspect(
                place, self.collection.ids[place], names[given[place]], names[other.argmax()],
                float(self.suspicion[place]), {kind: float(of[place]) for kind, of in ranks.items()},
                {kind: float(of[place]) for kind, of in self.scores.items()},
            )
            for place, other in zip(places.tolist(), others)
        ]  # fmt: skip

    def decide(self, decisions: Mapping[int, str], *, draws: int = noise_rates.DRAWS) -> Audit:
        """The audit with these decisions in place of those it had, the noise of the others estimated anew.

        decisions: place in the collection -> "wrong", "right", "unsure", or the name of the class that is right.
        A label that is called wrong no longer counts for any class, one that is corrected counts for its new class, and
        what is settled is taken out of what is estimated. Raises a ValueError for a place or a word that isn't known.
        """
        for place, verdict in decisions.items():
            check_integer("decisions' place", place, 0, self.collection.count - 1)
            check_choice("decision", verdict, {WRONG, RIGHT, UNSURE, *self.collection.class_names})
        told = replace(self, decisions=dict(decisions))
        return replace(told, estimates=estimated(told, draws))


def audit(collection: Collection, *, seed: int = 0, model: str = "mlp", progress: Progress | None = None) -> Audit:
    """Cross-validate a small network, gather the evidence, estimate the noise, and look for contradictions.

    The clean set's labels are taken as right: they teach and are never suspects, and where each class has some,
    reweighting by them is one more kind of evidence. progress: is told of the work as it is done.
    model: "mlp", or "cnn" for images. The same collection and seed give the same audit.
    """
    check_choice("model", model, ("mlp", "cnn"))
    features, labels, classes = dense(collection), collection.believed, collection.num_classes
    images = as_images(features, collection.shape)
    clean = np.isin(np.arange(classes), labels[collection.clean]).all() and not collection.clean.all()
    total, done = epochs_for(collection.count) * (FOLDS + 1 + int(clean)) + 2, 0

    def told(what: str) -> None:
        nonlocal done
        done += 1
        if progress:
            progress(done, total, what)

    run = {"seed": seed, "model": model, "told": told}
    probabilities = cross_validated(images, labels, classes, **run)
    trained = course(images, labels, classes, **run)
    scores = {
        "confident learning": evidence.confident_learning(probabilities, labels),
        "small loss": evidence.small_loss(trained),
        "learned late": evidence.learned_late(trained),
        "margin in training": evidence.margin_in_training(trained),
    }
    if clean:
        weights = weights_by_clean_set(images, labels, classes, collection.clean, **run)
        scores["clean set"] = evidence.by_clean_set(weights)
    nearest, distances = neighbours(space_of(features, seed), evidence.NEIGHBOURS, seed)
    scores["neighbours"] = evidence.neighbours_vote(labels, nearest, classes)
    told("neighbours")
    alike = contradictions(collection.features, labels, nearest, distances)
    found = Audit(collection, probabilities, scores, evidence.combined(scores), nearest, tuple(alike), {})
    found = replace(found, estimates=estimated(found))
    told("noise estimated")
    return found


def estimated(found: Audit, draws: int = noise_rates.DRAWS) -> dict[str, Estimate]:
    """T and ratio of the labels that are not settled yet, in each of the ways that can be gone; all, if all are."""
    classes, labels, settled = found.collection.num_classes, found.labels, found.settled
    open_ = ~settled if (~settled).sum() > 10 * classes else np.ones(len(labels), bool)
    given, probabilities = found.collection.given[open_], found.probabilities[open_]
    even = probabilities / probabilities.sum(1, keepdims=True, dtype=np.float64)
    estimates = {
        "counted": noise_rates.with_intervals(noise_rates.by_counting, even, given, draws=draws),
        "anchor points": noise_rates.with_intervals(noise_rates.by_anchor_points, even, given, draws=draws),
    }
    if classes <= noise_rates.MOST_CLASSES:
        two = found.nearest[open_, :2]
        triples = np.column_stack([given, labels[two]])
        triples = triples[(triples >= 0).all(1)]
        solve = partial(noise_rates.by_clusterability, classes=classes)
        estimates["clusterability"] = noise_rates.with_intervals(
            solve, triples, draws=draws, again=lambda start: partial(solve, start=start)
        )
    return estimates
