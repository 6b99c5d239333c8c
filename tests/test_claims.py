"""Claims: a table that shows what holds and what does not."""

import pytest

from nlkit.claims import CLAIMS, CheckedClaims, Outcome, claims_of


def test_a_claim_holds_within_its_bounds_and_not_outside():
    claim = CLAIMS["standard_falls"]
    assert claim.holds(0.25) and claim.holds(0.4) and not claim.holds(0.2499)
    claim = CLAIMS["own_class"]
    assert claim.holds(0.72) and not claim.holds(0.8) and not claim.holds(0.7)


def test_each_verdict_is_shown_by_a_word_and_a_sign_and_printed_without_digits(capsys):
    values = {
        "reweight_beats_clean_80": (-0.1, -0.11),
        "reweight_beats_clean_40": (0.02, 0.02),
        "reweight_holds": (0.1, 0),
    }
    checked = CheckedClaims(Outcome(id, v) for id, v in values.items())
    assert list(checked.verdicts.values()) == ["does not hold", "holds", "open"]
    table = checked._repr_html_()
    assert "✗ does not hold" in table and "-10.5 ± 6.4 points" in table and "✓ holds" in table and "? open: " in table
    checked.print_verdicts()
    printed = capsys.readouterr().out.splitlines()
    assert [line[:15] for line in printed] == ["does not hold  ", "holds          ", "open           "]
    assert not any(digit in line for line in printed for digit in ("10.5", "2.0"))


def test_the_reason_stands_where_a_claim_does_not_hold_and_only_there():
    id, why = "tuning_helps_red", CLAIMS["tuning_helps_red"].why
    assert why and f"does not hold. {why}" in repr(CheckedClaims([Outcome(id, (-0.01, -0.01))]))
    assert why not in repr(CheckedClaims([Outcome(id, (0.01, 0.01))]))


def test_what_a_notebook_measures_stands_beside_what_is_recorded_and_is_marked_where_it_says_otherwise(capsys):
    agreed = claims_of("memorization", measured={"standard_falls": 0.4})
    assert agreed.contradicted == [] and "5 seeds; just now 40.0 points, 1 seed" in repr(agreed)
    assert agreed.verdicts["standard_falls"] == "holds"
    checked = claims_of("memorization", measured={"standard_falls": 0.1})
    assert checked.contradicted == ["standard_falls"] and checked.verdicts == agreed.verdicts
    checked.print_verdicts()
    assert capsys.readouterr().out.splitlines()[0].endswith("had learned. NOT SO HERE")


def test_every_claim_can_fail_and_says_where_it_comes_from():
    for claim in CLAIMS.values():
        assert claim.source and claim.says and callable(claim.measure) and claim.sentence.endswith(".")
        far = [-10.0, 10.0]
        assert not all(claim.holds(v) for v in far), claim.id
        assert claim.bound and "None" not in claim.bound


@pytest.mark.parametrize("id, cells, holds, worst", [
    ("map_wins", (0.1, 0.05, 0.3), True, 0.05),  # at least 0
    ("map_wins", (0.1, -0.05, 0.3), False, -0.05),
    ("no_information", (-0.1, -0.02), True, -0.02),  # at most 0
    ("no_information", (-0.1, 0.02), False, 0.02),
    ("exact_ratio", (0.8, 0.8005), True, 0.8005),  # 0.799 to 0.801
    ("exact_ratio", (0.8, 0.7), False, 0.7),
])  # fmt: skip
def test_of_many_cells_all_must_hold_and_the_worst_is_shown(id, cells, holds, worst):
    claim = CLAIMS[id]
    assert claim.holds(cells) == holds and claim.worst(cells) == worst
    assert claim.show(cells) == claim.show(worst)
    checked = CheckedClaims([Outcome(id, (cells, cells))])
    assert checked.verdicts == {id: "holds" if holds else "does not hold"}
    assert claim.show(worst).partition(" ")[0] in repr(checked)


def test_bad_measurements_are_refused():
    for cells in ((), (0.1, float("nan")), (0.1, "much")):
        with pytest.raises(ValueError, match="measured\\['map_wins'\\]"):
            claims_of("reweight-or-clean", measured={"map_wins": cells})
    with pytest.raises(ValueError, match="standard_falls"):
        claims_of("memorization", measured={"standard_fall": 0.3})
    with pytest.raises(ValueError, match="measured"):
        claims_of("memorization", measured={"standard_falls": float("nan")})
    with pytest.raises(ValueError, match="claim='map_wins'"):  # of another lesson
        claims_of("memorization", measured={"map_wins": 0.1})
