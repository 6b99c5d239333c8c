"""Pictures of pretraining and heads: what wrong labels in pretraining cost elsewhere, and which directions are used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nlkit.intervals import Interval
from nlkit.plots.axes import GRID, draw_line, fitted_axis, whole_ticks
from nlkit.plots.figure import PANEL_DPI, PANEL_WIDTH, Figure, picture
from nlkit.plots.places import label_ends
from nlkit.plots.style import REFERENCE, Style, styles_of
from nlkit.plots.words import in_percent_words
from nlkit.records import Recorded

_HEIGHT = 5.0  # inches
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
    """Accuracy by epoch, of pretraining and then of each head; where heads are now on three test sets; their spectra.

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
    ends, told, drawn = [], [], []
    for name, run in runs.items():
        values = [100 * record.numbers["id"] for record in run]
        draw_line(ax, [record.epoch for record in run], values, styles[name], markersize=5)
        ends.append((values[-1], f"{name} {values[-1]:.1f}", styles[name].color))
        told.append(f"{name} {in_percent_words(values[-1] / 100)}")
        drawn += values
        begun = sum("other" not in record.numbers for record in run)
        if 0 < begun < len(run):
            ax.axvline(begun + 0.5, color=REFERENCE, linestyle=":", zorder=0)
    fitted_axis(ax, drawn, "")
    last = max((run[-1].epoch for run in runs.values()), default=2)
    label_ends(ax, [1, max(2, last)], ends)
    whole_ticks(ax.xaxis)
    ax.set(title="accuracy on the same digits, %", ylabel="")
    ax.set_xlabel("epoch; from the dotted line on, of the head", labelpad=1)
    return f"Accuracy on the same digits: {', '.join(told)}." if told else "No run yet."


def _draw_tests(ax, runs: Mapping[str, Sequence[Recorded]], styles: Mapping[str, Style]) -> str:
    """A mark a head on each test set, side by side; in words the same numbers."""
    heads = {name: run[-1].numbers for name, run in runs.items() if "other" in run[-1].numbers}
    drawn, told = [], []
    for place, (name, numbers) in enumerate(heads.items()):
        values = [100 * numbers[test] for test in _TESTS]
        x = [at + 0.18 * (place - (len(heads) - 1) / 2) for at in range(len(_TESTS))]
        draw_line(ax, x, values, styles[name], markersize=8, linestyle="none")
        drawn += values
        told.append(f"{name} {values[1]:.1f} and {values[2]:.1f} %")
    fitted_axis(ax, drawn, "")
    ax.set(title="each head on three tests, %", ylabel="", xlim=(-0.5, len(_TESTS) - 0.5))
    ax.set_xticks(range(len(_TESTS)), [name.replace(" ", "\n") for name in _TESTS.values()])
    return f"On shifted digits and on other writers': {', '.join(told)}." if told else ""


def _draw_spectra(ax, spectra: Mapping[str, Sequence[float]], styles: Mapping[str, Style]) -> str:
    ends, told, longest = [], [], 2
    for name, s in spectra.items():
        draw_line(ax, range(1, len(s) + 1), s, styles[name], markersize=4)
        ends.append((s[-1], name, styles[name].color))
        told.append(f"{name} from {s[0]:.3f} to {s[-1]:.4f}")
        longest = max(longest, len(s))
    ax.set_yscale("log")
    label_ends(ax, [1, longest], ends)
    ax.minorticks_off()
    ax.grid(axis="y", color=GRID, linewidth=0.6)
    ax.set(title="spectrum of features")
    ax.set_xlabel("rank of singular value", labelpad=1)
    return f"Singular values over their sum: {', '.join(told)}." if told else ""
