"""Local graph clustering with noisy labels: against a quadratic program, by hand, at its limits, and on bad input."""

import dataclasses

import networkx
import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.sparse import csr_array

from nlkit.data import graphs
from nlkit.identity import explicit, key
from nlkit.papers.local_clustering import PAGE, Clustering, draw, flow_diffusion, label_weights
from nlkit.settings import Runnable


def random_graph(nodes: int, seed: int, density: float = 0.15) -> csr_array:
    """Connected: a circle, and random edges."""
    graph = networkx.compose(networkx.cycle_graph(nodes), networkx.gnp_random_graph(nodes, density, seed=seed))
    return csr_array(networkx.to_scipy_sparse_array(graph, nodelist=range(nodes), dtype=float))


def poured(nodes: int, at: int, mass: float) -> numpy.ndarray:
    return mass * numpy.eye(nodes)[at]


def last(diffusion):
    *_, end = diffusion
    return end


def labelled(nodes: int, seed: int, epsilon: float = 0.05):
    """A graph, its weights by random labels, its sinks by the plain degrees, and a source of 40 % of all sinks."""
    adjacency = random_graph(nodes, seed)
    labels = numpy.random.default_rng(seed).random(nodes) < 0.5
    sinks = adjacency.sum(1)
    return adjacency, label_weights(adjacency, labels, epsilon), sinks, poured(nodes, seed % nodes, 0.4 * sinks.sum())


# The algorithm


@pytest.mark.parametrize("seed", range(3))
def test_it_is_the_minimum_of_the_quadratic_program(seed):
    _, weights, sinks, source = labelled(40, seed)
    laplacian = numpy.diag(weights.sum(1)) - weights.toarray()
    wanted = minimize(
        lambda x: (x @ laplacian @ x / 2 - x @ (source - sinks), laplacian @ x - source + sinks),
        numpy.zeros(40), jac=True, bounds=[(0, None)] * 40, method="L-BFGS-B",
        options={"ftol": 1e-16, "gtol": 1e-10, "maxiter": 100_000, "maxfun": 100_000},
    ).x  # fmt: skip
    x, _ = last(flow_diffusion(weights, sinks, source, tolerance=1e-10, passes=10_000))
    assert numpy.abs(x - wanted).max() < 1e-5 * wanted.max()


@given(nodes=st.integers(4, 30), seed=st.integers(0, 10_000), epsilon=st.floats(0.01, 1))
def test_mass_is_kept_in_every_pass_and_the_end_is_a_minimum(nodes, seed, epsilon):
    adjacency, weights, sinks, source = labelled(nodes, seed, epsilon)
    laplacian, before = numpy.diag(weights.sum(1)) - weights.toarray(), numpy.zeros(nodes)
    for x, mass in flow_diffusion(weights, sinks, source, tolerance=1e-6, passes=100_000):
        assert mass == pytest.approx(source - laplacian @ x, abs=1e-9 * max(1, x.max()))
        assert mass.sum() == pytest.approx(source.sum(), rel=1e-12)
        assert (x >= before).all()  # a node never takes back what it pushed
        before = x
    assert (mass <= sinks + 1e-6).all() and (mass >= sinks - 1e-9)[x > 0].all()
    assert sinks[x > 0].sum() <= source.sum() + 1e-6


def test_a_pass_is_the_plain_loop_over_nodes_that_have_too_much():
    _, weights, sinks, source = labelled(40, 1)
    dense = weights.toarray()
    x, mass = numpy.zeros(40), source.copy()
    x[1] = (mass[1] - sinks[1]) / dense[1].sum()  # the first pass: the seed alone
    mass = source - (numpy.diag(dense.sum(1)) - dense) @ x
    passes = flow_diffusion(weights, sinks, source)
    first, second = next(passes), next(passes)
    assert first[0] == pytest.approx(x) and first[1] == pytest.approx(mass)
    assert set(numpy.flatnonzero(second[0])) == {1, *numpy.flatnonzero(mass > sinks + 1e-3)}


def test_a_path_of_three_by_hand():
    path = csr_array(networkx.to_scipy_sparse_array(networkx.path_graph(3), dtype=float))
    x, mass = last(flow_diffusion(path, numpy.ones(3), [2, 0, 0]))
    assert x.tolist() == [1, 0, 0] and mass.tolist() == [1, 1, 0]


def test_a_node_a_little_below_its_sink_pushes_nothing():
    paths = networkx.disjoint_union(networkx.path_graph(3), networkx.path_graph(9))  # the second takes many passes
    source = poured(12, 0, 1.9996) + poured(12, 3, 5)
    x, mass = last(
        flow_diffusion(csr_array(networkx.to_scipy_sparse_array(paths, dtype=float)), numpy.ones(12), source)
    )
    assert x[:3] == pytest.approx([0.9996, 0, 0]) and mass[:3] == pytest.approx([1, 0.9996, 0])
    assert (x >= 0).all() and x[3] > 1


def test_what_is_handed_in_stays_as_it_was():
    _, weights, sinks, source = labelled(20, 2)
    copies = weights.copy(), sinks.copy(), source.copy()
    last(flow_diffusion(weights, sinks, source))
    assert (weights != copies[0]).nnz == 0 and (sinks == copies[1]).all() and (source == copies[2]).all()


@pytest.mark.parametrize("epsilon, label", [(1.0, None), (0.05, 0), (0.05, 1)])
def test_without_a_say_of_the_labels_it_is_the_plain_graph_bit_for_bit(epsilon, label):
    adjacency = random_graph(40, 3)
    labels = numpy.random.default_rng(0).random(40) < 0.5 if label is None else numpy.full(40, label)
    sinks, source = adjacency.sum(1), poured(40, 4, 60)
    ours = last(flow_diffusion(label_weights(adjacency, labels, epsilon), sinks, source, seed=5))
    plain = last(flow_diffusion(adjacency, sinks, source, seed=5))
    assert (ours[0] == plain[0]).all() and (ours[1] == plain[1]).all()


def test_true_labels_and_an_epsilon_of_0_keep_the_mass_in_the_cluster():
    run = {"cluster": "random model", "a1": 1.0, "a0": 1.0, "epsilon": 0.0, "alpha": 0.9}
    graph, inside, labels, known = Clustering(**run).problem()
    sinks = graph.adjacency.sum(1)
    weights = label_weights(graph.adjacency, labels, 0.0)
    x, _ = last(flow_diffusion(weights, sinks, poured(len(sinks), known[0], 0.9 * sinks[inside].sum())))
    assert not (x > 0)[~inside].any()
    assert [*Clustering(**run).run()][-1].numbers["reached"] == (x > 0).sum() > 100


def test_edges_between_different_labels_are_thin_from_either_end():
    triangle = csr_array(1.0 - numpy.eye(3))
    weights = label_weights(triangle, [1, 1, 0], 0.05).toarray()
    assert weights.tolist() == [[0, 1, 0.05], [1, 0, 0.05], [0.05, 0.05, 0]]
    assert label_weights(triangle, numpy.array([True, True, False]), 0).nnz == 2


@pytest.mark.parametrize("seed", range(3))
def test_other_numbers_of_the_nodes_and_another_order_of_pushes_give_the_same(seed):
    _, weights, sinks, source = labelled(40, seed)
    order = numpy.random.default_rng(seed).permutation(40)
    x, _ = last(flow_diffusion(weights, sinks, source, tolerance=1e-10, passes=10_000))
    moved = csr_array(weights.toarray()[numpy.ix_(order, order)])
    y, _ = last(flow_diffusion(moved, sinks[order], source[order], tolerance=1e-10, passes=10_000, seed=9))
    assert y == pytest.approx(x[order], abs=1e-6 * x.max())


def test_a_limit_of_passes_is_told_by_what_has_not_drained():
    short, long = (list(Clustering(cluster="random model", passes=passes).run())[-1] for passes in (3, 500))
    assert short.numbers["passes"] == 3 and short.numbers["undrained"] > 0.01
    assert long.numbers["passes"] < 500 and long.numbers["undrained"] < 1e-4


# The experiment


def test_it_is_an_experiment_of_the_kit():
    assert isinstance(Clustering(), Runnable) and "local_clustering" in PAGE.claims[0].id
    assert explicit(Clustering(a1=0.9)) == Clustering(a1=0.9)


def test_records_are_of_a_pass_each_and_the_last_is_the_same_at_any_step():
    every = list(Clustering(cluster="random model", weighted=False).run())
    assert [r.epoch for r in every] == list(range(1, len(every) + 1)) == [r.numbers["passes"] for r in every]
    for step in (7, 10_000):
        some = list(Clustering(cluster="random model", weighted=False, record_every=step).run())
        assert some[-1].numbers == every[-1].numbers and len(some) == -(-len(every) // step)
        assert [r.epoch for r in some] == list(range(1, len(some) + 1))
        assert len(some) <= Clustering(record_every=step).epochs


def test_numbers_are_those_of_the_sets_that_were_found():
    run = Clustering(cluster="random model", passes=4, seed=1)
    graph, inside, labels, known = run.problem()
    labels[known[0]] = True
    sinks = graph.adjacency.sum(1)
    weights = label_weights(graph.adjacency, labels, 0.05)
    x, mass = last(flow_diffusion(weights, sinks, poured(2000, known[0], 2 * sinks[:200].sum()), passes=4, seed=1))
    numbers = list(run.run())[-1].numbers
    wanted = {
        "f1": graphs.f1_score(x > 0, inside), "f1_sweep": graphs.f1_score(graphs.sweep_cut(weights, x), inside),
        "f1_labels": graphs.f1_score(labels, inside), "reached": (x > 0).sum(), "passes": 4,
        "f1_vote": graphs.f1_score(graphs.majority_vote(graph.adjacency, labels), inside),
        "undrained": numpy.maximum(mass - sinks, 0).sum() / mass.sum(),
    }  # fmt: skip
    assert numbers == pytest.approx(wanted) and set(Clustering.kept) == set(wanted)
    assert all(type(value) is float for value in numbers.values())


def test_seeds_may_be_all_known_nodes_and_are_told_to_lie_in_the_cluster():
    one = next(Clustering(cluster="random model", a1=0.0).run())
    all_known = next(Clustering(cluster="random model", a1=0.0, start="all known", known=10).run())
    assert (one.numbers["reached"], all_known.numbers["reached"]) == (1, 10)
    assert one.shown["right"].all() and all_known.shown["right"].all()
    scores = {n: next(Clustering(cluster="random model", a1=0.0, a0=1.0, tell_seeds=n).run()) for n in (True, False)}
    assert scores[True].numbers["f1_labels"] == pytest.approx(2 / 201) and scores[False].numbers["f1_labels"] == 0


def test_the_plain_graph_knows_nothing_of_labels():
    ends = [list(Clustering(cluster="random model", weighted=False, a1=a, a0=a).run())[-1] for a in (0.5, 0.9)]
    assert ends[0].numbers["f1"] == ends[1].numbers["f1"]
    assert ends[0].numbers["f1_labels"] != ends[1].numbers["f1_labels"]


def test_a_seed_decides_a_run():
    same, again, other = (
        next(Clustering(cluster="random model", record_every=500, seed=s).run()) for s in (1, 1, 2)
    )  # fmt: skip
    assert same.numbers == again.numbers != other.numbers


@pytest.mark.parametrize("shown", ["random model", "digit 3"])
def test_the_picture_can_be_drawn_from_the_first_record_on(shown):
    runs = {name: list(Clustering(cluster=shown, passes=30, **v).run()) for name, v in PAGE.variants.items()}
    for records in (runs, {name: run[:1] for name, run in runs.items()}, {"plain": runs["plain"], "weighted": []}):
        figure = draw(records)
        assert len(figure.png()) > 10_000 and "F1: plain" in figure.alt
    wrong = int((~runs["weighted"][-1].shown["right"]).sum())
    assert f"{wrong} of the first 60 wrong" in draw(runs).alt
    strokes = draw(runs).axes[0].collections[0].get_segments()
    assert len(strokes) == sum(int((~run[-1].shown["right"]).sum()) for run in runs.values())


# The page


class Answers:
    """A trial that answers from made-up numbers, by variant and accuracy."""

    seed, device, quick = 0, "cpu", False

    def __init__(self, weighted, plain):
        self.values = {"weighted": weighted, "plain": plain}
        self.asked = []

    def run(self, variant, **changes):
        self.asked.append((variant, changes))
        numbers = self.values[variant]
        return type("Kept", (), {"last": lambda _, number: numbers(changes)[number]})()


def measure(id, weighted, plain):
    (claim,) = (c for c in PAGE.claims if c.id == f"local_clustering_{id}")
    return claim.measure(Answers(weighted, plain))


def test_claims_measure_what_they_say():
    by_accuracy = {0.5: 0.3, 0.7: 0.6, 0.8: 0.75, 0.9: 0.9}

    def weighted(changes):
        f1 = by_accuracy[changes.get("a1", 0.7)]
        return {"f1": f1, "f1_sweep": 0.8, "f1_labels": 0.35, "f1_vote": 0.7}

    def plain(changes):
        return {"f1": 0.5, "f1_sweep": 0.45}

    assert measure("helps", weighted, plain) == pytest.approx(0.1)
    assert measure("crossing", weighted, plain) == pytest.approx((0.2, 0.1))
    assert measure("vote", weighted, plain) == pytest.approx((-0.1, 0.05, 0.2))
    assert measure("classifier", weighted, plain) == pytest.approx((0.45, 0.1, 0.35))


def test_all_that_a_claim_asks_for_is_in_the_grid():
    made = {key(Clustering(**{**PAGE.variants[variant], **changes})) for variant, changes in PAGE.grid()}
    trial = Answers(*[lambda changes: dict.fromkeys(Clustering.kept, 0.0)] * 2)
    for claim in PAGE.claims:
        claim.measure(trial)
    asked = {key(Clustering(**{**PAGE.variants[variant], **changes})) for variant, changes in trial.asked}
    assert len(asked) >= 7 and asked <= made


def test_tiny_runs_are_short():
    for variant in PAGE.variants.values():
        assert 1 <= len(list(PAGE.experiment(**{**variant, **PAGE.tiny}).run())) <= 5


# Bad input


@pytest.mark.parametrize(
    "bad, message",
    [
        ({"epsilon": 1.2}, "epsilon=1.2 must be a number from 0.0 to 1.0"),
        ({"epsilon": -0.1}, "epsilon=-0.1"),
        ({"alpha": 0}, "alpha=0 must be a number from 0.1 to 5.0"),
        ({"a1": 1.01}, "a1=1.01"),
        ({"known": 1}, "known=1 must be a whole number from 2 to 50"),
        ({"known": 2.5}, "known=2.5"),
        ({"cluster": "digit 10"}, "cluster='digit 10' is not known; did you mean 'digit 1'"),
        ({"labels": "people"}, "labels='people' is not known"),
        ({"start": "two"}, "start='two'"),
        ({"weighted": "yes"}, "weighted='yes' must be True or False"),
        ({"passes": 0}, "passes=0"),
        ({"seed": -1}, "seed=-1"),
        ({"cluster": "random model", "labels": "classifier"}, "the random model lacks; take a digit"),
    ],
)
def test_settings_that_cannot_be_are_refused_at_once(bad, message):
    with pytest.raises(ValueError, match=message):
        Clustering(**bad)


PATH = csr_array(networkx.to_scipy_sparse_array(networkx.path_graph(3), dtype=float))
TWO_PARTS = csr_array(networkx.to_scipy_sparse_array(networkx.Graph([(0, 1), (2, 3)]), dtype=float))


@pytest.mark.parametrize(
    "weights, sinks, source, options, message",
    [
        (PATH, [1, 1, 1], [3, 0, 0], {}, "source puts 3 on a connected part of the graph whose sinks drain 3"),
        (TWO_PARTS, [1, 1, 9, 9], [2.5, 0, 0, 0], {}, "sinks drain 2: it must be less. Lower alpha"),
        (csr_array(numpy.zeros((3, 3))), [1, 1, 1], [2, 0, 0], {}, "seed node 0 has no edge of weight above 0"),
        (PATH, [1, 1], [2, 0, 0], {}, "sinks must be 3 numbers of 0 or above"),
        (PATH, [1, 1, -1], [2, 0, 0], {}, "sinks must be 3 numbers"),
        (PATH, [1, 1, 1], [2, 0, 0, 0], {}, "source must be 3 numbers"),
        (PATH, [1, 1, 1], [numpy.nan, 0, 0], {}, "source must be 3 numbers"),
        (PATH, [1, 1, 1], [2, 0, 0], {"passes": 0}, "passes=0"),
        (PATH, [1, 1, 1], [2, 0, 0], {"tolerance": 0}, "tolerance=0"),
        (PATH, [1, 1, 1], [2, 0, 0], {"seed": -1}, "seed=-1"),
        (-PATH, [1, 1, 1], [2, 0, 0], {}, "negative"),
    ],
)
def test_a_diffusion_that_cannot_end_is_refused_at_the_call(weights, sinks, source, options, message):
    with pytest.raises(ValueError, match=message):
        flow_diffusion(weights, sinks, source, **options)


def test_settings_that_leave_no_way_out_are_refused_when_it_is_run():
    with pytest.raises(ValueError, match="Lower alpha, or raise epsilon"):
        Clustering(cluster="random model", a1=1.0, a0=1.0, epsilon=0.0).run()


@pytest.mark.parametrize("labels", [[0, 1], [0, 1, 2], [0.5, 0, 1], [[0, 1, 1]]])
def test_labels_that_are_not_0_or_1_a_node_are_refused(labels):
    with pytest.raises(ValueError, match="labels must be 3 of 0 and 1, one a node"):
        label_weights(PATH, labels, 0.1)


def test_the_fields_of_the_experiment_say_what_they_are():
    assert all(field.metadata["help"] for field in dataclasses.fields(Clustering))
