"""Kinds of evidence that a label is wrong: each gives every example a score, (N,), higher is more suspicious.

They look at different things, and so they err on different examples; the mean of their ranks is the list that is shown.
That rule, and what each kind counts, were chosen on tasks other than those whose results the package reports: scikit-
learn's 1,797 digits and 569 tumours, 4,000 of Fashion-MNIST's test images, and CIFAR-10N's "random2" and "worst" labels
of 5,000 images, with seeds of their own. There it had an average precision of 82.2 % in the mean; confident learning
alone had 78.1, with the normalized margin 80.2, the best single kind, the margin in training, 82.3, and some weighted
means up to 83.0; they owe that to planted pair noise, and on people's labels the even mean was ahead of them.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nlkit.audit.dynamics import Course

NEIGHBOURS = 25  # whose labels are asked

# What each kind has seen when it doubts a label, as a report tells it.
WHY = {
    "confident learning": "a model that has not seen the example gives its label little probability",
    "small loss": "early in training, when little is memorized, the loss on the label was high",
    "learned late": "in the course of training, the label was learned late, or learned and forgotten again",
    "margin in training": "in the course of training, another class was ahead of the label",
    "neighbours": "the examples most like it carry other labels",
    "clean set": "learning its label does not help on the trusted examples",
}


def confident_learning(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """1 minus the label's quality as `cleanlab` has it: by its held-out probability, from probabilities (N, K).

    Northcutt, Jiang and Chuang 2021, arXiv:1911.00068.
    """
    from cleanlab.rank import get_label_quality_scores

    even = probabilities.astype(np.float64)
    return 1 - get_label_quality_scores(labels, even / even.sum(1, keepdims=True), method="self_confidence")


def held_out_margin(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """By how much the most probable other class is ahead of the label, from held-out probabilities (N, K); in [-1, 1].

    The order of the suspects in confident learning's pruning by noise rate (Northcutt, Jiang and Chuang 2021).
    """
    places = np.arange(len(labels))
    own = probabilities[places, labels]
    others = probabilities.copy()
    others[places, labels] = -1
    return others.max(1) - own


def small_loss(course: Course) -> np.ndarray:
    """The mean loss in the first quarter of the epochs: what is right is learned first.

    Small-loss selection as in Han et al. 2018 (Co-teaching), arXiv:1804.06872, here as a ranking.
    """
    early = course.own[: max(1, len(course.own) // 4)]
    return -np.log(np.maximum(early, 1e-6)).mean(0)


def learned_late(course: Course) -> np.ndarray:
    """The share of epochs in which the label was not predicted, and of forgettings among the epochs, together.

    An example that is learned late is wrong in many epochs; one that is forgotten (right, then wrong at the next epoch)
    counts each time. Toneva et al. 2019, arXiv:1812.05159, count the forgettings alone.
    """
    right = course.right
    return ((~right).sum(0) + _forgettings(right)) / len(right)


def forgetting(course: Course) -> np.ndarray:
    """How often the label was forgotten: right at the end of an epoch, wrong at that of the next; as Toneva et al. have
    it, and so a label that was never learned was forgotten more often than any: as often as there are epochs.
    """
    right = course.right
    return np.where(right.any(0), _forgettings(right), len(right))


def _forgettings(right: np.ndarray) -> np.ndarray:
    return (right[:-1] & ~right[1:]).sum(0)


def loss_at_the_end(course: Course) -> np.ndarray:
    """The loss on the label when training is over, and the network has learned many wrong ones by heart: a control."""
    return -np.log(np.maximum(course.own[-1], 1e-6))


def margin_in_training(course: Course) -> np.ndarray:
    """By how much another class was ahead of the label, in probability, in the mean over the epochs.

    Pleiss et al. 2020, arXiv:2001.10528 (the area under the margin), who take it of logits.
    """
    return (course.other - course.own).mean(0)


def neighbours_vote(labels: np.ndarray, nearest: np.ndarray, classes: int) -> np.ndarray:
    """How little the labels of the neighbours, (N, k) places, and the example itself are those of its own.

    It is 1 minus the cosine between the shares of these k + 1 labels and the label alone: the score by which SimiFeat
    ranks (Zhu, Dong, Liu 2022, arXiv:2110.06283, section 4).
    """
    votes = np.zeros((len(labels), classes), np.float32)
    everybody = np.arange(len(labels))
    votes[everybody, labels] = 1
    for column in nearest.T:
        votes[everybody, labels[column]] += 1
    return 1 - votes[everybody, labels] / np.linalg.norm(votes, axis=1)


def by_clean_set(weights: np.ndarray) -> np.ndarray:
    """How little weight reweighting gave the example, from mean weights (N,); what is trusted itself has NaN."""
    return -weights


def ranks(scores: np.ndarray) -> np.ndarray:
    """Scores (N,) as ranks in (0, 1], 1 the most suspicious; equals share theirs, and NaN has none (NaN)."""
    from scipy.stats import rankdata

    found = np.full(len(scores), np.nan)
    known = np.isfinite(scores)
    found[known] = rankdata(scores[known]) / max(1, known.sum())
    return found


def combined(scores: Mapping[str, np.ndarray]) -> np.ndarray:
    """The mean of the ranks (N,) over the kinds, of those that say something of an example."""
    return np.nanmean(np.stack([ranks(of_kind) for of_kind in scores.values()]), axis=0)
