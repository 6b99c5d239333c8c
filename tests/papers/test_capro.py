"""The web and its captions counted, TF-IDF beside scikit-learn, graph and targets beside loops, cleaning by hand."""

import pytest
import torch
from made_up import Answers
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.neighbors import NearestNeighbors
from torch.nn import functional as F

from nlkit.contents import grid_of
from nlkit.data.captioned import COMMON, CONCEPTS, DEFINITIONS, WORDS, text_features, web
from nlkit.identity import key
from nlkit.papers.capro import PAGE, Searching
from nlkit.papers.capro_parts import (
    bootstrapped,
    clean,
    closeness,
    few_shots,
    graph,
    instance_loss,
    mixed,
    moved,
    named_by_text,
    prototypes,
)
from nlkit.papers.capro_training import Learning


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def unit(*shape, seed=0):
    return F.normalize(drawn(*shape, seed=seed), dim=1)


# The web


def test_a_share_of_what_is_found_is_the_next_digit_and_that_is_nested():
    before = None
    for ratio in (0.0, 0.35, 0.8):
        world = web(ratio)
        assert world.given.bincount().tolist() == world.true.bincount().tolist() == [200] * 10
        wrong = world.true != world.given
        assert int(wrong.sum()) == round(ratio * 200) * 10
        assert (world.true[wrong] == (world.given[wrong] + 1) % 10).all()
        names = {image.numpy().tobytes(): place for place, image in enumerate(world.images)}
        assert len(names) == 2000
        if before is not None:  # what is found for another meaning stays so, and has the caption that it had
            for place in (before.true != before.given).nonzero().flatten()[::50].tolist():
                now = names[before.images[place].numpy().tobytes()]
                assert world.given[now] == before.given[place]
                assert torch.equal(world.captions[now], before.captions[place])
        before = world


def test_captions_are_about_what_is_shown_but_for_so_many_that_are_missing_or_about_another_digit():
    world = web(0.5, missing=0.3, mismatched=0.2, words=3, seed=1)
    missing, other = world.about < 0, (world.about >= 0) & (world.about != world.true)
    assert missing.double().mean().item() == pytest.approx(0.3, abs=0.031)  # three deviations
    assert other.double().mean().item() == pytest.approx(0.2, abs=0.027)
    assert (world.captions[missing] == 0).all() and (world.captions[~missing].sum(1) == 9).all()
    for place in (~missing).nonzero().flatten()[:50].tolist():
        words = world.caption(place).split()
        assert sum(word in CONCEPTS[int(world.about[place])].split() for word in words) == 3
        assert sum(word in COMMON.split() for word in words) == 6
    assert len(set(WORDS)) == len(WORDS) == 104 and (DEFINITIONS.sum(1) == 8).all()


def test_text_features_are_those_of_scikit_learn():
    world = web(0.3)
    texts = [world.caption(place) for place in range(0, 2000, 10)]
    vectors = TfidfVectorizer(vocabulary=WORDS).fit_transform(texts).toarray()
    found = text_features(world.captions[::10], world.captions[::10])
    torch.testing.assert_close(found, torch.from_numpy(vectors).float(), atol=1e-6, rtol=1e-5)
    assert (found[world.captions[::10].sum(1) == 0] == 0).all()  # an empty caption is no text, and not NaN


# The parts


def test_the_graph_joins_whoever_names_whom_and_a_step_is_a_mean():
    features = drawn(60, 5)
    found = graph(features, 4)
    named = NearestNeighbors(n_neighbors=5, metric="cosine").fit(features).kneighbors_graph(features).toarray() > 0
    assert ((found > 0).numpy() == (named | named.T)).all()
    torch.testing.assert_close(found.sum(1), torch.ones(60))
    assert torch.equal(graph(features, 0), torch.eye(60))
    two = graph(torch.tensor([[1.0, 0], [1, 0.1], [-1, 0], [-1, 0.1]]), 1)
    assert two.tolist() == [[0.5, 0.5, 0, 0], [0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5], [0, 0, 0.5, 0.5]]


def test_the_nearest_to_their_own_definition_are_picked_class_by_class():
    close, given = torch.tensor([0.1, 0.9, 0.5, 0.2, 0.8, 0.3]), torch.tensor([0, 0, 0, 1, 1, 3])
    assert few_shots(close, given, 2).tolist() == [False, True, True, True, True, True]
    assert few_shots(close, given, 1).tolist() == [False, True, False, False, True, True]
    world = web(0.5, missing=0.0, mismatched=0.0, words=8)
    flat = world.images.flatten(1)
    by_text = closeness(world, flat, "text")
    right = world.true == world.given
    assert by_text[right].min() > by_text[~right].max() + 0.3  # of its own class, and no other
    assert (closeness(world, flat, "text and graph")[right].mean() > 0.2).all()
    assert (named_by_text(world, flat) == world.true).double().mean() > 0.9


def test_prototypes_are_means_of_length_one():
    z, labels, those = unit(50, 4), torch.arange(50) % 10, torch.arange(50) < 40
    found = prototypes(z, labels, those)
    expected = z[:40][labels[:40] == 3].mean(0)
    torch.testing.assert_close(found[3], expected / expected.norm())


def test_the_instance_loss_is_cross_entropy_of_the_own_view_among_the_queue():
    z, other, queue = unit(6, 4), unit(6, 4, seed=1), unit(9, 4, seed=2)
    each = []
    for i in range(6):
        own = (z[i] @ other[i] / 0.1).exp()
        each.append(-(own / (own + (queue @ z[i] / 0.1).exp().sum())).log())
    assert instance_loss(z, other, queue).item() == pytest.approx(sum(each).item() / 6, rel=1e-5)


def test_a_soft_target_is_what_is_said_of_likes():
    z, queue, said = unit(5, 3), unit(7, 3, seed=1), drawn(7, 4).softmax(1)
    found = bootstrapped(z, queue, said)
    for i in range(5):
        a = [max(float(z[i] @ queue[j]), 0) for j in range(7)]
        expected = sum(a[j] * said[j] for j in range(7)) / sum(a)
        torch.testing.assert_close(found[i], expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(bootstrapped(z[:1], z[:1], said[:1]), said[:1])


def test_cleaning_by_hand():
    s = torch.tensor([[0.1, 0.7, 0.2], [0.4, 0.35, 0.25], [0.2, 0.3, 0.5], [0.1, 0.8, 0.1], [0.1, 0.6, 0.3]])
    few = torch.tensor([False, False, False, True, False])
    labels, kept = clean(s, torch.tensor([0, 1, 0, 0, 2]), few, 0.6)
    assert labels.tolist() == [1, 1, 0, 0, 1]  # sure; fair; neither; a pick; just sure enough
    assert kept.tolist() == [True, True, False, True, True]


def test_views_are_moved_by_two_pixels_at_most_and_mixup_shares_alike():
    images = drawn(40, 1, 9, 9)
    found = moved(images, torch.Generator().manual_seed(0))
    padded, seen = F.pad(images, (2,) * 4, mode="replicate"), set()
    for image, (one,) in zip(padded[:, 0], found):
        (place,) = [(i, j) for i in range(5) for j in range(5) if torch.equal(one, image[i : i + 9, j : j + 9])]
        seen.add(place)
    assert len(seen) > 12
    targets = F.one_hot(torch.arange(40) % 4, 4).float()
    blend, soft = mixed(images, targets, torch.Generator().manual_seed(1))
    torch.testing.assert_close(soft.sum(1), torch.ones(40))
    assert ((soft > 0).sum(1) <= 2).all() and len(
        soft[soft > 0].mul(1e4).round().unique()
    ) <= 3  # one share, its rest, 1
    mean = blend.mean(0) - images.mean(0)
    assert mean.abs().max() < 1e-5  # each image is given away as often as it is taken


# The training


def learning(**settings):
    how = Searching(**{"length": 2, "tuning": 1, **settings})
    return Learning(how, how.web())


@pytest.mark.slow
def test_picks_keep_their_labels_and_prototypes_are_theirs():
    state = learning(ratio=0.5)
    state.epoch(1)
    assert state.prototypes is None
    state.epoch(2)
    assert int(state.few.sum()) == 80 and torch.equal(state.now.labels[state.few], state.world.given[state.few])
    assert state.now.kept[state.few].all()
    torch.testing.assert_close(state.prototypes.norm(dim=1), torch.ones(10))
    visual, few = learning(method="visual"), learning(method="few")
    for other in (visual, few):
        other.epoch(1)
        other.epoch(2)
    assert not visual.few.any() and visual.prototypes is not None and few.prototypes is None


def test_the_slow_network_and_the_queue_follow():
    state = learning()
    before = [p.clone() for p in state.slow.parameters()]
    queue = state.queue.clone()
    state.step(torch.arange(30), tuning=False)
    for old, slow, fast in zip(before, state.slow.parameters(), state.network.parameters()):
        torch.testing.assert_close(slow, 0.99 * old + 0.01 * fast)
    assert torch.equal(state.queue[:-30], queue[30:]) and not torch.equal(state.queue[-30:], queue[-30:])
    state.prototypes = unit(10, 32)
    z, y = unit(4, 32, seed=1), torch.tensor([2, 2, 2, 5])
    before = state.prototypes.clone()
    state.remember(z, y, z, torch.full((4, 10), 0.1))
    expected = 0.999**3 * before[2] + (1 - 0.999**3) * z[:3].mean(0)
    torch.testing.assert_close(state.prototypes[2], expected / expected.norm())
    torch.testing.assert_close(state.prototypes[0], before[0])


def test_tuning_changes_the_classifier_alone():
    state = learning()
    for epoch in (1, 2):
        state.epoch(epoch)
    before = {name: value.clone() for name, value in state.network.named_parameters()}
    state.epoch(3)
    changed = {name for name, value in state.network.named_parameters() if not torch.equal(value, before[name])}
    assert changed == {"of_q.weight", "of_q.bias"}


@pytest.mark.slow
def test_without_wrong_images_cleaning_spoils_few_labels():
    settings = {"ratio": 0.0, "missing": 0.0, "mismatched": 0.0, "length": 7, "tuning": 0, "record_every": 7}
    (record,) = Searching(**settings).run()
    assert record.numbers["right"] > 0.88 and record.numbers["kept"] > 0.95
    assert record.numbers["picks"] == 1 and record.numbers["test_accuracy"] > 0.75


def test_the_picture_counts_what_is_wrong():
    run = list(Searching(length=2, tuning=0).run())
    told = PAGE.picture({"CAPro": run}).alt
    assert all(f"{name}: " in told for name in ("found", "by image", "by text", "by text and graph"))
    images, right = run[-1].shown["found"]
    assert images.shape == (8, 28, 28) and f"found: {8 - sum(right)} of 8 wrong" in told
    assert "No run yet" in PAGE.picture({}).alt


def test_claims_measure_what_they_say():
    def answer(e, number):
        if number == "picks":
            return {"text and graph": 9, "text": 7, "image": 1}[e.picks] + 10 * e.missing
        level = {"standard": 1, "visual": 2, "few": 4, "by text": 8, "CAPro": 16, "true labels": 32}[e.method]
        return level * (1 + e.ratio) + (e.words == 1) + e.beta * 10

    found = {claim.id.removeprefix("capro_"): claim.measure(Answers(PAGE, answer)) for claim in PAGE.claims}
    assert found.pop("picks") == [6, 2] and found.pop("beats") == pytest.approx([15 * 1.5, 14 * 1.5])
    assert found.pop("half") == pytest.approx([14 * 1.6]) and found.pop("few") == pytest.approx([12 * 1.5])
    assert found.pop("further") == pytest.approx([12 * 1.7]) and found.pop("by_text") == pytest.approx([8 * 1.5])
    assert found.pop("more") == pytest.approx([12 * 1.5])
    assert found.pop("poor") == pytest.approx([8 * 1.5]) and found.pop("bootstrapping") == pytest.approx(1)
    assert not found


def test_every_run_of_the_grid_is_one_of_its_own():
    grid = grid_of("capro", [0])
    assert len({key(experiment) for experiment in grid}) == len(grid)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: web(1.2), "ratio=1.2 must be a number from 0 to 1"),
        (lambda: web(0.5, missing=0.7, mismatched=0.4), "must sum to 1 at most"),
        (lambda: web(0.5, words=0), "words=0 must be a whole number from 1 to 8"),
        (lambda: few_shots(torch.zeros(3), torch.zeros(3).long(), 0), "k=0 must be"),
        (lambda: graph(torch.ones(3, 2), 3), "k=3 must be a whole number from 0 to 2"),
        (lambda: clean(torch.ones(1, 2) / 2, torch.zeros(1).long(), torch.ones(1).bool(), 2), "threshold=2 must be"),
        (lambda: Searching(k=0), "k=0 must be a whole number from 1 to 40"),
        (lambda: Searching(method="visuals"), "did you mean 'visual'"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_at_the_call(call, words):
    with pytest.raises(ValueError, match=words):
        call()
