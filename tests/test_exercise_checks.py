"""What the exercises' checks are made of: what they take, what they say, and that no error gets past them."""

import json
import linecache

import numpy as np
import pytest
import torch

from nlkit.exercises import NotYet, as_tensor, check, expect


@pytest.mark.parametrize(
    ("came", "expected"),
    [
        (3, 3),
        (0.1 + 0.2, 0.3),
        (True, True),
        ("red", "red"),
        (float("nan"), float("nan")),
        (torch.tensor([1.0, 2.0], requires_grad=True), [1, 2]),
        (np.array([[1.0]]), torch.tensor([[1.0]])),
        ([torch.tensor(1.0, requires_grad=True), 2], torch.tensor([1.0, 2.0])),
        (torch.tensor([True, False]), [1, 0]),
        (np.arange(3)[::-1], range(2, -1, -1)),
    ],
)
def test_expect_takes_what_is_equal(came, expected):
    expect("it", came, expected, "nowhere")


@pytest.mark.parametrize(
    ("came", "expected", "says"),
    [
        (None, 3, "without `return`"),
        (4.0, 3, "expected: 3\n  came:     4\n"),
        (torch.tensor([1.0, 2.5]), [1.0, 2.0], "came:     [1. , 2.5]"),
        (torch.tensor([1.0, 2.0]), 1.0, "of shape (2,) where () was expected"),
        (float("nan"), 0.0, "came:     nan"),
        ("blue", "red", "came:     'blue'"),
        ("blue", 1.0, "not made of numbers"),
        ("1", 1.0, "not made of numbers"),
        (np.array(["red", "blue"]), "red", "came:     array(['red', 'blue']"),
        (["x"] * 999, 1.0, "…, which is not made of numbers"),
        (False, True, "came:     False"),
        (1.1, 1.0, "look at:  the sum"),
    ],
)
def test_expect_says_what_was_expected_what_came_and_where_to_look(came, expected, says):
    with pytest.raises(NotYet, match="Not yet: it") as raised:
        expect("it", came, expected, "the sum", within=0.01)
    assert says in str(raised.value)
    assert raised.value._render_traceback_() == str(raised.value).splitlines()


def test_expect_measures_in_units_of_the_largest_expected_number():
    expect("it", [0.0, 1001.0], [0.0, 1000.0], "nowhere", within=2e-3)
    with pytest.raises(NotYet):
        expect("it", [0.0, 1003.0], [0.0, 1000.0], "nowhere", within=2e-3)
    expect("it", 0.001, 0.0, "nowhere", within=2e-3)


def run_check(body: str, answer: str = "", **names) -> str:
    """The message of a check with this body, given an answer from another cell; what it prints where it is passed."""
    exec(compile(answer, "answer cell", "exec"), names)
    linecache.cache["answer cell"] = (len(answer), None, answer.splitlines(keepends=True), "answer cell")
    cell = f'with check("It is right.", "the hint") as expect:\n    {body}'
    with pytest.raises(NotYet) as raised:
        exec(compile(cell, "check cell", "exec"), names | {"check": check, "json": json})
    return str(raised.value)


def test_a_check_hands_out_its_hint_and_prints_that_it_is_passed(capsys):
    with check("It is right.", "the hint") as said:
        said("two", 2, 2)
    assert capsys.readouterr().out == "It is right.\n"
    assert "look at:  the hint" in run_check('expect("two", 3, 2)')
    assert "look at:  another" in run_check('expect("two", 3, 2, hint="another")')
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("body", "answer", "says"),
    [
        (
            "expect('it', f([1]), 1)",
            "def f(x):\n    y = x\n    return y.mean()",
            "Not yet: `f` stopped with AttributeError: 'list' object has no attribute 'mean'\n"
            "  its line: return y.mean()\n  look at:  the hint",
        ),
        ("f('x')", "def f(x):\n    return int(x)", "`f` stopped with ValueError: invalid literal"),
        ("f()", "def f():\n    raise NotImplementedError('Nothing yet.')", "Not yet: Nothing yet."),
        ("f()", "def f():\n    raise NotImplementedError", "`f` stopped with NotImplementedError\n"),
        ("f()", "def f():\n    return nowhere", "`f` stopped with NameError: name 'nowhere' is not defined"),
        ("f()", "", "Not yet: `f` is not there\n  look at:  the cells above"),
        ("f().shape", "def f():\n    return [1]", "what came can't be used: the check stopped with AttributeError"),
        ("f()[9]", "def f():\n    return [1]", "IndexError: list index out of range"),
        ("json.loads(f())", "def f():\n    return '['", "the check stopped with JSONDecodeError"),
        ("f()", "def f():\n    raise ValueError('x ' * 9999)", "x x …\n"),
    ],
)
def test_whatever_goes_wrong_in_a_check_is_told_by_whose_line_it_is(body, answer, says):
    told = run_check(body, answer)
    assert says in told and told.startswith("Not yet: ") and len(told) < 600


def test_a_check_lets_an_interruption_through():
    with pytest.raises(KeyboardInterrupt), check("It is right.", "the hint"):
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("came", "expected"),
    [
        (torch.tensor([1.5], requires_grad=True), torch.tensor([1.5])),
        (np.arange(3)[::-1], torch.tensor([2, 1, 0])),
        (np.array([True, False]), torch.tensor([True, False])),
        ([torch.tensor(1), 2], torch.tensor([1, 2])),
        ([[1.0], [2.0]], torch.tensor([[1.0], [2.0]])),
        (3, torch.tensor(3)),
        ([], torch.tensor([])),
    ],
)
def test_whatever_an_answer_is_made_of_it_can_be_had_as_a_tensor(came, expected):
    tensor = as_tensor(came)
    assert torch.equal(tensor, expected) and tensor.is_floating_point() == expected.is_floating_point()
    assert not tensor.requires_grad


@pytest.mark.parametrize("came", [None, "seven", {1, 2}])
def test_what_is_no_tensor_is_refused(came):
    with pytest.raises((TypeError, ValueError)):
        as_tensor(came)
