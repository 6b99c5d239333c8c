"""What MarvelOVD does with boxes that a namer of crops proposes: scores, choice, matching, weights.

The formulas stand in `nlkit.papers.marvelovd`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from nlkit.checks import check_number
from nlkit.learning.boxes import overlaps
from nlkit.learning.detection import BASE, CLASSES, MATCH

BACKGROUND = CLASSES


def novelty(logits: Tensor) -> Tensor:
    """z (…): the detector's probability of any novel class, of logits (…, 11)."""
    return logits.softmax(-1)[..., BASE:CLASSES].sum(-1)


def joint_scores(sure: Tensor, z: Tensor, z_base: Tensor, blend: float, *, largest: bool = True) -> Tensor:
    """s (N, C) = λ s_clip + (1 - λ) z / (largest z of the image, base boxes included).

    sure: s_clip (N, C). z: (N, C) of the candidates, z_base: (N, M) of the base boxes; 0 for what is not there. blend:
    λ in [0, 1]. largest: whether z is divided; otherwise it counts as it is.
    """
    check_number("blend", blend, 0, 1)
    by = torch.cat([z, z_base], 1).amax(1, keepdim=True).clamp(min=1e-9) if largest else 1.0
    return blend * sure + (1 - blend) * z / by


def the_best(scores: Tensor, there: Tensor, count: int) -> Tensor:
    """(N, C) bool: the `count` highest scores of those there, over all images; all if there are fewer."""
    flat = scores.masked_fill(~there, -torch.inf).flatten()
    chosen = torch.zeros_like(flat, dtype=torch.bool)
    chosen[flat.topk(min(count, int(there.sum()))).indices] = True
    return chosen.view_as(there)


def assigned(
    boxes: Tensor, base: Tensor, base_labels: Tensor, pseudo: Tensor, pseudo_labels: Tensor, *, stratified: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Labels (N, R) of proposals (N, R, 4), which of them are a pseudo box's (N, R), and the place of that box (N, R).

    A proposal matches a box if their IoU is a half or more; background if none. base: (N, M, 4), pseudo: (N, C, 4),
    empty where there is none. stratified: a base box goes first; otherwise the larger IoU wins.
    """
    with_base, which_base = overlaps(boxes, base).max(2)
    with_pseudo, which = overlaps(boxes, pseudo).max(2)
    to_base, to_pseudo = with_base >= MATCH, with_pseudo >= MATCH
    if stratified:
        to_pseudo &= ~to_base
    else:
        to_pseudo &= with_pseudo > with_base
    labels = torch.where(to_base, base_labels.gather(1, which_base), BACKGROUND)
    return torch.where(to_pseudo, pseudo_labels.gather(1, which), labels), to_pseudo, which


def weights(to_pseudo: Tensor, scores: Tensor, logits: Tensor, gamma: float) -> Tensor:
    """(N, R): γ (s + 1 - b) / 2 for what matched a pseudo box, by its score s (N, R) and b, the detector's probability
    of background, of logits (N, R, 11); 1 for all others. No gradient passes."""
    check_number("gamma", gamma, 0, above=True)
    b = logits.detach().softmax(-1)[..., BACKGROUND]
    return torch.where(to_pseudo, gamma * (scores + 1 - b) / 2, 1.0)
