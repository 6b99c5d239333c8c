"""Loki beside brute force, closed forms on paths and between vectors, unions of paths in trees, and argmax."""

import itertools
import math

import networkx
import numpy as np
import pytest
from made_up import Answers
from sklearn.linear_model import LogisticRegression, Ridge

from nlkit.data import class_metrics
from nlkit.data.class_metrics import all_alike, check_distances, cycle, of_graph, of_vectors, path
from nlkit.noise.matrices import noise_matrix
from nlkit.noise.seen_angles import ANGLES, FULL, HALF, SPACES, classes_of, digits_to_test, probabilities, taught
from nlkit.papers import loki
from nlkit.papers.frechet_means import between, costs, frechet_means, next_class, without_noise
from nlkit.papers.loki import ALL, ORDERS, PAGE, STAGES, Angles, seen_classes
from nlkit.plots.named_classes import arrows_on_digits

DRAW = np.random.default_rng(0)
P = DRAW.dirichlet(np.full(4, 0.7), 1000)
KNOWN = [0, 5, 9, 3]  # not in order
TREE = networkx.random_labeled_tree(12, seed=4)


# The rule


@pytest.mark.parametrize("distances", [path(10), cycle(10), of_vectors(DRAW.normal(size=(10, 3)))])
def test_it_is_the_least_of_all_sums_as_counted_one_by_one(distances):
    for row, named in zip(P[:50], frechet_means(P[:50], distances, KNOWN)):
        sums = [sum(p * distances[seen, y] ** 2 for p, seen in zip(row, KNOWN)) for y in range(10)]
        assert named == np.argmin(sums)
        np.testing.assert_allclose(costs(row[None], distances, KNOWN)[0], sums)


def test_on_a_path_it_is_the_mean_class_rounded():
    mean = P @ KNOWN
    clear = np.abs(mean % 1 - 0.5) > 1e-9
    assert (frechet_means(P, path(10), KNOWN) == mean.round())[clear].all()
    assert costs([[1, 1]], path(2), [0, 1])[0].tolist() == [1, 1]  # a tie: both are means
    assert frechet_means([[1, 1]], path(2)) == [0]  # and the first is named


def test_where_classes_are_vectors_it_is_the_one_nearest_to_the_mean_vector():
    vectors = DRAW.normal(size=(30, 5))
    mean = P @ vectors[KNOWN]
    nearest = np.linalg.norm(mean[:, None] - vectors, axis=2).argmin(1)
    assert (frechet_means(P, of_vectors(vectors), KNOWN) == nearest).all()


def test_where_all_are_alike_it_is_argmax_and_a_sure_one_stays():
    likeliest = np.asarray(KNOWN)[P.argmax(1)]
    assert (frechet_means(P, all_alike(10), KNOWN) == likeliest).all()
    for distances in (path(10), cycle(10), of_graph(list(networkx.path_graph(10).edges), 10)):
        assert frechet_means(np.eye(4), distances, KNOWN).tolist() == KNOWN
    assert (frechet_means(7 * P, path(10), KNOWN) == frechet_means(P, path(10), KNOWN)).all()


@pytest.mark.parametrize("seed", [4, 5])
def test_in_a_tree_what_any_weights_reach_is_the_union_of_the_paths(seed):
    tree = networkx.random_labeled_tree(12, seed=seed)
    distances = of_graph(list(tree.edges), 12)
    ways = dict(networkx.all_pairs_shortest_path_length(tree))
    assert all(distances[i, j] == ways[i][j] for i in range(12) for j in range(12))
    seen = DRAW.permutation(12)[:3]
    union = {node for pair in itertools.combinations(seen, 2) for node in networkx.shortest_path(tree, *pair)}
    weights = DRAW.dirichlet(np.full(3, 0.5), 20_000)
    assert set(frechet_means(weights, distances, seen)) == union == set(between(distances, seen).nonzero()[0])


def test_the_next_class_is_the_farthest_from_what_can_be_named():
    distances = of_graph(list(TREE.edges), 12)
    found, reached = [0], []
    while not between(distances, found).all():
        far = [min(networkx.shortest_path_length(TREE, node, on) for on in between(distances, found).nonzero()[0])
               for node in range(12)]  # fmt: skip
        assert far[next_class(distances, found)] == max(far)
        found.append(next_class(distances, found))
        reached.append(between(distances, found).sum())
    assert reached == sorted(reached) and set(found[1:]) <= {node for node in TREE if TREE.degree(node) == 1}
    assert next_class(path(9), [3]) == 8 and next_class(path(9), [3, 8]) == 0
    assert next_class(path(9), [0, 8]) == 4  # all can be named: the farthest from the seen ones


# Noise undone


def test_undoing_the_noise_is_the_inverse_of_making_it_and_leaves_probabilities():
    noise = noise_matrix("symmetric", 4, 0.3)
    np.testing.assert_allclose(without_noise(P @ noise.numpy(), noise), P, atol=1e-9)
    found = without_noise(np.eye(4)[:1], noise)  # surer than can be under such noise: cut at 0
    assert found.tolist() == [[1, 0, 0, 0]]
    np.testing.assert_allclose(without_noise(P, noise).sum(1), 1)
    assert (without_noise(P, np.eye(4)) == P / P.sum(1, keepdims=True)).all()


# Distances


def test_a_ring_is_the_graph_of_a_ring_and_a_path_that_of_a_path():
    for ours, graph in ((path(7), networkx.path_graph(7)), (cycle(8), networkx.cycle_graph(8))):
        theirs = networkx.floyd_warshall_numpy(graph)
        np.testing.assert_array_equal(ours, theirs)
        np.testing.assert_array_equal(of_graph(list(graph.edges), len(graph)), theirs)


# The experiment


def test_a_model_is_taught_seen_angles_alone_and_as_many_labels_are_wrong_as_asked():
    known = (0, 6, 18)
    x, given = taught(HALF, "7", known, 0.2, 1)
    clean = taught(HALF, "7", known, 0.0, 1)[1]
    assert len(x) == len(given) and (given != clean).sum() == round(0.2 * len(clean))
    assert set(given.tolist()) == {0, 1, 2} and 100 < len(x) < 260  # 3 of 19 angles, of 1,200
    test = digits_to_test(HALF, "7", 1)
    model = LogisticRegression(C=0.03, max_iter=300).fit(x, np.asarray(known)[given])
    assert model.classes_.tolist() == list(known)
    np.testing.assert_allclose(model.predict_proba(test.pixels.numpy()), probabilities(HALF, "7", known, 0.2, 1, 0.03))


def test_distances_bounds_and_shares_are_as_counted(runs):
    true = classes_of(digits_to_test(HALF, "7", 0), HALF)
    for by, records in runs.items():
        for record, count in zip(records, STAGES):
            said, known = record.shown["said"], record.shown["known"]
            numbers = record.numbers
            assert len(known) == count == numbers["seen"]
            assert numbers["distance"] == pytest.approx(np.mean([(a - b) ** 2 for a, b in zip(said, true)]))
            assert numbers["bound"] == pytest.approx(np.mean([min((a - b) ** 2 for a in known) for b in true]))
            fresh = [a == b for a, b in zip(said, true) if b not in known]
            assert numbers["unseen"] == pytest.approx(np.mean(fresh)) and numbers["named"] == len(set(said))
            counts = record.shown["counts"]
            assert counts.sum() == 300 and np.trace(counts) == numbers["exact"] * 300
            assert set(said) <= set(known) if by == "argmax" else numbers["named"] > len(known)


@pytest.fixture(scope="module")
def runs():
    return {by: list(Angles(by=by, most=4).run()) for by in PAGE.variants}


def test_loki_is_the_rule_on_the_probabilities_and_told_distances_may_be_wrong(runs):
    known = runs["Loki"][-1].shown["known"]
    said = probabilities(HALF, "7", tuple(known.tolist()), 0.0, 0, 0.03)
    assert (runs["Loki"][-1].shown["said"] == (said @ known).round()).mean() > 0.99  # but for ties
    alike = list(Angles(metric="all alike", most=4).run())[-1]
    assert (alike.shown["said"] == runs["argmax"][-1].shown["said"]).all()
    shuffled = Angles(metric="shuffled", seed=3).told_distances()
    assert (shuffled != path(19)).any() and (np.sort(shuffled, axis=None) == np.sort(path(19), axis=None)).all()
    undone = list(Angles(by="noise undone", ratio=0.2, most=4).run())[-1]
    noisy = probabilities(HALF, "7", tuple(known.tolist()), 0.2, 0, 0.03)
    by_hand = (noisy @ np.linalg.inv(0.8 * np.eye(4) + 0.2 / 3 * (1 - np.eye(4)))).clip(0)
    assert (undone.shown["said"] == (by_hand @ known / by_hand.sum(1)).round()).mean() > 0.99


def test_the_ridge_is_taught_the_angle(runs):
    known = runs["ridge"][-1].shown["known"]
    x, given = taught(HALF, "7", tuple(known.tolist()), 0.0, 0)
    test = digits_to_test(HALF, "7", 0).pixels.numpy()
    near = [
        np.abs(Ridge(alpha).fit(x, known[given]).predict(test).round().clip(0, 18) - runs["ridge"][-1].shown["said"])
        for alpha in np.logspace(0, 4, 9)
    ]
    assert min(each.max() for each in near) <= 1 and min(each.mean() for each in near) < 0.01
    ring = list(Angles(by="ridge", space=FULL, most=10).run())[-1].numbers
    assert ring["distance"] < 0.5 * (cycle(20)[0] ** 2).mean()


def test_which_classes_are_seen():
    assert seen_classes(path(19), "evenly", 4, 0).tolist() == [0, 6, 12, 18]
    assert seen_classes(cycle(20), "evenly", 4, 0).tolist() == [0, 5, 10, 15]
    for order in ORDERS[1:]:
        sets = [set(seen_classes(path(19), order, k, 2).tolist()) for k in (2, 3, 5, 19)]
        assert [len(each) for each in sets] == [2, 3, 5, 19] and sets[0] < sets[1] < sets[2] < sets[3]
    assert {0, 18} <= set(seen_classes(path(19), "farthest first", 3, 2).tolist())
    assert all(len(ANGLES[space]) == len(SPACES[space]) for space in SPACES)


def test_pictures_say_what_they_show(runs):
    told = loki.draw(runs).alt
    assert "argmax: 4 different classes are named, 4 were seen" in told
    assert f"Loki {runs['Loki'][-1].numbers['distance']:.1f}" in told and "nearest seen class" in told
    assert "No run yet" in loki.draw({}).alt
    images = digits_to_test(HALF, "7", 0).pixels[:2].view(2, 14, 14).numpy()
    assert "Loki: 0°, -20°" in arrows_on_digits(images, {"truth": [0.0, 50.0], "Loki": [0.0, -20.0]}).alt


def test_claims_measure_what_they_say():
    def curve(e, number):
        value = {"Loki": 4, "argmax": 10, "noise undone": 6, "ridge": 5}[e.by] + 100 * e.ratio
        value += {"true": 0, "shuffled": 96, "all alike": 0}[e.metric] + (e.order == "at random")
        return [k * value if number == "distance" else 8 if number == "bound" else k / 100 for k in STAGES]

    class Curves(Answers):
        def run(self, variant, **changes):
            kept = super().run(variant, **changes)
            kept.curves = {name: kept.last(name) for name in ("distance", "bound", "unseen")}
            return kept

    measured = {claim.id.removeprefix("loki_"): claim.measure(Curves(PAGE, curve)) for claim in PAGE.claims}
    expected = {"four": 0.4, "two": 1, "unseen": [0.02, 0.04, 0.07], "noise": 24 / 30, "undone": 26 / 30,
                "shuffled": [10, 10], "ridge": [0.8] * 3, "next": 3}  # fmt: skip
    assert measured == {name: pytest.approx(value) for name, value in expected.items()}
    assert {frozenset(changes.items()) for _, changes in PAGE.grid()} >= {frozenset(ALL.items())}


# Bad input

LONE = np.array([[0, 1.0], [1, 0]])


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: check_distances(np.ones((2, 3))), r"shape \(2, 3\); it must be square"),
        (lambda: check_distances([[0, 1], [2, 0]]), r"distances\[0, 1\]=1 is not that of the other way"),
        (lambda: check_distances(-LONE), r"distances\[0, 1\]=-1 is below 0"),
        (lambda: check_distances(LONE + 1), r"distances\[0, 0\]=1 is not 0"),
        (lambda: check_distances([[0, np.nan], [np.nan, 0]]), "not a finite number"),
        (lambda: of_graph([(0, 1)], 3), r"distances\[0, 2\]=inf .*can't be reached"),
        (lambda: of_graph([(0, 3)], 3), "edges=.* from 0 to 2"),
        (lambda: of_graph([(0.5, 1)], 3), "edges="),
        (lambda: of_vectors([1.0, 2.0]), "vectors has shape"),
        (lambda: path(1), "classes=1"),
        (lambda: costs(P, path(10), [0, 1, 2]), r"known has shape \(3,\) for 4 columns"),
        (lambda: costs(P, path(10), [0, 1, 2, 2]), "known=.*different whole numbers from 0 to 9"),
        (lambda: costs(P, path(10), [0, 1, 2, 10]), "known="),
        (lambda: costs(P, path(10)), "for 4 columns"),
        (lambda: costs(-P, path(4)), "finite numbers of 0 or above"),
        (lambda: costs(P[0], path(4)), r"probabilities has shape \(4,\)"),
        (lambda: next_class(path(2), [0, 1]), "all 2 classes"),
        (lambda: without_noise(P, np.full((4, 4), 0.25)), "no inverse"),
        (lambda: without_noise([[math.nan, 1.0]], np.eye(2)), "finite numbers of 0 or above"),
        (lambda: without_noise([[0.5, 0.5], [0.0, 0.0]], np.eye(2)), "only zeros in row 1"),
        (lambda: without_noise(P, np.eye(3)), r"noise has shape \(3, 3\)"),
        (lambda: Angles(ratio=0.5), "ratio=0.5"),
        (lambda: Angles(by="lokki"), "did you mean 'Loki'"),
        (lambda: class_metrics.all_alike(0), "classes=0"),
    ],
)
def test_what_cannot_be_is_refused(call, says):
    with pytest.raises(ValueError, match=says):
        call()
