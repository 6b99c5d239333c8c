"""Chains beside plain loops and closed forms, chances beside enumeration, the transformer beside torch's own."""

import itertools

import pytest
import torch
from made_up import Answers
from torch import nn

from nlkit.contents import grid_of
from nlkit.identity import key
from nlkit.learning.chain_writer import BATCH, ChainWriter, learn, new_writer
from nlkit.learning.transformer import Attention, Transformer, causal
from nlkit.noise.chains import FUNCTIONS, chances, draw_chains, likeliest_answers
from nlkit.papers import noisy_chains
from nlkit.papers.noisy_chains import PAGE, Writing
from nlkit.plots.chains import spoiled_chains

MANY = {"count": 5000, "seed": 3}


def drawn(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


# Chains


@pytest.mark.parametrize(("function", "base"), [("max", 10), ("sum", 5)])
def test_a_dynamic_chain_is_what_a_plain_loop_makes_of_the_errors_that_a_static_one_only_writes_down(function, base):
    static, dynamic = (draw_chains(300, kind=kind, function=function, base=base) for kind in ("static", "dynamic"))
    assert torch.equal(static.prompts, dynamic.prompts)
    step = {"max": max, "sum": lambda a, b: (a + b) % base}[function]
    for row, numbers in enumerate(static.prompts.tolist()):
        right = list(itertools.accumulate(numbers, step, initial=0))[1:]
        assert static.right[row].tolist() == dynamic.right[row].tolist() == right
        state, off = 0, [(a - b) % base for a, b in zip(static.written[row].tolist(), right)]
        for number, error, written in zip(numbers, off, dynamic.written[row].tolist()):
            state = (step(state, number) + error) % base
            assert written == state
    assert torch.equal(static.answers, static.right[:, -1]) and torch.equal(dynamic.answers, dynamic.written[:, -1])


def test_errors_of_a_sum_run_up():
    static, dynamic = (draw_chains(300, kind=kind, function="sum", base=7) for kind in ("static", "dynamic"))
    off = (static.written - static.right) % 7
    assert torch.equal((dynamic.written - dynamic.right) % 7, off.cumsum(1) % 7)


def test_so_many_states_are_wrong_and_so_many_chains_untouched():
    for p in (0.1, 0.4, 1.0):
        wrong = (lambda each: each.written != each.right)(draw_chains(kind="static", intensity=p, **MANY))
        assert wrong.double().mean().item() == pytest.approx(p, abs=0.007)  # three deviations
        assert wrong.any(1).double().mean().item() == pytest.approx(1 - (1 - p) ** 8, abs=0.022)
    half = draw_chains(kind="static", intensity=0.4, contamination=0.5, **MANY)
    assert (half.written != half.right).any(1).double().mean().item() == pytest.approx(0.5 * (1 - 0.6**8), abs=0.022)


def test_noise_is_nested_in_intensity_and_contamination():
    def wrong(**how):
        return (lambda each: each.written != each.right)(draw_chains(kind="static", **how, **MANY))

    assert (wrong(intensity=0.2) <= wrong(intensity=0.4)).all()
    assert (wrong(contamination=0.3) <= wrong(contamination=0.6)).all()


@pytest.mark.parametrize("none", [{"intensity": 0.0}, {"contamination": 0.0}])
def test_without_noise_all_kinds_are_alike(none):
    one, *others = (draw_chains(50, kind=kind, **none) for kind in ("clean", "static", "dynamic"))
    for other in others:
        assert all(torch.equal(a, b) for a, b in zip(one, other))


def test_a_line_follows_from_the_last_by_the_law():
    """Of a sum: after static noise if both lines are right, or wrong by as much; after dynamic if it isn't hit."""
    p, K = 0.3, 5
    for kind, law in (("static", (1 - p) ** 2 + p**2 / (K - 1)), ("dynamic", 1 - p)):
        found = draw_chains(kind=kind, function="sum", base=K, intensity=p, **MANY)
        follows = found.written[:, 1:] == (found.written[:, :-1] + found.prompts[:, 1:]) % K
        assert follows.double().mean().item() == pytest.approx(law, abs=0.01)


def test_a_chain_shows_every_mth_state_and_the_answer():
    found = draw_chains(20, kind="dynamic")
    for every in (1, 2, 4, 8):
        rows = zip(found.written.tolist(), found.answers.tolist())
        assert found.chain(every).tolist() == [[*row[every - 1 :: every], answer] for row, answer in rows]


# What can be learned at best


@pytest.mark.parametrize("function", list(FUNCTIONS))
def test_chances_are_those_of_all_noise_that_there_can_be(function):
    base, p, numbers = 3, 0.35, (2, 0, 1)
    step = {"max": max, "sum": lambda a, b: (a + b) % base}[function]
    for start in range(base):
        expected = [0.0] * base
        for off in itertools.product(range(base), repeat=3):
            state, chance = start, 1.0
            for number, error in zip(numbers, off):
                state = (step(state, number) + error) % base
                chance *= p / (base - 1) if error else 1 - p
            expected[state] += chance
        found = chances(torch.tensor([start]), torch.tensor([numbers]), base, function, p)
        assert found[0].tolist() == pytest.approx(expected)


def test_the_likeliest_answer_is_the_one_that_is_counted_most_often():
    how = {"base": 2, "intensity": 0.7, "contamination": 0.9}
    found, counts = draw_chains(20_000, length=6, kind="dynamic", **how), {}
    for prompt, answer in zip(found.prompts.tolist(), found.answers.tolist()):
        counts.setdefault(tuple(prompt), [0, 0])[answer] += 1
    clear = {prompt: c for prompt, c in counts.items() if abs(c[0] - c[1]) > 3 * sum(c) ** 0.5}  # no mere chance
    said = likeliest_answers(torch.tensor(list(clear)), every=6, **how).tolist()
    assert len(clear) > 20 and said == [int(c[1] > c[0]) for c in clear.values()]
    assert said != [max(prompt) for prompt in clear]


def test_the_limit_breaks_where_noise_in_between_adds_up():
    found = draw_chains(2000, seed=1)
    for p, limit in ((0.1, 0.995), (0.2, 0.78), (0.4, 0.46), (0.8, 0.19)):  # by another program, 500 prompts
        right = likeliest_answers(found.prompts, every=8, intensity=p) == found.answers
        assert right.double().mean().item() == pytest.approx(limit, abs=0.04)
    assert torch.equal(likeliest_answers(found.prompts, every=1, intensity=0.4), found.answers)


# The network


def test_attention_is_that_of_torch():
    ours, x, mask = Attention(12, 3), drawn(4, 7, 12), causal(7)
    theirs = nn.MultiheadAttention(12, 3, batch_first=True)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(ours.look.weight)
        theirs.in_proj_bias.copy_(ours.look.bias)
        theirs.out_proj.load_state_dict(ours.out.state_dict())
        expected, weights = theirs(x, x, x, attn_mask=~mask, average_attn_weights=False)
        torch.testing.assert_close(ours(x, mask), expected)
        torch.testing.assert_close(ours.weights(x, mask)[0], weights)


def test_what_lies_beyond_the_mask_is_not_seen():
    body, x = Transformer(12, 2, 3), drawn(2, 6, 12)
    other = x.clone()
    other[:, 4, :3] += 1
    there = torch.tensor([1, 1, 1, 1, 0, 1]).bool().expand(2, 1, 1, 6)  # pages with a place left empty
    with torch.no_grad():
        written = body(x, causal(6)), body(other, causal(6))
        read = body(x, there), body(other, there)
    torch.testing.assert_close(written[0][:, :4], written[1][:, :4])
    torch.testing.assert_close(read[0][:, there[0, 0, 0]], read[1][:, there[0, 0, 0]])
    assert not torch.isclose(written[0][:, 4:], written[1][:, 4:]).all(2).any()


def test_a_line_is_foretold_from_what_stands_before_it_at_a_place_of_its_own_numbers_name():
    writer, found = new_writer(8, 10, 2, 0), draw_chains(30)
    assert writer.place.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 0, 1, 2, 3, 4]
    lines = found.chain(2)[:, :-1]
    other = lines.clone()
    other[:, 2] = (other[:, 2] + 1) % 10
    with torch.no_grad():
        one, two, short = (
            writer(found.prompts, lines),
            writer(found.prompts, other),
            writer(found.prompts, lines[:, :1]),
        )
    torch.testing.assert_close(one[:, :3], two[:, :3])
    torch.testing.assert_close(one[:, :2], short)
    assert one.shape == (30, 5, 10) and not torch.isclose(one[:, 3:], two[:, 3:]).all(2).any()


class Knowing(ChainWriter):
    """It knows the rule, and what it makes of a line is the next number's maximum with it."""

    def forward(self, prompts, lines):
        before = torch.cat([torch.zeros_like(prompts[:, :1]), lines], 1)
        blocks = torch.cat([prompts.unflatten(1, (self.lines, -1)).amax(2), torch.zeros_like(prompts[:, :1])], 1)
        return 50.0 * nn.functional.one_hot(torch.maximum(before, blocks[:, : before.shape[1]]), self.base)


@pytest.mark.parametrize("generator", [None, torch.Generator().manual_seed(0)])
def test_who_knows_the_rule_writes_the_right_chain_line_by_line(generator):
    found = draw_chains(40)
    assert torch.equal(Knowing(8, 10, 4).write(found.prompts, generator), found.chain(4))


def test_what_is_drawn_has_the_chances_that_are_said():
    writer = new_writer(4, 3, 4, 0)
    prompts = torch.tensor([[0, 1, 2, 0]]).expand(2000, 4)
    first = writer.write(prompts, torch.Generator().manual_seed(0))[:, 0]
    said = writer(prompts[:1], prompts[:1, :0])[0, 0].softmax(0)
    torch.testing.assert_close(first.bincount(minlength=3) / 2000, said.detach(), atol=0.035, rtol=0)


def test_it_learns_and_goes_through_all_chains_before_any_comes_again():
    found, seen = draw_chains(4 * BATCH, length=4, base=4), []
    writer = new_writer(4, 4, 2, 0)
    writer.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    losses = list(learn(writer, found.prompts, found.chain(2), steps=60, seed=0))
    first = torch.cat(seen[:4])
    assert sorted(first.tolist()) == sorted(found.prompts.tolist()) and losses[-1] < 0.1 * losses[0]
    asked = draw_chains(200, length=4, base=4, purpose="asked")
    assert (writer.write(asked.prompts) == asked.chain(2)).double().mean() > 0.95


# The experiment and what is said


def test_it_learns_from_spoiled_chains_and_is_asked_for_the_right_answers_to_new_prompts(monkeypatch):
    handed = {}

    class Asked(Knowing):
        def write(self, prompts, generator=None):
            handed["asked"] = prompts
            return super().write(prompts, generator)

    def learning(writer, prompts, chains, **how):
        handed.update(prompts=prompts, chains=chains, **how)
        return iter([0.0])

    monkeypatch.setattr(noisy_chains, "new_writer", lambda length, base, every, seed: Asked(length, base, every))
    monkeypatch.setattr(noisy_chains, "learn", learning)
    (record,) = Writing(noise="dynamic", every=4, chains=400, steps=1).run()
    given = draw_chains(400, kind="dynamic")
    assert torch.equal(handed["chains"], given.chain(4)) and handed["steps"] == 1
    assert torch.equal(handed["asked"], draw_chains(500, purpose="asked").prompts)
    assert [record.numbers[name] for name in ("accuracy", "drawn", "lines")] == [1, 1, 1]
    assert record.numbers["told_right"] == (given.answers == given.right[:, -1]).double().mean().item()
    assert 0.4 < record.numbers["limit"] < 0.65
    read, right = record.shown["read"].tolist(), record.shown["own"].tolist()
    assert read[-1] != right[-1] == max(record.shown["numbers"].tolist())  # an example that shows what noise does
    told = PAGE.picture({"dynamic": [record]}).alt
    wrong = sum(a != b for a, b in zip(read, right))
    assert f"dynamic, to read: {wrong}; dynamic, its own: 0" in told and "dynamic 100.0%, limit of dynamic" in told
    assert "No run yet" in PAGE.picture({}).alt


def test_a_picture_of_chains_counts_what_is_wrong():
    told = spoiled_chains([1, 3, 0, 2], [1, 3, 3, 3], {"one": [3, 3, 3], "two": [3, 2, 2]}, 2).alt
    assert told == "Of 3 values of a chain of the numbers 1, 3, 0, 2 are wrong: right: 0; one: 0; two: 2."


def test_claims_measure_what_they_say():
    def answer(e, number):
        base = {"clean": 100, "static": 90, "dynamic": 70}[e.noise] - (5 if number == "drawn" else 0)
        return base - e.every - 10 * e.intensity - 20 * e.contamination - e.steps / 100 + e.chains / 80_000

    found = {claim.id.removeprefix("noisy_chains_"): claim.measure(Answers(PAGE, answer)) for claim in PAGE.claims}
    one = 90 - 1 - 4 - 20 - 2 + 0.1
    assert found.pop("static") == pytest.approx([one, one - 4, one - 7, one - 11])
    assert [found.pop(name) for name in ("dynamic", "visible", "sum")] == pytest.approx([20, 20, one + 2])
    assert found.pop("longer") == pytest.approx(4) and found.pop("by_heart") == pytest.approx(0.9)
    assert found.pop("mixed") == pytest.approx(6 - 2) and found.pop("drawn") == pytest.approx(5)
    assert not found


def test_every_run_of_the_grid_is_one_of_its_own():
    grid = grid_of("noisy_chains", [0])
    assert len({key(experiment) for experiment in grid}) == len(grid)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: draw_chains(5, kind="statics"), "did you mean 'static'"),
        (lambda: draw_chains(5, function="mean"), "function='mean' is not known"),
        (lambda: draw_chains(5, base=1), "base=1 must be a whole number of at least 2"),
        (lambda: draw_chains(5, length=0), "length=0 must be a whole number of at least 1"),
        (lambda: draw_chains(5, intensity=1.1), "intensity=1.1 must be a number from 0 to 1"),
        (lambda: draw_chains(5, contamination=-0.1), "contamination=-0.1 must be a number from 0 to 1"),
        (lambda: draw_chains(5).chain(3), "every=3 must divide the length of a chain, 8"),
        (lambda: likeliest_answers(torch.zeros(2, 8).long(), every=9), "every=9 must be a whole number from 1 to 8"),
        (lambda: Attention(10, 3), "heads=3 must divide width=10"),
        (lambda: learn(new_writer(8, 10, 8, 0), *_given(100), steps=1, seed=0), "chains=100 must be .* at least 128"),
        (lambda: learn(new_writer(8, 10, 4, 0), *_given(200), steps=1, seed=0), r"it must be \(200, 3\)"),
        (lambda: learn(new_writer(8, 10, 8, 0), *_given(200), steps=0, seed=0), "steps=0 must be"),
        (lambda: Writing(function="sum"), "every=8 must be 1 or 2 with function='sum'"),
        (lambda: Writing(every=3), "every=3 must be one of 1, 2, 4, 8"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_at_the_call(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def _given(count):
    found = draw_chains(count)
    return found.prompts, found.chain(8)
