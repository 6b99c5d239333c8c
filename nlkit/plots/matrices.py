"""Pictures of transition matrices, one or several beside each other."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import matplotlib.colors
import matplotlib.ticker
import torch
from torch import Tensor

from nlkit.noise.matrices import matrix_error
from nlkit.plots.axes import class_ticks
from nlkit.plots.figure import Figure, picture
from nlkit.plots.style import contrast_on_white
from nlkit.plots.words import in_percent_words, rounded_to_whole, short_name

_MOST_DECIMALS = 10  # classes: beyond, a number with a decimal is wider than its cell
_MOST_NUMBERED = 13  # classes: beyond, a number is wider than its cell


@picture
def transition_matrices(
    matrices: Mapping[str, Tensor], class_names: Sequence[str], *, enlarged: int | None = None
) -> Figure:
    """Transition matrices (K, K) side by side under their titles, in one scale of colours.

    Up to two have their numbers, as far as there is room; the printed numbers of a row sum to what the row does, 100.
    Of more than two, one row of each is drawn below, enlarged and with its numbers: that of class `enlarged`, or the
    one in which they differ most. Raises a ValueError for a matrix that is None, as that of labels whose truth is
    not known.
    """
    if not matrices:
        raise ValueError("matrices is empty; hand in at least one")
    for title, matrix in matrices.items():
        if matrix is None or tuple(matrix.shape) != (len(class_names), len(class_names)):
            found = "None: how labels go wrong is not known" if matrix is None else f"of shape {tuple(matrix.shape)}"
            raise ValueError(f"matrices has {title!r}, which is {found}; it must be ({len(class_names)}, …)")
    few, count = len(matrices) <= 2, len(matrices)
    figure = Figure(figsize=(10, 5.9 if few else 2.0 + 8.8 / count), layout="constrained")
    grid = figure.subplots(1 if few else 2, count, squeeze=False, height_ratios=[1] if few else [4.4 * 2 / count, 1.4])
    room, norm = (3.3 if few else 6.6 / count), colors_of_percent(max(largest(m) for m in matrices.values()))
    for ax, (title, matrix) in zip(grid[0], matrices.items()):
        numbers = few and len(class_names) <= _MOST_NUMBERED
        draw_matrix(ax, matrix, class_names, title, norm=norm, numbers=numbers, room=room)
        if ax is not grid[0, 0]:
            ax.set_ylabel("")
    if few and len(class_names) <= _MOST_NUMBERED:
        figure.supxlabel("numbers are rounded so that those of a row sum to 100", fontsize=12)
    else:
        figure.colorbar(grid[0, 0].images[0], ax=grid[0].tolist(), fraction=0.03, pad=0.01, format="%g %%")
    if not few:
        row = _most_telling(matrices.values()) if enlarged is None else enlarged
        _draw_rows(grid[1], matrices.values(), class_names, row, room)
    figure.alt = "Heatmaps of T[true, given], the share of each true class that carries each given label. " + "; ".join(
        f"{title}: {in_percent_words(matrix.diagonal().nanmean().item(), 0)} right on average, largest wrong entry "
        f"{_largest_wrong(matrix):.0%}"
        for title, matrix in matrices.items()
    )
    return figure


@picture
def estimated_matrix(estimated: Tensor, true: Tensor, class_names: Sequence[str], *, title: str = "") -> Figure:
    """A transition matrix (K, K) as it was estimated, the true one, and what the estimate has too much or too little.

    Raises a ValueError for matrices of other shapes. The error in the title is the mean of a row's absolute differences
    summed, from 0 to 2: twice the share of labels that the estimate puts in the wrong place.
    """
    for name, matrix in (("estimated", estimated), ("true", true)):
        if tuple(matrix.shape) != (len(class_names), len(class_names)):
            raise ValueError(f"{name} is of shape {tuple(matrix.shape)}; it must be ({len(class_names)}, …)")
    figure = Figure(figsize=(10, 4.0), layout="constrained")
    axes, norm = figure.subplots(1, 3), colors_of_percent(max(largest(estimated), largest(true)))
    for ax, name, matrix in zip(axes, ("true", "estimated"), (true, estimated)):
        draw_matrix(ax, matrix, class_names, name, norm=norm, numbers=False, room=2.2)
    wrong = (estimated - true).cpu().double()
    far = max(100 * wrong.abs().nan_to_num(0).max().item(), 1)
    axes[2].imshow((100 * wrong).numpy(), cmap="PRGn", vmin=-far, vmax=far)
    class_ticks(axes[2], "xy", class_names, 2.2)
    axes[2].set(title="estimated − true, points", xlabel="given label")
    axes[2].spines[:].set_visible(False)
    axes[1].set_ylabel("")
    for ax, shown in ((axes[1], axes[1].images[0]), (axes[2], axes[2].images[0])):
        ticks = matplotlib.ticker.MaxNLocator(5, steps=[1, 2, 5, 10])
        figure.colorbar(shown, ax=ax, fraction=0.05, ticks=ticks, format=matplotlib.ticker.ScalarFormatter())
    error = matrix_error(estimated.cpu().double(), true.cpu().double())
    figure.suptitle(f"{title + ': ' if title else ''}error {error:.2f}", x=0.01, ha="left")
    worst = divmod(int(wrong.abs().nan_to_num(0).argmax()), len(class_names))
    figure.alt = (
        f"Heatmaps of an estimated transition matrix, of the true one, and of their difference. Mean over classes of "
        f"the summed absolute differences: {error:.2f}. The largest is at true {class_names[worst[0]]}, given "
        f"{class_names[worst[1]]}: estimated {estimated[worst]:.1%}, true {true[worst]:.1%}."
    )
    return figure


def draw_matrix(
    ax, matrix: Tensor, names: Sequence[str], title: str, *, norm, numbers: bool, room: float, every: int = 1
) -> None:
    """norm: from percentages to colours. room: inches of a side, for the names of the classes."""
    percent = (100 * matrix).cpu().double()
    ax.imshow(percent.numpy(), cmap="Greys", norm=norm)
    class_ticks(ax, "xy", names, room, every)
    ax.set(xlabel="given label", ylabel="true label")
    ax.set_title(f"{title}, %")
    ax.spines[:].set_visible(False)
    if not numbers:
        return
    greys, digits = ax.images[0].get_cmap(), 1 if len(names) <= _MOST_DECIMALS else 0
    for i, row in enumerate(percent.tolist()):
        if any(map(math.isnan, row)):
            continue
        for j, printed in enumerate(rounded_to_whole(row, digits)):
            if printed:
                dark = contrast_on_white(greys(norm(row[j]))[:3]) >= 4.5
                text = f"{printed:.{digits}f}".removesuffix(".0") if printed == 100 else f"{printed:.{digits}f}"
                ax.text(j, i, text, ha="center", va="center", fontsize=11, color="white" if dark else "black")


def _draw_rows(axes, matrices: Iterable[Tensor], names: Sequence[str], row: int, room: float) -> None:
    """One row of each matrix as bars, with the numbers of the two highest."""
    shares = [(100 * matrix[row]).cpu().double().nan_to_num(0).tolist() for matrix in matrices]
    highest = max(max(share) for share in shares)
    for ax, share in zip(axes, shares):
        ax.bar(range(len(share)), share, color="#6B7B8C", width=0.8)
        first, second = sorted(range(len(share)), key=lambda c: -share[c])[:2]
        touch = abs(first - second) * room / len(share) < 0.45 and share[first] - share[second] < 0.25 * highest
        for c in (first,) if touch or share[second] < 0.05 else (first, second):
            ax.text(c, share[c] + 0.02 * highest, f"{share[c]:.1f}", ha="center", va="bottom", fontsize=11)
        class_ticks(ax, "x", names, room)
        ax.set(ylim=(0, 1.3 * max(highest, 1)), xlabel="given label")
        ax.set_xlim(-max(0.6, 0.25 * len(share) / room), len(share) - 0.4)  # the number over the first bar is no wider
        ax.set_yticks([0, 50])
        if ax is not axes[0]:
            ax.tick_params(labelleft=False)
    axes[0].set_ylabel(f"true {short_name(names[row])}, %")


def colors_of_percent(largest: float) -> matplotlib.colors.Normalize:
    """From percentages to the scale of colours: up to the largest entry, and small ones told apart."""
    return matplotlib.colors.PowerNorm(0.5, 0, max(largest, 1))


def largest(matrix: Tensor) -> float:
    return 100 * matrix.nan_to_num(0).max().item()


def _largest_wrong(matrix: Tensor) -> float:
    return (matrix - matrix.diagonal().diag()).nan_to_num(0).max().item()


def _most_telling(matrices: Iterable[Tensor]) -> int:
    """The row in which the matrices differ most from each other."""
    rows = torch.stack([matrix.cpu().double().nan_to_num(0) for matrix in matrices])
    return int((rows.amax(0) - rows.amin(0)).sum(1).argmax())
