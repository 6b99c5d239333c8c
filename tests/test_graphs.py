"""Graphs with a cluster to find: that they are what they say, and what is measured in them."""

import networkx
import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from nlkit.data import graphs


def weighted_graph(nodes: int, seed: int, density: float = 0.4) -> csr_array:
    random = numpy.random.default_rng(seed)
    upper = numpy.triu(random.random((nodes, nodes)) < density, 1) * random.uniform(0.05, 1, (nodes, nodes))
    return csr_array(upper + upper.T)


# Worlds


def test_a_planted_cluster_has_edges_as_often_as_it_says():
    graph = graphs.planted_cluster(3)
    member = graph.classes == 1
    assert member.sum() == 200 and member[:200].all() and len(member) == 2000
    edges = graph.adjacency.toarray()
    assert (edges == edges.T).all() and not edges.diagonal().any() and set(numpy.unique(edges)) == {0, 1}
    for rows, columns, chance, pairs in (
        (member, member, 0.05, 200 * 199), (member, ~member, 0.004, 200 * 1800), (~member, ~member, 0.02, 1800 * 1799),
    ):  # fmt: skip
        spread = (2 * chance * (1 - chance) / pairs) ** 0.5  # each edge counts twice where both ends are of one kind
        assert abs(edges[numpy.ix_(rows, columns)].sum() / pairs - chance) < 5 * spread


def test_a_seed_decides_the_random_graph():
    again, other = graphs.planted_cluster.__wrapped__(3), graphs.planted_cluster(4)
    assert (graphs.planted_cluster(3).adjacency != again.adjacency).nnz == 0
    assert (graphs.planted_cluster(3).adjacency != other.adjacency).nnz > 0


@pytest.mark.parametrize(
    "bad, message",
    [
        ({"size": 0}, "size=0"),
        ({"size": 2000}, "size=2000"),
        ({"inside": 1.5}, "inside=1.5"),
        ({"nodes": 1}, "nodes=1"),
    ],
)
def test_a_cluster_that_cannot_be_is_refused(bad, message):
    with pytest.raises(ValueError, match=message):
        graphs.planted_cluster(0, **bad)


def test_neighbours_of_digits_are_as_near_as_those_that_scikit_learn_finds():
    from sklearn.datasets import load_digits
    from sklearn.neighbors import NearestNeighbors

    pixels, graph = load_digits().images, graphs.digit_neighbours()
    lower = pixels[:, 4:].reshape(len(pixels), -1)
    far = ((lower[:, None, :] - lower[None, :40]) ** 2).sum(2) ** 0.5  # (n, 40) by the definition
    nearest = NearestNeighbors(n_neighbors=9, algorithm="brute").fit(lower).kneighbors(lower)[0][:, -1]  # itself first
    edges = graph.adjacency.toarray()[:, :40] > 0
    reach = numpy.maximum(nearest[:, None], nearest[None, :40])
    assert (far[edges] <= reach[edges] + 1e-9).all()  # an edge: as near as the eighth of either end
    missing = ~edges & (far < reach - 1e-9)
    missing[numpy.arange(40), numpy.arange(40)] = False
    assert not missing.any()
    assert graph.adjacency.sum(1).min() >= 8 and (graph.adjacency != graph.adjacency.T).nnz == 0
    assert (graph.attributes == pixels[:, :4].reshape(len(pixels), -1) / 16).all()


def test_of_points_as_far_away_the_first_are_neighbours():
    edges = graphs.nearest_neighbours([[0], [2], [2], [-2], [50], [49]], 1).toarray()
    assert {tuple(pair) for pair in numpy.argwhere(edges)} == {
        (0, 1), (1, 0), (1, 2), (2, 1), (0, 3), (3, 0), (4, 5), (5, 4),
    }  # fmt: skip


def test_digits_by_all_pixels_have_other_edges_and_unknown_views_are_refused():
    assert (graphs.digit_neighbours(edges="all").adjacency != graphs.digit_neighbours().adjacency).nnz
    with pytest.raises(ValueError, match="edges='upper half' is not known"):
        graphs.digit_neighbours(edges="upper half")


# Labels of nodes


@pytest.mark.parametrize("a1, a0", [(0.7, 0.7), (1.0, 0.5), (0.2, 0.9), (0.0, 0.0)])
def test_labels_are_right_as_often_as_told_on_either_side(a1, a0):
    inside = numpy.arange(20_000) < 10_000
    labels = graphs.noisy_membership(inside, a1, a0, 5)
    assert abs(labels[inside].mean() - a1) < 0.02 and abs((~labels)[~inside].mean() - a0) < 0.02


def test_what_is_right_at_one_accuracy_is_right_at_a_higher_one():
    inside = numpy.arange(1000) % 3 == 0
    right = [graphs.noisy_membership(inside, a, a, 1) == inside for a in (0.5, 0.7, 0.9, 1.0)]
    assert all((more | ~less).all() for less, more in zip(right, right[1:])) and right[-1].all()


def test_known_nodes_are_of_their_side_and_the_first_of_more():
    few, many = (graphs.cluster_problem("digit 3", "noise", 0.7, 0.7, known, 2) for known in (5, 25))
    assert (many.known[:5] == few.known).all() and len(set(many.known.tolist())) == 25
    assert many.inside[many.known].all() and (few.labels == many.labels).all()
    other = graphs.cluster_problem("digit 3", "noise", 0.7, 0.7, 5, 3)
    assert (few.known != other.known).any() and (few.labels != other.labels).any()


def test_the_classifier_learns_from_attributes_and_more_labels_help_it():
    scores = []
    for known in (2, 50):
        problems = [graphs.cluster_problem("digit 3", "classifier", 0.7, 0.7, known, seed) for seed in range(3)]
        scores.append(numpy.mean([graphs.f1_score(p.labels, p.inside) for p in problems]))
    assert scores[1] > scores[0] + 0.1


# Measures


@given(nodes=st.integers(2, 12), seed=st.integers(0, 10_000), zeros=st.floats(0, 0.9), density=st.floats(0.1, 1))
def test_a_sweep_cut_is_the_best_prefix_by_brute_force(nodes, seed, zeros, density):
    weights = weighted_graph(nodes, seed, density)
    random = numpy.random.default_rng(seed + 1)
    x = random.random(nodes) * (random.random(nodes) > zeros)
    found = graphs.sweep_cut(weights, x)
    order = [i for i in numpy.argsort(-x) if x[i] > 0]
    graph, best = networkx.from_scipy_sparse_array(weights), {}
    for size in range(1, len(order) + 1):
        volumes = [
            networkx.volume(graph, side, weight="weight") for side in (order[:size], set(graph) - set(order[:size]))
        ]
        if min(volumes) > 1e-9 * sum(volumes):
            best[size] = networkx.conductance(graph, order[:size], weight="weight")
    assert set(numpy.flatnonzero(found)) == set(order[: found.sum()])
    if best:
        assert best[int(found.sum())] == pytest.approx(min(best.values()), abs=1e-9)
    assert found.any() == bool(order)


def test_a_sweep_takes_the_smaller_side_and_leaves_nodes_that_were_not_reached():
    bells = networkx.barbell_graph(6, 0)
    weights = csr_array(networkx.to_scipy_sparse_array(bells, dtype=float))
    assert numpy.flatnonzero(graphs.sweep_cut(weights, numpy.linspace(1, 0.1, 12))).tolist() == list(range(6))
    assert numpy.flatnonzero(graphs.sweep_cut(weights, numpy.eye(12)[3])).tolist() == [3]
    assert not graphs.sweep_cut(weights, numpy.zeros(12)).any()


def test_f1_is_scikit_learns_and_of_nothing_found_0():
    from sklearn.metrics import f1_score

    random = numpy.random.default_rng(0)
    for _ in range(20):
        found, target = random.random(30) < 0.3, random.random(30) < 0.5
        assert graphs.f1_score(found, target) == pytest.approx(f1_score(target, found, zero_division=0))
    assert graphs.f1_score(numpy.zeros(5), numpy.ones(5)) == 0 == graphs.f1_score(numpy.zeros(5), numpy.zeros(5))


def test_a_vote_needs_more_than_half_of_the_neighbours():
    star = csr_array(networkx.to_scipy_sparse_array(networkx.star_graph(4), dtype=float))
    for ones, wins in ((2, False), (3, True)):
        labels = numpy.arange(5) > 4 - ones
        assert graphs.majority_vote(star, labels)[0] == wins


# Bad input


SQUARE = numpy.array([[0, 1.0], [1, 0]])


@pytest.mark.parametrize(
    "weights, message",
    [
        (numpy.ones((2, 3)), "must be square"),
        (-SQUARE, "negative"),
        (SQUARE * numpy.nan, "negative or no number"),
        (numpy.triu(SQUARE), "not symmetric"),
        (SQUARE + numpy.eye(2), "self-loops"),
    ],
)
def test_what_is_no_undirected_graph_is_refused(weights, message):
    with pytest.raises(ValueError, match=message):
        graphs.sweep_cut(csr_array(weights), numpy.ones(2))


def test_weights_of_zero_and_doubles_are_put_right_without_a_change_of_what_was_handed_in():
    given = csr_array(([1.0, 2.0, 3.0, 0.0, 0.0], [1, 1, 0, 2, 1], [0, 2, 4, 5]), shape=(3, 3))  # an edge in two parts
    kept = given.copy()
    weights = graphs.check_weights(given)
    assert weights.nnz == 2 and weights.toarray()[0, 1] == 3 == weights.toarray()[1, 0]
    assert (given.data == kept.data).all() and given.nnz == kept.nnz
