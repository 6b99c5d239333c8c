"""Lesson 10: losses as curves, read off the methods, against their formulas and finite differences; and the panel."""

import math

import ipywidgets as widgets
import pytest
import torch
from panels import control, parts, words
from torch import nn

from nlkit import live
from nlkit.learning.learner import Batch, Run
from nlkit.learning.loss_curves import RESTS, loss_curve
from nlkit.lessons.robust_losses import CE, FAMILY, curve, member
from nlkit.papers import build_method
from nlkit.plots.loss_shapes import loss_and_pull

P = torch.tensor([0.01, 0.08, 0.3, 0.55, 0.9], dtype=torch.float64)
REST = (1 - P) / 9
CE_OF_OTHERS = -REST.log()
FORMULAS = {  # of a label's probability P, the rest spread over nine others: loss, and pull
    CE: (-P.log(), 1 - P),
    "MAE": (1 - P, P * (1 - P)),
    "generalized": ((1 - P**0.7) / 0.7, P**0.7 * (1 - P)),
    "symmetric": (-0.01 * P.log() + 4 * (1 - P), 0.01 * (1 - P) + 4 * P * (1 - P)),
    "active+passive": (
        P.log() / (P.log() + 9 * REST.log()) + 10 * math.log(1e4) * (1 - P), None,
    ),
    "soft bootstrap": (-0.95 * P.log() - 0.05 * (P * P.log() + 9 * REST * REST.log()), None),
    "hard bootstrap": (-0.8 * P.log() - 0.2 * torch.maximum(P, REST).log(), None),
    "smoothing": (-0.5 * P.log() - 0.05 * (P.log() + 9 * REST.log()), 0.5 * (1 - P) + 0.5 * (0.1 - P)),
    "forward": (-(0.6 * P + 0.4 / 9 * (1 - P)).log(), None),
    "LDR": (10 * (0.1 + 0.9 * ((CE_OF_OTHERS + P.log()) / -10 + 0.01).exp()).log(), None),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMULAS)
def test_a_curve_is_that_of_the_papers_formula(name):
    found, (losses, pulls) = loss_curve(member(name), P), FORMULAS[name]
    assert found.losses.tolist() == pytest.approx(losses.tolist(), rel=1e-6)
    if pulls is not None:
        assert found.pulls.tolist() == pytest.approx(pulls.tolist(), rel=1e-6)


@pytest.mark.parametrize("rest", RESTS)
@pytest.mark.parametrize("name", FAMILY)
def test_a_pull_is_what_the_loss_falls_by_when_the_score_rises(name, rest):
    """Score f up by h: p becomes p eʰ / (1 - p + p eʰ), and the others keep their shares of the rest."""
    at, h = torch.tensor([0.05, 0.3, 0.6]).double(), 1e-4

    def losses(step: float) -> torch.Tensor:
        lifted = at * math.exp(step)
        return loss_curve(member(name), lifted / (1 - at + lifted), rest=rest).losses

    slope = (losses(h) - losses(-h)) / (2 * h)
    assert loss_curve(member(name), at, rest=rest).pulls.tolist() == pytest.approx((-slope).tolist(), abs=2e-3)


def test_where_the_rest_lies_decides_what_the_network_takes_for_its_favourite():
    """Hard bootstrapping at 0.3: the favourite is the label itself, or the one other class that has 0.63."""
    for rest, favourite in zip(RESTS, (0.3, 0.63)):
        found = loss_curve(member("hard bootstrap"), torch.tensor([0.3]), rest=rest).losses.item()
        assert found == pytest.approx(-0.8 * math.log(0.3) - 0.2 * math.log(favourite), rel=1e-6)


def test_curves_are_scaled_to_a_hardest_pull_of_one_and_the_whole_family_fits_in_a_panel():
    shapes = {name: curve(name) for name in FAMILY}
    assert all(shape.pulls.abs().max().item() == pytest.approx(1.0) for shape in shapes.values())
    assert loss_and_pull(shapes).get_figheight() <= 6.38


def test_smoothing_by_the_negative_rate_is_backward_correction_of_symmetric_noise():
    """Wei et al. 2022: at 40 % of ten classes, labels are smoothed by 4/9, and the rate that undoes it is -0.8."""
    smooth, undone = (curve(name, knob) for name, knob in (("smoothing", -0.8), ("backward", 0.4)))
    assert smooth.pulls.tolist() == pytest.approx(undone.pulls.tolist(), abs=1e-6)
    assert smooth.losses.tolist() == pytest.approx(undone.losses.tolist(), abs=1e-5)


def test_at_the_ends_of_their_knobs_losses_are_others():
    cross = curve(CE)
    assert curve("generalized", 1.0).pulls.tolist() == pytest.approx(curve("MAE").pulls.tolist())
    for name, knob in (
        ("soft bootstrap", 1.0),
        ("hard bootstrap", 1.0),
        ("smoothing", 0.0),
        ("forward", 0.0),
        ("peer loss", 0.0),
    ):
        assert curve(name, knob).pulls.tolist() == pytest.approx(cross.pulls.tolist(), abs=1e-6), name
    assert curve("backward", 0.0).losses.tolist() == pytest.approx(cross.losses.tolist(), abs=1e-6)


@pytest.mark.parametrize("alpha", [0.6, 1.0])
def test_the_curve_of_peer_loss_is_its_own_step_averaged_over_peers(alpha):
    """In a batch with as many of each label; only the images labelled 0 have scores that learn, p for their label."""
    each, peer_loss = 20_000, build_method("peer_loss", {"alpha": alpha})
    labels, nobody = torch.arange(10).repeat_interleave(each), torch.zeros(0, dtype=torch.long)
    images = (labels == 0).float().reshape(-1, 1, 1, 1)
    found = []
    for p in (0.01, 0.3, 0.9):
        network = nn.Linear(1, 10, bias=False)
        network.weight.data = torch.tensor([p, *[(1 - p) / 9] * 9]).log()[:, None]
        model = nn.Sequential(nn.Flatten(), network)
        run = Run(
            model=model, optimizer=torch.optim.SGD(model.parameters(), lr=0.0), clean_images=images[:0],
            clean_labels=nobody, generator=torch.Generator().manual_seed(0), num_classes=10, num_examples=len(labels),
            progress=0.999, steps_done=10**6,
        )  # fmt: skip
        peer_loss.step(run, Batch(torch.arange(len(labels)), images, labels))
        found.append(-10 * network.weight.grad[0, 0].item())
    expected = loss_curve(member("peer loss", alpha), torch.tensor([0.01, 0.3, 0.9])).pulls
    assert found == pytest.approx((expected * (1 - alpha if alpha < 1 else 1)).tolist(), abs=0.02)


def test_what_is_no_curve_is_refused():
    for wrong in (torch.tensor([0.0, 0.5]), torch.tensor([0.5, 1.0]), torch.tensor([[0.5]]), torch.tensor([math.nan])):
        with pytest.raises(ValueError, match="given must be probabilities"):
            loss_curve(member(CE), wrong)
    with pytest.raises(ValueError, match="rest"):
        loss_curve(member(CE), P, rest="gone")
    with pytest.raises(ValueError, match="classes"):
        loss_curve(member(CE), P, classes=1)
    with pytest.raises(ValueError, match="nonsense"):
        live.losses(["nonsense"])


def test_the_panel_draws_what_is_ticked_and_follows_its_slider():
    panel = live.losses(("generalized",), mode="blocking")
    (picture,) = parts(panel, widgets.Image)
    first = picture.value
    assert picture.tooltip.count("where the label is unlikely") == 1 and "least with generalized: 0.03" in words(panel)
    control(panel, "power q").value = 1.0
    assert picture.value != first and "least with generalized: 0.00" in words(panel)
    shown = {"power q"}
    assert {w.description for w in parts(panel, widgets.SelectionSlider) if w.layout.display != "none"} == shown
    control(panel, "forward").value = True
    assert {w.description for w in parts(panel, widgets.SelectionSlider) if w.layout.display != "none"} == {
        *shown, "noise ratio"
    }  # fmt: skip
    assert picture.tooltip.count("where the label is unlikely") == 2
    for name in ("generalized", "forward"):
        control(panel, name).value = name == "forward"
    control(panel, "hard bootstrap").value = True
    told = picture.tooltip
    control(panel, "rest").value = RESTS[1]
    assert picture.tooltip != told
    for name in ("hard bootstrap", "forward"):
        control(panel, name).value = False
    assert "no loss is ticked" in words(panel)
