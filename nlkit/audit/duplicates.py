"""The same example more than once, or nearly so, with labels that contradict each other: one of them must be wrong."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import numpy as np

from nlkit.audit.space import EXHAUSTIVE

NEAR = 0.1  # of the usual distance to the nearest other example: what is nearer is a near duplicate


class Contradiction(NamedTuple):
    """Examples that are alike and whose labels are not."""

    places: tuple[int, ...]  # two or more
    exact: bool
    distance: float  # the largest between neighbours among them, in usual distances to the nearest; 0 if exact


def same_features(features) -> list[np.ndarray]:
    """Groups of places whose features (N, D), dense or sparse, are the same to the last bit, each of two or more."""
    if not isinstance(features, np.ndarray):
        features = features.tocsr()
        features.sort_indices()
        spans = zip(features.indptr[:-1], features.indptr[1:])
        rows = (features.indices[a:b].tobytes() + features.data[a:b].tobytes() for a, b in spans)
    else:
        features = np.ascontiguousarray(features) + 0  # so that -0.0 is 0.0
        rows = (row.tobytes() for row in features)
    keys = np.array([hashlib.blake2b(row, digest_size=16).digest() for row in rows], dtype="V16")
    _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
    several = np.flatnonzero(counts[inverse] > 1)
    several = several[np.argsort(inverse[several], kind="stable")]
    return np.split(several, np.flatnonzero(np.diff(inverse[several])) + 1) if len(several) else []


def contradictions(features, labels: np.ndarray, nearest: np.ndarray, distances: np.ndarray) -> list[Contradiction]:
    """Exact and near duplicates whose labels (N,) differ, exact ones first, then by their distance.

    nearest, distances: (N, k) of each example's neighbours in the space of the audit (`nlkit.audit.space`).
    Near are two examples whose distance is under a tenth of the median distance to the nearest other one (exact
    duplicates left out of it), in that space. A tenth was chosen low: pairs that are only alike should not come up, and
    a photograph that was scaled or saved anew lies far below it. Beyond 50,000 examples near duplicates are not looked
    for, since each has been compared with a part of the others only.
    """
    found, together = [], set()
    for group in same_features(features):
        together.update((int(a), int(b)) for a in group for b in group) if len(group) < 100 else None
        if len(set(labels[group].tolist())) > 1:
            found.append(Contradiction(tuple(group.tolist()), True, 0.0))
    apart = distances[:, 0][distances[:, 0] > 1e-6]
    if len(labels) > EXHAUSTIVE or not len(apart):
        return found
    usual = float(np.median(apart))
    pairs = {}
    for place, column in zip(*np.nonzero(distances < NEAR * usual)):
        other = int(nearest[place, column])
        pair = (min(int(place), other), max(int(place), other))
        if labels[place] != labels[other] and pair not in together:
            pairs[pair] = float(distances[place, column]) / usual
    exact = {frozenset((a, b)) for group in found for a in group.places for b in group.places}
    near = [Contradiction(pair, False, far) for pair, far in pairs.items() if frozenset(pair) not in exact]
    return found + sorted(near, key=lambda each: each.distance)
