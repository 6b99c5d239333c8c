"""Graphs of which a few nodes have a label, some of them wrong."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from nlkit.checks import check_choice
from nlkit.data.citations import CITATIONS, read_citations
from nlkit.data.graphs import Graph, digit_neighbours
from nlkit.learning.frozen import some_of_each
from nlkit.noise.draws import corrupt
from nlkit.noise.matrices import noise_matrix

NEAREST = 5  # neighbours of a digit
GRAPHS = ("digits", *CITATIONS)


class LabelledNodes(NamedTuple):
    """Some nodes of a graph with labels, and the others to test on."""

    graph: Graph
    attributes: Tensor  # (n, d) of float32
    classes: int
    labelled: Tensor  # (m,) nodes
    given: Tensor  # (m,) their labels
    tested: Tensor  # (n - m,) all other nodes


def labelled_nodes(
    data: str = "digits", per_class: int = 20, noise: str = "symmetric", ratio: float = 0.0, *, seed: int = 0
) -> LabelledNodes:
    """One of `GRAPHS`, with a label at `per_class` nodes of each class, of which a share `ratio` is wrong.

    "digits" are scikit-learn's, joined to their 5 nearest by the lower half of the image; a node's attributes are the
    upper half. Labelled nodes of fewer are among those of more, and wrong labels of a lower ratio among those of a
    higher one. Raises a ValueError for unknown names, too many a class, or a ratio that the noise can't have, and a
    DataError for a graph whose files are not found.
    """
    graph = digit_neighbours(NEAREST) if check_choice("data", data, GRAPHS) == "digits" else read_citations(data)
    true = torch.as_tensor(graph.classes)
    classes = int(true.max()) + 1
    labelled = some_of_each(true, per_class, seed=seed)
    given = corrupt(true[labelled], noise_matrix(noise, classes, ratio), seed=seed)
    rest = torch.ones(len(true), dtype=torch.bool)
    rest[labelled] = False
    attributes = torch.as_tensor(graph.attributes, dtype=torch.float32)
    return LabelledNodes(graph, attributes, classes, labelled, given, rest.nonzero().flatten())
