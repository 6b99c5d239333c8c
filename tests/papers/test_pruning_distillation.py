"""Scores and choices by hand, ridge regression by simulation, and students by what is handed over to learn from."""

import pytest
import torch
from torch.nn import functional as F

from nlkit.contents import PAGES, grid_of
from nlkit.data.load import load
from nlkit.data.tail_and_rest import small
from nlkit.identity import key
from nlkit.learning.pruning import CHOICES, Scores, el2n, forgetting_events, keep
from nlkit.noise.draws import corrupt
from nlkit.noise.matrices import noise_matrix
from nlkit.papers import pruning_distillation_students as students
from nlkit.papers.pruning_distillation_students import SHARES, Students, cell, ridge_errors
from tests.made_up import Answers

PAGE = PAGES["pruning_distillation"]
QUICK = {"steps": 20, "teacher_steps": 30}

# Scores and choices


def test_el2n_is_the_distance_from_the_given_label_over_networks():
    labels = F.one_hot(torch.tensor([0, 1, 2]), 3).float()
    sure = F.one_hot(torch.tensor([0, 2, 2]), 3).float()  # right, wrong, right
    even = torch.full((3, 3), 1 / 3)
    assert el2n(sure[None], labels).tolist() == pytest.approx([0, 2**0.5, 0])
    one = (4 / 9 + 2 / 9) ** 0.5
    assert el2n(torch.stack([sure, even]), labels).tolist() == pytest.approx([one / 2, (2**0.5 + one) / 2, one / 2])


def test_forgotten_is_what_goes_from_right_to_wrong_and_most_what_was_never_right():
    looks = torch.tensor([[1, 0, 0, 1], [0, 1, 0, 1], [1, 1, 0, 1], [0, 1, 0, 1]]).bool()  # (T, N)
    assert forgetting_events(looks).tolist() == [2, 0, 4, 0]
    assert forgetting_events(torch.stack([looks, looks], 1)).tolist() == [4, 0, 8, 0]


HARDNESS = torch.rand(200, generator=torch.Generator().manual_seed(0))
SCORES = Scores(HARDNESS, (10 * HARDNESS).round(), torch.arange(200) % 4 > 0)


def test_each_choice_keeps_what_its_name_says():
    ten = {choice: set(keep(choice, SCORES, 0.05, 0).tolist()) for choice in CHOICES}
    assert all(len(some) == 10 for some in ten.values())
    assert ten["hard"] == set(HARDNESS.topk(10).indices.tolist())
    assert ten["easy"] == set((-HARDNESS).topk(10).indices.tolist())
    assert SCORES.forgotten[list(ten["forgetting"])].min() >= SCORES.forgotten.sort().values[-10]
    assert SCORES.right[list(ten["right only"])].all() and not SCORES.right[keep("random", SCORES, 0.5, 0)].all()
    assert ten["random"] < set(keep("random", SCORES, 0.1, 0).tolist())
    assert ten["random"] != set(keep("random", SCORES, 0.05, 1).tolist())


def test_ccs_drops_the_hardest_and_takes_equally_many_of_each_stratum():
    kept = keep("CCS", SCORES, 0.25, 0)
    limit = HARDNESS.sort().values[159]
    low = HARDNESS.min()
    strata = ((HARDNESS[kept] - low) / (limit - low) * 10).long().clamp(max=9).bincount(minlength=10)
    assert HARDNESS[kept].max() <= limit and len(kept.unique()) == 50 and strata.tolist() == [5] * 10
    uneven = Scores(torch.cat([torch.zeros(190), torch.linspace(0.1, 1, 10)]), SCORES.forgotten, SCORES.right)
    assert len(keep("CCS", uneven, 0.5, 0).unique()) == 100  # where a stratum is small, the others give more


@pytest.mark.parametrize("choice", [choice for choice in CHOICES if choice != "right only"])
def test_all_is_kept_where_all_is_asked_for(choice):
    assert sorted(keep(choice, SCORES, 1.0, 0).tolist()) == list(range(200))


# Theory


def test_errors_of_a_ridge_regression_are_those_of_many_draws():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(60, 6, generator=generator, dtype=torch.float64)
    theta = torch.randn(6, generator=generator, dtype=torch.float64)
    found = {seen: ridge_errors(x, theta, seen, 10, 1.0, 1.0) for seen in (10, 30, 60)}
    assert found[10][0] > found[30][0] > found[60][0] and found[10][1] > found[60][1]
    bias, variance = ridge_errors(x, theta, 60, 10, 0.5, 1.0)
    y = (x @ theta)[:, None] + torch.randn(60, 4000, generator=generator, dtype=torch.float64)
    eye = torch.eye(6, dtype=torch.float64)
    teacher = torch.linalg.solve(x.T @ x + eye, x.T @ y)
    few = x[:10]
    student = torch.linalg.solve(few.T @ few + eye, few.T @ (0.5 * few @ teacher + 0.5 * y[:10]))
    assert (student.mean(1) - theta).square().sum().item() == pytest.approx(bias, rel=0.1)
    assert student.var(1).sum().item() == pytest.approx(variance, rel=0.1)


# Students


@pytest.fixture
def handed(monkeypatch):
    """What was handed over to be learned from, in order: scorers, teacher, students."""
    seen, honest = [], students.distillation.learn

    def learn(start, images, labels, places, counts, **more):
        seen.append({"start": start, "images": images, "labels": labels, "places": places, "counts": counts, **more})
        return honest(start, images, labels, places, counts, **more)

    for kept in (students.world, students.teacher):
        kept.cache_clear()
    monkeypatch.setattr(students.distillation, "learn", learn)
    yield seen
    for kept in (students.world, students.teacher):
        kept.cache_clear()


def test_students_have_the_kept_digits_their_given_labels_and_the_answers_of_one_that_saw_all(handed):
    *_, record = Students("hard", alpha=0.7, tau=3.0, **QUICK).run()
    data = load("mnist5k")
    scorers, teacher, learners = handed
    given = corrupt(data.train_labels, noise_matrix("symmetric", 10, 0.2), seed=0)
    for each in handed:
        assert torch.equal(each["images"], small(data.train_images).flatten(1))  # and so no test digit is among them
        assert torch.equal(each["labels"].argmax(-1), given.expand(each["labels"].shape[:-1]))
    assert not torch.equal(scorers["start"][0][0], scorers["start"][0][1]) and len(scorers["places"]) == 4
    assert teacher["places"].tolist() == [list(range(4000))] and teacher["steps"] == 30
    counts = [round(4000 * share) for share in SHARES]
    assert learners["counts"].tolist() == 2 * counts and learners["steps"] == 20 and learners["tau"] == 3
    assert learners["alpha"].tolist() == pytest.approx([0] * 6 + [0.7] * 6)
    scores = students.world(0.2, 0, 20).scores
    for row, share in enumerate(SHARES):
        kept = keep("hard", scores, share, 0)
        assert torch.equal(learners["places"][row, : len(kept)], kept)
        assert torch.equal(learners["places"][row + 6, : len(kept)], kept)
        assert record.numbers[cell("wrong", share)] == (given != data.train_labels)[kept].double().mean().item()
        assert record.numbers[cell("classes", share)] == len(data.train_labels[kept].unique())
    logits, accuracy = students.teacher(0.2, 0, 20, 64, 30)
    assert torch.equal(learners["answers"][3], logits[: len(learners["images"])])
    assert record.numbers["teacher"] == accuracy and 0.2 < accuracy < 1
    assert scores.hardness.max() <= 2**0.5 and (scores.right == (given == data.train_labels)).all()
    assert all(torch.equal(layer[0], layer[-1]) for layer in learners["start"])
    told = PAGE.picture({"hard": [record]}).alt
    assert f"hard {record.numbers['CE 5 %']:.1%} without and {record.numbers['KD 5 %']:.1%} with it" in told
    assert "of 12 digits that hard keeps" in told and "no run yet" in PAGE.picture({}).alt


def test_a_teacher_may_know_no_more_than_the_student_or_say_only_a_class(handed):
    ends = [list(Students(ratio=0.0, **QUICK, **more).run())[-1].numbers
            for more in ({"seen": "what is kept"}, {"soft": False, "width": 12, "alpha": 0.5})]  # fmt: skip
    _, six, learners, one, hard = handed
    assert six["counts"].tolist() == learners["counts"].tolist()[:6] and len(six["places"]) == 6
    assert not torch.equal(learners["answers"][6], learners["answers"][11])  # each student has a teacher of its own
    assert [layer.shape[2] for layer in one["start"][::2]] == [12, 8, 10]
    said, _ = students.teacher(0.0, 0, 20, 12, 30)
    given = F.one_hot(load("mnist5k").train_labels, 10).float()
    assert torch.equal(hard["labels"][8], (given + F.one_hot(said.argmax(1), 10)) / 2)
    assert "alpha" not in hard and torch.equal(hard["labels"][2], given)
    assert ends[0]["CE 5 %"] == ends[1]["CE 5 %"]  # which does not hang on any teacher
    assert ends[0][cell("wrong", 0.5)] == 0


# What is said


def test_claims_measure_what_they_say():
    extra = {"random": 0, "hard": 1, "forgetting": 3, "CCS": 2}

    def answer(e, number):
        if number == "teacher":
            return 70 + e.width
        share = float(number.split()[1])
        if number.startswith("CE"):
            return 20 + share
        return 50 + extra[e.choice] + 10 * e.alpha * (50 - share) / 50 - e.width / 64 - 5 * (not e.soft) + e.ratio

    measured = {claim.id.removeprefix("pruning_distillation_"): claim.measure(Answers(PAGE, answer))
                for claim in PAGE.claims}  # fmt: skip
    assert measured.pop("gain") == pytest.approx([50 + 9 - 1 - 25, 50 + 9 - 1 + 0.2 - 25])
    assert measured.pop("every") == pytest.approx([29 + 10 * (50 - 100 * s) / 50 - 100 * s for s in SHARES])
    assert measured.pop("random") == pytest.approx([-3] * 8)
    assert measured.pop("alpha") == pytest.approx((7.5 * 0.9, 7.5 * 0.8))
    assert measured.pop("noise") == pytest.approx(5 * 0.8)
    assert measured.pop("half") == pytest.approx(49 - 134)
    assert measured.pop("larger") == pytest.approx((3, 192))
    assert measured.pop("soft") == pytest.approx(5)
    assert not measured


def test_every_run_of_the_grid_is_one_of_its_own():
    grid = grid_of("pruning_distillation", [0])
    assert len({key(experiment) for experiment in grid}) == len(grid)


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: keep("hard", SCORES, 0.001, 0), "share=0.001 of 200 examples is none; keep at least 0.005"),
        (lambda: keep("hard", SCORES, 1.2, 0), "share=1.2 must be a number from 0 to 1"),
        (lambda: keep("hardest", SCORES, 0.5, 0), "did you mean 'hard'"),
        (lambda: el2n(torch.rand(3, 2), torch.rand(3, 2)), "must be .M, N, K."),
        (lambda: ridge_errors(torch.rand(5, 2), torch.rand(2), 3, 4, 1.0, 1.0), "kept=4 must be at least 1"),
        (lambda: Students(alpha=1.5), "alpha=1.5"),
        (lambda: Students(tau=0.0), "tau=0.0"),
        (lambda: Students(width=100), "width=100 must be one of 12, 24, 64, 256"),
    ],
)
def test_bad_input_is_refused_at_the_call(call, words):
    with pytest.raises(ValueError, match=words):
        call()
