"""ERASE and its tools beside numpy, networkx, dense attention, and cases that are known by hand."""

import math

import networkx
import numpy
import pytest
import torch
from scipy.sparse import csr_array
from torch.nn import functional as F

from nlkit.checks import DataError
from nlkit.contents import PAGES
from nlkit.data.citations import read_citations
from nlkit.data.graphs import planted_cluster
from nlkit.learning.coding_rate import coding_rate, coding_rate_of_classes
from nlkit.learning.graph_attention import GraphAttention, edges_of
from nlkit.learning.label_propagation import denoised, propagate, prototypes, semantic_labels, shares_of
from nlkit.noise.noisy_nodes import labelled_nodes
from nlkit.papers.erase import PARTS, Nodes, cosines, named
from nlkit.plots.neighbours import nodes_and_neighbours
from nlkit.plots.subspaces import cosines_and_accuracy
from tests.made_up import Answers


def graph_of(theirs):
    return csr_array(networkx.to_scipy_sparse_array(theirs, dtype=float))


# Coding rates


def test_rows_that_point_each_way_evenly_have_a_rate_in_closed_form():
    size, times, epsilon = 6, 5, 0.05
    z = torch.eye(size).repeat(times, 1)  # Zᵀ Z = (n / d) I
    assert float(coding_rate(z, epsilon)) == pytest.approx(size / 2 * math.log(1 + 1 / epsilon))
    z = torch.randn(40, size, generator=torch.Generator().manual_seed(1))
    inner = numpy.eye(size) + size / (40 * 0.3) * z.double().numpy().T @ z.double().numpy()
    assert float(coding_rate(z, 0.3)) == pytest.approx(numpy.linalg.slogdet(inner)[1] / 2, abs=1e-9)


def test_classes_are_the_membership_matrices_of_the_paper_and_never_above_all_at_once():
    generator = torch.Generator().manual_seed(2)
    z = torch.randn(30, 4, generator=generator, dtype=torch.float64)
    labels = torch.randint(3, (30,), generator=generator)
    labels[labels == 1] = 2  # a class without a vector
    theirs = 0.0
    for k in (0, 2):
        membership = torch.diag((labels == k).double())
        count = membership.trace()
        inner = torch.eye(4) + 4 / (count * 0.2) * z.T @ membership @ z
        theirs += float(count / (2 * 30) * torch.logdet(inner))
    ours = coding_rate_of_classes(z, labels, 0.2, 3)
    assert float(ours) == pytest.approx(theirs)
    assert float(ours) < float(coding_rate(z, 0.2))
    assert float(coding_rate_of_classes(z, torch.zeros(30).long(), 0.2, 3)) == pytest.approx(float(coding_rate(z, 0.2)))
    z.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda z: coding_rate_of_classes(z, labels, 0.2, 3) - 2 * coding_rate(z, 0.2), (z,), fast_mode=True
    )


@pytest.mark.parametrize(
    ("z", "labels", "epsilon", "words"),
    [
        (torch.ones(3), [0, 0, 1], 0.1, "must be \\(n, d\\)"),
        (torch.ones(0, 2), [], 0.1, "at least one"),
        (torch.ones(3, 2), [0, 1], 0.1, "2 entries for 3 vectors"),
        (torch.ones(3, 2), [0, 1, 7], 0.1, "labels"),
        (torch.ones(3, 2), [0, 1, 1], 0.0, "epsilon=0.0 must be"),
    ],
)
def test_what_has_no_rate_is_refused(z, labels, epsilon, words):
    with pytest.raises(ValueError, match=words):
        coding_rate_of_classes(z, torch.tensor(labels), epsilon, 2)


# Labels along edges


def test_a_propagation_is_that_of_networkx_and_loses_no_label():
    theirs = networkx.karate_club_graph()
    adjacency = (graph_of(theirs) > 0).astype(float)
    y = numpy.random.default_rng(0).random((34, 3))
    shares = networkx.to_numpy_array(theirs, weight=None) / numpy.array([d for _, d in theirs.degree()])
    numpy.testing.assert_allclose(propagate(y, adjacency, 0.0, 1), shares @ y)
    numpy.testing.assert_allclose(propagate(y, adjacency, 0.3, 2), (m := 0.7 * shares + 0.3 * numpy.eye(34)) @ m @ y)
    numpy.testing.assert_array_equal(propagate(y, adjacency, 1.0, 9), y)
    numpy.testing.assert_allclose(propagate(y, adjacency, 0.6, 20).sum(0), y.sum(0))


def two_cliques():
    """Nodes 0 … 4 and 5 … 9, all joined, and an edge between 4 and 5; node 0 of each has the other's label."""
    theirs = networkx.barbell_graph(5, 0)
    given = numpy.array([1, 0, 0, 0, 0, 0, 1, 1, 1, 1])
    return graph_of(theirs), given


def test_a_wrong_label_in_each_of_two_cliques_is_repaired():
    adjacency, given = two_cliques()
    y = denoised(given, numpy.arange(10), 2, adjacency, 0.6, 5)
    assert y.argmax(1).tolist() == [0] * 5 + [1] * 5
    z = numpy.repeat(numpy.eye(2), 5, axis=0)
    unsure = denoised(given, numpy.arange(10), 2, adjacency, 0.6, 0)
    assert semantic_labels(z, unsure, numpy.arange(10), shares_of(adjacency), 0.6, 0.0, 0).tolist() == [0] * 5 + [1] * 5
    # By the labels alone, unspread, each says what it said.
    assert semantic_labels(z, unsure, numpy.arange(10), shares_of(adjacency), 0.6, 1.0, 0).tolist() == given.tolist()


def test_before_training_only_labelled_nodes_speak():
    adjacency, given = two_cliques()
    nodes = numpy.array([0, 4, 5])  # a wrong label, and the two ends of the edge between
    y = denoised(given[nodes], nodes, 2, adjacency, 0.5, 1, alone=True)
    assert y[[1, 2, 3, 6, 7, 8, 9]].sum() == 0
    # 4 has two neighbours among the three, 0 and 5 have one: A D⁻¹ gives each of them half of what 4 has.
    numpy.testing.assert_allclose(y[nodes], [[0.25, 0.5], [1.0, 0.5], [0.75, 0.0]])


def test_the_mean_of_a_class_without_a_vector_is_zero_and_resembles_nothing():
    z, labels = numpy.array([[1.0, 0.0], [0.0, 2.0], [0.0, 4.0]]), numpy.array([0, 2, 2])
    assert prototypes(z, labels, 3).tolist() == [[1, 0], [0, 0], [0, 3]]
    adjacency, _ = two_cliques()
    y = numpy.zeros((10, 3))
    y[:, 0] = 1e-9  # the first class has all labels; the others none
    assert set(semantic_labels(numpy.eye(10), y, numpy.arange(3), shares_of(adjacency), 1.0, 0.0, 1).tolist()) == {0}


@pytest.mark.parametrize(("place", "words"), [((0, 9), "not symmetric"), ((3, 3), "self-loops")])
def test_directed_graphs_and_self_loops_are_refused(place, words):
    adjacency = two_cliques()[0].toarray()
    adjacency[place] = 1
    with pytest.raises(ValueError, match=words):
        propagate(numpy.eye(10)[:, :2], csr_array(adjacency), 0.5, 1)


def test_numbers_that_propagate_nothing_are_refused():
    adjacency, given = two_cliques()
    y = numpy.ones((10, 2))
    for arguments, words in (
        ((y, adjacency, 1.5, 1), "alpha=1.5"), ((y, adjacency, 0.5, -1), "steps=-1"),
        ((y[:4], adjacency, 0.5, 1), "10, K"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=words):
            propagate(*arguments)
    with pytest.raises(ValueError, match="beta=2"):
        semantic_labels(y, y, numpy.arange(10), shares_of(adjacency), 0.5, 2, 1)


# The network


def test_attention_over_edges_is_dense_attention_under_a_mask():
    adjacency, _ = two_cliques()
    torch.manual_seed(0)
    layer, x = GraphAttention(6, 4, heads=3).double(), torch.randn(10, 6, dtype=torch.float64)
    edges = edges_of(adjacency)
    moved = (x @ layer.weight.weight.T).view(10, 3, 4)
    of_end, of_start = (torch.einsum("ihw,hw->ih", moved, way) for way in (layer.end, layer.start))
    scores = of_end[:, None] + of_start[None]
    apart = torch.as_tensor(adjacency.toarray() + numpy.eye(10)) == 0
    weights = F.leaky_relu(scores, 0.2).masked_fill(apart[:, :, None], -torch.inf).softmax(1)
    theirs = torch.einsum("ijh,jhw->ihw", weights, moved).flatten(1) + layer.bias
    torch.testing.assert_close(layer(x, edges), theirs)
    sums = torch.zeros(10, 3, dtype=torch.float64).index_add(0, edges[0], layer.attention(moved, edges))
    torch.testing.assert_close(sums, torch.ones_like(sums))


# Graphs


def test_more_labels_and_less_noise_are_nested_and_no_labelled_node_is_tested():
    few, many = (labelled_nodes("digits", count, "symmetric", 0.4, seed=3) for count in (5, 20))
    assert set(few.labelled.tolist()) <= set(many.labelled.tolist())
    assert len(many.tested) == 1797 - 200 and not set(many.tested.tolist()) & set(many.labelled.tolist())
    wrong = many.given != torch.as_tensor(many.graph.classes)[many.labelled]
    assert int(wrong.sum()) == 80
    edges = many.graph.adjacency.tocoo()
    same = many.graph.classes[edges.coords[0]] == many.graph.classes[edges.coords[1]]
    assert 0.83 < same.mean() < 0.85 and len(same) == 2 * 6220  # as Cora, of which 0.81 are alike


def test_a_citation_graph_is_read_from_its_two_files(tmp_path, monkeypatch):
    folder = tmp_path / "cora"
    folder.mkdir()
    (folder / "cora.content").write_text("a\t1\t0\tTheory\nb\t0\t1\tRules\nc\t1\t1\tTheory\n")
    (folder / "cora.cites").write_text("a b\nb a\nc c\nc gone\nb c\n")
    monkeypatch.setenv("NLKIT_DATA", str(tmp_path))
    graph = read_citations("cora")
    assert graph.adjacency.toarray().tolist() == [[0, 1, 0], [1, 0, 1], [0, 1, 0]]
    assert graph.classes.tolist() == [1, 0, 1] and graph.attributes.tolist() == [[1, 0], [0, 1], [1, 1]]
    assert labelled_nodes("cora", 1).classes == 2
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "cora.cites").write_text("a b\n")
    (broken / "cora.content").write_text("a\t1\t0\tTheory\nb\t0\tRules\n")
    with pytest.raises(DataError, match="cora.content, paper 2: expected a name, 2 times 0 or 1, and a field"):
        read_citations("cora", broken)
    (broken / "cora.content").write_text("a\t1\t0\tTheory\n")
    with pytest.raises(DataError, match="1 papers and 0 citations"):
        read_citations("cora", broken)
    with pytest.raises(DataError, match="citeseer was not found: looked in .*citeseer.content"):
        read_citations("citeseer")


# The runs


def test_the_same_numbers_are_drawn_whatever_else_draws_between():
    def last(stir):
        numbers = []
        for record in Nodes(updates=3, every=1, per_class=5).run():
            numbers.append(record.numbers["within"])
            torch.rand(stir)
        return numbers

    assert last(0) == last(7)


def test_labels_that_all_say_the_same_name_one_class_and_cosines_are_those_of_all_pairs():
    assert named(numpy.eye(3), numpy.arange(2), numpy.array([4, 4])).tolist() == [4, 4, 4]
    rng = numpy.random.default_rng(0)
    unit, classes = rng.normal(size=(9, 4)), numpy.repeat(numpy.arange(3), 3)
    unit /= numpy.linalg.norm(unit, axis=1, keepdims=True)
    inner, same = unit @ unit.T, classes[:, None] == classes
    assert cosines(unit, classes) == pytest.approx((inner[same].mean(), inner[~same].mean()))


def test_claims_ask_for_what_their_sentences_say():
    page = PAGES["erase"]

    def answer(nodes, number):
        if number == "accuracy":
            lost = 0.02 * (nodes.first_steps == 0) + 0.03 * (nodes.steps == 0)
            by_loss = 0.8 if nodes.loss == "coding rate" else 0.7 + 0.2 * (nodes.ratio == 0.0)
            return (
                by_loss + 0.15 * (nodes.labels == "propagated") - 0.3 * (nodes.noise == "pair") * nodes.by_rate - lost
            )
        return {"within": 0.7, "between": 0.12, "right_learned": 0.5 if nodes.beta == 1 else 0.9}[number]

    trial = Answers(page, answer)
    found = {claim.id.removeprefix("erase_"): claim.measure(trial) for claim in page.claims}
    assert found.keys() == {"resists", "hard", "apart", "parts", "loss", "tolerates", "spread", "free"}
    expected = {"resists": 0.1, "hard": (0.1, -0.2), "apart": (0.2, 0.03), "parts": (0.02, 0.0, 0.03), "loss": 0.1,
                "tolerates": 0.4, "spread": -0.05, "free": -0.1}  # fmt: skip
    for name, value in expected.items():
        assert found[name] == pytest.approx(value), name


def test_the_picture_of_neighbours_tells_which_labels_are_wrong():
    graph = labelled_nodes("digits", 5).graph
    node = int(numpy.flatnonzero(graph.classes == 0)[0])
    figure = nodes_and_neighbours(graph, {node: 7}, most=3)
    assert "a 0 labelled 7, 3 of 3 neighbours of its class" in figure.alt
    assert [name.get_text() for name in figure.axes[0].get_yticklabels()] == ["labelled 7 ✗"]
    with pytest.raises(ValueError, match="no images"):
        nodes_and_neighbours(planted_cluster(0, nodes=20, size=5), {0: 1})


def test_the_picture_tells_cosines_and_accuracy():
    runs = {"ERASE": list(Nodes(updates=2, every=1, per_class=5).run())}
    figure = cosines_and_accuracy(runs, tuple(PAGES["erase"].variants))
    numbers = runs["ERASE"][-1].numbers
    assert f"mean cosine {numbers['within']:.2f} within a class, {numbers['between']:.2f} between two" in figure.alt
    assert f"{numbers['propagation']:.1%}" in figure.alt and len(figure.axes) == 2
    assert set(PARTS) == {"before", "prototypes", "structure"}
