"""Sweeps: what they keep, that they go on, that a failing run stops no other, and that the stored grid is the grid."""

import contextlib
import dataclasses
import functools
import json
import math
import multiprocessing
import os
import signal
import subprocess
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from nlkit import METHODS, Experiment, identity
from nlkit.contents import GRIDS, grid_of
from nlkit.identity import explicit, key
from nlkit.sweeps import run as sweep
from nlkit.sweeps.files import read_sweep, write_sweep
from nlkit.sweeps.folder import file_of, pack, read_folder
from nlkit.sweeps.results import Result, Sweep
from nlkit.sweeps.run import SweepError, load_sweep, run_sweep, stored, summarize
from nlkit.sweeps.workers import in_processes
from nlkit.training.recipes import RECIPES


def small(**settings):
    return Experiment(**{"epochs": 2, "ratio": 0.4, "device": "cpu", **settings})


@pytest.fixture
def two_runs(tmp_path):
    folder = tmp_path / "sweep"
    experiments = [small(ratio=0.0), small(method="mentormix", options={"by_class": True})]
    return folder, experiments, list(run_sweep(experiments, folder))


@pytest.fixture
def made_up(monkeypatch):
    """Runs that take no time, and fail where `failing` says so; gives the list of those that were made."""

    class MadeUp(list):
        failing = {}  # key -> error

    ran = MadeUp()

    def summarized(experiment, run, keep=()):
        ran.append(experiment)
        if error := ran.failing.get(key(experiment)):
            raise error
        return Result(explicit(experiment), {"test_accuracy": (0.5, 0.6)}, 1.0, sweep._made_by(experiment))

    monkeypatch.setattr("nlkit.sweeps.run.summarize", summarized)
    return ran


def test_a_result_holds_what_the_run_measured(two_runs):
    _, experiments, results = two_runs
    assert [r.experiment for r in results] == list(map(explicit, experiments))
    for experiment, result in zip(experiments, results):
        records = list(experiment.run())
        assert result.curves.keys() == {"test_accuracy", "memorized"}
        accuracy = result.curves["test_accuracy"]
        assert accuracy == pytest.approx([r.test_accuracy for r in records], abs=1e-4)
        assert result.final == accuracy[-1] and result.best == max(accuracy)
    assert all(map(math.isnan, results[0].curves["memorized"]))  # no label is wrong at ratio 0
    assert not any(map(math.isnan, results[1].curves["memorized"]))
    with pytest.raises(ValueError, match="number='memorised' is not known; did you mean 'memorized'"):
        results[0].last("memorised")


def test_best_is_the_highest_epoch_the_first_of_equals_and_final_the_last():
    result = Result(small(), {"test_accuracy": (0.2, 0.9, 0.9, 0.5), "kept": (1.0, 0.8, 0.7, 0.6)}, 1.0)
    assert (result.best, result.final) == (0.9, 0.5)
    assert (result.at_best("kept"), result.last("kept"), result.highest("kept")) == (0.8, 0.6, 1.0)


def test_what_is_loaded_is_what_was_saved(two_runs):
    folder, _, results = two_runs
    sweep = load_sweep(folder)
    assert repr(sweep.results) == repr(tuple(results))  # NaN is not equal to itself
    assert sweep.failed == ()
    assert sweep.where(method="mentormix") == [results[1]]
    with pytest.raises(ValueError, match="ratio=0.9"):
        sweep.where(ratio=0.9)
    with pytest.raises(ValueError, match="setting='rato' is not known; did you mean 'ratio'"):
        sweep.where(rato=0.4)
    assert "NaN" not in "".join(path.read_text(encoding="utf-8") for path in folder.iterdir())


def test_a_sweep_goes_on_where_it_was_broken_off(tmp_path, made_up):
    folder, more = tmp_path / "sweep", [small(seed=seed) for seed in range(4)]
    list(run_sweep(more[:2], folder))
    next(run_sweep(more, folder))  # broken off after the first new one
    assert made_up == list(map(explicit, more[:3]))
    list(run_sweep([*more, more[3]], folder))  # asked for twice, made once
    assert made_up == list(map(explicit, more))
    assert [r.experiment for r in load_sweep(folder).results] == list(map(explicit, more))


# Where a result comes from


def test_each_result_keeps_its_own_day_versions_and_machine(tmp_path, made_up, monkeypatch):
    folder = tmp_path / "sweep"
    places = [
        {"date": "2026-01-01", "versions": {"torch": "1"}, "processor": "old", "cores": 4},
        {"date": "2026-02-02", "versions": {"torch": "2"}, "processor": "new", "cores": 8, "device": "cuda"},
    ]
    for place, seeds in zip(places, ((0,), (0, 1, 2))):
        monkeypatch.setattr("nlkit.sweeps.run._made_by", lambda experiment, place=place: place)
        list(run_sweep([small(seed=seed) for seed in seeds], folder))
    again = load_sweep(folder)
    assert [r.made for r in again.results] == [places[0], places[1], places[1]]
    assert again.made == (
        "2 of them 2026-02-02, torch 2, new, 8 cores, cuda; 1 of them 2026-01-01, torch 1, old, 4 cores"
    )
    pack(folder, tmp_path / "packed.json")
    assert (tmp_path / "packed.json").read_text().count("2026-02-02") == 1  # a place is told once
    assert [r.made for r in read_sweep(tmp_path / "packed.json").results] == [r.made for r in again.results]


def test_where_a_result_comes_from_is_here_and_now(two_runs):
    import datetime
    from importlib.metadata import version

    made = two_runs[2][0].made
    assert made["date"] == datetime.date.today().isoformat() and made["device"] == "cpu"
    assert made["versions"].items() >= {"torch": version("torch"), "numpy": version("numpy")}.items()
    assert made["cores"] == os.cpu_count()


# Which run a result is of


def test_every_setting_stands_in_the_file(two_runs):
    pack(two_runs[0], two_runs[0] / "packed.json")
    content = json.loads((two_runs[0] / "packed.json").read_text(encoding="utf-8"))
    fields = {f.name for f in dataclasses.fields(Experiment)}
    for row, options in zip(content["results"], ({"learn_clean"}, {"percentile", "alpha", "second_weighting", "burn_in",
                                                                   "by_class", "mentor"})):  # fmt: skip
        settings = content["shared"] | row["settings"]
        assert settings.keys() == fields | {"kind"} and settings["options"].keys() == options
        assert settings["epochs"] == 2 and settings["learning_rate"] == 6e-4 and settings["device"] == "cpu"
        assert json.loads(file_of(two_runs[0], settings).read_text(encoding="utf-8"))["settings"] == settings


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("model", ("mlp", "resnet32"))
def test_what_is_left_out_and_what_is_spelled_out_are_the_same_run(method, model):
    """And every setting that is another makes another run."""
    left_out = Experiment(method=method, model=model)
    spelled = explicit(left_out)
    assert None not in [getattr(spelled, f.name) for f in dataclasses.fields(Experiment)]
    assert key(spelled) == key(left_out) == key(explicit(spelled))
    others = {"data": "mnist", "noise": "red", "ratio": 0.1, "clean_per_class": 7, "epochs": 3, "batch_size": 5,
              "optimizer": "sgd", "learning_rate": 0.5, "schedule": "linear", "weight_decay": 0.5, "augment": "affine",
              "weight_average": 0.5, "precision": "bfloat16", "seed": 9, "device": "cuda"}  # fmt: skip
    assert others.keys() == {f.name for f in dataclasses.fields(Experiment)} - {"method", "model", "options"}
    for name, value in others.items():
        assert key(dataclasses.replace(left_out, **{name: value})) != key(left_out), name
    for name, default in spelled.options.items():
        number = isinstance(default, (int, float)) and not isinstance(default, bool)
        other = not default if isinstance(default, bool) else 0.9 * default or 0.25 if number else None
        if isinstance(default, int) and number:
            other = default + 1
        if other is not None:
            assert key(dataclasses.replace(left_out, options={name: other})) != key(left_out), name
            assert key(dataclasses.replace(left_out, options={name: default})) == key(left_out), name


@pytest.mark.parametrize("given, plain", [
    ({"seed": np.int64(3)}, {"seed": 3}),
    ({"ratio": np.float32(0.4)}, {"ratio": 0.4}),
    ({"ratio": np.float64(0.4)}, {"ratio": 0.4}),
    ({"ratio": 0}, {"ratio": 0.0}),
    ({"epochs": np.uint8(4)}, {"epochs": 4}),
    ({"learning_rate": np.logspace(-3, -2, 2)[0]}, {"learning_rate": 0.001}),
    ({"method": "mentormix", "options": {"alpha": 4}}, {"method": "mentormix", "options": {"alpha": 4.0}}),
    ({"method": "mentornet", "options": {"by_class": np.True_}},
     {"method": "mentornet", "options": {"by_class": True}}),
    ({"method": "forward", "options": {"matrix": torch.eye(10)}},
     {"method": "forward", "options": {"matrix": np.eye(10).tolist()}}),
    ({"method": "em", "options": {"matrix": np.eye(10)}},
     {"method": "em", "options": {"matrix": torch.eye(10).tolist()}}),
])  # fmt: skip
def test_numbers_of_numpy_and_torch_are_the_plain_ones(tmp_path, made_up, given, plain):
    folder = tmp_path / "sweep"
    (result,) = run_sweep([small(**given)], folder)
    for name, value in plain.items():
        kept = getattr(load_sweep(folder).results[0].experiment, name)
        assert kept == getattr(explicit(small(**plain)), name) and type(kept) is type(getattr(result.experiment, name))
        assert load_sweep(folder).where(**{name: value}) and load_sweep(folder).where(**{name: given[name]})
    assert list(run_sweep([small(**plain)], folder)) == []  # it is known


def test_seeds_and_ratios_of_numpy_can_be_swept(tmp_path):
    folder = tmp_path / "sweep"
    grid = [small(seed=s, ratio=r, epochs=1) for s in np.arange(1, 3) for r in np.linspace(0, 0.5, 2, dtype="float32")]
    list(run_sweep(grid, folder))
    assert [(r.experiment.seed, r.experiment.ratio) for r in load_sweep(folder).results] == [
        (1, 0.0), (1, 0.5), (2, 0.0), (2, 0.5),
    ]  # fmt: skip
    assert load_sweep(folder).where(seed=1, ratio=0.5)[0].curves["test_accuracy"] == pytest.approx(
        [r.test_accuracy for r in small(seed=1, ratio=0.5, epochs=1).run()], abs=1e-4
    )


def test_results_are_found_by_what_is_left_out(two_runs):
    sweep = load_sweep(two_runs[0])
    assert len(sweep.where(batch_size=None)) == 2 and len(sweep.where(epochs=2)) == 2
    with pytest.raises(ValueError, match="epochs=None"):
        sweep.where(epochs=None)  # 25 by the recipe
    assert sweep.where(method="mentormix", options={"by_class": True, "alpha": 2.0}) == [sweep.results[1]]
    for options in ({}, {"by_class": False}, {"by_clas": True}):
        with pytest.raises(ValueError, match="no run of this sweep"):
            sweep.where(method="mentormix", options=options)


class Later(METHODS["mixup"]):
    """mixup as it may be one day, with one more option."""

    def __init__(self, alpha: float = 1.0, twice: bool = True):
        super().__init__(alpha)


def test_a_default_that_changes_relabels_nothing(tmp_path, made_up, monkeypatch):
    folder, asked = tmp_path / "sweep", small(method="mixup", epochs=None)
    list(run_sweep([asked], folder))

    class Otherwise(METHODS["mixup"]):
        def __init__(self, alpha: float = 8.0):
            super().__init__(alpha)

    monkeypatch.setitem(METHODS, "mixup", Otherwise)
    monkeypatch.setitem(RECIPES, "mlp", dataclasses.replace(RECIPES["mlp"], epochs=30))
    (old,) = load_sweep(folder).results
    assert (old.experiment.options, old.experiment.epochs) == ({"alpha": 1.0}, 25)
    (new,) = run_sweep([asked], folder)  # is not the same run any more
    assert (new.experiment.options, new.experiment.epochs) == ({"alpha": 8.0}, 30)
    assert load_sweep(folder).where(options={}) == [new] and load_sweep(folder).where(epochs=25) == [old]


def test_an_option_that_is_added_hides_no_result_and_is_not_guessed(tmp_path, made_up, monkeypatch):
    folder, asked = tmp_path / "sweep", small(method="mixup")
    list(run_sweep([asked], folder))
    monkeypatch.setitem(METHODS, "mixup", Later)
    with pytest.warns(UserWarning, match="older than the settings mixup.twice"):
        again = load_sweep(folder)
    assert again.where(method="mixup", ratio=0.4) == list(again.results)
    for options in ({}, {"twice": True}, {"twice": False}):
        with pytest.raises(ValueError, match="no run"):
            again.where(options=options)
    with pytest.warns(UserWarning):
        assert len(list(run_sweep([asked], folder))) == 1  # it is made anew,
    with pytest.warns(UserWarning):
        kept = [r.settings["options"] for r in load_sweep(folder).results]  # and the old one is kept as it was
    assert sorted(kept, key=len) == [{"alpha": 1.0}, {"alpha": 1.0, "twice": True}]
    monkeypatch.setattr(
        Experiment, "BEFORE", {**Experiment.BEFORE, "mixup.twice": False}
    )  # now it is said what the option was
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = load_sweep(folder)
    assert [r.settings["options"] for r in again.where(options={"twice": False})] == [{"alpha": 1.0, "twice": False}]
    assert list(run_sweep([small(method="mixup", options={"twice": False})], folder)) == []


def test_a_setting_that_is_added_to_experiments_is_not_guessed_either(tmp_path, made_up, monkeypatch):
    folder = tmp_path / "sweep"
    list(run_sweep([small()], folder))
    file = file_of(folder, small())
    content = json.loads(file.read_text())
    del content["settings"]["precision"]  # as if there had been none when the file was written
    file.write_text(json.dumps(content))
    with pytest.warns(UserWarning, match="older than the settings precision"):
        again = load_sweep(folder)
    assert again.where(seed=0) and again.results[0].key != key(small())
    monkeypatch.setattr(Experiment, "BEFORE", {**Experiment.BEFORE, "precision": "float32"})
    assert load_sweep(folder).results[0].key == key(small())


@pytest.mark.parametrize("settings, said", [
    ({"method": "mixdown"}, "did you mean 'mixup'"),
    ({"method": "mixup", "options": {"alfa": 1}}, "alfa=1 is not an option of method 'mixup'"),
    ({"model": "mpl"}, "did you mean 'mlp'"),
    ({"epochs": 0}, "epochs=0"),
    ({"ratio": math.nan}, "nan can't be a setting"),
    ({"data": object()}, "object"),
])  # fmt: skip
def test_what_can_not_be_known_again_is_refused_before_any_run(tmp_path, made_up, settings, said):
    with pytest.raises(ValueError, match=said):
        run_sweep([small(), small(**settings)], tmp_path / "sweep")
    assert made_up == [] and not list(tmp_path.iterdir())


# Runs that fail

FAILING = [  # settings of a run, and what its error says
    ({"ratio": 1.5}, "ValueError: ratio=1.5"),
    ({"clean_per_class": 4000}, "ValueError: clean_per_class=4000"),
    ({"noise": "symetric"}, "ValueError: noise='symetric'"),
    ({"data": "mnist4k"}, "ValueError: data='mnist4k'"),
    ({"method": "reweight", "clean_per_class": 0}, "ValueError: method='reweight' needs a clean set"),
    ({"device": "abacus"}, "ValueError: device='abacus'"),
    ({"noise": "human:worst"}, "human:worst"),
    ({"ratio": "much"}, "ratio='much'"),
]


def test_runs_that_fail_stop_no_other_and_are_named(tmp_path):
    """Each failing run stands before a good one."""
    folder = tmp_path / "sweep"
    failing = [small(epochs=1, **settings) for settings, _ in FAILING]
    good = [small(epochs=1, seed=seed) for seed in range(2)]
    found = []
    with pytest.raises(SweepError, match=rf"^{len(FAILING)} runs failed") as raised:
        for result in run_sweep([failing[0], good[0], *failing[1:], good[1]], folder):
            found.append(result)
    assert [r.experiment.seed for r in found] == [0, 1]
    again = load_sweep(folder)
    assert again.results == tuple(found) and again.failed == raised.value.failures
    for (settings, said), failure in zip(FAILING, again.failed, strict=True):
        assert said in failure.error and "\n" not in str(failure)
        assert {name: getattr(failure.experiment, name) for name in settings} == settings
        assert all(f"{name}={value!r}" in str(failure) for name, value in settings.items())
        assert "seed=0" in str(failure)
        assert failure.made["date"]


def test_a_failed_run_is_kept_and_run_again_on_request_alone(tmp_path, made_up):
    folder, runs = tmp_path / "sweep", [small(seed=seed) for seed in range(3)]
    made_up.failing[key(runs[1])] = RuntimeError("out\nof memory")
    for again, tries in ((False, 1), (False, 1), (True, 2)):
        with pytest.raises(SweepError, match="seed=1: RuntimeError: out of memory"):
            list(run_sweep(runs, folder, again=again))
        assert len(load_sweep(folder).failed) == 1 and len(load_sweep(folder).results) == 2
        assert len(made_up) == 2 + tries
    list(run_sweep(runs[:1], folder, again=True))  # it was not asked for, and stays
    assert len(load_sweep(folder).failed) == 1
    made_up.failing.clear()
    assert [r.experiment.seed for r in run_sweep(runs, folder, again=True)] == [1]
    assert load_sweep(folder).failed == () and len(load_sweep(folder).results) == 3


def test_a_folder_that_can_not_be_written_stops_a_sweep(tmp_path, made_up, monkeypatch):
    """It is no fault of the run."""
    folder = tmp_path / "sweep"
    list(run_sweep([small()], folder))
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def full(path, content):
        if "grid" not in str(path):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("nlkit.sweeps.folder._put", full)
    with pytest.raises(OSError, match="No space left on device"):
        list(run_sweep([small(), small(seed=1), small(seed=2)], folder))
    assert len(made_up) == 2 and {path.name: path.read_bytes() for path in folder.iterdir()} == before


# Several at a time

DEADLY = (Path(__file__).parent / "deadly.py").read_text(encoding="utf-8")
SCRIPT = """
import sys
from deadly import Deadly
from nlkit.sweeps.run import run_sweep, load_sweep

if __name__ == "__main__":
    what, folder = sys.argv[1:]
    if what == "deaths":
        try:
            grid = [Deadly(how, seed=seed) for seed, how in enumerate(("killed", "", "exit", "error", ""))]
            print(sorted(r.experiment.seed for r in run_sweep(grid, folder, jobs=2)))
        finally:
            print(sorted(r.experiment.seed for r in load_sweep(folder).results))
            for failure in sorted(load_sweep(folder).failed, key=lambda f: f.experiment.seed):
                print(failure)
    if what == "long":
        for result in run_sweep([Deadly(seconds=60 * bool(s), seed=s) for s in range(3)], folder, jobs=2):
            print(result.experiment.seed, flush=True)
"""


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    (tmp_path / "deadly.py").write_text(DEADLY)

    def start(what: str) -> subprocess.Popen:
        command = [sys.executable, str(path), what, str(tmp_path / "sweep")]
        # A shell that starts the tests in the background has them ignore interrupts, which is handed on.
        heed = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
        started.append(subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=heed
        ))  # fmt: skip
        return started[-1]

    started: list[subprocess.Popen] = []
    yield start
    for run in started:  # one that hangs must not hang the tests
        with contextlib.suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)


@pytest.mark.slow
def test_a_process_that_dies_takes_only_its_run_with_it(script):
    with script("deaths") as run:
        out, err = run.communicate(timeout=400)
    assert run.returncode == 1 and "SweepError: 3 runs failed" in err
    kept, *failed = out.splitlines()
    assert kept == "[1, 4]"
    assert [line.partition(", seed=")[2] for line in failed] == [
        "0: its process was ended by SIGKILL, as it happens when the memory is full",
        "2: its process ended with exit code 7",
        "3: RuntimeError: it broke",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("whom", ["all", pytest.param("the parent", marks=pytest.mark.nightly)])
def test_an_interrupt_is_heeded_at_once_and_results_are_kept(script, tmp_path, whom):
    """A terminal sends it to every process of the program, `kill` to one."""
    with script("long") as run:
        assert run.stdout.readline() == "0\n"
        time.sleep(1)  # the others are at work now
        (os.killpg if whom == "all" else os.kill)(run.pid, signal.SIGINT)
        started = time.monotonic()
        try:
            _, err = run.communicate(timeout=30)  # the runs that it breaks off would take a minute
        except subprocess.TimeoutExpired:
            os.killpg(run.pid, signal.SIGKILL)  # or the end of this block would wait for it
            raise
    assert err.count("Traceback") == 1 and "KeyboardInterrupt" in err
    with pytest.raises(ProcessLookupError):  # nobody is left, Python's own helper neither, which takes a moment
        while time.monotonic() - started < 20:
            os.killpg(run.pid, 0)
            time.sleep(0.1)
    runs = [json.loads(path.read_text()) for path in (tmp_path / "sweep").glob("*.json") if path.name != "grid.json"]
    assert [row["settings"]["seed"] for row in runs] == [0]


def test_a_second_interrupt_during_the_clean_up_leaves_no_process_at_work(monkeypatch):
    doing = in_processes(time.sleep, [0, 600, 0], jobs=2)
    assert [next(doing)[0] for _ in range(2)] == [0, 0]
    at_work = multiprocessing.active_children()
    assert len(at_work) >= 2

    def interrupted(_worker):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("nlkit.sweeps.workers._Worker.kill", interrupted)
        doing.close()
    for process in at_work:
        process.join(20)
    try:
        assert not any(process.is_alive() for process in at_work)
    finally:
        for process in at_work:
            process.kill()


@pytest.mark.slow
def test_several_at_a_time_have_the_same_results_as_one(tmp_path):
    grid = [small(epochs=1, seed=seed) for seed in range(2)]
    one, two = (sorted(run_sweep(grid, tmp_path / f"{jobs}", jobs=jobs), key=lambda r: r.key) for jobs in (1, 2))
    assert [r.final for r in one] == pytest.approx([r.final for r in two], abs=1e-3)
    assert [r.key for r in one] == [r.key for r in two]


def test_runs_go_through_an_executor_that_is_handed_in(tmp_path):
    """One of several failing there too; whatever runs it, the results are the same."""
    grid = [small(epochs=1, seed=seed) for seed in range(2)] + [small(ratio=1.5)]
    with ThreadPoolExecutor(1) as executor, pytest.raises(SweepError, match=r"^a run failed.*ratio=1.5"):
        list(run_sweep(grid, tmp_path / "there", executor=executor))
    with pytest.raises(SweepError):
        list(run_sweep(grid, tmp_path / "here"))
    there, here = (load_sweep(tmp_path / name) for name in ("there", "here"))
    assert {r.key: r.curves for r in there.results} == {r.key: r.curves for r in here.results}
    assert len(there.results) == 2 and [f.key for f in there.failed] == [f.key for f in here.failed]


@pytest.mark.slow
def test_a_script_without_a_guard_is_told_of_it(tmp_path):
    (tmp_path / "deadly.py").write_text(DEADLY)
    code = "from deadly import Deadly\nfrom nlkit.sweeps.run import run_sweep\n" + (
        f"list(run_sweep([Deadly(), Deadly(seed=1)], {str(tmp_path / 'sweep')!r}, jobs=2))\n"
    )
    (tmp_path / "bare.py").write_text(code)
    done = subprocess.run([sys.executable, tmp_path / "bare.py"], capture_output=True, text=True, timeout=400)
    assert done.returncode == 1 and "below `if __name__ == '__main__':`" in done.stderr


# Files


@pytest.mark.slow
def test_further_curves_are_kept_where_they_are_asked_for_and_defined(tmp_path):
    folder, names = tmp_path / "sweep", ("recovered", "weight_on_right")
    experiments = [small(method="reweight"), small(noise="red")]
    reweight, red = run_sweep(experiments, folder, keep=names)
    records = list(experiments[0].run())
    assert reweight.curves["recovered"] == pytest.approx([r.recovered for r in records], abs=1e-4)
    assert reweight.last("weight_on_right") == pytest.approx(records[-1].extra["weight_on_right"], abs=1e-4)
    best = max(records, key=lambda r: r.test_accuracy)
    assert reweight.at_best("recovered") == pytest.approx(best.recovered, abs=1e-4)
    assert "weight_on_right" not in red.curves and all(
        map(math.isnan, red.curves["recovered"])
    )  # no image is of a class
    assert repr(load_sweep(folder).results) == repr((reweight, red))


def test_files_that_are_no_sweep_are_refused_and_kept(tmp_path):
    file = tmp_path / "mine.json"
    row = {"settings": {"rato": 1}, "made": 0}
    for text in (
        "not JSON", "{}", "[]", "3",
        json.dumps({"form": 3}),
        json.dumps({"form": 4, "made": [], "shared": {}, "results": [], "failed": []}),
        json.dumps({"form": 3, "made": [{}], "shared": {}, "results": [row], "failed": []}),
        json.dumps({"form": 3, "made": [], "shared": identity.identity(small()), "results": [row], "failed": []}),
        json.dumps({"form": 3, "made": [{}], "shared": {"kind": "os:system"}, "results": [row], "failed": []}),
        json.dumps({"form": 3, "made": [{}], "shared": {"kind": "sched:scheduler"}, "results": [row], "failed": []}),
        json.dumps({"form": 3, "made": [{}], "shared": {"kind": "nlkit.no:One"}, "results": [row], "failed": []}),
    ):  # fmt: skip
        file.write_text(text)
        with pytest.raises(ValueError, match="mine.json.* is not a sweep's file"):
            load_sweep(file)
        assert file.read_text() == text
    with pytest.raises(ValueError, match="blue-and-red"):
        load_sweep("blue-and-rd")
    with pytest.raises(ValueError, match="mine.json.* is a file; it must be a folder"):
        run_sweep([small()], file)


@pytest.mark.parametrize("spoil, said", [
    (lambda row: "half", "is not a run's file"),
    (lambda row: json.dumps(row | {"form": 4}), "its form is 4"),
    (lambda row: json.dumps(row | {"settings": {"kind": "os:system"}}), "os:system, which is no class of experiments"),
    (lambda row: json.dumps({name: row[name] for name in row if name != "seconds"}), "it has no 'seconds'"),
])  # fmt: skip
def test_files_of_runs_that_can_not_be_read_are_refused_and_kept(tmp_path, made_up, spoil, said):
    list(run_sweep([small()], tmp_path))
    (tmp_path / "notes.json").write_text("mine")  # what is no run's file is left alone
    assert len(read_folder(tmp_path).results) == 1
    file = file_of(tmp_path, small())
    file.write_text(text := spoil(json.loads(file.read_text())))
    with pytest.raises(ValueError, match=rf"{file.name}.*{said}"):
        run_sweep([small(), small(seed=1)], tmp_path)
    assert file.read_text() == text and len(made_up) == 1


def test_a_file_of_an_earlier_form_is_refused_with_what_to_do(tmp_path):
    file = tmp_path / "old.json"
    file.write_text(json.dumps({"made": {"date": "2026-11-21"}, "results": [{"settings": {"seed": 1}}]}))
    with pytest.raises(ValueError, match="old.json.*earlier version. Move it away"):
        load_sweep(file)


def test_an_empty_sweep_can_be_kept(tmp_path):
    write_sweep(tmp_path / "empty.json", Sweep())
    assert read_sweep(tmp_path / "empty.json") == Sweep()


@pytest.mark.parametrize("name", GRIDS)
def test_the_stored_results_are_those_of_the_whole_grid(name):
    with warnings.catch_warnings():
        # A setting is younger than the results: the BEFORE of their class should say what it was for them.
        warnings.simplefilter("error")
        sweep = load_sweep(name)
    # Runs that were made several at a time are stored as they came.
    assert sorted(result.key for result in sweep.results) == sorted(set(map(key, grid_of(name))))
    assert sweep.failed == () and all(result.made for result in sweep.results)
    assert stored(name).stat().st_size < 700_000


@pytest.mark.slow
def test_a_cell_of_the_stored_grid_can_be_run_again():
    """Another processor rounds differently, and late epochs amplify that; the first epochs hardly differ."""
    result = load_sweep("blue-and-red").where(method="standard", noise="red", ratio=0.4, clean_per_class=0, seed=0)[0]
    again = summarize(result.experiment, result.experiment.run())
    begun = (run.curves["test_accuracy"][:3] for run in (again, result))
    assert next(begun) == pytest.approx(next(begun), abs=0.01)
    assert again.final == pytest.approx(result.final, abs=0.05)
