"""Pictures of pretraining and heads: what wrong labels in pretraining cost elsewhere, and which directions are used."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from nlkit.intervals import Interval
from nlkit.plots.axes import GRID, draw_line, draw_runs, fitted_axis, whole_ticks
from nlkit.plots.figure import PANEL_DPI, PANEL_WIDTH, Figure, picture
from nlkit.plots.places import label_ends
from nlkit.plots.style import REFERENCE, Style, styles_of, text_color
from nlkit.records import Recorded

_HEIGHT = 5.0  # inches
_LEAST = 1e-4  # share of a singular value that is drawn; dead features have next to none
_TESTS = {"id": "same digits", "shifts": "shifted", "other": "other writers"}


@picture
def pretraining_noise(
    ratios: Sequence[float], differences: Mapping[str, Sequence[Interval]], spectra: Mapping[str, Sequence[float]]
) -> Figure:
    """Accuracy less that after pretraining on right labels, by noise ratio; beside it spectra of features.

    differences: name of a test set -> an interval for each of the ratios. spectra: name -> shares s, largest first.
    """
    figure = Figure(figsize=(10, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    styles, x, ends, told = styles_of(list(differences)), [100 * ratio for ratio in ratios], [], []
    for name, found in differences.items():
        low, high, mean = ([100 * getattr(i, part) for i in found] for part in ("low", "high", "mean"))
        left.fill_between(x, low, high, color=styles[name].color, alpha=0.15, linewidth=0)
        draw_line(left, x, mean, styles[name])
        ends.append((mean[-1], name, styles[name].color))
        told.append(f"{name}: " + ", ".join(f"{m:+.1f} at {at:.0f} %" for at, m in zip(x, mean)))
    left.axhline(0, color=REFERENCE, linestyle=":")
    label_ends(left, x, ends)
    left.grid(axis="y", color=GRID, linewidth=0.6)
    left.set(title="accuracy less that at 0 %, points", xlabel="wrong labels in pretraining, %")
    left.set_xticks(x, [f"{at:g}" for at in x])
    told.append(_draw_spectra(right, spectra, styles_of(list(spectra))))
    figure.alt = (
        f"Test accuracy after pretraining on noisy labels less that on right ones, in points: {'; '.join(told)}"
    )
    return figure


@picture
def heads_on_a_body(records: Mapping[str, Sequence[Recorded]], variants: Sequence[str] = ()) -> Figure:
    """Accuracy by epoch, of pretraining and then of each head; how each head does on three test sets; spectra.

    records: name -> its records so far, as `nlkit.papers.nmtune.Transfer` makes them. In the `numbers` of each is "id",
    and once a head learns also "shifts" and "other"; `shown` then has "spectrum". variants: all the names that there
    are, in the order of their colours. A name without a record is left out.
    """
    styles, runs = styles_of(list(records), variants), {name: run for name, run in records.items() if run}
    figure = Figure(figsize=(PANEL_WIDTH, _HEIGHT), dpi=PANEL_DPI)
    top, tests, spectra = (
        figure.add_axes((left / PANEL_WIDTH, bottom / _HEIGHT, wide / PANEL_WIDTH, tall / _HEIGHT))
        for left, bottom, wide, tall in ((0.45, 2.95, 4.2, 1.7), (0.45, 0.5, 2.5, 1.6), (3.65, 0.5, 1.45, 1.6))
    )
    told = [_draw_accuracy(top, runs, styles), _draw_tests(tests, runs, styles)]
    shown: dict[str, Sequence[float]] = {n: r[-1].shown["spectrum"] for n, r in runs.items() if r[-1].shown}  # type: ignore
    told.append(_draw_spectra(spectra, shown, styles))
    figure.alt = " ".join(told)
    return figure


def _draw_accuracy(ax, runs: Mapping[str, Sequence[Recorded]], styles: Mapping[str, Style]) -> str:
    ends, told, drawn, last = draw_runs(ax, runs, styles, "id")
    for run in runs.values():
        begun = sum(_to_come(record) for record in run)
        if 0 < begun < len(run):
            ax.axvline(begun + 0.5, color=REFERENCE, linestyle=":", zorder=0)
    fitted_axis(ax, drawn, "")
    label_ends(ax, [1, last], ends)
    whole_ticks(ax.xaxis)
    ax.set(title="accuracy on the same digits, %", ylabel="")
    ax.set_xlabel("epoch; from the dotted line on, of the head", labelpad=1)
    return f"Accuracy on the same digits: {', '.join(told)}." if told else "No run yet."


def _draw_tests(ax, runs: Mapping[str, Sequence[Recorded]], styles: Mapping[str, Style]) -> str:
    """A row of numbers a head, since half a point would not be seen on an axis that has room for all three tests."""
    heads = {name: run[-1].numbers for name, run in runs.items() if not _to_come(run[-1])}
    ax.set(xlim=(0, 1), ylim=(0, 1), title="test accuracy, %")
    ax.set_axis_off()
    told, places = [], (0.5, 0.76, 1.02)
    for x, words in zip(places, _TESTS.values() if heads else ()):
        ax.text(x, 0.98, words.replace(" ", "\n"), ha="right", va="top", fontsize=11, linespacing=1.1)
    for row, (name, numbers) in enumerate(heads.items()):
        color, y = text_color(styles[name].color), 0.56 - 0.22 * row
        ax.text(-0.1, y, name, color=color)
        for x, test in zip(places, _TESTS):
            ax.text(x, y, f"{100 * numbers[test]:.1f}", color=color, ha="right")
        told.append(f"{name} {100 * numbers['shifts']:.1f} and {100 * numbers['other']:.1f} %")
    return f"On shifted digits and on other writers': {', '.join(told)}." if told else ""


def _draw_spectra(ax, spectra: Mapping[str, Sequence[float]], styles: Mapping[str, Style]) -> str:
    ends, told, longest = [], [], 2
    for name, s in spectra.items():
        draw_line(ax, range(1, len(s) + 1), s, styles[name], markersize=4)
        ends.append((max(s[-1], _LEAST), name, styles[name].color))
        told.append(f"{name} from {s[0]:.3f} to {s[-1]:.4f}")
        longest = max(longest, len(s))
    ax.set_yscale("log")
    ax.set_ylim(bottom=max(_LEAST, ax.get_ylim()[0]))
    label_ends(ax, [1, longest], ends)
    ax.minorticks_off()
    ax.grid(axis="y", color=GRID, linewidth=0.6)
    ax.set(title="spectrum of features")
    ax.set_xlabel("rank of singular value", labelpad=1)
    return f"Singular values over their sum: {', '.join(told)}." if told else ""


def _to_come(record: Recorded) -> bool:
    """Whether the network is still learning, and no head yet."""
    return math.isnan(record.numbers["other"])
