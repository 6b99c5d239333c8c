"""A small web: images that were found by asking for a word, with the captions beside them; some mean another thing.

Who asks for digit c gets 200 images, of which a share ρ shows the next digit, c + 1 (after 9 comes 0), as who asks for
"drumstick" gets chicken. The label of an image is the question that found it. Beyond ρ = ½ most images of a class show
another one, and images alone can't tell which is meant. Each image has a caption about what it *shows*: a few words of
the eight that its digit has ("snowman", "octopus", "infinity" …), among six of 24 that mean nothing. Some captions are
missing, and some are about another digit. The definition of a class, as from a dictionary, is its eight words.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from nlkit.checks import check_integer, check_number
from nlkit.data.load import load
from nlkit.randomness import seeded_generator

CLASSES, RESULTS, FILLED = 10, 200, 6  # digits; images to each question; words of a caption that mean nothing
CONCEPTS = (
    "zero nought ring circle egg nil void oval", "one single stick candle solo ace pole line",
    "two pair swan double twin couple duet both", "three triple trio trefoil third tripod clover treble",
    "four square quartet season fourth sail chair quad", "five hand star pentagon fifth quintet fingers hook",
    "six hexagon dice sextet insect honeycomb sixth guitar", "seven week rainbow scythe seventh lucky cliff heptagon",
    "eight snowman octopus infinity hourglass octagon eighth spider",
    "nine cat lives balloon ninth muse planet tail",
)  # fmt: skip
COMMON = (
    "photo image picture my best free stock print poster shop sale gift vintage draw scan paper ink note page sign new "
    "old small black"
)
WORDS = tuple(" ".join(CONCEPTS).split()) + tuple(COMMON.split())
OF_A_CONCEPT = 8
DEFINITIONS = torch.zeros(CLASSES, len(WORDS)).scatter(
    1, torch.arange(CLASSES * OF_A_CONCEPT).view(CLASSES, OF_A_CONCEPT), 1.0
)  # (C, V) how often each word is in the definition of a class


class Web(NamedTuple):
    """N = 2,000 images with their captions, the question that found them, and what they show."""

    images: Tensor  # (N, 1, 28, 28), normalized
    true: Tensor  # (N,) what is on them
    given: Tensor  # (N,) the question
    captions: Tensor  # (N, V) how often each of `WORDS` is in the caption; all 0 where it is missing
    about: Tensor  # (N,) the digit that the caption is about; -1 where it is missing

    def caption(self, n: int) -> str:
        return " ".join(WORDS[place] for place in self.captions[n].nonzero().flatten().tolist())


@functools.lru_cache(maxsize=8)
def web(ratio: float, *, missing: float = 0.3, mismatched: float = 0.2, words: int = 2, seed: int = 0) -> Web:
    """The web of one seed. ratio: ρ. missing, mismatched: shares of captions that are, exclusive of each other.

    words: of the digit's own in a caption, from 1 to 8. All is nested: who finds more of the next digit finds what
    others find, and more; so do those who lose more captions. Raises a ValueError for what is out of range.
    """
    check_number("ratio", ratio, 0, 1)
    check_number("missing", missing, 0, 1)
    check_number("mismatched", mismatched, 0, 1)
    if missing + mismatched > 1 + 1e-9:
        raise ValueError(f"missing={missing} and mismatched={mismatched} must sum to 1 at most")
    check_integer("words", words, 1, OF_A_CONCEPT)
    data = load("mnist5k", device="cpu")
    generator = seeded_generator(seed, "web")
    order = torch.randperm(len(data.train_labels), generator=generator)
    digits = [order[data.train_labels[order] == c][:RESULTS] for c in range(CLASSES)]
    wrong = round(ratio * RESULTS)
    found = torch.cat([torch.cat([digits[c][wrong:], digits[(c + 1) % CLASSES][:wrong]]) for c in range(CLASSES)])
    given = torch.arange(CLASSES).repeat_interleave(RESULTS)
    true = data.train_labels[found]
    drawn = {name: _drawn(len(order), seed, name)[found] for name in ("kind", "other", "order", "filled")}
    away = 1 + (drawn["other"][:, 0] * (CLASSES - 1)).long()
    about = torch.where(drawn["kind"][:, 0] < missing + mismatched, (true + away) % CLASSES, true)
    about = about.masked_fill(drawn["kind"][:, 0] < missing, -1)
    own = about.clamp(min=0)[:, None] * OF_A_CONCEPT + drawn["order"][:, :OF_A_CONCEPT].argsort(1)[:, :words]
    filled = CLASSES * OF_A_CONCEPT + drawn["filled"][:, : len(COMMON.split())].argsort(1)[:, :FILLED]
    captions = torch.zeros(len(found), len(WORDS)).scatter(1, torch.cat([own, filled], 1), 1.0)
    return Web(data.train_images[found], true, given, captions * (about >= 0)[:, None], about)


def _drawn(count: int, seed: int, name: str) -> Tensor:
    """Numbers (count, 24) from 0 to 1 for each image that may be found: they stay its own whatever the ratio."""
    return torch.rand(count, 24, dtype=torch.float64, generator=seeded_generator(seed, f"captions: {name}"))


def text_features(counts: Tensor, captions: Tensor) -> Tensor:
    """(n, V) TF-IDF of texts given as counts (n, V), by how many of the captions (N, V) have a word; of length 1.

    t_v ∝ n_v (1 + log((1 + N) / (1 + N_v))), N_v: captions with the word. An empty text stays 0.
    """
    rarity = 1 + ((1 + len(captions)) / (1 + (captions > 0).sum(0))).log()
    return F.normalize(counts * rarity, dim=1)
