"""Receipts beside plain loops and sums, F1 and AUC beside scikit-learn, the loss beside a token at a time."""

import pytest
import torch
from made_up import Answers
from sklearn.metrics import f1_score, roc_auc_score
from torch.nn import functional as F

from nlkit.contents import grid_of
from nlkit.data.form_copies import synthetic
from nlkit.data.forms import CALLED, CLASSES, MOST, SHAPES, UNKNOWN, WORDS, draw_forms, draw_vendors
from nlkit.identity import key
from nlkit.learning.form_reader import (
    ABOVE,
    FEATURES,
    LEFT,
    LEFT_OF_LEFT,
    WORDS_END,
    f1_scores,
    features,
    neighbours,
    new_reader,
    told,
)
from nlkit.noise.weak_readers import TURNED, Weak, misread, opinions, pooled
from nlkit.papers.layout_nat import PAGE, Reading
from nlkit.papers.layout_nat_training import WEIGHTS, noise_aware_loss, told_apart, weights_of, world
from nlkit.plots.forms import receipts

OTHER = CLASSES.index("other")


@pytest.fixture(scope="module")
def forms():
    return draw_forms(draw_vendors(12, 0), 80, 0, "tests")


def amount(forms, d, name):
    (place,) = ((forms.labels[d] == CLASSES.index(name)) & forms.there[d]).nonzero().flatten().tolist()
    return round(100 * forms.amounts[d, place].item())


# Receipts


def test_totals_are_the_sum_of_subtotal_and_tax_and_the_subtotal_is_that_of_what_was_bought(forms):
    for d in range(len(forms.words)):
        subtotal, tax, total = (amount(forms, d, name) for name in ("subtotal", "tax", "total"))
        assert total == subtotal + tax
        first = int((forms.labels[d] == CLASSES.index("subtotal")).nonzero()[0])
        before = (forms.labels[d, :first] == OTHER) & forms.there[d, :first]
        assert round(100 * forms.amounts[d, :first][before].sum().item()) == subtotal


def test_each_receipt_has_all_that_is_sought_once_and_a_simple_one_has_less(forms):
    simple = draw_forms(draw_vendors(5, 1), 40, 1, "tests", simple=True)
    for name in CLASSES[1:6]:
        there = ((forms.labels == CLASSES.index(name)) & forms.there).sum(1)
        assert (there == 1).all(), name
        expected = 0 if name in ("subtotal", "tax") else 1
        assert (((simple.labels == CLASSES.index(name)) & simple.there).sum(1) == expected).all()
    assert forms.there.sum(1).max() <= MOST and (forms.labels[~forms.there] == OTHER).all()
    assert (forms.at[forms.there] > -0.02).all() and (forms.at[forms.there] < 1.1).all()


def test_so_many_words_and_shapes_are_lost():
    vendors = [v._replace(pays="cash", foot="thank you") for v in draw_vendors(12, 0)]
    found = draw_forms(vendors, 800, 3, "tests")
    cents = found.shapes[found.amounts > 0] != SHAPES.index("money")
    assert cents.double().mean().item() == pytest.approx(0.03 * 4 / 5, abs=0.006)
    last = found.there.sum(1) - 1  # "you"
    lost = found.words[torch.arange(800), last] == UNKNOWN
    assert lost.double().mean().item() == pytest.approx(0.1, abs=0.032)
    assert set(found.words[torch.arange(800), last][~lost].tolist()) == {WORDS.index("you")}


def test_a_vendor_calls_things_by_its_own_words_and_stays_what_it_is():
    few, many = draw_vendors(3, 4), draw_vendors(9, 4)
    assert many[:3] == few and len(set(map(str, many))) == 9
    assert all(v.called["subtotal"] != v.called["total"] for v in draw_vendors(200, 0))
    assert all(word in WORDS for words in CALLED.values() for each in words for word in each.split())
    one, other = (draw_forms(few, 20, 4, purpose) for purpose in ("U", "test"))
    assert all(torch.equal(a, b) for a, b in zip(one, draw_forms(few, 20, 4, "U")))
    assert not torch.equal(one.amounts, other.amounts)


def test_copies_are_of_those_receipts_add_up_and_lose_only_lines_in_which_nothing_is_sought(forms):
    few = forms.some(torch.tensor([3]))
    made = synthetic(few, 200, 0)
    sought = few.labels[0] != OTHER
    assert (made.labels == few.labels).all() and made.there[:, sought].all()
    ratios = made.amounts[made.amounts > 0].view(200, -1) / few.amounts[few.amounts > 0]
    torch.testing.assert_close(ratios, ratios[:, :1].expand_as(ratios))
    assert ratios[:, 0].log().std().item() == pytest.approx(0.5, abs=0.1)
    y, places = few.at[0, :, 1].tolist(), few.there[0].nonzero().flatten().tolist()
    lost = 0
    for d in range(25):  # by a loop, from above
        moved, up = made.at[d] - few.at[0], 0.0
        for n in places:
            if n and y[n] - y[n - 1] > 0.025:
                up += (y[n] - y[n - 1]) * (not made.there[d, n - 1])
            elif n:
                assert made.there[d, n] == made.there[d, n - 1]  # a line goes as a whole
            torch.testing.assert_close(moved[n], moved[0] - torch.tensor([0.0, up]))
        lost += up > 0
    assert 10 < lost < 25
    idle = [n for n in places if not made.there[:, n].all()]
    assert (~made.there[:, idle]).double().mean().item() == pytest.approx(0.2, abs=0.05)


# What a reader is told, and says


def test_neighbours_are_those_of_a_double_loop(forms):
    found = neighbours(forms)
    for d in range(6):
        n = int(forms.there[d].sum())
        x, y = forms.at[d, :n].T.tolist()
        for i in range(n):
            line = sorted((x[j], j) for j in range(n) if abs(y[i] - y[j]) < 0.025 and x[j] < x[i])
            left = [j for _, j in line[::-1]] + [-1, -1]
            up = sorted((y[i] - y[j], j) for j in range(n) if y[i] - y[j] >= 0.025 and abs(x[i] - x[j]) < 0.08)
            above = up[0][1] if up else -1
            assert found[d, i].tolist() == [left[0], left[1], above]
        assert (found[d, n:] == -1).all()
    assert (LEFT, LEFT_OF_LEFT, ABOVE) == (0, 1, 2)


def test_features_are_words_of_four_and_looks(forms):
    found, beside = features(forms), neighbours(forms)
    assert found.shape == (80, MOST, FEATURES)
    words = found[:, :, :WORDS_END].unflatten(2, (4, len(WORDS)))
    for d, i in [(0, 5), (1, 9), (2, 12)]:
        expected = [int(forms.words[d, i])] + [
            int(forms.words[d, j]) if j >= 0 else None for j in beside[d, i].tolist()
        ]
        assert [int(w.argmax()) if w.any() else None for w in words[d, i]] == expected
    waves = found[:, :, WORDS_END + 3 * len(SHAPES) : -2]
    product = (waves[:, 4] * waves[:, 7]).sum(1)  # hangs on how far they are apart alone
    apart = 2 * torch.pi * (forms.at[:, 4] - forms.at[:, 7])[:, :, None] * 2.0 ** torch.arange(-1, 4)
    torch.testing.assert_close(product, apart.cos().sum((1, 2)), atol=1e-4, rtol=1e-4)


def test_a_reader_does_not_see_where_no_token_is(forms):
    reader, seen = new_reader(0), told(forms)
    other = seen.features.clone()
    other[~seen.there] += 1
    with torch.no_grad():
        one, two = reader(seen.features, seen.there), reader(other, seen.there)
    torch.testing.assert_close(one[seen.there], two[seen.there])
    assert one.shape == (80, MOST, len(CLASSES))


def test_f1_and_auc_are_those_of_scikit_learn():
    generator = torch.Generator().manual_seed(0)
    labels, said = torch.randint(7, (500,), generator=generator), torch.randint(6, (500,), generator=generator)
    said[:250] = labels[:250]
    expected = f1_score(labels, said, labels=range(6), average=None)
    assert f1_scores(said, labels) == pytest.approx(expected.tolist())
    assert f1_scores(torch.tensor([6, 0]), torch.tensor([6, 0])) == [1, 0, 0, 0, 0, 0]  # "other" counts for nothing
    scores = torch.randint(8, (500,), generator=generator) / 8  # with ties
    assert told_apart(scores, labels == said) == pytest.approx(roc_auc_score(labels == said, scores))


# Weak labels


def test_opinions_are_probabilities_that_hang_on_the_senses(forms):
    seen = told(forms)
    q = opinions(seen, 2, 0)
    torch.testing.assert_close(q.sum(3), torch.ones(q.shape[:3]))
    blind = seen._replace(features=seen.features.clone())
    blind.features[:, :, :WORDS_END] = 0
    assert torch.equal(opinions(blind, 2, 0)[1], q[1])  # who looks reads nothing
    deaf = seen._replace(features=seen.features.clone())
    deaf.features[:, :, WORDS_END:] = 0
    assert torch.equal(opinions(deaf, 2, 0)[0], q[0])
    y, c = pooled(q)
    assert (c >= 1 / 7).all() and (c <= 1).all()
    assert (y == seen.labels)[seen.there].double().mean() > 0.8


def test_confidence_is_the_mean_probability_of_the_label():
    q = torch.tensor([[[0.9, 0.1]], [[0.1, 0.9]]])
    assert pooled(q)[1].item() == pytest.approx(0.5)  # two that contradict each other
    y, c = pooled(torch.tensor([[[0.2, 0.5, 0.3]]]))
    assert y.item() == 1 and c.item() == pytest.approx(0.5)


def test_documents_are_misread_as_a_whole_and_confidence_falls_there_or_elsewhere():
    labels = torch.arange(7).expand(50, 7)
    for ratio in (0.0, 0.3, 0.81):
        knowing, blind = (misread(labels, torch.ones(50, 7), ratio, told=told, seed=1) for told in (True, False))
        assert int(knowing.misread.sum()) == round(ratio * 50) and torch.equal(knowing.labels, blind.labels)
        assert torch.equal((knowing.labels != labels).any(1), knowing.misread)
        assert torch.equal((knowing.confidence < 1).all(1), knowing.misread)
        for weak in (knowing, blind):
            fell = weak.confidence[weak.confidence < 1]
            assert len(fell) == 7 * round(ratio * 50) and ((fell >= 0.3) & (fell <= 0.9)).all()
    assert not torch.equal((blind.confidence < 1).all(1), blind.misread)
    less = misread(labels, torch.ones(50, 7), 0.3, told=True, seed=1)
    assert (less.misread <= knowing.misread).all()
    assert TURNED[TURNED[TURNED]][3:6].tolist() == [3, 4, 5] and TURNED[TURNED][1:3].tolist() == [1, 2]
    assert [CLASSES[k] for k in TURNED] == ["vendor", "number", "date", "tax", "total", "subtotal", "other"]


# The loss and the weights


def test_the_loss_is_the_weighted_mean_a_token_at_a_time_and_so_is_its_gradient():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(9, 7, generator=generator, requires_grad=True)
    labels, w = torch.randint(7, (9,), generator=generator), torch.rand(9, generator=generator)
    (gradient,) = torch.autograd.grad(noise_aware_loss(logits, labels, w), logits)
    each = [torch.autograd.grad(F.cross_entropy(logits[i : i + 1], labels[i : i + 1]), logits)[0] for i in range(9)]
    torch.testing.assert_close(gradient, sum(w[i] * each[i] for i in range(9)) / w.sum())
    assert noise_aware_loss(logits, labels, torch.ones(9)).item() == pytest.approx(
        F.cross_entropy(logits, labels).item()
    )
    (alone,) = torch.autograd.grad(noise_aware_loss(logits, labels, (torch.arange(9) < 3).float()), logits)
    (first,) = torch.autograd.grad(F.cross_entropy(logits[:3], labels[:3]), logits)
    torch.testing.assert_close(alone, first)


def test_weights_are_what_their_names_say(forms):
    seen = told(forms)
    labels, c = pooled(opinions(seen, 3, 0))
    weak = Weak(labels, c, torch.zeros(80).bool())
    found = {kind: weights_of(kind, weak, seen, 2.0, 0)[seen.there] for kind in WEIGHTS}
    c, right = c[seen.there], (labels == seen.labels)[seen.there]
    torch.testing.assert_close(found["confidence"], c**2)
    assert not torch.equal(found["shuffled"], found["confidence"])
    assert torch.equal(found["shuffled"].sort().values, found["confidence"].sort().values)
    assert abs(found["shuffled"][right].mean() - found["shuffled"][~right].mean()) < 0.05
    assert torch.equal(found["threshold"], (c > 0.7).float()) and torch.equal(found["oracle"], right.float())
    assert (found["equal"] == 1).all() and (found["true labels"] == 1).all() and (found["none"] == 0).all()


# The experiment and what is said


def watched(monkeypatch, **settings):
    """The labels and weights of the batches of a run of a few steps."""
    import nlkit.papers.layout_nat_training as training

    seen = []

    def loss(logits, labels, w):
        seen.append((labels, w))
        return noise_aware_loss(logits, labels, w)

    monkeypatch.setattr(training, "noise_aware_loss", loss)
    records = list(Reading(steps=4, last=4, labelled=1, **settings).run())
    assert [r.epoch for r in records] == [1]
    return seen, records[-1]


def test_a_batch_has_five_receipts_of_people_at_full_weight_and_ten_others(monkeypatch):
    one = int(world(0).people.there[0].sum())
    batches, record = watched(monkeypatch, power=3.0, misread=0.8)
    labels = world(0).people.labels[0][world(0).people.there[0]]
    for labels_, w in batches[:4]:
        assert torch.equal(labels_[: 5 * one], labels.repeat(5)) and (w[: 5 * one] == 1).all()
        assert (w[5 * one :] < 1).all() and len(w) > 5 * one + 100
    assert all((w == 1).all() for _, w in batches[4:])  # synthetic ones
    numbers = record.numbers
    assert numbers["f1"] == pytest.approx(sum(numbers[name] for name in CLASSES[:6]) / 6)
    assert numbers["on_wrong"] < numbers["on_right"] and numbers["weak_f1"] < 0.5 < numbers["weak_right"]
    batches, _ = watched(monkeypatch, weights="none", copies=False)
    assert all(torch.equal(found, labels.repeat(15)) for found, _ in batches)  # all of them people's
    batches, _ = watched(monkeypatch, copies=False)
    assert all((w[5 * one :] < 1).all() for _, w in batches)  # weak ones to the end


def test_weak_labels_are_learned_and_true_ones_tested(monkeypatch):
    batches, _ = watched(monkeypatch, weights="equal", misread=0.8)
    true, _ = watched(monkeypatch, weights="true labels", misread=0.8)
    one = 5 * int(world(0).people.there[0].sum())
    assert [len(a) for a, _ in batches] == [len(a) for a, _ in true]
    off = torch.cat([(a != b)[one:] for (a, _), (b, _) in zip(batches[:4], true[:4])]).double().mean()
    assert 0.1 < off < 0.35  # of which subtotal, tax, total, date and number are a fifth
    few = list(Reading(weights="true labels", copies=False, steps=100, last=10, labelled=8).run())[-1]
    assert few.numbers["f1"] > 0.8


def test_the_picture_shows_a_misread_receipt_and_counts_what_is_wrong():
    run = list(Reading(misread=0.4, steps=2, last=1).run())
    told_ = PAGE.picture({"NAT": run}).alt
    shown = run[-1].shown
    wrong = int(((shown["labels"] != shown["forms"].labels[0]) & shown["forms"].there[0]).sum())
    assert wrong >= 3 and f"of which {wrong} are wrong" in told_ and "weak labels" in told_
    assert "No run yet" in PAGE.picture({}).alt
    assert "what is sought framed and named" in receipts(world(0).people, [0, 1], ["one", "two"]).alt


def test_claims_measure_what_they_say():
    def answer(e, number):
        assert number == "f1"
        kind = {"none": 0, "equal": 1, "confidence": 3, "shuffled": 10}[e.weights]
        return kind * e.power + 100 * e.copies + 1000 * e.labelled - 7 * e.misread * kind

    found = {claim.id.removeprefix("layout_nat_"): claim.measure(Answers(PAGE, answer)) for claim in PAGE.claims}
    assert found.pop("transfer") == 103 and found.pop("half") == 103 - 4000 and found.pop("labelling") == 103 - 12000
    assert found.pop("robust") == [3, 3, 3, 3] and found.pop("weak") == [3, 3] and found.pop("plain") == 2
    assert found.pop("misread") == pytest.approx(2 - 5.6) and found.pop("after") == pytest.approx(2 - 5.6)
    assert found.pop("knowledge") == pytest.approx((3 - 10) * (4 - 2.8)) and found.pop("copies") == [97, 97]
    assert not found


def test_every_run_of_the_grid_is_one_of_its_own():
    grid = grid_of("layout_nat", [0])
    assert len({key(experiment) for experiment in grid}) == len(grid)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: draw_vendors(0, 0), "count=0 must be a whole number of at least 1"),
        (lambda: draw_forms([], 3, 0, "x"), "vendors=0 must be a whole number of at least 1"),
        (lambda: synthetic(world(0).people, 0, 0), "count=0 must be"),
        (lambda: opinions(world(0).U, 0, 0), "knows=0 must be"),
        (lambda: pooled(torch.full((2, 3, 4), 0.3)), "q must be probabilities"),
        (lambda: misread(torch.zeros(2, 3), torch.ones(2, 3), 1.2, told=True, seed=0), "ratio=1.2 must be"),
        (lambda: noise_aware_loss(torch.zeros(2, 7), torch.zeros(2).long(), torch.zeros(2)), "not all of them 0"),
        (lambda: noise_aware_loss(torch.zeros(2, 7), torch.zeros(2).long(), torch.tensor([1.0, -1])), "numbers from 0"),
        (lambda: noise_aware_loss(torch.zeros(1, 7), torch.zeros(1).long(), torch.tensor([torch.nan])), "numbers"),
        (lambda: Reading(labelled=0), "labelled=0 must be a whole number from 1 to 30"),
        (lambda: Reading(weights="confidences"), "did you mean 'confidence'"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_at_the_call(call, words):
    with pytest.raises(ValueError, match=words):
        call()
