"""Adaptation on what arrives, beside a loop of TENT written out, scipy's entropy and counts by hand."""

import copy

import numpy as np
import pytest
import torch
from made_up import Answers as MadeUp
from scipy import ndimage
from scipy.stats import entropy as scipys_entropy
from torch import nn

from nlkit.data.streams import BATCH, CORRUPTIONS, UNKNOWN, VISIT, corrupted, known_digits, stream
from nlkit.learning.adaptation import adapt, adaptation_loss, by_batch_statistics, entropy, new_network, source_network
from nlkit.papers.open_set_tta import KEPT, PAGE, Arriving, draw, measured, with_the_crowd


def everybody(now, source):
    return torch.ones(len(now), dtype=torch.bool)


@pytest.fixture(scope="module")
def batches():
    return stream(0.5, 0.7, 1).images[3::7]  # (6, 100, 1, 14, 14), one of each corruption


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    layers = nn.Flatten(), nn.Linear(196, 24), nn.BatchNorm1d(24), nn.ReLU(), nn.Dropout(0.5), nn.Linear(24, 7)
    made = nn.Sequential(*layers)
    made(torch.randn(64, 196))  # running statistics unlike those of any batch
    return made.eval()


def chances(rows, classes=7, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).dirichlet(np.full(classes, 0.4), rows))


# The algorithm


def test_the_loss_is_mean_entropy_of_the_kept_less_that_of_the_mean_answer_of_all():
    p, keep = chances(20), torch.arange(20) % 3 == 0
    alone, together = scipys_entropy(p[keep], axis=1).mean(), scipys_entropy(p.mean(0))
    for strength in (0.0, 0.5):
        assert adaptation_loss(p, keep, strength).item() == pytest.approx(alone - strength * together)
    np.testing.assert_allclose(entropy(p), scipys_entropy(p, axis=1))
    assert adaptation_loss(p, torch.zeros(20, dtype=torch.bool), 0.5).item() == pytest.approx(-0.5 * together)
    certain = torch.eye(7, requires_grad=True)  # where log 0 would be infinite
    adaptation_loss(certain, torch.ones(7, dtype=torch.bool), 0.5).backward()
    assert certain.grad.isfinite().all() and entropy(certain.mean(0)).item() == pytest.approx(np.log(7))


def test_the_crowd_is_asked_about_the_answer_of_the_source():
    source = torch.tensor([[0.6, 0.3, 0.1], [0.6, 0.3, 0.1], [0.5, 0.4, 0.1], [0.2, 0.7, 0.1]])
    now = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.5, 0.1, 0.4], [0.1, 0.69, 0.21]])
    assert with_the_crowd(now, source).tolist() == [True, False, True, False]  # the second is surer, of another class


def test_keeping_all_without_lambda_is_tent_written_out(network, batches):
    ours = list(adapt(network, batches, keep=everybody, strength=0.0, rate=0.05))
    theirs, (_, linear, norm, relu, _, head) = [], copy.deepcopy(network)
    norm.train()
    weights, first, second = list(norm.parameters()), [0.0, 0.0], [0.0, 0.0]
    for t, images in enumerate(batches, start=1):
        logits = head(relu(norm(linear(images.flatten(1)))))
        theirs.append(logits.softmax(1).detach())
        loss = -(logits.softmax(1) * logits.log_softmax(1)).sum(1).mean()
        for k, slope in enumerate(torch.autograd.grad(loss, weights)):  # Adam's step
            first[k] = 0.9 * first[k] + 0.1 * slope
            second[k] = 0.999 * second[k] + 0.001 * slope**2
            size = (second[k] / (1 - 0.999**t)).sqrt() + 1e-8
            weights[k].data -= 0.05 * first[k] / (1 - 0.9**t) / size
    for answers, expected in zip(ours, theirs):
        torch.testing.assert_close(answers.now, expected, atol=2e-4, rtol=1e-3)
    assert not torch.allclose(ours[-1].now, ours[-1].source, atol=0.05)


def test_without_a_rate_all_are_kept_for_ever_and_images_are_normalised_by_their_batch(network, batches):
    linear, norm, head = network[1], network[2], network[5]
    for images, answers in zip(batches, adapt(network, batches, keep=with_the_crowd, rate=0), strict=True):
        assert answers.keep.all() and torch.equal(answers.now, answers.source)
        hidden = linear(images.flatten(1)).detach()
        by_hand = (hidden - hidden.mean(0)) / (hidden.var(0, correction=0) + norm.eps).sqrt()
        torch.testing.assert_close(answers.now, head(by_hand.relu()).softmax(1).detach(), atol=1e-5, rtol=1e-4)


def test_only_scales_and_shifts_of_norms_learn_and_what_is_handed_in_stays(batches):
    network = new_network(0)
    before = copy.deepcopy(network.state_dict())
    adapted = by_batch_statistics(network)
    assert sum(p.numel() for p in adapted.parameters() if p.requires_grad) == 2 * (12 + 24 + 24)
    answers = list(adapt(network, batches[:3], keep=with_the_crowd))
    assert answers[0].keep.all() and not answers[2].keep.all()  # at first both are the same network
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert network.training and all(p.requires_grad for p in network.parameters())


def test_who_is_not_kept_does_not_pull(network, batches):
    def nobody(now, source):
        return torch.zeros(len(now), dtype=torch.bool)

    for strength, moves in ((0.0, False), (0.5, True)):
        *_, last = adapt(network, batches, keep=nobody, strength=strength)
        assert last.now.isfinite().all() and torch.equal(last.now, last.source) != moves


# What arrives


def test_corruptions_do_what_they_are_called():
    pixels = known_digits()[0][:200] * 0.15 + 0.1  # anything within 0 and 1
    pixels = pixels.clamp(0, 1)

    def of(kind, severity):
        return corrupted(pixels, kind, severity, torch.Generator().manual_seed(0))

    for kind in CORRUPTIONS:
        torch.testing.assert_close(of(kind, 0.0), pixels, atol=1e-6, rtol=0)
        seen = [(of(kind, severity) - pixels).abs().mean().item() for severity in (0.3, 0.6, 1.0)]
        assert 0 < seen[0] < seen[1] < seen[2] and of(kind, 1.0).min() >= 0 and of(kind, 1.0).max() <= 1
    assert of("low contrast", 1.0).std() == pytest.approx(0.1 * pixels.std().item(), rel=1e-4)
    np.testing.assert_allclose(of("blur", 0.5)[7, 0], ndimage.gaussian_filter(pixels[7, 0].numpy(), 1.0), atol=1e-6)
    hit = of("pepper and salt", 1.0) != pixels
    assert hit.double().mean().item() == pytest.approx(0.4, abs=0.02)
    assert set(of("pepper and salt", 1.0)[hit].tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("unknown", [0.0, 0.3])
def test_a_stream_has_the_share_that_is_asked_for_and_visits_each_corruption(unknown):
    images, labels = stream(unknown, 0.0, 2)
    assert len(images) == len(labels) == VISIT * len(CORRUPTIONS)
    assert ((labels == UNKNOWN).sum(1) == round(BATCH * unknown)).all() and labels.max() == 6
    for visit in images.flatten(2).split(VISIT):  # severity 0: images as they are
        assert len(visit.flatten(0, 1).unique(dim=0)) == VISIT * BATCH
    assert torch.equal(stream(unknown, 0.7, 2).labels, labels) and not torch.equal(stream(0.0, 0, 3).labels, labels)
    clean = {image.numpy().tobytes() for image in known_digits()[0].flatten(1)}
    assert not any(image.numpy().tobytes() in clean for image in images.flatten(0, 1).flatten(1))  # none it learned


def test_the_source_knows_clean_digits():
    network, (images, labels) = source_network(1, 0), known_digits()
    assert (network(images).argmax(1) == labels).double().mean() > 0.85
    assert not network.training and source_network(1, 0) is network


# The experiment


def test_numbers_are_counted_over_the_last_round():
    now, source, true = chances(60, seed=1), chances(60, seed=2), torch.arange(60) % 8
    true[true == 7] = UNKNOWN
    numbers, shown = measured(now, source, true)
    rows = list(zip(now.tolist(), source.tolist(), true.tolist()))
    up = {"right": [], "wrong": [], "unknown": []}
    for p, q, label in rows:
        c = int(np.argmax(q))
        kind = "unknown" if label < 0 else "right" if np.argmax(p) == label else "wrong"
        up[kind].append(p[c] >= q[c])
    known = [(np.argmax(p) == label, np.argmax(q) == label) for p, q, label in rows if label >= 0]
    expected = {f"up_{kind}": np.mean(values) for kind, values in up.items()}
    expected |= dict(zip(("accuracy", "unadapted"), np.mean(known, axis=0)))
    expected |= {"confidence": np.mean([max(p) for p, *_ in rows])}
    expected |= {"spread": scipys_entropy(np.mean([p for p, *_ in rows], axis=0), base=7)}
    assert numbers == pytest.approx(expected)
    assert np.bincount(shown["kind"]).tolist() == [len(values) for values in up.values()]
    assert "up_unknown" not in measured(now[:7], source[:7], true[:7])[0]


@pytest.fixture(scope="module")
def runs():
    crowd = Arriving(keep="crowd", rounds=2, training=1, record_every=5)
    return {"TENT": list(Arriving(keep="all", spread=False, rounds=1, training=1).run()), "crowd": list(crowd.run())}


@pytest.mark.slow
def test_a_run_is_what_adapt_answers(runs):
    arriving = stream(0.5, 0.7, 0)
    answers = list(adapt(source_network(1, 0), [*arriving.images] * 2, keep=with_the_crowd))
    assert [(r.epoch, r.numbers["batches"]) for r in runs["crowd"]] == [(1, 35), (2, 70), (3, 84)]
    for record in runs["crowd"]:
        last = int(record.numbers["batches"])
        of_round = range(max(0, last - 42), last)  # the latest visit to each corruption
        now, source = (torch.cat([getattr(answers[k], name) for k in of_round]) for name in ("now", "source"))
        true = torch.cat([arriving.labels[k % 42] for k in of_round])
        assert record.numbers == pytest.approx(measured(now, source, true)[0] | {"batches": last})
    assert len(runs["TENT"]) == Arriving(rounds=1).epochs == 6 and Arriving(rounds=2, record_every=5).epochs == 3
    assert runs["TENT"][0].numbers["accuracy"] != runs["TENT"][-1].numbers["accuracy"]


def test_who_is_kept_is_chosen_as_told():
    now, source, labels = chances(200, seed=3), chances(200, seed=4), torch.arange(200)[None] % 7
    kept = {keep: Arriving(keep=keep, sure=0.8).choice(labels)(now, source) for keep in KEPT}
    assert kept["all"].all() and torch.equal(kept["crowd"], with_the_crowd(now, source))
    assert kept["random"].sum() == kept["crowd"].sum() and not torch.equal(kept["random"], kept["crowd"])
    assert torch.equal(kept["sure"], now.max(1).values >= 0.8)
    assert torch.equal(kept["right"], now.argmax(1) == labels[0])


def test_the_picture_tells_what_rose_and_how_it_ends(runs):
    told = draw(runs).alt
    for name, records in runs.items():
        assert f"{name} {records[-1].numbers['accuracy']:.1%}" in told
        assert f"{records[-1].numbers['up_wrong']:.0%} of wrong" in told
    assert f"without a step {runs['crowd'][-1].numbers['unadapted']:.1%}" in told
    assert "No run yet" in draw({}).alt


def test_claims_measure_what_they_say():
    def answer(e, number):
        value = {"accuracy": 0.1, "unadapted": 0.05, "up_right": 0.9, "up_wrong": 0.4, "up_unknown": 0.6}[number]
        return value + 10 * KEPT.index(e.keep) + 100 * e.spread + (1000 if e.rounds == 1 else 0)

    found = {c.id.removeprefix("open_set_tta_"): c.measure(MadeUp(PAGE, answer)) for c in PAGE.claims}
    assert found.pop("lose") == (1000.4, 1000.6) and found.pop("choice") == pytest.approx((10, -20))
    expected = {"falls": 1000, "holds": 110, "sign": 0.5, "threshold": -10, "weights": 0.05, "room": 30}
    assert found == pytest.approx(expected)


# Bad input


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: adapt(nn.Linear(3, 2), [], keep=everybody), "no batch norm with weights.*its layers are Linear"),
        (lambda: adapt(nn.BatchNorm1d(3, affine=False), [], keep=everybody), "no batch norm with weights"),
        (lambda: adapt(new_network(0), [], keep=everybody, strength=-1), "strength=-1"),
        (lambda: adapt(new_network(0), [], keep=everybody, rate=-1), "rate=-1"),
        (lambda: next(adapt(new_network(0), [torch.ones(15, 1, 14, 14)], keep=everybody)), "a batch has 15 images"),
        (lambda: corrupted(torch.ones(1, 1, 9, 9), "rain", 0.5, torch.Generator()), "kind='rain'"),
        (lambda: corrupted(torch.ones(1, 1, 9, 9), "blur", 1.5, torch.Generator()), "severity=1.5"),
        (lambda: stream(0.95, 0.5, 0), "unknown=0.95"),
        (lambda: Arriving(keep="the wise"), "keep='the wise'"),
        (lambda: Arriving(rate=0.0), "rate=0.0"),
    ],
)
def test_what_can_not_be_is_refused(call, says):
    with pytest.raises(ValueError, match=says):
        call()
