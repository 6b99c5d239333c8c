"""Pictures: tasks and records in, a `Figure` out. No pyplot state, so that notebooks, widgets and tests share them.

Every figure is as wide as the page, has text of at least 11 points, and carries its own alternative text (`.alt`).
Colours are Okabe and Ito's, which colour-blind readers can tell apart; each has a marker or a line style of its own.
"""

from __future__ import annotations

import base64
import functools
import io
import itertools
import textwrap
import zlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import matplotlib
import matplotlib.colors
import matplotlib.figure
import matplotlib.patches
import torch
from torch import Tensor

from nlkit.records import Record, best_record
from nlkit.task import Task


class Style(NamedTuple):
    color: str
    marker: str
    line: str


KINDS_OF_LABEL = {
    "right": Style("#0072B2", "o", "-"),
    "wrong": Style("#D55E00", "X", "--"),
    "clean": Style("#009E73", "s", "-."),
}
_METHODS = {
    "standard": Style("#000000", "o", "-"),
    "clean_only": Style("#009E73", "s", "-."),
    "reweight": Style("#CC79A7", "D", "-"),
    "mixup": Style("#56B4E9", "v", ":"),
    "mentornet": Style("#E69F00", "^", "--"),
    "mentormix": Style("#0072B2", "P", "-"),
}
_SPARE = [
    Style("#D55E00", "X", "-."),
    Style("#56B4E9", "h", "--"),
    Style("#E69F00", "*", ":"),
    Style("#000000", "d", ":"),
]
_END_LABEL = "end of a line"
_REFERENCE = "#767676"  # grey of 4.5:1 contrast on white, for marks that are measured against
_SETTINGS = {
    "font.size": 12,
    "axes.titlesize": 13,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.labelsize": 11,
    "ytick.labelsize": 11,
    "legend.fontsize": 11,
    "figure.dpi": 100,
}


def method_style(method: str) -> Style:
    """Colour, marker and line style of a method, the same in every picture, also for one this file has not heard of."""
    return _METHODS.get(method) or _SPARE[zlib.crc32(method.encode()) % len(_SPARE)]


def text_color(color: str) -> str:
    """The colour, darkened until text in it can be read on white (a contrast of 4.5, as WCAG 2 asks)."""
    rgb = matplotlib.colors.to_rgb(color)
    while _contrast_on_white(rgb) < 4.5:
        rgb = tuple(0.95 * channel for channel in rgb)
    return matplotlib.colors.to_hex(rgb)


def _contrast_on_white(rgb: tuple[float, float, float]) -> float:
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb]
    return 1.05 / (0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05)


class Figure(matplotlib.figure.Figure):
    """A matplotlib figure that shows itself in a notebook without pyplot, with alternative text."""

    alt = ""

    def png(self) -> bytes:
        """The picture as PNG bytes."""
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", pil_kwargs={"compress_level": 6})
        return buffer.getvalue()

    def _repr_mimebundle_(self, include=None, exclude=None):
        data = {"image/png": base64.b64encode(self.png()).decode(), "text/plain": f"Picture: {self.alt}"}
        return data, {"image/png": {"alt": self.alt}}


def _picture(draw):
    """Run a drawing function under the kit's own settings, whatever the reader's matplotlib is set to."""

    @functools.wraps(draw)
    def drawn(*args, **kwargs) -> Figure:
        with matplotlib.rc_context():
            matplotlib.rcdefaults()
            matplotlib.rcParams.update(_SETTINGS)
            figure = draw(*args, **kwargs)
            _spread_labels(figure)
        return figure

    return drawn


@_picture
def labelled_images(task: Task, *, rows: int = 3, columns: int = 10, per_class: bool = True) -> Figure:
    """Noisy examples with their given labels; a wrong one is framed, crossed, and tells its true label.

    per_class: one column a class (of true labels) as long as there are classes; otherwise in the order of the task.
    """
    columns = min(columns, task.num_classes) if per_class else columns
    picks = _picks_by_class(task, rows, columns) if per_class else torch.arange(rows * columns).reshape(rows, columns)
    figure = Figure(figsize=(10, 12.4 / columns * rows + 0.3), layout="constrained")
    _draw_labelled(figure.subplots(), task, picks)
    wrong = int(task.wrong[picks.flatten().to(task.device)].sum())
    figure.supxlabel(
        "above each image: its given label;  ✗ and a frame: it is wrong (true label in brackets)", fontsize=12
    )
    figure.alt = (
        f"{rows} rows of {columns} images from {task.dataset} with their given labels; {wrong} of {picks.numel()} are "
        "wrong, framed in orange and crossed, with the true label in brackets."
    )
    return figure


@_picture
def transition_matrices(matrices: Mapping[str, Tensor], class_names: Sequence[str]) -> Figure:
    """Transition matrices (K, K) side by side under their titles; with their numbers when there are one or two."""
    few = len(matrices) <= 2
    figure = Figure(figsize=(10, 5.1 if few else 11.5 / len(matrices)), layout="constrained")
    panels = figure.subplots(1, len(matrices), squeeze=False)[0]
    for ax, (title, matrix) in zip(panels, matrices.items()):
        _draw_matrix(ax, matrix, class_names, title, numbers=few)
        if ax is not panels[0]:
            ax.set_ylabel("")
    figure.alt = "Heatmaps of T[true, given], the share of each true class that carries each given label. " + "; ".join(
        f"{title}: {matrix.diagonal().mean():.0%} right on average, largest wrong entry {_largest_wrong(matrix):.0%}"
        for title, matrix in matrices.items()
    )
    return figure


@_picture
def lines(
    x: Sequence[float], values: Mapping[str, Sequence[float]], *, xlabel: str, ylabel: str, title: str = ""
) -> Figure:
    """Lines of shares in [0, 1] over x, each named at its end."""
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    ax = figure.subplots()
    ends = []
    for (name, line), style in zip(values.items(), [*KINDS_OF_LABEL.values(), *_SPARE]):
        percent = [100 * v for v in line]
        ax.plot(x, percent, color=style.color, linestyle=style.line, marker=style.marker, markevery=_every(x))
        ends.append((percent[-1], name, style.color))
    _label_ends(ax, x, ends)
    _percent_axis(ax, ylabel)
    lowest = min(min(line) for line in values.values())
    if lowest < 0:
        ax.set_ylim(100 * lowest, 100)
        ax.axhline(0, color=_REFERENCE, linestyle=":")
    ax.set_xlabel(xlabel)
    ax.set_title(title)
    figure.alt = f"{ylabel} by {xlabel}. From first to last: " + "; ".join(
        f"{name}: {line[0]:.0%} to {line[-1]:.0%}" for name, line in values.items()
    )
    return figure


@_picture
def noise_overview(task: Task) -> Figure:
    """A task at a glance, for a slider to drive: images and given labels, the realised matrix, how many of what."""
    figure = Figure(figsize=(10, 4.4), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=[1.7, 1])
    _draw_labelled(left.subplots(), task, _picks_by_class(task, 4, min(7, task.num_classes)))
    matrix_axes, bar = right.subplots(2, 1, height_ratios=[9, 1])
    _draw_matrix(matrix_axes, task.realized_matrix, task.class_names, "realised T[true, given]", numbers=False)
    counts = {"right": int((~task.wrong).sum()), "wrong": int(task.wrong.sum()), "clean": len(task.clean_labels)}
    start, total = 0, sum(counts.values())
    for kind, count in counts.items():
        bar.barh(0, count, left=start, color=KINDS_OF_LABEL[kind].color, edgecolor="white", linewidth=2)
        if count > 0.09 * total:
            bar.text(
                start + count / 2, 0, f"{count:,}\n{kind}", ha="center", va="center", color="white", linespacing=1.0
            )
        start += count
    bar.set(xlim=(0, total), yticks=[], xticks=[])
    bar.spines[:].set_visible(False)
    bar.set_xlabel(", ".join(f"{count:,} {kind}" for kind, count in counts.items()))
    figure.alt = (
        f"{task.noise} noise on {task.dataset}: {counts['right']:,} right labels, {counts['wrong']:,} wrong "
        f"({task.realized_ratio:.1%} of the noisy set), {counts['clean']:,} in the clean set."
    )
    return figure


@_picture
def memorization_curves(history: Sequence[Record], *, title: str = "") -> Figure:
    """One run: test accuracy above, and below it what becomes of the wrong labels (memorized or recovered)."""
    _check_history(history)
    figure = Figure(figsize=(10, 6.4), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    epochs = [r.epoch for r in history]
    _draw_runs(above, {"test accuracy": [history]}, {"test accuracy": Style("#000000", "o", "-")}, "test_accuracy")
    right, wrong = KINDS_OF_LABEL["right"], KINDS_OF_LABEL["wrong"]
    lines = {"recovered\n(predicted as the true class)": ("recovered", right),
             "memorized\n(predicted as the wrong label)": ("memorized", wrong)}  # fmt: skip
    ends = []
    for label, (name, style) in lines.items():
        values = [100 * getattr(r, name) for r in history]
        below.plot(
            epochs, values, color=style.color, linestyle=style.line, marker=style.marker, markevery=_every(epochs)
        )
        ends.append((values[-1], label, style.color))
    _label_ends(below, epochs, ends)
    _percent_axis(below, "share of wrong labels")
    below.set_xlabel("epoch")
    above.set_title(title or "test accuracy, and what the network makes of the wrong labels")
    best = best_record(history)
    figure.alt = (
        f"Test accuracy peaks at {best.test_accuracy:.1%} in epoch {best.epoch} and ends at "
        f"{history[-1].test_accuracy:.1%}. At the end {history[-1].memorized:.0%} of the wrong labels are memorized, "
        f"{history[-1].recovered:.0%} recovered."
    )
    return figure


@_picture
def compare_methods(
    histories: Mapping[str, Sequence[Sequence[Record]]],
    *,
    quantity: str = "test_accuracy",
    references: Mapping[str, float] | None = None,
    title: str = "",
) -> Figure:
    """Several methods, each with one run or more (seeds): the mean as a line, lowest to highest as a band.

    histories: method name (see `nlkit.METHODS`) -> runs, each a sequence of records of the same length.
    quantity: a field of `Record` in [0, 1].
    references: levels in [0, 1] to draw as grey lines, such as {"chance": 0.1}.
    """
    figure = Figure(figsize=(10, 4.6), layout="constrained")
    ax = figure.subplots()
    _draw_runs(ax, histories, {name: method_style(name) for name in histories}, quantity, references)
    ax.set_xlabel("epoch")
    ax.set_title(title)
    finals = {m: sum(getattr(run[-1], quantity) for run in runs) / len(runs) for m, runs in histories.items()}
    figure.alt = f"{quantity.replace('_', ' ')} by epoch. At the end: " + ", ".join(
        f"{name.replace('_', ' ')} {value:.1%}" for name, value in finals.items()
    )
    return figure


@_picture
def by_ratio(histories: Mapping[float, Sequence[Record]], *, title: str = "") -> Figure:
    """Best and final test accuracy of one run a noise ratio, and the gap between them."""
    figure = Figure(figsize=(10, 4.4), layout="constrained")
    ax = figure.subplots()
    ratios = sorted(histories)
    best = [100 * best_record(histories[r]).test_accuracy for r in ratios]
    final = [100 * histories[r][-1].test_accuracy for r in ratios]
    x = [100 * r for r in ratios]
    ax.fill_between(x, final, best, color="#D55E00", alpha=0.15, linewidth=0)
    ax.plot(x, best, color="#0072B2", marker="o", linestyle="-")
    ax.plot(x, final, color="#D55E00", marker="X", linestyle="--")
    for at, top, bottom in zip(x, best, final):
        if top - bottom >= 0.5:
            ax.annotate(
                f"−{top - bottom:.0f}", (at, (top + bottom) / 2), xytext=(7, 0), textcoords="offset points", va="center"
            )
    _label_ends(ax, x, [(best[-1], "best epoch", "#0072B2"), (final[-1], "last epoch", "#D55E00")])
    _percent_axis(ax, "test accuracy")
    ax.set_xticks(x, [f"{v:.0f} %" for v in x])
    ax.set_xlabel("noise ratio")
    ax.set_title(title)
    figure.alt = "Test accuracy, best and final, by noise ratio: " + "; ".join(
        f"{r:.0%}: {b:.0f} and {f:.0f} %" for r, b, f in zip(ratios, best, final)
    )
    return figure


@_picture
def predictions_over_time(task: Task, picks: Sequence[int], predicted: Mapping[str, Tensor]) -> Figure:
    """A row of noisy examples, and under each what the network said about it at several times.

    picks: places in the noisy set. predicted: a time in words -> predicted classes (N,) of the noisy set.
    """
    picks = torch.as_tensor(picks)
    figure = Figure(figsize=(10, 1.9 + 0.3 * len(predicted)), layout="constrained")
    ax = figure.subplots()
    _draw_labelled(ax, task, picks[None])
    height, width = task.images.shape[-2:]
    for row, (time, classes) in enumerate(predicted.items()):
        y = height * (1.15 + 0.3 * row)
        ax.text(-0.1 * width, y, time, ha="right", va="center")
        for column, pick in enumerate(picks.tolist()):
            said = int(classes[pick])
            kind = "right" if said == task.true[pick] else "wrong" if said == task.given[pick] else None
            text = task.class_names[said] + {"right": " ✓", "wrong": " ✗", None: ""}[kind]
            color = KINDS_OF_LABEL[kind].color if kind else "#333333"
            ax.text((1.12 * column + 0.5) * width, y, text, ha="center", va="center", color=color)
    ax.set_ylim(height * (1.05 + 0.3 * len(predicted)), -0.34 * height)
    ax.set_xlim(-1.5 * width, len(picks) * 1.12 * width)
    true, given = task.true.cpu()[picks], task.given.cpu()[picks]
    told = [
        f"{time}: {int((said == true).sum())} predicted as the true class, {int((said == given).sum())} as given"
        for time, said in ((time, classes.cpu()[picks]) for time, classes in predicted.items())
    ]
    figure.alt = f"{len(picks)} wrongly labelled images and the network's answers. " + "; ".join(told)
    return figure


@_picture
def weighted_images(task: Task, picks: Tensor, weights: Tensor, *, columns: int = 10) -> Figure:
    """The examples of a batch with the most weight (first row) and with the least (second row).

    picks (B,): places in the noisy set. weights (B,): their weights, shown with 1 as the equal share.
    """
    weights = weights.detach().cpu() * len(weights) / weights.sum().clamp(min=1e-30).cpu()
    order = weights.argsort(descending=True, stable=True)
    shown = torch.stack([order[:columns], order[-columns:]])
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    ax = figure.subplots()
    _draw_labelled(ax, task, picks.cpu()[shown])
    height, width = task.images.shape[-2:]
    for (row, column), place in zip(itertools.product(range(2), range(columns)), shown.flatten().tolist()):
        corner = (1.12 * column + 0.96) * width, (1.36 * row + 0.96) * height
        box = {"facecolor": "white", "alpha": 0.85, "pad": 1, "linewidth": 0}
        ax.text(*corner, f"{weights[place]:.1f}", ha="right", va="bottom", bbox=box)
    figure.supxlabel(
        "in the corner: the weight, 1 being an equal share;  first row: most,  second row: least", fontsize=12
    )
    wrong = [int(task.wrong[picks[row].to(task.device)].sum()) for row in shown]
    figure.alt = (
        f"The {columns} images of a batch with the most weight, {wrong[0]} of them wrongly labelled, and the {columns} "
        f"with the least, {wrong[1]} of them wrongly labelled."
    )
    return figure


@_picture
def weights_part(history: Sequence[Record], task: Task, *, epochs: Sequence[int] | None = None) -> Figure:
    """How a method's weights of right and wrong labels part: histograms at a few epochs, and the share by epoch.

    A weight of 1 is an example's equal share. epochs: which to show as histograms; the first, a middle one and the last
    unless given.
    """
    _check_history(history)
    if history[0].example_weights is None:
        raise ValueError(
            "history has no example weights; take a run of a method that weighs examples, such as 'reweight'"
        )
    chosen = list(epochs or sorted({1, (len(history) + 1) // 2, len(history)}))
    figure = Figure(figsize=(10, 6.6), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=[1, 1.05])
    wrong = task.wrong.cpu()
    edges = torch.linspace(0, 5, 21)
    panels = above.subplots(1, len(chosen), sharey=True, squeeze=False)[0]
    for ax, epoch in zip(panels, chosen):
        weights = history[epoch - 1].example_weights.clamp(max=4.99)
        for kind, mask in (("right", ~wrong), ("wrong", wrong)):
            style = KINDS_OF_LABEL[kind]
            share = 100 * torch.histogram(weights[mask], edges).hist / mask.sum()
            ax.stairs(share.tolist(), edges.tolist(), color=style.color, linestyle=style.line, linewidth=2.2)
            zero = 100 * (weights[mask] == 0).double().mean().item()
            ax.text(0.97, 0.92 if kind == "right" else 0.76, f"{kind}: {zero:.0f} % at 0", color=style.color,
                    transform=ax.transAxes, ha="right", va="top", fontsize=12)  # fmt: skip
        ax.set_title(f"epoch {epoch}")
        ax.set_xlabel("weight (1 = equal share)")
        ax.set_xticks(range(6), ["0", "1", "2", "3", "4", "5+"])
    panels[0].set_ylabel("% of their kind")
    ax = below.subplots()
    x = [r.epoch for r in history]
    style = KINDS_OF_LABEL["right"]
    shares = [100 * r.extra["weight_on_right"] for r in history]
    ax.plot(x, shares, color=style.color, marker=style.marker, markevery=_every(x))
    equal = 100 * (1 - task.realized_ratio)
    ax.axhline(equal, color=_REFERENCE, linestyle=":")
    _label_ends(ax, x, [(shares[-1], f"{shares[-1]:.0f} % of the weight\non right labels", style.color),
                        (equal, f"{equal:.0f} %: equal weights", _REFERENCE)])  # fmt: skip
    _percent_axis(ax, "weight on right labels")
    ax.set_xlabel("epoch")
    figure.alt = (
        f"Weights by label: {equal:.0f} % of the labels are right; they carry {shares[0]:.0f} % of the "
        f"weight in the first epoch and {shares[-1]:.0f} % in the last."
    )
    return figure


def image_array(task: Task, images: Tensor) -> Tensor:
    """Normalised images (…, C, H, W) as they are seen: (…, H, W, C) in [0, 1]."""
    mean, std = (torch.tensor(v).view(-1, 1, 1) for v in (task.mean, task.std))
    return (images.cpu() * std + mean).clamp(0, 1).movedim(-3, -1)


def _draw_labelled(ax, task: Task, picks: Tensor) -> None:
    """Images in one axes, (rows, columns) places of noisy examples: many small axes would be slow for a slider."""
    height, width = task.images.shape[-2:]
    step_x, step_y = 1.12 * width, 1.36 * height  # the room above each image is for its label
    for (row, column), pick in zip(itertools.product(*map(range, picks.shape)), picks.flatten().tolist()):
        left, top = column * step_x, row * step_y
        wrong = bool(task.wrong[pick])
        color = KINDS_OF_LABEL["wrong" if wrong else "right"].color
        pixels = image_array(task, task.images[pick]).numpy()
        ax.imshow(pixels, cmap="gray_r", vmin=0, vmax=1, extent=(left, left + width, top + height, top))
        ax.add_patch(matplotlib.patches.Rectangle(
            (left, top), width, height, fill=False, edgecolor=color if wrong else "#BBBBBB", linewidth=3 if wrong else 1
        ))  # fmt: skip
        name, true = task.class_names[int(task.given[pick])], int(task.true[pick])
        true_name = task.class_names[true] if true >= 0 else "none"
        ax.text(left + width / 2, top - 0.04 * height, f"✗ {name} ({true_name})" if wrong else name, color=color,
                ha="center", va="bottom", fontsize=13 if len(name) < 4 else 11)  # fmt: skip
    ax.set(xlim=(-2, picks.shape[1] * step_x), ylim=(picks.shape[0] * step_y - 0.3 * height, -0.34 * height))
    ax.axis("off")


def _picks_by_class(task: Task, rows: int, columns: int) -> Tensor:
    """(rows, columns) places of noisy examples: each column from one true class, the same images at every ratio."""
    labels = task.true_labels.where(task.true_labels >= 0, task.given_labels).cpu()
    places = [(labels == c).nonzero().flatten() for c in range(columns)]
    spread = [p[torch.linspace(0, len(p) - 1, rows).long()] for p in places]
    return torch.stack(spread, dim=1)


def _draw_matrix(ax, matrix: Tensor, names: Sequence[str], title: str, numbers: bool = True) -> None:
    percent = 100 * matrix
    ax.imshow(percent.numpy(), cmap="Blues", vmin=0, vmax=100)
    short = [textwrap.shorten(n, 6, placeholder="…") if len(n) > 6 else n for n in names]
    ax.set_xticks(range(len(names)), short, rotation=0 if max(map(len, names)) < 4 else 60)
    ax.set_yticks(range(len(names)), short)
    ax.set(xlabel="given label", ylabel="true label")
    ax.set_title(f"{title}, %")
    ax.spines[:].set_visible(False)
    if numbers:
        for i, j in itertools.product(range(len(names)), repeat=2):
            value = percent[i, j].item()
            if value >= 0.5:
                ax.text(j, i, f"{value:.0f}", ha="center", va="center", color="white" if value > 55 else "black")


def _largest_wrong(matrix: Tensor) -> float:
    return (matrix - matrix.diagonal().diag()).max().item()


def _draw_runs(ax, histories, styles, quantity, references=None) -> None:
    ends, last = [], 1
    for name, runs in histories.items():
        for run in runs:
            _check_history(run)
        style = styles[name]
        x = [r.epoch for r in runs[0]]
        values = torch.tensor([[100 * getattr(r, quantity) for r in run] for run in runs])
        mean = values.mean(0).tolist()
        if len(runs) > 1:
            ax.fill_between(
                x, values.amin(0).tolist(), values.amax(0).tolist(), color=style.color, alpha=0.15, linewidth=0
            )
        ax.plot(
            x, mean, color=style.color, linestyle=style.line, marker=style.marker, markevery=_every(x), markersize=6
        )
        top = max(range(len(mean)), key=mean.__getitem__)
        if mean[top] - mean[-1] > 1:
            ax.plot(x[top], mean[top], marker="*", markersize=15, color=style.color, markeredgecolor="white")
            ax.annotate(f"best {mean[top]:.1f}", (x[top], mean[top]), xytext=(4, 9), textcoords="offset points",
                        color=style.color)  # fmt: skip
        ends.append((mean[-1], f"{name.replace('_', ' ')} {mean[-1]:.1f}", style.color))
        last = max(last, x[-1])
    for name, level in (references or {}).items():
        ax.axhline(100 * level, color=_REFERENCE, linestyle=":")
        ends.append((100 * level, f"{name} {100 * level:.0f}", _REFERENCE))
    _label_ends(ax, [1, last], ends)
    _percent_axis(ax, quantity.replace("_", " "))


def _percent_axis(ax, label: str) -> None:
    ax.set(ylim=(0, 100), ylabel=f"{label}, %")
    ax.grid(axis="y", color="#DDDDDD", linewidth=0.6)
    ax.set_axisbelow(True)


def _label_ends(ax, x, ends: Sequence[tuple[float, str, str]]) -> None:
    """Name lines at their right ends: (value, text, colour) each. `_spread_labels` keeps the names apart."""
    for value, text, color in ends:
        place = {"xycoords": ("axes fraction", "data"), "va": "center", "annotation_clip": False, "linespacing": 1.05}
        ax.annotate(text, (1.01, value), color=text_color(color), **place).set_gid(_END_LABEL)
    margin = 0.02 * (x[-1] - x[0]) or 1
    ax.set_xlim(x[0] - margin, x[-1] + margin)


def _spread_labels(figure) -> None:
    """Move the names at the ends of lines apart, once the layout has told how high the axes are."""
    figure.draw_without_rendering()
    for ax in figure.axes:
        labels = sorted((t for t in ax.texts if t.get_gid() == _END_LABEL), key=lambda t: t.xy[1])
        low, high = ax.get_ylim()
        unit = (high - low) / ax.bbox.height  # of the y axis, in one pixel
        bottom = low
        for label in labels:
            rows = label.get_text().count("\n") + 1
            half = unit * rows * label.get_fontsize() * 1.25 * figure.dpi / 72 / 2
            y = max(label.xy[1], bottom + half)
            label.set_position((label.xy[0], y))
            bottom = y + half


def _every(epochs: Sequence[int]) -> int:
    return max(1, len(epochs) // 10)


def _check_history(history: Sequence[Record]) -> None:
    if not history:
        raise ValueError("history is empty; train for an epoch first")
