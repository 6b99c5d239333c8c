"""Pictures of memorization: which digits are learned by heart, what hangs on them, and what rare points are worth."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import matplotlib.patches
import numpy as np
import torch
from torch import Tensor

from nlkit.plots.axes import draw_line, fitted_axis, whole_ticks
from nlkit.plots.figure import PANEL_DPI, PANEL_WIDTH, Figure, picture
from nlkit.plots.places import label_ends
from nlkit.plots.style import KINDS_OF_LABEL, REFERENCE, faded, styles_of, text_color
from nlkit.records import Recorded

_SIDE, _STEP = 28, 31.5  # pixels of a digit, and from one to the next
_SHOWN, _A_ROW = 9, 4  # digits a row, and pairs


@picture
def what_is_memorized(records: Mapping[str, Sequence[Recorded]], variants: Sequence[str] = ()) -> Figure:
    """Test accuracy by number of models for each way to remove digits; below, the most memorized and influential ones.

    records: name -> its records so far, as `nlkit.papers.long_tail.Digits` makes them; names without any are left out.
    variants: all the names that there are, in the order of their colours. Raises a ValueError where there is no record.
    """
    records = {name: runs for name, runs in records.items() if runs}
    if not records:
        raise ValueError("records has none; there is nothing to draw before the first models have learned")
    figure, styles = Figure(figsize=(PANEL_WIDTH, 5.4), dpi=PANEL_DPI), styles_of(list(records), variants)
    ax, ends, drawn = figure.add_axes((0.13, 0.57, 0.54, 0.36)), [], []
    for name, run in records.items():
        x, y = [r.shown["models"] for r in run], [100 * r.numbers["test_accuracy"] for r in run]
        draw_line(ax, x, y, styles[name], markersize=5)
        ends.append((y[-1], f"{name} {y[-1]:.1f}", styles[name].color))
        drawn += y
    longest = max((run[-1].shown["models"] for run in records.values()), default=1)
    fitted_axis(ax, drawn, "test accuracy")
    label_ends(ax, [0, longest], ends)
    whole_ticks(ax.xaxis, 5)
    ax.set_xlabel("models", labelpad=1)
    ax.set_title("learned without what was removed", fontsize=12)
    last = next(iter(records.values()))[-1].shown
    top = _most_memorized(last, _SHOWN)
    _draw_row(figure.add_axes((0.02, 0.27, 0.96, 0.12)), last, top, [f"{last['mem'][i]:.2f}" for i in top])
    _draw_pairs(figure.add_axes((0.02, 0.045, 0.96, 0.12)), last, _most_influential(last, _A_ROW))
    figure.alt = "; ".join(
        f"{name}: test accuracy {run[-1].numbers['test_accuracy']:.1%} after {run[-1].shown['models']} models"
        for name, run in records.items()
    )
    wrong = int((last["given"] != last["true"])[top].sum())
    figure.alt += f". Of the {len(top)} most memorized digits {wrong} are wrongly labelled. {_told(last, _A_ROW)}"
    return figure


@picture
def memorized_digits(shown: Mapping[str, Tensor], rows: int = 2, pairs: int = 8) -> Figure:
    """The most memorized digits, and pairs of a digit and the test digit on which it has most influence.

    shown: of a record of `nlkit.papers.long_tail.Digits`.
    """
    lines, top, found = -(-pairs // _A_ROW), _most_memorized(shown, rows * _SHOWN), _most_influential(shown, pairs)
    inches = 0.75 + 1.12 * (rows + lines)
    figure, height = Figure(figsize=(8.6, inches)), inches - 0.55
    for row in range(rows + lines):
        titled = row in (0, rows)
        height -= 0.2 if row == rows else 0
        ax = figure.add_axes((0.02, (height - 0.62) / inches, 0.96, 0.62 / inches))
        if row < rows:
            some = top[row * _SHOWN : (row + 1) * _SHOWN]
            _draw_row(ax, shown, some, [f"{shown['mem'][i]:.2f}" for i in some], titled)
        else:
            _draw_pairs(ax, shown, found[_A_ROW * (row - rows) :][:_A_ROW], titled)
        height -= 1.12
    wrong = int((shown["given"] != shown["true"])[top].sum())
    figure.alt = f"The {len(top)} most memorized digits, {wrong} of them wrongly labelled. {_told(shown, pairs)}"
    return figure


@picture
def mass_by_count(worlds: Mapping[str, Mapping[str, object]], *, title: str = "") -> Figure:
    """How much of the test data are points that were seen so often, fitted and refused: one axes a world.

    worlds: name -> "masses" (L,) of points seen 0, 1, … L - 1 times or more, and "least", from how often on a point is
    fitted, as records of `nlkit.data.long_tail.Tail` show them.
    """
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    axes, told = figure.subplots(1, len(worlds), squeeze=False, sharey=True)[0], []
    for ax, (name, world) in zip(axes, worlds.items()):
        masses, least = 100 * np.asarray(world["masses"]), int(world["least"])  # type: ignore[call-overload]
        at = np.arange(len(masses))
        ink = styles_of(["fitted"])["fitted"].color
        ax.bar(at[least:], masses[least:], color=faded(ink, 0.35), edgecolor=ink, label="fitted")
        ax.bar(at[:least], masses[:least], color="white", edgecolor=ink, hatch="///", label="refused, or never seen")
        ax.set_xticks(at, [*map(str, at[:-1]), f"{at[-1]}+"])
        ax.set(xlabel="times seen in training", title=name)
        told.append(
            f"{name}: " + ", ".join(f"{mass:.0f} % seen {k} times" for k, mass in zip(at, masses) if mass >= 0.5)
        )
    axes[0].set_ylabel("share of the test data, %")
    axes[0].legend(frameon=False)
    figure.suptitle(title)
    figure.alt = "Test data by how often their point was seen in training. " + "; ".join(told)
    return figure


def _most_memorized(shown, count: int) -> list[int]:
    return shown["mem"].nan_to_num(-math.inf).argsort(descending=True, stable=True)[:count].tolist()


def _most_influential(shown, count: int) -> list[tuple[int, int]]:
    """The pairs (i, j) of most influence, of each test digit one."""
    strongest, of = shown["influence"].nan_to_num(-math.inf).max(0)
    return [(int(of[j]), j) for j in strongest.argsort(descending=True, stable=True)[:count].tolist()]


def _told(shown, count: int) -> str:
    pairs = [f"a {int(shown['given'][i])} on a test {int(shown['answers'][j])} {float(shown['influence'][i, j]):.2f}"
             for i, j in _most_influential(shown, count)]  # fmt: skip
    return f"Most influence: {', '.join(pairs)}."


def _as_seen(images: Tensor) -> np.ndarray:
    low, high = images.min(), images.max()
    return ((images - low) / (high - low)).reshape(-1, _SIDE, _SIDE).numpy()


def _draw_digits(ax, digits: np.ndarray, places: Sequence[float], width: float, room: float = 0) -> None:
    sheet = np.zeros((_SIDE, math.ceil(width)))
    for digit, left in zip(digits, places):
        sheet[:, round(left) : round(left) + _SIDE] = digit
    ax.imshow(sheet, cmap="gray_r", vmin=0, vmax=1, extent=(0, sheet.shape[1], _SIDE, 0))
    ax.set(xlim=(-1, width + 1), ylim=(_SIDE + 1, -1))
    ax.axis("off")


def _draw_row(ax, shown, top: Sequence[int], words: Sequence[str], titled: bool = True) -> None:
    """Digits with the given label above, and a few words beside it; wrong ones are framed."""
    places = [round(k * 1.42 * _STEP) for k in range(len(top))]
    _draw_digits(ax, _as_seen(shown["images"][top]), places, _SHOWN * 1.42 * _STEP)
    for left, place, word in zip(places, top, words):
        given, true = int(shown["given"][place]), int(shown["true"][place])
        kind = KINDS_OF_LABEL["wrong" if given != true else "right"]
        frame = matplotlib.patches.Rectangle((left, 0), _SIDE, _SIDE, facecolor="none", clip_on=False,
                                             edgecolor=kind.color if given != true else "#BBBBBB")  # fmt: skip
        ax.add_patch(frame)
        label = f"✗ {given} ({true})" if given != true else f"{given}"
        ax.text(left + _SIDE / 2, -3, label, ha="center", va="bottom", fontsize=11, color=text_color(kind.color))
        ax.text(left + _SIDE / 2, _SIDE + 3, word, ha="center", va="top", fontsize=11, color=REFERENCE)
    if titled:
        ax.set_title("most memorized: given label, and mem", fontsize=12, pad=20)


def _draw_pairs(ax, shown, pairs: Sequence[tuple[int, int]], titled: bool = True) -> None:
    """A digit, an arrow, and the test digit that hangs on it."""
    step, gap = _SHOWN * 1.42 * _STEP / _A_ROW, 1.55 * _STEP
    places = [k * step + side for k in range(len(pairs)) for side in (0, gap)]
    both = torch.stack([x for i, j in pairs for x in (shown["images"][i], shown["tested"][j])])
    _draw_digits(ax, _as_seen(both), places, _SHOWN * 1.42 * _STEP)
    for k, (i, j) in enumerate(pairs):
        left = k * step
        ax.annotate("", (left + gap - 2, _SIDE / 2), (left + _SIDE + 2, _SIDE / 2),
                    arrowprops={"arrowstyle": "->", "color": REFERENCE})  # fmt: skip
        kind = KINDS_OF_LABEL["wrong" if shown["given"][i] != shown["true"][i] else "right"]
        ax.text(left + _SIDE / 2, -3, f"{int(shown['given'][i])}", ha="center", va="bottom", fontsize=11,
                color=text_color(kind.color))  # fmt: skip
        ax.text(left + gap + _SIDE / 2, -3, f"test {int(shown['answers'][j])}", ha="center", va="bottom", fontsize=11)
        ax.text(left + (gap + _SIDE) / 2, _SIDE + 3, f"{float(shown['influence'][i, j]):.2f}", ha="center", va="top",
                fontsize=11, color=REFERENCE)  # fmt: skip
    if titled:
        ax.set_title("most influence: a digit, and the test digit that hangs on it", fontsize=12, pad=20)
