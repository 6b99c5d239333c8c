"""A picture of nodes with an image each: some nodes with the labels they were given, and those they are joined to."""

from __future__ import annotations

from collections.abc import Mapping

import numpy

from nlkit.data.graphs import Graph
from nlkit.plots.figure import PANEL_DPI, PANEL_WIDTH, Figure, picture
from nlkit.plots.style import KINDS_OF_LABEL, text_color

_ROW, _NAME, _ABOVE = 0.55, 1.9, 0.4  # inches: height of a row, width of its words, room for the title


@picture
def nodes_and_neighbours(graph: Graph, given: Mapping[int, int], most: int = 7) -> Figure:
    """A row a node: its label, right or wrong, its image, and the images of up to `most` nodes that it is joined to.

    given: node -> label. Raises a ValueError for a graph without images.
    """
    if graph.images is None:
        raise ValueError("the graph has no images; take one that has, as digit_neighbours makes")
    height = _ROW * len(given) + _ABOVE
    figure = Figure(figsize=(PANEL_WIDTH, height), dpi=PANEL_DPI)
    tall, wide = graph.images.shape[1:]
    sheet = numpy.zeros((len(given) * (tall + 1), (most + 2) * (wide + 1)))
    told, names, colors = [], [], []
    for row, (node, label) in enumerate(given.items()):
        others = graph.adjacency[[node]].indices[:most]
        for place, shown in zip((0, *range(2, most + 2)), (node, *others)):
            top, left = row * (tall + 1), place * (wide + 1)
            sheet[top : top + tall, left : left + wide] = graph.images[shown]
        right, alike = graph.classes[node] == label, (graph.classes[others] == graph.classes[node]).sum()
        names.append(f"labelled {label}" + ("" if right else " ✗"))
        colors.append(text_color(KINDS_OF_LABEL["right" if right else "wrong"].color))
        told.append(f"a {graph.classes[node]} labelled {label}, {alike} of {len(others)} neighbours of its class")
    share = (_NAME / PANEL_WIDTH, 0, 1 - _NAME / PANEL_WIDTH, 1 - _ABOVE / height)
    ax = figure.add_axes(share)
    ax.imshow(sheet, cmap="gray_r", interpolation="nearest", aspect="equal")
    ax.set_title("the node, and some that it is joined to", loc="left")
    ax.set(xticks=[], frame_on=False)
    ax.set_yticks([row * (tall + 1) + tall / 2 for row in range(len(given))], names)
    for name, color in zip(ax.get_yticklabels(), colors):
        name.set_color(color)
    ax.tick_params(length=0)
    figure.alt = f"Nodes and their neighbours: {'; '.join(told)}."
    return figure
