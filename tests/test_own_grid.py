"""Grids of one's own: what is asked for, from options and from files; and results as tables and pictures."""

import json
import math

import pandas
import pytest

from nlkit import Experiment, plots
from nlkit.checks import DataError
from nlkit.commands.main import main
from nlkit.commands.own_grid import Grid, check_experiments, read_grids, seeds_of, values_of
from nlkit.contents import PAGES
from nlkit.identity import explicit, key
from nlkit.sweeps.files import read_sweep, write_sweep
from nlkit.sweeps.folder import keep_run, pack, read_folder
from nlkit.sweeps.frames import to_frame, write_parquet
from nlkit.sweeps.results import Failure, Result, Sweep
from nlkit.sweeps.run import load_sweep


@pytest.fixture
def made_up(monkeypatch, tmp_path):
    """Runs that take no time, in a folder of their own; gives the list of those that were made."""
    ran = []

    def summarized(experiment, run, keep=()):
        ran.append(experiment)
        level = 0.9 - 0.5 * getattr(experiment, "ratio", 0) - 0.01 * experiment.seed
        return Result(explicit(experiment), {"test_accuracy": (level + 0.1, level)}, 2.0)

    monkeypatch.setattr("nlkit.sweeps.run.summarize", summarized)
    monkeypatch.chdir(tmp_path)
    return ran


def nlkit(capsys, *arguments) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(list(map(str, arguments)))
    return ended.value.code or 0, *capsys.readouterr()


def same(found, expected) -> bool:
    return list(map(key, found)) == list(map(key, expected))


# What is asked for


def test_all_combinations_are_run_with_each_seed():
    found = Grid(
        values={"ratio": (0.2, 0.4), "method": ("standard", "elr"), "epochs": (3,)}, seeds=(0, 2)
    ).experiments()
    assert same(found, [Experiment(ratio=r, method=m, epochs=3, seed=s)
                        for s in (0, 2) for r in (0.2, 0.4) for m in ("standard", "elr")])  # fmt: skip
    assert [e.seed for e in Grid(values={"method": ("elr",)}).experiments()] == [0, 1, 2, 3, 4]
    found = Grid(values={"method": ("elr",), "beta": (0.5, 0.5, 0.9)}, seeds=(0,)).experiments()  # asked for once
    assert same(found, [Experiment(method="elr", options={"beta": beta}) for beta in (0.5, 0.9)])


def test_a_page_lends_its_variants_unless_what_tells_them_apart_is_set():
    page = PAGES["memorization"]
    found = Grid("memorization", values={"ratio": (0.1,)}, seeds=(0,)).experiments()
    assert len(found) == len(page.variants) > 1 and {e.ratio for e in found} == {0.1}
    one = next(iter(page.variants))
    assert same(Grid("memorization", (one,), {"ratio": (0.1,)}, (0,)).experiments(), found[:1])
    losses = Grid("robust_dpo", values={"loss": ("dpo", "rdpo"), "epochs": (1,)}, seeds=(3,)).experiments()
    assert [(e.loss, e.epochs, e.seed, type(e)) for e in losses] == [
        (loss, 1, 3, PAGES["robust_dpo"].experiment) for loss in ("dpo", "rdpo")
    ]


@pytest.mark.parametrize("told, seeds", [
    ("0-4", [0, 1, 2, 3, 4]), ("3", [3]), ("0, 2,5-6", [0, 2, 5, 6]), (7, [7]), ([1, 2], [1, 2]),
    ("", None), ("1-", None), ("4-2", None), ("a", None), (-1, None), ([0.5], None),
])  # fmt: skip
def test_seeds_are_numbers_or_spans(told, seeds):
    if seeds is None:
        with pytest.raises(ValueError, match="seeds="):
            seeds_of(told)
    else:
        assert seeds_of(told) == seeds


def test_values_of_options_are_what_they_look_like():
    assert values_of("clean-per-class=1,20") == ("clean_per_class", [1, 20])
    assert values_of("noise=symmetric,human:worst") == ("noise", ["symmetric", "human:worst"])
    assert values_of("by_class=true,false") == ("by_class", [True, False])


def test_a_grid_in_yaml_is_that_by_options_and_may_be_a_list(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("""
        - set: {ratio: [0.2, 0.4], method: standard}
          seeds: 0-1
        - {page: memorization, variants: standard, set: {epochs: 3}, seeds: [5]}
        - {set: {noise: {3: 8}}, seeds: 1}
    """)
    first, second, third = read_grids(file)
    assert same(first.experiments(), [Experiment(ratio=r, seed=s) for s in (0, 1) for r in (0.2, 0.4)])
    assert same(second.experiments(), Grid("memorization", ("standard",), {"epochs": (3,)}, (5,)).experiments())
    assert same(third.experiments(), [Experiment(noise={3: 8}, seed=1)])
    for text, said in (
        ("{set: [1]}", "set=.* must be a mapping"), ("{", "holds no grid"), ("[]", "holds no grid"),
        ("{seeds: x}", "seeds='x'"),
    ):  # fmt: skip
        file.write_text(text)
        with pytest.raises(ValueError, match=said):
            read_grids(file)


def test_what_a_run_would_refuse_is_refused_before_the_first():
    good = [Experiment(method=method, ratio=ratio, device="cpu") for ratio in (0.2, 0.4) for method in ("elr", "mixup")]
    check_experiments(good)
    for settings, said in (
        ({"ratio": 1.5}, "ratio=1.5"), ({"batch_size": 0}, "batch_size=0"), ({"augment": "flop"}, "augment='flop'"),
        ({"method": "reweight", "clean_per_class": 0}, "needs a clean set"),
        ({"method": "elr", "options": {"beta": 2}}, "beta=2"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=said):
            check_experiments([Experiment(device="cpu", **settings)])


# From the command line


def test_a_grid_by_options_is_run_drawn_and_written_as_a_table(made_up, capsys, tmp_path):
    grid = ("--set", "ratio=0.2,0.4", "--set", "method=standard,elr", "--seeds", "0-2", "--folder", "out", "--jobs", 1)
    assert nlkit(capsys, "sweep", *grid)[:2] == (0, "12 runs: out\n")
    assert len(made_up) == 12
    assert nlkit(capsys, "sweep", *grid)[:2] == (0, "12 runs: out\n")
    assert len(made_up) == 12  # it goes on where it was, which is the end
    code, out, _ = nlkit(capsys, "sweep", "status", "out")
    assert (code, out) == (0, "out: 12 runs: 12 done, 0 running, 0 failed, 0 waiting\n")
    assert nlkit(capsys, "sweep", "export", "out", "table.csv")[:2] == (0, "12 results: table.csv\n")
    ends = pandas.read_csv("table.csv").query("epoch == 2").groupby(["method", "ratio"]).test_accuracy.mean()
    assert ends["elr", 0.4] == pytest.approx(0.69)
    assert nlkit(capsys, "sweep", "plot", "out", "picture.png")[:2] == (0, "picture: picture.png\n")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
    assert nlkit(capsys, "sweep", "pack", "out", "packed.json")[:2] == (0, "12 results: packed.json\n")
    assert load_sweep("packed.json").by_key.keys() == load_sweep("out").by_key.keys()


def test_a_grid_from_a_file_has_a_folder_of_its_name_and_status_finds_it(made_up, capsys, tmp_path):
    (tmp_path / "mine.yaml").write_text("{set: {ratio: [0.1, 0.3]}, seeds: 0-1}")
    assert nlkit(capsys, "sweep", "mine.yaml", "--jobs", 1)[:2] == (0, "4 runs: sweeps/mine\n")
    assert nlkit(capsys, "sweep", "status")[1].startswith("sweeps/mine: 4 runs: 4 done")
    assert nlkit(capsys, "sweep", "status", "mine")[1].startswith("sweeps/mine: 4 runs: 4 done")
    code, _, err = nlkit(capsys, "sweep", "mine.yaml", "--seeds", "3")
    assert code == 2 and "mine.yaml tells the whole grid" in err


def test_what_the_package_carries_is_not_made_again_unless_asked(made_up, capsys, monkeypatch, tmp_path):
    carried = [Experiment(seed=seed, ratio=0.4) for seed in (0, 1)]
    results = tuple(Result(explicit(e), {"test_accuracy": (0.5,)}, 1.0) for e in carried)
    monkeypatch.setattr("nlkit.sweeps.run.RESULTS", tmp_path)
    monkeypatch.setattr("nlkit.contents.GRIDS", ["tiny"])
    grid = [Experiment(seed=2, ratio=0.4), *carried]
    monkeypatch.setattr("nlkit.contents.grid_of", lambda name, seeds=None: grid)
    write_sweep(tmp_path / "tiny.json", Sweep(results))
    assert nlkit(capsys, "sweep", "tiny", "--jobs", 1)[:2] == (0, "3 runs: sweeps/tiny\n")
    assert [e.seed for e in made_up] == [2]
    assert nlkit(capsys, "sweep", "export", "tiny", "table.csv")[1] == "3 results: table.csv\n"  # of both
    keep_run(tmp_path / "sweeps" / "tiny", Result(Experiment(seed=9), {"test_accuracy": (0.5,)}, 1.0))  # of no grid
    assert nlkit(capsys, "sweep", "pack", "tiny")[1] == f"3 results: {tmp_path / 'tiny.json'}\n"
    assert [r.experiment.seed for r in load_sweep("tiny").results] == [0, 1, 2]  # what was there keeps its place
    assert nlkit(capsys, "sweep", "tiny", "--jobs", 1)[1] == "3 runs: sweeps/tiny\n"
    assert len(made_up) == 1
    nlkit(capsys, "sweep", "tiny", "--anew", "--jobs", 1, "--folder", "new")
    assert sorted(e.seed for e in made_up) == [0, 1, 2, 2]


def test_no_page_is_called_as_a_command_of_sweeps():
    from nlkit.commands.sweep import command

    assert not command.commands.keys() & PAGES.keys()


# Packed


def test_packing_what_is_stored_changes_not_a_bit(tmp_path):
    stored = load_sweep("local_clustering")
    for run in stored.results[::7]:
        keep_run(tmp_path, run)
    again = read_folder(tmp_path)
    assert {r.key: repr(r) for r in again.results} == {r.key: repr(r) for r in stored.results[::7]}
    file = tmp_path / "packed.json"
    write_sweep(file, stored)
    before = file.read_bytes()
    pack(tmp_path, file)
    assert file.read_bytes() == before


def test_a_failure_takes_no_results_place(tmp_path):
    done, failed = (Experiment(seed=seed) for seed in (0, 1))
    write_sweep(tmp_path / "packed.json", Sweep((Result(explicit(done), {"x": (1.0,)}, 1.0),)))
    for experiment in (done, failed):
        keep_run(tmp_path, Failure(explicit(experiment), "it broke"))
    packed = pack(tmp_path, tmp_path / "packed.json")
    assert [r.experiment.seed for r in packed.results] == [0] and [f.experiment.seed for f in packed.failed] == [1]
    assert read_sweep(tmp_path / "packed.json").failed[0].error == "it broke"


# Tables and pictures


def some(**curves) -> Sweep:
    made = {"date": "2026-01-02", "versions": {"nlkit": "9"}, "processor": "P", "cores": 3, "device": "cpu"}
    runs = [
        Result(explicit(Experiment(method=method, ratio=ratio, seed=seed, epochs=2, **more)),
               {"test_accuracy": (0.5, level - 0.1 * seed), **curves}, 1.5, made)
        for method, more in (("standard", {}), ("elr", {"options": {"beta": 0.5}}))
        for ratio, level in ((0.2, 0.9), (0.8, 0.4))
        for seed in (0, 1)
    ]  # fmt: skip
    return Sweep(tuple(runs))


def test_a_frame_has_a_row_an_epoch_and_every_setting():
    frame = to_frame(some(memorized=(math.nan, 0.25)))
    assert len(frame) == 16 and {"kind", "learning_rate", "beta", "nlkit", "date", "cores"} <= set(frame.columns)
    row = frame.query("method == 'elr' and ratio == 0.8 and seed == 1 and epoch == 2").iloc[0]
    assert (row.test_accuracy, row.memorized, row.beta, row.seconds, row.device) == (
        pytest.approx(0.3), 0.25, 0.5, 1.5, "cpu",
    )  # fmt: skip
    assert frame.beta.isna().sum() == 8 and frame.memorized.isna().sum() == 8
    assert to_frame(Sweep()).empty


def test_parquet_holds_the_frame_and_lists_as_texts(tmp_path, monkeypatch):
    pytest.importorskip("pyarrow")
    own = Result(explicit(Experiment(noise={3: 8}, ratio=0.2)), {"test_accuracy": (0.5,)}, 1.0)
    sweep = Sweep((*some().results, own))
    write_parquet(tmp_path / "table.parquet", sweep)
    again, frame = pandas.read_parquet(tmp_path / "table.parquet"), to_frame(sweep)
    assert list(again.columns) == list(frame.columns) and again.test_accuracy.tolist() == frame.test_accuracy.tolist()
    assert again.noise.tolist() == [*["symmetric"] * 16, "{'3': 8}"]
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(DataError, match=r"pyarrow.*nlkit\[cluster\]"):
        write_parquet(tmp_path / "other.parquet", sweep)
    assert not (tmp_path / "other.parquet").exists()


def test_the_picture_has_a_line_a_variant_and_the_interval_over_seeds():
    figure = plots.by_setting(some(), "ratio")
    (ax,) = figure.axes
    assert [list(line.get_ydata()) for line in ax.lines] == [pytest.approx([85, 35])] * 2
    assert "standard: 85 at 0.2, 35 at 0.8" in figure.alt and "elr: 85 at 0.2" in figure.alt
    band = ax.collections[0].get_paths()[0].vertices[:, 1]
    half = 12.706 * 5  # of Student's t with one degree of freedom
    assert (band.max(), band.min()) == (pytest.approx(85 + half, abs=0.1), pytest.approx(35 - half, abs=0.1))
    assert ax.get_ylim()[0] >= -15 and ax.get_ylim()[1] <= 115
    assert "elr" not in plots.by_setting(some(), "ratio", where={"method": "standard"}).alt
    assert "ratio 0.8: 50 at standard, 50 at elr" in plots.by_setting(some(), "method", best=True).alt
    assert "in percent" not in plots.by_setting(some(loss=(3.0, 2.0)), "ratio", "loss").alt
    for arguments, said in ((("rato",), "did you mean 'ratio'"), (("ratio", "acuracy"), "number='acuracy'")):
        with pytest.raises(ValueError, match=said):
            plots.by_setting(some(), *arguments)


def test_small_files_hold_all_that_is_known_of_a_run(tmp_path):
    result = some().results[0]
    keep_run(tmp_path, result)
    (file,) = tmp_path.iterdir()
    content = json.loads(file.read_text())
    assert content["settings"] == result.settings and content["made"] == result.made
    assert content["curves"] == {"test_accuracy": [0.5, 0.9]} and content["seconds"] == 1.5
