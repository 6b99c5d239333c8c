"""Pictures of a score that is learned: what is expected of an input and what is said of it, and the error by step."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import matplotlib.ticker
import torch
from torch import Tensor

from nlkit.data.petals import expected, inputs
from nlkit.plots.axes import draw_line
from nlkit.plots.figure import Figure, panel_figure, picture
from nlkit.plots.places import label_ends
from nlkit.plots.style import REFERENCE, styles_of
from nlkit.records import Recorded

_AT, _NEAR, _REACH = 0.5, 0.12, 2.6  # share of the horizon that is looked at, how near an example is to it; input
_HEIGHT, _INK = 5.5, "#222222"


@picture
def score_and_error(records: Mapping[str, Sequence[Recorded]], variants: Sequence[str] = ()) -> Figure:
    """Above, at one time, labels by input, what is expected and what each has learned; below, the error by step.

    records: name -> its records so far, as `nlkit.papers.score_estimation.Regression` makes them. variants: all names
    that there are, in the order of their colours. In two dimensions, what is said is drawn over what is expected.
    """
    styles, runs = styles_of(list(records), variants), {name: run for name, run in records.items() if run}
    figure, place = panel_figure(_HEIGHT)
    told = [_draw_learned(place(0.6, 3.05, 3.7, 2.1), runs, styles)] if runs else []
    told.append(_draw_error(place(0.6, 0.5, 3.7, 1.65), runs, styles))
    figure.alt = " ".join(told)
    return figure


@picture
def labels_at_times(drawn: Mapping[float, tuple[Tensor, Tensor]]) -> Figure:
    """Labels by input at several times, and what is expected. drawn: t -> (N, 1) X_t and (N, 1) X₀."""
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    axes, told = figure.subplots(1, len(drawn), sharey=True, squeeze=False)[0], []
    for ax, (t, (x, labels)) in zip(axes, drawn.items()):
        ax.plot(x[:, 0], labels[:, 0], "o", color=REFERENCE, markersize=4, alpha=0.6, label="examples")
        grid = torch.linspace(-_REACH, _REACH, 200, dtype=torch.float64)[:, None]
        ax.plot(grid[:, 0], expected(grid, torch.full_like(grid, t))[:, 0], color=_INK, linewidth=2.5, label="f*")
        off = (labels - expected(x, torch.full_like(x, t))).square().mean() / labels.var()
        ax.set(title=f"t = {t:g}: {100 * off:.0f} % is noise", xlim=(-_REACH, _REACH), xlabel="input $X_t$")
        told.append(f"t = {t:g}: {100 * off:.0f} % of the variance of labels is noise")
    axes[0].set_ylabel("label $X_0$: petal length")
    axes[0].legend(frameon=False, loc="lower right")
    figure.alt = f"Labels by input, and what is expected of an input. {'; '.join(told)}."
    return figure


def _draw_learned(ax, runs, styles) -> str:
    shown = next(iter(runs.values()))[-1].shown
    given, t = shown["examples"], _AT * shown["horizon"]
    if given.labels.shape[1] == 1:
        ends = []
        close = (given.times - t).abs() < _NEAR * shown["horizon"]
        ax.plot(given.z[close, 0], given.labels[close, 0], "o", color=REFERENCE, markersize=4, alpha=0.7, zorder=1)
        x = torch.linspace(-_REACH, _REACH, 200, dtype=torch.float64)[:, None]
        at = torch.full_like(x, t)
        right = expected(x, at)[:, 0]
        ax.plot(x[:, 0], right, color=_INK, linewidth=3.5, alpha=0.35, zorder=2)
        ends.append((right[-1].item(), "f*, expected", _INK))
        for name, run in runs.items():
            said = run[-1].shown["score"](inputs(x, at))[:, 0]
            draw_line(ax, x[:, 0].tolist(), said.tolist(), styles[name], markersize=4, zorder=3)
            ends.append((said[-1].item(), name, styles[name].color))
        ax.set(ylim=(-2.2, 2.2), title=f"label X₀ by input, time t = {t:.3g}")
        ax.set_xlabel("input $X_t$; dots: examples of about that time", labelpad=1)
        label_ends(ax, [-_REACH, _REACH], ends)
        return f"{int(close.sum())} of {len(close)} examples, what is expected of an input at time {t:.3g}, and curves."
    test = shown["test"]
    ax.plot([-_REACH, _REACH], [-_REACH, _REACH], color=_INK, linewidth=3.5, alpha=0.35, label="as expected")
    for name, run in runs.items():
        said = run[-1].shown["score"](test.z[:120])[:, 0]
        ax.plot(test.expected[:120, 0], said, linestyle="", marker=styles[name].marker, color=styles[name].color,
                markersize=4, alpha=0.7, label=name)  # fmt: skip
    ax.set(xlim=(-1.8, 1.8), ylim=(-2.2, 2.2), title="learned, over expected")
    ax.set_xlabel("f*: length that is expected of 120 inputs", labelpad=1)
    ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return "What is said of 120 inputs over what is expected of them."


def _draw_error(ax, runs, styles) -> str:
    ends, told, drawn = [], [], []
    for name, run in runs.items():
        steps, errors = ([record.numbers[number] for record in run] for number in ("step", "error"))
        draw_line(ax, steps, errors, styles[name], markersize=5)
        last = run[-1].numbers
        ends.append((errors[-1], f"{name} {errors[-1]:.3f}", styles[name].color))
        told.append(f"{name} {errors[-1]:.3f}, lowest {last['best']:.3f} at step {last['best_step']:.0f}")
        drawn += errors
        if name != "fresh noise" and not math.isnan(last["at_rule"]):
            ax.plot(last["stop"], last["at_rule"], marker="v", markersize=11, color=styles[name].color,
                    markeredgecolor="white", zorder=4)  # fmt: skip
            told[-1] += f", {last['at_rule']:.3f} at step {last['stop']:.0f}, where the rule stops"
    last_step = max((run[-1].numbers["step"] for run in runs.values()), default=1000.0)
    ax.set(xscale="log", yscale="log", title="error to f* (▼ the rule stops)")
    ax.yaxis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter(matplotlib.ticker.FormatStrFormatter("%g"))
    ax.yaxis.set_minor_formatter(matplotlib.ticker.NullFormatter())
    ax.set_xlabel("step", labelpad=1)
    if runs:
        zero = next(iter(runs.values()))[-1].numbers["zero"]
        ax.axhline(zero, color=REFERENCE, linestyle=":")
        ends.append((zero, f"always 0: {zero:.2f}", REFERENCE))
        low = min(drawn)
        ax.set_ylim(low / 1.5, 1.5 * max([zero, *drawn]))
    label_ends(ax, [1, max(last_step, 10.0)], ends)
    return f"Error by step: {'; '.join(told)}." if told else "Error by step. No run yet."
