"""What must hold at full size: the tutorial's setting on all of MNIST, by the code behind `nlkit reproduce`.

One seed of each run, beside the same seed of the recorded report, whose five seeds carry the verdicts.
"""

import pytest

from nlkit.claims import Study, stored_report

ONLY = {
    "full_standard_final": 0.04,  # how far the value may lie from the recorded one: late epochs amplify rounding
    "full_standard_best": 0.03,
    "full_too_small": 0.02,
    "full_reweight_final": 0.02,
    "full_beats_clean": 0.02,
    "full_mentormix": 0.02,
}


@pytest.mark.nightly
@pytest.mark.full_data("mnist")
def test_the_tutorial_s_experiment_on_all_of_mnist(tmp_path, record_property):
    study = Study(tmp_path, only=ONLY, seeds=1, device="cpu")
    recorded = {outcome.id: outcome for outcome in stored_report().outcomes}
    for id, tolerance in ONLY.items():
        value = study.measure(id, 0)
        record_property(id, f"{value:.4f}, recorded {recorded[id].values[0]:.4f}")
        assert value == pytest.approx(recorded[id].values[0], abs=tolerance), id
    # Published: standard 40.4 at the end and 74 at best, reweighting 85.4; clean only was not reported.
    assert study.measure("full_standard_final", 0) <= 0.55
    assert study.measure("full_standard_best", 0) >= 0.72
    assert study.measure("full_reweight_final", 0) >= 0.84
    assert study.measure("full_mentormix", 0) > 0.90
