"""Citation graphs from files that a reader has: papers are nodes, citations edges, words attributes, fields classes.

The layout is that in which LINQS gave out Cora and CiteSeer (Sen et al.: Collective classification in network data. AI
Magazine 2008): `cora/cora.content` has a line for each paper with its name, a 0 or 1 for each word, and its field;
`cora/cora.cites` has a line for each citation with two names. The folder lies in $NLKIT_DATA or the kit's `data/`.
"""

from __future__ import annotations

import functools
from pathlib import Path

import numpy

from nlkit.checks import DataError, check_choice
from nlkit.data.graphs import Graph
from nlkit.files import data_folders

CITATIONS = ("cora", "citeseer")


def find_citations(name: str) -> Path | None:
    """The folder in which the two files of a citation graph are, or None; the files are not opened."""
    files = (f"{name}.content", f"{name}.cites")
    places = (folder / name for folder in data_folders())
    return next((place for place in places if all((place / file).is_file() for file in files)), None)


def read_citations(name: str, folder: Path | None = None) -> Graph:
    """The graph of one of `CITATIONS`, from the folder that `find_citations` finds or from another one.

    Citations have no direction; one of a paper that is not in the files, or of itself, is left out. Classes are
    numbered in the order of their names. Raises a DataError, which says where was looked, for files that are absent,
    or the line that can't be read.
    """
    check_choice("name", name, CITATIONS)
    found = folder or find_citations(name)
    if found is None:
        looked = " and ".join(str(place / name) for place in data_folders())
        raise DataError(
            f"{name} was not found: looked in {looked} for {name}.content and {name}.cites, as LINQS gives them out; "
            "copy them there, set NLKIT_DATA, or use the digits, which need no download"
        )
    return _read(name, found)


@functools.lru_cache(maxsize=2)
def _read(name: str, folder: Path) -> Graph:
    from scipy.sparse import csr_array

    content = folder / f"{name}.content"
    rows = [line.split() for line in content.read_text(encoding="utf-8").splitlines() if line.strip()]
    for number, row in enumerate(rows, start=1):
        if len(row) != len(rows[0]) or not set(row[1:-1]) <= {"0", "1"}:
            raise DataError(f"{content}, paper {number}: expected a name, {len(rows[0]) - 2} times 0 or 1, and a field")
    places = {row[0]: place for place, row in enumerate(rows)}
    cites = [line.split() for line in (folder / f"{name}.cites").read_text(encoding="utf-8").splitlines()]
    ends = [(places[a], places[b]) for a, b in filter(lambda pair: len(pair) == 2, cites)
            if a in places and b in places and a != b]  # fmt: skip
    if not rows or not ends:
        raise DataError(f"{folder} has {len(rows)} papers and {len(ends)} citations among them: too few for a graph")
    row, column = numpy.array(ends).T
    adjacency = csr_array((numpy.ones(len(ends)), (row, column)), shape=(len(rows), len(rows)))
    adjacency = (adjacency + adjacency.T).astype(bool).astype(float)
    _, classes = numpy.unique([row[-1] for row in rows], return_inverse=True)
    words = numpy.array([row[1:-1] for row in rows], dtype=numpy.float64)
    return Graph(csr_array(adjacency), classes.astype(numpy.int64), words)
