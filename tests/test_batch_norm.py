"""The own tangent of batch norm, against finite differences and against torch's."""

import pytest
import torch
from torch import nn
from torch.autograd import forward_ad
from torch.nn import functional as F

from nlkit.learning.batch_norm import OwnTangents


def maps_and_directions(kind=torch.float64):
    draw = torch.Generator().manual_seed(0)
    shapes = ((6, 3, 4, 5), (3,), (3,))
    values = [torch.rand(shape, generator=draw, dtype=torch.float64).to(kind) for shape in shapes]
    return values, [torch.randn(shape, generator=draw, dtype=torch.float64).to(kind) for shape in shapes]


def normed(x, weight, bias, **options):
    running = torch.zeros(3, dtype=weight.dtype), torch.ones(3, dtype=weight.dtype)
    return F.batch_norm(x, *running, weight, bias, **{"training": True, **options}), running


def with_tangent(values, directions, **options):
    with forward_ad.dual_level():
        dual = [v if d is None else forward_ad.make_dual(v, d) for v, d in zip(values, directions)]
        y, running = normed(*dual, **options)
        return (*forward_ad.unpack_dual(y), running)


@pytest.mark.parametrize("moved", [(0, 1, 2), (0,), (1,), (2,)])
def test_the_tangent_is_the_slope_by_finite_differences(moved):
    values, directions = maps_and_directions()
    directions = [d if i in moved else None for i, d in enumerate(directions)]
    with OwnTangents():
        _, tangent, _ = with_tangent(values, directions)
    ends = [normed(*(v if d is None else v + h * d for v, d in zip(values, directions)))[0] for h in (1e-6, -1e-6)]
    torch.testing.assert_close(tangent, (ends[0] - ends[1]) / 2e-6, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_values_gradients_and_running_statistics_are_torch_s(layout):
    results = []
    for mode in (OwnTangents, torch.no_grad):  # the second: nothing of ours
        values, directions = maps_and_directions()
        values[0] = values[0].contiguous(memory_format=layout)
        values = [v.requires_grad_() for v in values]
        with mode(), torch.enable_grad():
            y, tangent, running = with_tangent(values, directions)
        results.append((y, tangent, *running, *torch.autograd.grad((y**3).sum(), values)))
    for ours, theirs in zip(*results):
        torch.testing.assert_close(ours, theirs)


def test_maps_in_bfloat16_keep_their_type():
    values, directions = maps_and_directions(torch.float32)
    exact = with_tangent(values, directions)[1]
    values[0], directions[0] = values[0].bfloat16(), directions[0].bfloat16()
    with OwnTangents():
        tangent = with_tangent(values, directions)[1]
    assert tangent.dtype == torch.bfloat16
    torch.testing.assert_close(tangent.float(), exact, rtol=0.05, atol=0.1)


def test_other_batch_norms_are_left_to_torch():
    values, directions = maps_and_directions()
    with OwnTangents():
        measured = with_tangent(values, directions, training=False)
    torch.testing.assert_close(measured, with_tangent(values, directions, training=False))
    rows = torch.rand(8, 3)
    with OwnTangents():
        torch.testing.assert_close(nn.BatchNorm1d(3)(rows), nn.BatchNorm1d(3)(rows))
