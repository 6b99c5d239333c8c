"""What the tests share: the small data set, empty data folders, no network, and the reasons to skip."""

import dataclasses
import gc
import urllib.error

import pytest
import torch
from browser import chromium, lab_folder, lab_url, page  # noqa: F401  (fixtures)
from hypothesis import settings

import nlkit
import nlkit.files
from nlkit.commands.doctor import find_chromium
from nlkit.data.load import find_dataset

settings.register_profile("nlkit", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("nlkit")


# Modules that build, copy, grade, race or train for a while: `make check` leaves them to `make test`.
SLOW = {
    "test_any_data", "test_benchmarks", "test_book", "test_burn_in", "test_classroom", "test_co_teaching",
    "test_data", "test_early_stopping", "test_em", "test_exercises", "test_handouts", "test_how_noisy", "test_lab",
    "test_learned_beside", "test_live", "test_live_audit", "test_live_boundary", "test_live_budget",
    "test_live_training", "test_look_alikes", "test_losses", "test_mutations", "test_new_paper", "test_own_labels",
    "test_plays", "test_recipes", "test_red_noise", "test_reproduce", "test_robust_classifier", "test_slides",
    "test_style", "test_training", "test_two_networks", "test_which_labels", "test_zoo",
}  # fmt: skip


# What takes longest, first: so both processes of `make test` end at about the same time.
LONGEST = (
    "test_classroom", "04_mentormix", "03_meta_reweighting", "02_memorization", "05_beyond_synthetic_noise",
    "07_how_far", "06_noisy_or_clean", "test_new_paper", "test_browser_room", "test_pages", "test_cli", "test_zoo",
    "test_recipes", "test_book", "test_sweep", "test_reproduce", "test_plots", "test_training", "test_many",
    "test_any_data",
)  # fmt: skip


def pytest_collection_modifyitems(items):
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(place)))
    for item in items:
        waits = "looks" in getattr(item, "fixturenames", ())  # for every picture of the kit
        if item.path.stem in SLOW or item.path.suffix == ".ipynb" or item.get_closest_marker("browser") or waits:
            item.add_marker(pytest.mark.slow)


def pytest_collection_finish():
    gc.collect()
    gc.freeze()  # thousands of tests, in which no later pass of the collector need look for garbage: half a second each


def pytest_runtest_setup(item):
    for mark in item.iter_markers("full_data"):
        for name in mark.args:
            if find_dataset(name) is None:
                pytest.skip(f"{name} was not found: `nlkit data {name}`, or set NLKIT_DATA to a folder that has it")
    if item.get_closest_marker("cuda") and not torch.cuda.is_available():
        pytest.skip("needs an NVIDIA GPU")
    if item.get_closest_marker("browser") and find_chromium() is None:
        pytest.skip("no Chromium or Chrome was found: apt install chromium")


@pytest.fixture(scope="session")
def mnist5k():
    return nlkit.load("mnist5k", device="cpu")


@pytest.fixture(scope="session")
def few_digits(mnist5k):
    """Every fifth of the digits, for what hangs on the order of steps and not on what is learned."""
    few = {f"{part}_{what}": getattr(mnist5k, f"{part}_{what}")[::5]
           for part in ("train", "test") for what in ("images", "labels")}  # fmt: skip
    return dataclasses.replace(mnist5k, name="few digits", **few)


@pytest.fixture
def data_folders(tmp_path, monkeypatch):
    """Two empty folders in place of $NLKIT_DATA and the kit's own data/."""
    folders = tmp_path / "named", tmp_path / "kit" / "data"
    for folder in folders:
        folder.mkdir(parents=True)
    monkeypatch.setenv("NLKIT_DATA", str(folders[0]))
    monkeypatch.setattr(nlkit.files, "kit_folder", lambda: tmp_path / "kit")
    return folders


@pytest.fixture
def offline(monkeypatch):
    def urlopen(*_args, **_options):
        raise urllib.error.URLError("no network")

    monkeypatch.setattr("urllib.request.urlopen", urlopen)
