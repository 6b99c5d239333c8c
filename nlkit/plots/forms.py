"""Pictures of forms: a receipt with what is said of its tokens and how much that counts; and F1 by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nlkit.data.forms import CLASSES, OTHER, SAME_LINE, SHAPES, UNKNOWN, WORDS, Forms
from nlkit.plots.axes import draw_runs, fitted_axis, whole_ticks
from nlkit.plots.figure import PANEL_WIDTH, Figure, panel_figure, picture
from nlkit.plots.places import label_ends
from nlkit.plots.style import KINDS_OF_LABEL, REFERENCE, faded, styles_of, text_color
from nlkit.records import Recorded

_LINE, _HEAD, _CURVES = 0.215, 0.5, 2.7  # inches: a line of a receipt, what stands above it, F1
_PAGE, _MARGIN = 1.9, 3.45  # inches: over which the places of a receipt are spread; where what is said begins
_STANDS_FOR = {"word": "xxxx", "money": "", "date": "00/00/00", "code": "A-0000", "count": "2 ×"}


@picture
def receipts(forms: Forms, which: Sequence[int], names: Sequence[str]) -> Figure:
    """Receipts under each other, as a reader gets them; what is sought is framed, and named at the right.

    which: their places among the forms. names: what stands above each.
    """
    tall = [_HEAD + _LINE * len(_lines(forms, d)) for d in which]
    figure, place = panel_figure(sum(tall))
    told = []
    for at, (d, name) in enumerate(zip(which, names)):
        ax = place(0.05, sum(tall[at + 1 :]), PANEL_WIDTH - 0.1, tall[at])
        ax.set(xlim=(0, PANEL_WIDTH - 0.1), ylim=(tall[at] - _HEAD + 0.1, -_HEAD + 0.1))
        ax.set_axis_off()
        ax.text(0, -0.2, name, fontsize=12)
        for row, tokens in enumerate(_lines(forms, d)):
            called = dict.fromkeys(CLASSES[int(forms.labels[d, n])] for n in tokens)
            for n, x in zip(tokens, _starts(forms, d, tokens)):
                sought = CLASSES[int(forms.labels[d, n])] != OTHER
                frame = {"boxstyle": "square,pad=0.1", "facecolor": "none", "edgecolor": REFERENCE} if sought else None
                ax.text(x, _LINE * (row + 0.5), _word(forms, d, n), fontsize=11, va="center", bbox=frame)
            ax.text(_MARGIN, _LINE * (row + 0.5), ", ".join(name for name in called if name != OTHER), fontsize=11,
                    va="center", color=text_color(KINDS_OF_LABEL["right"].color))  # fmt: skip
        told.append(f"{len(_lines(forms, d))} lines and {int(forms.there[d].sum())} words")
    figure.alt = f"Receipts as a reader gets them, what is sought framed and named: {' and '.join(told)}."
    return figure


@picture
def receipt_and_f1(records: Mapping[str, Sequence[Recorded]], variants: Sequence[str] = ()) -> Figure:
    """A receipt with its weak labels, the wrong ones marked, and their weights; below, F1 by step.

    records: name -> its records so far, as `nlkit.papers.layout_nat_training.Reading` makes them: `shown` has "forms",
    a receipt, and "labels" and "weights" (N,) of its tokens. The receipt is that of the last name. variants: all the
    names that there are, in the order of their colours. A name without a record is left out.
    """
    styles, runs = styles_of(list(records), variants), {name: run for name, run in records.items() if run}
    above, told = 0.0, []
    if runs:
        shown = list(runs.values())[-1][-1].shown
        above = _HEAD + _LINE * len(_lines(shown["forms"], 0))
    height = above + _CURVES
    figure, place = panel_figure(height)
    if runs:
        ax = place(0.05, _CURVES, PANEL_WIDTH - 0.1, above)
        told.append(_draw_receipt(ax, above, list(runs)[-1], shown["forms"], shown["labels"], shown["weights"]))
    ax = place(0.5, 0.5, 3.7, _CURVES - 0.9)
    drawn = draw_runs(ax, runs, styles, "f1", by="step")
    for run in list(runs.values())[-1:]:
        drawn.control(ax, run[-1].numbers["weak_f1"], "weak labels")
    fitted_axis(ax, drawn.values, "")
    label_ends(ax, [0, drawn.last], drawn.ends)
    whole_ticks(ax.xaxis, 5)
    ax.set(title="F1 on new receipts, mean of the six, %", ylabel="")
    ax.set_xlabel("step", labelpad=1)
    told.append(f"F1, mean of six classes: {', '.join(drawn.told)}." if runs else "F1 by step. No run yet.")
    figure.alt = " ".join(told)
    return figure


def _draw_receipt(ax, height: float, name: str, forms: Forms, labels, weights) -> str:
    """A receipt with what is said of each line at its right; in words, how much of it is wrong."""
    width = PANEL_WIDTH - 0.1
    ax.set(xlim=(0, width), ylim=(height - _HEAD + 0.1, -_HEAD + 0.1))
    ax.set_axis_off()
    ax.text(0, -0.25, "a receipt with weak labels", fontsize=12)
    ax.text(_MARGIN, -0.25, f"weights ({name})", fontsize=12)
    wrong = 0
    for row, tokens in enumerate(_lines(forms, 0)):
        y, said = _LINE * (row + 0.5), {}
        for n, start in zip(tokens, _starts(forms, 0, tokens)):
            label, true, weight = CLASSES[int(labels[n])], CLASSES[int(forms.labels[0, n])], float(weights[n])
            kind = "right" if label == true else "wrong"
            wrong += kind == "wrong"
            frame = None
            if kind == "wrong" or true != OTHER:
                look = KINDS_OF_LABEL[kind].color
                frame = {"boxstyle": "square,pad=0.1", "edgecolor": look, "linewidth": 1.6 if kind == "wrong" else 0.8,
                         "facecolor": faded(look, 0.35 * min(1.0, weight))}  # fmt: skip
                said[label, kind] = max(weight, said.get((label, kind), 0.0))
            ax.text(start, y, _word(forms, 0, n), fontsize=11, va="center", bbox=frame)
        x = _MARGIN
        for (words, kind), weight in said.items():
            text = f"{'✗ ' if kind == 'wrong' else ''}{words} {weight:.2f}"
            ax.text(x, y, text, fontsize=11, va="center", color=text_color(KINDS_OF_LABEL[kind].color),
                    weight="bold" if kind == "wrong" else None)  # fmt: skip
            x += 0.1 * len(text) + 0.1
    return f"A receipt of {len(_lines(forms, 0))} lines with its weak labels, of which {wrong} are wrong."


def _lines(forms: Forms, d: int) -> list[list[int]]:
    """The tokens of a receipt line by line."""
    found: list[list[int]] = []
    y, before = forms.at[d, :, 1], -1.0
    for n in forms.there[d].nonzero().flatten().tolist():
        if float(y[n]) - before > SAME_LINE:
            found.append([])
        found[-1].append(n)
        before = float(y[n])
    return found


def _starts(forms: Forms, d: int, tokens: Sequence[int]) -> list[float]:
    """Inches from the left of the tokens of a line: at their places, or later where words would touch."""
    found, after = [], 0.05
    for n in tokens:
        found.append(max(after, 0.05 + _PAGE * float(forms.at[d, n, 0])))
        after = found[-1] + 0.095 * len(_word(forms, d, n)) + 0.09
    return found


def _word(forms: Forms, d: int, n: int) -> str:
    """What a reader gets of a token: its word, its amount, or what stands for its shape."""
    if (word := int(forms.words[d, n])) != UNKNOWN:
        return WORDS[word]
    amount = float(forms.amounts[d, n])
    return f"{amount:.2f}" if amount else _STANDS_FOR[SHAPES[int(forms.shapes[d, n])]] or "xxxx"
