"""Search across two kinds of things, such as images and captions, some of whose pairs are wrong.

Two towers, the triplet loss with a margin of each pair's own, recall, and a split of pairs by their losses:
Huang and others: Learning with noisy correspondence for cross-modal matching (NCR). NeurIPS 2021.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nlkit.checks import check_integer, check_number
from nlkit.data.pairs import FEWEST
from nlkit.learning.models import seeded

HIDDEN, EMBEDDED = 128, 64  # units of a tower's hidden layer, and of what it ends in
RANKS = (1, 5, 10)
MARGIN = 0.2


class Towers(nn.Module):
    """An image tower and a caption tower, P-128-64 and Q-128-64, and a head 64-64-C that both share."""

    def __init__(self, image_features: int, caption_features: int, classes: int, seed: int = 0):
        """Weights come from the seed. Raises a ValueError for fewer than two classes."""
        super().__init__()
        check_integer("classes", classes, 2)
        sizes = {"image": (image_features, HIDDEN, EMBEDDED), "caption": (caption_features, HIDDEN, EMBEDDED)}
        sizes["head"] = (EMBEDDED, EMBEDDED, classes)
        made = seeded(lambda: nn.Sequential(*(_two_layers(*size) for size in sizes.values())), seed)
        self.image, self.caption, self.head = made

    def embed(self, images: Tensor, captions: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 64) each, of length 1: their products are cosines."""
        return F.normalize(self.image(images), dim=1), F.normalize(self.caption(captions), dim=1)

    def classes(self, images: Tensor) -> Tensor:
        """(B, C) what the head says of images, as probabilities."""
        return self.head(F.normalize(self.image(images), dim=1)).softmax(1)


def _two_layers(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, outputs))


def hinges(S: Tensor, y: Tensor | float = 1.0, alpha: float = MARGIN) -> tuple[Tensor, Tensor]:
    """[α_i - S_ii + S_ij]₊ and [α_i - S_ii + S_ji]₊, both (B, B), rows i, 0 for j = i; α_i = α (10^{y_i} - 1) / 9.

    S: (B, B) cosines, given pairs on the diagonal. y: (B,) in [0, 1], how surely a pair belongs together. Raises a
    ValueError for α that is not above 0.
    """
    check_number("alpha", alpha, 0, above=True)
    margin = alpha * (10 ** torch.as_tensor(y, dtype=S.dtype) - 1) / 9
    lacking = (margin - S.diagonal())[:, None]  # (B, 1)
    own = torch.eye(len(S), dtype=torch.bool)
    one, other = ((lacking + s).clamp(min=0).masked_fill(own, 0) for s in (S, S.T))
    return one, other


def hardest(S: Tensor, y: Tensor | float = 1.0) -> Tensor:
    """(B,) the triplet losses: both hinges with the j that costs most."""
    one, other = hinges(S, y)
    return one.amax(1) + other.amax(1)


def average(S: Tensor) -> Tensor:
    """(B,) the triplet losses with the mean over j ≠ i in place of the maximum, and y = 1."""
    one, other = hinges(S)
    return (one + other).sum(1) / (len(S) - 1)


def recalls(similarity: Tensor, ranks: Sequence[int] = RANKS) -> dict[str, float]:
    """R@k both ways of similarities (N, N): the share of rows and columns whose own is among the k most similar.

    What is as similar as one's own comes before it: a tie is no find. By name: "captions@1" for images that look for
    their caption, "images@1" for captions that look for their image, and so on.
    """
    own = similarity.diagonal()
    ahead = {"captions": (similarity >= own[:, None]).sum(1) - 1, "images": (similarity >= own).sum(0) - 1}
    return {f"{what}@{k}": (before < k).double().mean().item() for what, before in ahead.items() for k in ranks}


def low_part(values: Tensor) -> Tensor:
    """(N,) the probability of each value that it belongs to the lower part of a mixture of two normal distributions.

    Values are first stretched to [0, 1]. The settings of the mixture are those of DivideMix (Li, Socher, Hoi, ICLR
    2020). Where all values are alike there is nothing to part: all have probability 1.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    low, high = values.min(), values.max()
    if low == high:
        return torch.ones(len(values))
    stretched = ((values - low) / (high - low)).double().numpy()[:, None]
    mixture = GaussianMixture(2, max_iter=10, tol=1e-2, reg_covar=5e-4, random_state=0)
    with warnings.catch_warnings():  # ten rounds are what is wanted
        warnings.simplefilter("ignore", ConvergenceWarning)
        mixture.fit(stretched)
    part = mixture.predict_proba(stretched)[:, numpy.argmin(mixture.means_)]
    return torch.from_numpy(part).float()


class Split(NamedTuple):
    """What is thought of N pairs."""

    clean: Tensor  # (N,) bool
    y: Tensor  # (N,) in [0, 1], how surely each belongs together


def divide(losses: Tensor, unrest: Tensor | None = None) -> Split:
    """The split of pairs by their losses (N,): w is the probability of the lower part, and clean is w > ½.

    unrest: (N,), how much a pair is in doubt besides; v is the probability of its lower part, and where v > ½,
    y = w + (1 - w) v; elsewhere, and without it, y = w. If all are clean, the highest 1 % are not; 64 pairs are
    clean in any case, or half of fewer than 128.
    """
    w, order = low_part(losses), losses.argsort()
    clean = w > 0.5
    if clean.all():
        clean[order[-max(1, len(w) // 100) :]] = False
    clean[order[: min(FEWEST, len(w) // 2)]] = True
    if unrest is None:
        return Split(clean, w)
    v = low_part(unrest)
    return Split(clean, w + (1 - w) * v * (v > 0.5))
