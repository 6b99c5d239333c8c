"""Colours, markers and dashes: one meaning each, the same in every picture.

Blue and orange (Okabe and Ito's) say "right label" and "wrong label" and nothing else. Every method has a hue of its
own that stands out from white (a contrast of 3, as WCAG 2 asks) and from those two; where readers who see fewer colours
may take two hues for one, dashes and markers differ.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import NamedTuple

import matplotlib.colors


class Style(NamedTuple):
    color: str
    marker: str
    line: str | tuple[float, tuple[float, ...]]  # dashes, as matplotlib takes them


_LONG, _DASH_DOT_DOT = (0.0, (9.0, 2.0)), (0.0, (6.0, 1.5, 1.0, 1.5, 1.0, 1.5))
_DASHES = ("-", "--", "-.", ":", _LONG, _DASH_DOT_DOT)

KINDS_OF_LABEL = {
    "right": Style("#0072B2", "o", "-"),
    "wrong": Style("#D55E00", "X", "--"),
    "clean": Style("#009E73", "s", "-."),
}
OF_UNKNOWN_TRUTH = Style("#5E5E5E", "d", ":")  # a label that nobody has verified, beside those that are right or wrong
METHOD_STYLES = {
    "standard": Style("#000000", "o", "-"),
    "early_stopping": Style("#000000", "d", "--"),  # standard training, stopped in time: its hue
    "clean_only": Style("#009E73", "s", "-."),
    "reweight": Style("#CC79A7", "D", "-"),
    "mixup": Style("#C800E6", "v", ":"),
    "mentornet": Style("#9A7D00", "^", "--"),
    "mentormix": Style("#00595E", "P", "-"),
    "co-teaching": Style("#3F6200", "<", ":"),
    "forward": Style("#7A3B10", "p", "-."),
    "gce": Style("#B3005E", "h", ":"),
    "elr": Style("#6A1FA8", "*", "-"),
    "em": Style("#1C1C96", ">", _LONG),
}
KINDS_OF_NOISE = {
    "blue": Style("#8080FF", "o", "-"),
    "red": Style("#C8102E", "X", "--"),
}
FATES = {  # of a wrong label
    "recovered": METHOD_STYLES["mentormix"],
    "memorized": METHOD_STYLES["gce"]._replace(line="--"),
}
REFERENCE = "#767676"  # grey of 4.5:1 contrast on white, for marks that are measured against
_IN_ORDER = ("standard", "mentormix", "reweight", "mentornet", "gce", "elr", "forward", "mixup", "em", "co-teaching",
             "clean_only", "early_stopping")  # fmt: skip
_MORE_MARKERS = "8H1234+xX|_."


def another(style: Style, turn: int = 1) -> Style:
    """The same hue with other dashes, and a marker that no method has: for what is a variation of something."""
    place = list(METHOD_STYLES.values()).index(style) if style in METHOD_STYLES.values() else 0
    marker = _MORE_MARKERS[place % len(_MORE_MARKERS)]
    return Style(style.color, marker, _DASHES[(_DASHES.index(style.line) + 1 + turn) % len(_DASHES)])


_LOOKS = [METHOD_STYLES[name] for name in _IN_ORDER]
_OF_A_HUE = [style for style in _LOOKS if style != METHOD_STYLES["early_stopping"]]  # which has that of another
_LOOKS += [another(style, turn) for turn in (1, 2, 3) for style in _OF_A_HUE]


def method_style(name: str) -> Style:
    """The look of a method or a kind of noise, the same in every picture.

    Methods that papers bring have theirs by their place among `nlkit.METHODS`; a name that is none has one by itself.
    """
    return _own_style(name) or _LOOKS[len(METHOD_STYLES) + zlib.crc32(name.encode()) % len(METHOD_STYLES)]


def _own_style(name: str) -> Style | None:
    from nlkit.papers import METHODS

    of_papers = [method for method in METHODS if method not in METHOD_STYLES]
    if name in of_papers:
        return _LOOKS[2 * len(METHOD_STYLES) + of_papers.index(name) % len(METHOD_STYLES)]
    return METHOD_STYLES.get(name) or KINDS_OF_NOISE.get(name)


def styles_of(names: Sequence[str], variants: Sequence[str] = ()) -> dict[str, Style]:
    """A look for each line of a picture: methods and kinds of noise have their own, the others what is left, in order.

    variants: all the names that there are, where several pictures show some of them each and a name must look alike in
    all of them.
    """
    everything = list(dict.fromkeys([*variants, *names]))
    own = {name: known for name in everything if (known := _own_style(name))}
    free = [style for style in _LOOKS if style not in own.values()]
    others = [name for name in everything if name not in own]
    return own | {name: free[place % len(free)] for place, name in enumerate(others)}


def text_color(color: str) -> str:
    """The colour, darkened until text in it can be read on white (a contrast of 4.5, as WCAG 2 asks)."""
    rgb = matplotlib.colors.to_rgb(color)
    while contrast_on_white(rgb) < 4.5:
        rgb = tuple(0.95 * channel for channel in rgb)
    return matplotlib.colors.to_hex(rgb)


def contrast_on_white(rgb: tuple[float, float, float]) -> float:
    """As WCAG 2 defines it: from 1 for white to 21 for black."""
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb]
    return 1.05 / (0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05)


def faded(color: str, share: float) -> str:
    """The colour mixed with white, of which there is 1 - `share`."""
    return matplotlib.colors.to_hex([1 - share * (1 - channel) for channel in matplotlib.colors.to_rgb(color)])
