"""The space in which examples are near each other: the features in few dimensions, and each example's neighbours."""

from __future__ import annotations

import numpy as np

from nlkit.audit.collection import Collection

DIMENSIONS = 50  # of the space of neighbours
WIDEST = 1024  # features that the network learns from as they are
REFERENCES = 20_000  # examples among which neighbours are looked for where there are more
EXHAUSTIVE = 50_000  # examples up to which each is compared with each


def dense(collection: Collection) -> np.ndarray:
    """What a network learns from: (N, D) float32. Sparse or very wide features are brought to 128 by truncated SVD."""
    features = collection.features
    if collection.shape is None and (not isinstance(features, np.ndarray) or features.shape[1] > WIDEST):
        from sklearn.decomposition import TruncatedSVD

        rank = min(128, min(features.shape) - 1)
        features = TruncatedSVD(rank, random_state=0).fit_transform(features)
        features = features / (features.std() or 1)
    return np.ascontiguousarray(features, dtype=np.float32)


def space_of(features: np.ndarray, seed: int = 0, dimensions: int = DIMENSIONS) -> np.ndarray:
    """The space of neighbours (N, d) float32, of at most so many dimensions, from features (N, D).

    Up to so many features are taken as they are. More are brought there by their principal components, each row then to
    length 1, so that distances order examples as the cosine does, which is what SimiFeat takes of a network's outputs.
    Of few features, the length tells too much to be left out.
    """
    if features.shape[1] <= dimensions or len(features) <= dimensions:
        return np.ascontiguousarray(features, dtype=np.float32)
    from sklearn.decomposition import PCA

    chosen = np.random.default_rng(seed).permutation(len(features))[:REFERENCES]
    reduced = PCA(dimensions, random_state=seed, svd_solver="randomized").fit(features[chosen]).transform(features)
    lengths = np.linalg.norm(reduced, axis=1, keepdims=True)
    return (reduced / np.where(lengths, lengths, 1)).astype(np.float32)


def neighbours(space: np.ndarray, count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The places (N, count) of each example's nearest others, the nearest first, and their distances (N, count).

    Beyond 50,000 examples, they are looked for among 20,000 that are drawn by the seed. An example is never its own
    neighbour; its double may be.
    """
    from sklearn.neighbors import NearestNeighbors

    total = len(space)
    references = np.arange(total)
    if total > EXHAUSTIVE:
        references = np.sort(np.random.default_rng(seed).permutation(total)[:REFERENCES])
    count = min(count, len(references) - 1)
    index = NearestNeighbors(n_neighbors=count + 1, algorithm="brute").fit(space[references])
    places, distances = np.empty((total, count), np.int64), np.empty((total, count), np.float32)
    for start in range(0, total, 20_000):
        part = np.arange(start, min(start + 20_000, total))
        far, found = index.kneighbors(space[part])
        found = references[found]
        own = found == part[:, None]
        own[~own.any(1), -1] = True  # it is not among them: the farthest goes instead
        places[part] = found[~own].reshape(len(part), count)
        distances[part] = far[~own].reshape(len(part), count)
    return places, distances
