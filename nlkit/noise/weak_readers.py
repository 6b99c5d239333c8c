"""Weak labels of forms: what readers from elsewhere say of them together, and how sure they are.

Each of three readers has learned from 40 receipts of a few vendors of its own. One reads (it gets the words alone), one
looks (all but the words), one does both. Of each token they give probabilities q_s(k), and

    q = mean of q_1, q_2, q_3;   weak label ŷ = argmax_k q(k);   confidence c = q(ŷ), from 1/K to 1.

Besides, a share of the documents can be misread as a whole: then subtotal is called tax, tax total, and total subtotal,
and date and number change places. That is systematic, as when a page is cut off at its edge. Confidence may know of it,
and falls there; or it does not know, and falls by as much in as many other documents, drawn at random.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nlkit.checks import check_integer, check_number
from nlkit.data.forms import CLASSES, DATE, NUMBER, SUBTOTAL, TAX, TOTAL, draw_forms, draw_vendors
from nlkit.learning.form_reader import FEATURES, WORDS_END, Told, told
from nlkit.learning.models import seeded
from nlkit.learning.optimizers import adam, descend
from nlkit.randomness import seeded_generator

READS, LOOKS, BOTH = SENSES = ("reads", "looks", "both")
RECEIPTS, HIDDEN, STEPS, RATE = 40, 32, 60, 1e-2
_TURNS = {SUBTOTAL: TAX, TAX: TOTAL, TOTAL: SUBTOTAL, DATE: NUMBER, NUMBER: DATE}
TURNED = torch.tensor([CLASSES.index(_TURNS.get(name, name)) for name in CLASSES])  # what a misread class is called
LEAST, MOST = 0.3, 0.9  # to how much of itself confidence falls, where a document is known to be misread


class Weak(NamedTuple):
    labels: Tensor  # (D, N) ŷ
    confidence: Tensor  # (D, N) c
    misread: Tensor  # (D,) bool


def opinions(forms: Told, knows: int, seed: int) -> Tensor:
    """(3, D, N, K) probabilities that the three readers give. knows: vendors that each of them has seen."""
    check_integer("knows", knows, 1)
    return torch.stack([_opinion(forms, sense, knows, seed) for sense in SENSES])


def _opinion(forms: Told, sense: str, knows: int, seed: int) -> Tensor:
    vendors = draw_vendors(knows, seed, f"vendors of one that {sense}")
    known = told(draw_forms(vendors, RECEIPTS, seed, f"of one that {sense}"))
    seen = slice(None) if sense == BOTH else slice(WORDS_END) if sense == READS else slice(WORDS_END, None)
    inputs = len(range(FEATURES)[seen])
    reader = seeded(lambda: nn.Sequential(nn.Linear(inputs, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, len(CLASSES))), seed)
    optimizer = adam(reader.parameters(), RATE)
    x, y = known.features[known.there][:, seen], known.labels[known.there]
    for _ in range(STEPS):
        descend(optimizer, F.cross_entropy(reader(x), y))
    with torch.no_grad():
        return reader(forms.features[:, :, seen]).softmax(2)


def pooled(q: Tensor) -> tuple[Tensor, Tensor]:
    """ŷ and c, (…) each, of the opinions (S, …, K) of S readers.

    Raises a ValueError for what are no probabilities.
    """
    if not (q >= 0).all() or not torch.allclose(q.sum(-1), torch.ones(()), atol=1e-4):
        raise ValueError("q must be probabilities: of each reader and token numbers from 0 that sum to 1")
    c, y = q.mean(0).max(-1)
    return y, c


def misread(labels: Tensor, confidence: Tensor, ratio: float, *, told: bool, seed: int) -> Weak:
    """Weak labels and confidence (D, N) of which round(ratio · D) documents are misread, nested in the ratio.

    told: whether confidence falls in those documents, or in as many that are drawn at random. Raises a ValueError for a
    ratio outside [0, 1].
    """
    check_number("ratio", ratio, 0, 1)
    generator, count = seeded_generator(seed, "misread"), round(ratio * len(labels))
    order, others = (torch.randperm(len(labels), generator=generator)[:count] for _ in range(2))
    cut = LEAST + (MOST - LEAST) * torch.rand(len(labels), generator=generator)[:count]
    labels, confidence, wrong = labels.clone(), confidence.clone(), torch.zeros(len(labels), dtype=torch.bool)
    labels[order] = TURNED[labels[order]]
    confidence[order if told else others] *= cut[:, None]
    wrong[order] = True
    return Weak(labels, confidence, wrong)
