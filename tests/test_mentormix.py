"""Mixup, MentorNet and MentorMix: each step against a plain-Python rendering on fixed draws, and in expectation."""

import math

import numpy as np
import pytest
import scipy.stats
import torch
from torch.nn import functional as F

from nlkit import build_model, make_task, train
from nlkit.learning.learner import Batch, Run
from nlkit.learning.models import predict
from nlkit.papers.mentormix import MentorMix, favour_the_trusted, sample_partners
from nlkit.papers.mentornet import Mentor, quantile
from nlkit.papers.mixup import draw_beta, mix, soft_cross_entropy
from nlkit.randomness import seeded_generator


def new_run(progress: float, seed: int = 0) -> Run:
    model = build_model("mlp", (1, 4, 4), 3, seed=1).double()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    nothing = torch.empty(0)
    generator, done = seeded_generator(seed, "method"), {"progress": progress, "steps_done": round(10_000 * progress)}
    return Run(model, optimizer, nothing, nothing, generator, 3, 100, steps_an_epoch=100, **done)


def new_batch(size: int = 12) -> Batch:
    generator = torch.Generator().manual_seed(4)
    images = torch.rand(size, 1, 4, 4, generator=generator, dtype=torch.float64)
    return Batch(torch.arange(size), images, torch.arange(size) % 3)


@pytest.mark.parametrize("alpha", [0.3, 1.0, 4.0, 8.0])
def test_lambda_follows_the_beta_distribution_example_by_example(alpha):
    drawn = draw_beta(alpha, 20_000, torch.Generator().manual_seed(0)).numpy()
    assert len(np.unique(drawn)) > 19_000
    assert scipy.stats.kstest(drawn, scipy.stats.beta(alpha, alpha).cdf).pvalue > 1e-3


def test_mixing_and_its_loss_are_the_formula():
    batch = new_batch(3)
    partner, lam = torch.tensor([2, 0, 1]), torch.tensor([0.9, 0.5, 0.0], dtype=torch.float64)
    mixed = mix(batch.images, partner, lam)
    logits = torch.randn(3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    losses = soft_cross_entropy(logits, batch.labels, batch.labels[partner], lam)
    for i, (j, share) in enumerate(zip(partner.tolist(), lam.tolist())):
        for pixel in range(16):
            own, other = batch.images[i].flatten()[pixel].item(), batch.images[j].flatten()[pixel].item()
            assert mixed[i].flatten()[pixel].item() == pytest.approx(share * own + (1 - share) * other)
        target = [0.0, 0.0, 0.0]
        target[int(batch.labels[i])] += share
        target[int(batch.labels[j])] += 1 - share
        row = logits[i].tolist()
        norm = math.log(sum(math.exp(z) for z in row))
        assert losses[i].item() == pytest.approx(-sum(t * (z - norm) for t, z in zip(target, row)))


def test_the_threshold_is_a_moving_percentile_and_each_kind_of_loss_has_its_own():
    mentor, run = Mentor(percentile=0.25, burn_in=0.0), new_run(0.5)
    moving = {"first": None, "second": None}
    generator = torch.Generator().manual_seed(2)
    for step in range(6):
        for name, scale in (("first", 1.0), ("second", 10.0)):
            losses, labels = scale * torch.rand(9, generator=generator, dtype=torch.float64), torch.arange(9) % 3
            percentile = float(np.percentile(losses.numpy(), 25))
            moving[name] = percentile if moving[name] is None else 0.5 * moving[name] + 0.5 * percentile
            weights = mentor.weigh(run, losses, labels, name)
            assert weights.tolist() == [float(loss < moving[name]) for loss in losses.tolist()], step
    assert moving["second"] > 3 * moving["first"]


@pytest.mark.parametrize("share", [0.0, 0.2, 0.37, 0.8, 1.0])
def test_the_quantile_of_a_batch_is_that_of_torch(share):
    values = torch.rand(128, generator=torch.Generator().manual_seed(3))
    assert quantile(values, torch.tensor(share)) == torch.quantile(values, torch.tensor(share))
    assert quantile(values[:1], torch.tensor(share)) == values[0]


def test_by_class_each_class_is_held_against_its_own_moving_percentile():
    mentor, run = Mentor(percentile=0.5, burn_in=0.0, by_class=True), new_run(0.5)
    moving = {}
    generator = torch.Generator().manual_seed(2)
    for step, classes in enumerate(([0, 0, 0, 2], [0, 1, 1, 1, 1], [2, 2, 0, 0, 1, 2])):  # 1 is missing at first
        labels = torch.tensor(classes)
        losses = torch.rand(len(classes), generator=generator, dtype=torch.float64) + 10 * labels
        for c in set(classes):
            percentile = float(np.percentile(losses[labels == c].numpy(), 50))
            moving[c] = 0.5 * moving[c] + 0.5 * percentile if c in moving else percentile
        weights = mentor.weigh(run, losses, labels)
        assert weights.tolist() == [float(ell < moving[c]) for ell, c in zip(losses.tolist(), classes)], step
    assert mentor.state["threshold"].tolist() == pytest.approx([moving[c] for c in range(3)])


def test_everything_counts_during_the_burn_in_and_not_after_it():
    mentor, losses = Mentor(percentile=0.5, burn_in=0.1), torch.arange(10.0)
    labels = torch.zeros(10, dtype=torch.long)
    assert mentor.weigh(new_run(0.0999), losses, labels).tolist() == [1.0] * 10
    assert 0 < mentor.weigh(new_run(0.1), losses, labels).sum() < 10


def test_an_unknown_percentile_is_the_agreement_at_the_end_of_the_burn_in():
    mentor = Mentor(percentile=None, burn_in=0.1)
    logits = F.one_hot(torch.tensor([0, 1, 2, 0]), 3).double()
    followed = None
    for labels in ([0, 1, 2, 0], [0, 1, 0, 1], [1, 2, 0, 1]):
        agreement = sum(a == b for a, b in zip(labels, [0, 1, 2, 0])) / 4
        followed = agreement if followed is None else 0.9 * followed + 0.1 * agreement
        mentor.watch(new_run(0.05), logits, torch.tensor(labels))
    mentor.watch(new_run(0.5), logits, torch.tensor([1, 2, 0, 1]))  # after the burn-in: not looked at
    assert mentor.state["agreement"].item() == pytest.approx(followed)
    losses = torch.rand(50, dtype=torch.float64)
    mentor.weigh(new_run(0.5), losses, torch.zeros(50, dtype=torch.long))
    assert mentor.state["threshold"].item() == pytest.approx(np.percentile(losses.numpy(), 100 * followed))


def test_partners_are_drawn_from_the_softmax_of_the_weights_with_replacement():
    v = torch.tensor([1.0, 0.0, 1.0, 0.0, 0.0], dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    counts = np.zeros(5)
    for _ in range(4000):
        counts += np.bincount(sample_partners(v, generator).numpy(), minlength=5)
    expected = np.exp(v.numpy()) / np.exp(v.numpy()).sum()
    assert scipy.stats.chisquare(counts, 20_000 * expected).pvalue > 1e-3


def test_a_trusted_example_keeps_the_larger_share_and_any_other_the_smaller():
    lam = torch.tensor([0.2, 0.7, 0.2, 0.7])
    assert favour_the_trusted(lam, torch.tensor([1.0, 1.0, 0.0, 0.0])).tolist() == pytest.approx([0.8, 0.7, 0.2, 0.3])


PHASES = [(0.05, [1, 1, 1, 1, 1]), (0.15, [1, 1, 0, 0, 0]), (0.5, [1, 1, 0, 0, 0]), (0.95, [1, 1, 0, 0, 0])]
SLOPE = [1, 1, 0.75, 0.25, 0]


@pytest.mark.parametrize("mentor, phases", [
    ("threshold", PHASES),
    ("soft", [(at, v if at < 0.1 else SLOPE) for at, v in PHASES]),
    ("schedule", [(at, [1] * 5 if at < 0.18 else v if at < 0.9 else SLOPE) for at, v in PHASES]),
])  # fmt: skip
def test_each_mentor_by_hand_at_losses_around_the_threshold_in_each_phase_of_the_training(mentor, phases):
    """The schedule as google/mentornet's `vstar_mentornet_pd` has it, in epochs of a hundred: 18 and 90."""
    losses = torch.tensor([0.0, 1.99, 2.25, 2.75, 3.5], dtype=torch.float64)
    for progress, expected in phases:
        weigh = Mentor(percentile=0.5, burn_in=0.1, kind=mentor)
        weigh.state["threshold"] = 2 * torch.tensor(2.0, dtype=torch.float64) - 2.25  # half of it, and half the median
        weights = weigh.weigh(new_run(progress), losses, torch.zeros(5, dtype=torch.long))
        assert weights.tolist() == pytest.approx(expected), progress


@pytest.mark.parametrize("at, expected", [(0.1799, 1.0), (0.18, 0.0), (0.8999, 0.0), (0.9, 0.5)])
def test_the_schedule_turns_at_18_and_at_90_percent(at, expected):
    weigh = Mentor(percentile=0.0, burn_in=0.1, kind="schedule")
    assert weigh.weigh(new_run(at), torch.tensor([1.0, 1.5]), torch.tensor([0, 0]))[1].item() == expected


@pytest.mark.parametrize("second_weighting", [False, True])
@pytest.mark.parametrize("mentor", ["threshold", "soft"])
def test_the_whole_step_is_the_formula_on_the_same_draws(second_weighting, mentor):
    """Weight, sample, mix, weigh again, in plain loops over the draws that the method itself makes."""
    batch, run, replay = new_batch(), new_run(0.5), new_run(0.5)
    method = MentorMix(percentile=0.5, alpha=2.0, second_weighting=second_weighting, mentor=mentor)
    result = method.step(run, batch)

    def weight(loss: float, threshold: float) -> float:
        return min(1.0, max(0.0, 1 - (loss - threshold))) if mentor == "soft" else float(loss < threshold)

    losses = F.cross_entropy(replay.model(batch.images), batch.labels, reduction="none").tolist()
    threshold = float(np.percentile(losses, 50))
    v = [weight(loss, threshold) for loss in losses]
    assert mentor == "threshold" or any(0 < w < 0.5 or 0.5 < w < 1 for w in v)
    partner = sample_partners(torch.tensor(v, dtype=torch.float64), replay.generator).tolist()
    lam = draw_beta(2.0, len(v), replay.generator).tolist()
    lam = [max(share, 1 - share) if v[i] >= 0.5 else min(share, 1 - share) for i, share in enumerate(lam)]
    mixed = []
    for i, (j, share) in enumerate(zip(partner, lam)):
        image = share * batch.images[i] + (1 - share) * batch.images[j]
        log_p = replay.model(image[None]).log_softmax(1)[0]
        mixed.append(-(share * log_p[batch.labels[i]] + (1 - share) * log_p[batch.labels[j]]))
    if second_weighting:
        second = float(np.percentile([m.item() for m in mixed], 50))
        mixed = [weight(m.item(), second) * m for m in mixed]
    loss = sum(mixed) / len(mixed)
    assert result.loss.item() == pytest.approx(loss.item())
    assert result.weights.tolist() == pytest.approx([w / sum(v) for w in v])
    replay.descend(loss)
    for ours, theirs in zip(run.model.parameters(), replay.model.parameters()):
        torch.testing.assert_close(ours, theirs)


def test_the_step_has_the_expected_loss_of_the_formula():
    """E[ℓ̃_i] = E_λ Σ_j softmax(v)_j ℓ(mix of i and j by λ), by quadrature over λ and a sum over all partners."""
    batch, alpha = new_batch(6), 2.0
    model = new_run(0.5).model
    losses = F.cross_entropy(model(batch.images), batch.labels, reduction="none")
    v = (losses < np.percentile(losses.detach().numpy(), 50)).double()
    nodes = torch.linspace(0, 1, 401, dtype=torch.float64)
    density = torch.from_numpy(scipy.stats.beta(alpha, alpha).pdf(nodes.numpy()))
    expected = 0.0
    with torch.no_grad():
        for i in range(6):
            lam = favour_the_trusted(nodes, v[i].expand(401))
            for j in range(6):
                share = lam.view(-1, 1, 1, 1)
                mixed = share * batch.images[i] + (1 - share) * batch.images[j]
                ell = soft_cross_entropy(model(mixed), batch.labels[i].expand(401), batch.labels[j].expand(401), lam)
                expected += (v.softmax(0)[j] * torch.trapezoid(density * ell, nodes)).item() / 6
    drawn = []
    for seed in range(600):
        run = new_run(0.5, seed)
        drawn.append(MentorMix(percentile=0.5, alpha=alpha).step(run, batch).loss.item())
    assert np.mean(drawn) == pytest.approx(expected, abs=4 * np.std(drawn) / len(drawn) ** 0.5)


def test_options_are_checked():
    task = make_task("mnist5k", ratio=0.4, device="cpu")
    for method, option in (("mixup", {"alpha": 0}), ("mentornet", {"percentile": 1.5}), ("mentormix", {"burn_in": -1})):
        with pytest.raises(ValueError, match=f"{next(iter(option))}="):
            train(task, method, **option)


def test_without_a_burn_in_the_percentile_must_be_given():
    task = make_task("mnist5k", ratio=0.4, device="cpu")
    for method in ("mentornet", "mentormix"):
        with pytest.raises(ValueError, match="burn_in=0.*percentile"):
            train(task, method, burn_in=0)
        next(train(task, method, burn_in=0, percentile=0.6, epochs=1))


@pytest.mark.nightly
def test_the_second_weighting_drops_classes_and_thresholds_by_class_keep_them(mnist5k):
    """At 80 % noise one hard threshold for all leaves few classes that are predicted at all, and a soft one more."""
    task = make_task(mnist5k, ratio=0.8, clean_per_class=0, seed=0, device="cpu")
    classes, accuracy = {}, {}
    for name, option in {"hard": {}, "by class": {"by_class": True}, "soft": {"mentor": "soft"}}.items():
        model = build_model("mlp", (1, 28, 28), 10, seed=0)
        options = {"alpha": 4.0, "second_weighting": True, **option}
        *_, last = train(task, "mentormix", model=model, epochs=25, **options)
        counts = np.bincount(predict(model, task.test_images).numpy(), minlength=10)
        classes[name], accuracy[name] = (counts >= 20).sum(), last.test_accuracy
    assert classes["hard"] <= 4 < classes["soft"] < classes["by class"] == 10
    assert accuracy["by class"] > accuracy["soft"] + 0.1 > accuracy["hard"] + 0.2
