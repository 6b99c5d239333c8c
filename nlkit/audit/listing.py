"""The CSV that can be acted on: one line an example, the most suspicious first."""

from __future__ import annotations

import csv
import io

import numpy as np

from nlkit.audit import evidence
from nlkit.audit.audit import Audit

MOST = 100_000  # lines: beyond, nobody looks


def as_csv(found: Audit) -> str:
    """Rank, id, given label, suggested label, suspicion, an empty column for the verdict, and the rank of each kind.

    All examples that are not trusted have a line, up to 100,000. Cut down to id and label, and with a header, it is
    what `--clean` takes.
    """
    ranks = {kind: evidence.ranks(scores) for kind, scores in found.scores.items()}
    names, given = found.collection.class_names, found.collection.given
    others = found.probabilities.copy()
    others[np.arange(len(given)), given] = -1
    suggested = others.argmax(1)
    order = np.argsort(-found.suspicion, kind="stable")
    order = order[~found.collection.clean[order]][:MOST]
    stream = io.StringIO()
    lines = csv.writer(stream, lineterminator="\n")
    lines.writerow(["rank", "id", "given", "suggested", "suspicion", "verdict", *ranks])
    for rank, place in enumerate(order.tolist(), start=1):
        told = [f"{of[place]:.4f}" if np.isfinite(of[place]) else "" for of in ranks.values()]
        label, other = names[given[place]], names[suggested[place]]
        lines.writerow([rank, found.collection.ids[place], label, other, f"{found.suspicion[place]:.4f}", "", *told])
    return stream.getvalue()
