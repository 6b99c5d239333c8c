"""Claims: a table that shows what holds and what does not."""

import pytest

from nlkit.claims import CLAIMS, check_claims


def test_a_claim_holds_within_its_bounds_and_not_outside():
    claim = CLAIMS["standard_falls"]
    assert claim.holds(0.25) and claim.holds(0.4) and not claim.holds(0.2499)
    claim = CLAIMS["own_class"]
    assert claim.holds(0.72) and not claim.holds(0.8) and not claim.holds(0.7)


def test_a_claim_that_does_not_hold_is_shown_as_such(capsys):
    checked = check_claims({"reweight_beats_clean_80": -0.1, "reweight_beats_clean_40": 0.02})
    assert checked.verdicts == {"reweight_beats_clean_80": False, "reweight_beats_clean_40": True}
    assert "✗ does not hold" in checked._repr_html_() and "-10.0 points" in checked._repr_html_()
    checked.print_verdicts()
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("does NOT hold  At 80 %") and printed[1].startswith("holds          At 40 %")
    assert not any(digit in line for line in printed for digit in ("10.0", "2.0"))  # no measured digits


def test_the_reason_stands_where_a_claim_does_not_hold_and_only_there():
    id, why = "tuning_helps_red", CLAIMS["tuning_helps_red"].why
    assert why and f"does not hold. {why}" in repr(check_claims({id: -0.01}))
    assert why not in repr(check_claims({id: 0.01}))


def test_what_a_notebook_measures_says_over_how_many_seeds():
    assert CLAIMS["standard_falls"].measured == "best minus last test accuracy, mean of 3 seeds"
    assert CLAIMS["red_no_fall"].measured == "fall at 80 %, blue minus red: lower end of its interval"
    assert CLAIMS["exact_ratio"].measured == CLAIMS["exact_ratio"].says


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
    checked = check_claims({id: cells})
    assert checked.verdicts == {id: holds} and claim.show(worst) in repr(checked)


def test_bad_measurements_are_refused():
    for cells in ((), (0.1, float("nan")), (0.1, "much")):
        with pytest.raises(ValueError, match="measured\\['map_wins'\\]"):
            check_claims({"map_wins": cells})
    with pytest.raises(ValueError, match="standard_falls"):
        check_claims({"standard_fall": 0.3})
    with pytest.raises(ValueError, match="measured"):
        check_claims({"standard_falls": float("nan")})
