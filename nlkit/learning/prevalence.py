"""Accuracy on a test set if more or fewer of its labels were wrong: a straight line for each model.

Northcutt, Athalye, Mueller: Pervasive label errors in test sets destabilize machine learning benchmarks. NeurIPS 2021
Datasets and Benchmarks, arXiv:2103.14749.
"""

from __future__ import annotations


def accuracy_at(prevalence: float, on_wrong: float, on_right: float) -> float:
    """A(N): the accuracy that is to be expected if a share `prevalence` of the test labels is wrong."""
    return prevalence * on_wrong + (1 - prevalence) * on_right


def crossing(first: tuple[float, float], second: tuple[float, float]) -> float | None:
    """N* in [0, 1], where two models (accuracy on wrong, on right labels) change places; None if they do not."""
    lead, other = first[1] - second[1], second[0] - first[0]
    return lead / (lead + other) if lead * other > 0 else None
