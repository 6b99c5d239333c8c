"""Receipts of several vendors whose truth is known: words in places, of which a program is to find a few.

A vendor has a form of its own: where things stand, in which order, and by which words they are called ("total", "amount
due", "balance due", "sum"). A receipt lists what was bought; its subtotal is the sum of that, its total subtotal and
tax, to the cent. Prices, cash, change and other dates and codes look like what is sought. What a reader gets of a token
is its word (a value, or what is in no list of words, is `UNKNOWN`), its shape, its place and its amount of money; the
text was recognized from an image, so 10 % of the words are lost, and 3 % of the shapes are taken for another.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from nlkit.checks import check_integer
from nlkit.randomness import seeded_generator

CLASSES = VENDOR, DATE, NUMBER, SUBTOTAL, TAX, TOTAL, OTHER = (
    "vendor", "date", "number", "subtotal", "tax", "total", "other",
)  # fmt: skip
SHAPES = WORD, MONEY, DAY, CODE, COUNT = ("word", "money", "date", "code", "count")
UNKNOWN = 0  # the word of what is in no list
WORDS = (
    "?", "total", "amount", "due", "balance", "sum", "to", "pay", "subtotal", "net", "before", "goods", "tax", "vat",
    "gst", "sales", "date", "issued", "of", "on", "no", "invoice", "receipt", "ref", "order", "phone", "customer",
    "cash", "card", "paid", "change", "printed", "returns", "until", "item", "price", "thank", "you",
)  # fmt: skip
CALLED = {  # how vendors call what they print
    TOTAL: ("total", "amount due", "balance due", "sum", "to pay", "total due"),
    SUBTOTAL: ("subtotal", "net", "before tax", "goods", "sum", "net total"),
    TAX: ("tax", "vat", "sales tax", "gst", "vat due"),
    DATE: ("date", "issued on", "date of invoice", ""),
    NUMBER: ("no", "invoice no", "receipt", "ref", ""),
}
MOST, LINES = 50, 20  # tokens of a receipt at most, and lines, whose number is 1 in y
SAME_LINE = 0.025  # y of two tokens of one line differ by less
_WORD_LOST, _SHAPE_LOST, _SHAKE = 0.1, 0.03, 0.004


class Vendor(NamedTuple):
    """The form of one vendor. x is from 0, at the left, to 1."""

    called: dict[str, str]  # class -> the words before it
    head: tuple[str, ...]  # what stands above the items, in order
    left: float  # x of items and of words before amounts
    right: float  # x of amounts
    indent: float  # x of what stands above
    rate: float  # of the tax
    tax_first: bool  # the tax stands above the subtotal
    pays: str  # "cash", "card", or "" if that is not told
    foot: str  # "", or what is below: a second date, or thanks


class Forms(NamedTuple):
    """D receipts of at most `MOST` tokens N in reading order; where there is none, `there` is False."""

    words: Tensor  # (D, N) place in `WORDS`
    shapes: Tensor  # (D, N) place in `SHAPES`
    at: Tensor  # (D, N, 2) x and y from 0, left and top, to 1
    amounts: Tensor  # (D, N) of money; 0 where there is none
    labels: Tensor  # (D, N) place in `CLASSES`; that of "other" where there is no token
    there: Tensor  # (D, N) bool

    def some(self, which: Tensor) -> Forms:
        """The receipts at those places, or where a mask is True."""
        return Forms(*(part[which] for part in self))


def draw_vendors(count: int, seed: int, purpose: str = "vendors") -> list[Vendor]:
    """`count` vendors with forms of their own; those of one purpose are the first of any larger number."""
    check_integer("count", count, 1)
    rng = _generator(seed, purpose)
    return [_vendor(rng) for _ in range(count)]


def _generator(seed: int, purpose: str) -> np.random.Generator:
    return np.random.default_rng(seeded_generator(seed, purpose).initial_seed())


def _vendor(rng: np.random.Generator) -> Vendor:
    called = {name: str(rng.choice(words)) for name, words in CALLED.items()}
    if called[SUBTOTAL] == called[TOTAL]:
        called[SUBTOTAL] = "subtotal"
    head = [VENDOR, DATE, NUMBER, "address", str(rng.choice(["phone", "order", "customer"]))]
    last = [part for part in head[1:] if rng.random() < 0.8]
    rng.shuffle(last)
    above = [*last[:1], VENDOR, *last[1:]] if rng.random() < 0.25 else [VENDOR, *last]
    head = [*above, *(part for part in (DATE, NUMBER) if part not in above)]
    return Vendor(
        called, tuple(head), left=rng.uniform(0.02, 0.3), right=rng.uniform(0.6, 0.9), indent=rng.uniform(0.02, 0.5),
        rate=float(rng.choice([0.05, 0.07, 0.1, 0.19, 0.2])), tax_first=rng.random() < 0.25,
        pays=str(rng.choice(["cash", "card", "paid", ""])),
        foot=str(rng.choice(["", "printed", "returns until", "thank you"])),
    )  # fmt: skip


def draw_forms(vendors: Sequence[Vendor], count: int, seed: int, purpose: str, *, simple: bool = False) -> Forms:
    """`count` receipts, each of a vendor drawn at random.

    simple: of a simpler type, which has no subtotal and no tax. purpose: receipts of different purposes are
    independent. Raises a ValueError for no vendor or no receipt.
    """
    check_integer("vendors", len(vendors), 1)
    check_integer("count", count, 1)
    rng = _generator(seed, f"receipts {purpose}")
    return recognized([_receipt(rng, vendors[rng.integers(len(vendors))], simple) for _ in range(count)], rng)


Token = tuple[str, str, float, float, float, str]  # word, shape, x, y, amount, class


def _receipt(rng: np.random.Generator, vendor: Vendor, simple: bool) -> list[Token]:
    tokens: list[Token] = []
    line = 0.5

    def put(words: str, shape: str, x: float, name: str = OTHER, amount: float = 0.0) -> float:
        """Words one after the other; the x after the last."""
        for word in words.split():
            tokens.append((word, shape, x, line / LINES, amount, name))
            x += 0.07 + 0.05 * rng.random()
        return x

    def row(words: str, amount: float, name: str = OTHER) -> None:
        nonlocal line
        put(words, WORD, vendor.left)
        put("?", MONEY, vendor.right, name, amount)
        line += 1

    def unknown(low: int, high: int) -> str:
        return "? " * int(rng.integers(low, high + 1))

    for part in vendor.head:
        if part in (VENDOR, "address"):
            end = put(unknown(1, 2), WORD, vendor.indent, VENDOR if part == VENDOR else OTHER)
            if part == "address":
                put("?", CODE, end)
        else:
            after = put(vendor.called.get(part, part), WORD, vendor.indent)
            known = part in (DATE, NUMBER)
            put("?", DAY if part == DATE else CODE, after, part if known else OTHER)
        line += 1
    line += rng.integers(0, 2)
    prices = rng.integers(99, 6000, size=rng.integers(2, 6))
    for price in prices:
        if rng.random() < 0.3:
            put("?", COUNT, vendor.right - 0.15)
        row(unknown(1, 2), price / 100)
    goods = int(prices.sum())
    tax = 0 if simple else round(vendor.rate * goods)
    if not simple:
        rows = [(SUBTOTAL, goods), (TAX, tax)]
        for name, amount in rows[::-1] if vendor.tax_first else rows:
            row(vendor.called[name], amount / 100, name)
    row(vendor.called[TOTAL], (goods + tax) / 100, TOTAL)
    if vendor.pays:
        given = goods + tax
        if vendor.pays == "cash":
            given = 500 * int(np.ceil((given + 1) / 500))
        row(vendor.pays, given / 100)
        if vendor.pays == "cash":
            row("change", (given - goods - tax) / 100)
    put(vendor.foot, WORD, vendor.left)
    if vendor.foot in ("printed", "returns until"):
        put("?", DAY, vendor.right)
    return sorted(tokens, key=lambda token: (token[3], token[2]))


def recognized(receipts: Sequence[Sequence[Token]], rng: np.random.Generator) -> Forms:
    """Receipts as they are read from images: some words lost, some shapes mistaken, places a little off."""
    word, shape, x, y, amount, name = zip(*(token for tokens in receipts for token in tokens))
    n = len(word)
    lost, mistaken = rng.random(n) < _WORD_LOST, rng.random(n) < _SHAPE_LOST
    there = torch.arange(MOST) < torch.tensor([len(tokens) for tokens in receipts])[:, None]

    def spread(values: object, empty: float = 0, kind: torch.dtype = torch.long) -> Tensor:
        """One value a token, to the places that the tokens have among those of all receipts."""
        values = torch.as_tensor(np.asarray(values)).to(kind)
        return torch.full((*there.shape, *values.shape[1:]), empty, dtype=kind).index_put((there,), values)

    return Forms(
        spread(np.where(lost, UNKNOWN, [WORDS.index(each) for each in word])),
        spread(np.where(mistaken, rng.integers(len(SHAPES), size=n), [SHAPES.index(each) for each in shape])),
        spread(np.stack([x, y], 1) + rng.normal(0, _SHAKE, (n, 2)), kind=torch.float32),
        spread(amount, kind=torch.float32),
        spread([CLASSES.index(each) for each in name], CLASSES.index(OTHER)),
        there,
    )
