"""Sweeps that are killed, that share a folder, and that others run: Dask, submitit. Experiments here take no time."""

import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from deadly import Deadly

from nlkit.checks import DataError
from nlkit.sweeps import marks
from nlkit.sweeps.engines import engine
from nlkit.sweeps.folder import file_of, name_of, read_folder
from nlkit.sweeps.marks import marked, running_in
from nlkit.sweeps.progress import in_time, progress
from nlkit.sweeps.run import SweepError, run_sweep

TESTS = Path(__file__).parent


@pytest.fixture
def started(monkeypatch):
    """Start processes that find the kit and the experiments of these tests; whatever is left of them is killed."""
    path = [str(TESTS), str(TESTS.parent), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, path)))
    processes = []

    def start(*arguments: str, **options) -> subprocess.Popen:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
        processes.append(subprocess.Popen([sys.executable, *map(str, arguments)], **quiet | options))
        return processes[-1]

    yield start
    for process in processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def seeds_in(folder: Path) -> list[int]:
    return sorted(result.experiment.seed for result in read_folder(folder).results)


# Killed

KILLED = """
    import sys
    from deadly import Deadly
    from nlkit.sweeps.run import run_sweep

    if __name__ == "__main__":
        list(run_sweep([Deadly(seconds=0.03, seed=seed) for seed in range(int(sys.argv[2]))], sys.argv[1], jobs=2))
"""


@pytest.mark.slow
@pytest.mark.parametrize("moments", [3, pytest.param(20, marks=pytest.mark.nightly)])
def test_a_sweep_killed_at_any_moment_loses_nothing_repeats_nothing_and_leaves_nothing_half(
    started, tmp_path, monkeypatch, moments
):
    script, folder, log, draw = tmp_path / "script.py", tmp_path / "sweep", tmp_path / "log", random.Random(0)
    script.write_text(textwrap.dedent(KILLED))
    monkeypatch.setenv("DEADLY_LOG", str(log))
    count, before = 12 * moments, {}
    for moment in range(moments + 1):
        begun = len(log.read_text().splitlines()) if log.exists() else 0
        process = started(script, folder, count)
        if moment < moments:
            while process.poll() is None and len(list(folder.glob("*.json"))) < len(before) + 2:
                time.sleep(0.01)
            time.sleep(draw.random() / 5)
            # All of its processes, or itself alone: its workers then end the runs that they are at.
            (os.killpg if draw.random() < 0.5 else os.kill)(process.pid, signal.SIGKILL)
            process.wait()
            time.sleep(0.1)
        else:
            assert process.wait(120) == 0
        now = {path.name: path.read_bytes() for path in folder.glob("*.json") if path.name != "grid.json"}
        assert before.items() <= now.items()  # nothing is lost, and nothing was made a second time
        assert all(json.loads(content)["curves"] == {"share": [0.5]} for content in now.values())
        made = {json.loads(content)["settings"]["seed"] for content in before.values()}
        assert not made & set(map(int, log.read_text().splitlines()[begun:]))  # nor begun
        before = now
    assert seeds_in(folder) == list(range(count)) and not list(folder.glob("*.running"))


# Together


def test_two_sweeps_in_one_folder_share_its_runs(tmp_path, monkeypatch):
    monkeypatch.setattr("nlkit.sweeps.run.PAUSE", 0.05)
    monkeypatch.setenv("DEADLY_LOG", str(tmp_path / "log"))
    grid = [Deadly(seconds=0.1, seed=seed) for seed in range(6)]

    def sweep(experiments: list) -> list[int]:
        return sorted(result.experiment.seed for result in run_sweep(experiments, tmp_path / "sweep"))

    with ThreadPoolExecutor(2) as both:
        each = list(both.map(sweep, (grid, grid[::-1])))
    assert each == [list(range(6))] * 2 or sorted({*each[0], *each[1]}) == list(range(6))
    assert sorted((tmp_path / "log").read_text().split()) == list("012345")  # each was made once
    assert seeds_in(tmp_path / "sweep") == list(range(6))


def test_a_run_that_somebody_is_at_is_left_to_them_until_they_are_gone(tmp_path, monkeypatch):
    grid, folder = [Deadly(seed=0), Deadly(seed=1)], tmp_path
    monkeypatch.setattr("nlkit.sweeps.run.PAUSE", 0.05)
    mark = folder / f"{name_of(grid[0])}.running"
    here = {"experiment": "a run", "host": marks.socket.gethostname(), "began": time.time()}
    with marked(folder, grid[0]) as ours, marked(folder, grid[0]) as theirs:
        assert (ours, theirs) == (True, False)
        (running,) = running_in(folder)
        assert running.experiment == "Deadly, seed=0" and mark.exists()
        sweep = run_sweep(grid, folder)
        assert next(sweep).experiment.seed == 1  # the other one has to wait
        told = progress(folder)
        assert (told.total, told.done, len(told.running), told.waiting) == (2, 1, 1, 0)
    assert not mark.exists()
    assert [result.experiment.seed for result in sweep] == [0]
    ended = subprocess.Popen([sys.executable, "-c", ""])
    assert ended.wait() == 0
    for pid, host, age, counts in (
        (os.getpid(), here["host"], 0, True),
        (ended.pid, here["host"], 0, False),  # its process has ended
        (ended.pid, "elsewhere", 0, True),
        (ended.pid, "elsewhere", 2 * marks.FRESH, False),  # it was not renewed
    ):
        mark.write_text(json.dumps(here | {"pid": pid, "host": host}))
        os.utime(mark, (time.time() - age,) * 2)
        assert bool(running_in(folder)) is counts
        with marked(folder, grid[0]) as ours:
            assert ours is not counts
        mark.unlink(missing_ok=True)


def test_a_mark_is_kept_fresh(tmp_path, monkeypatch):
    monkeypatch.setattr(marks, "_RENEWED", 0.05)
    with marked(tmp_path, Deadly()):
        (mark,) = tmp_path.iterdir()
        os.utime(mark, (0, 0))
        time.sleep(0.3)
        assert time.time() - mark.stat().st_mtime < 60
    assert not list(tmp_path.iterdir())


def test_what_the_killed_left_behind_is_taken_away(tmp_path):
    left = [f"{name_of(Deadly())}.{end}" for end in ("0123abcd", "0123abcd.partial", "running")]
    for name in [*left, "notes.txt"]:
        (tmp_path / name).write_text("half")
        os.utime(tmp_path / name, (0, 0))
    assert len(list(run_sweep([Deadly()], tmp_path))) == 1
    assert {path.name for path in tmp_path.iterdir()} == {file_of(tmp_path, Deadly()).name, "grid.json", "notes.txt"}


def test_progress_tells_what_is_done_and_failed_and_how_long_the_rest_takes(tmp_path):
    grid = [Deadly("error" if seed == 3 else "", seconds=0.2, seed=seed) for seed in range(6)]
    with pytest.raises(SweepError):
        list(run_sweep(grid[:4], tmp_path))
    told = progress(tmp_path)
    assert (told.total, told.done, told.waiting, told.seconds_left) == (4, 3, 0, 0)
    next(run_sweep(grid, tmp_path))  # a further one, broken off
    told = progress(tmp_path)
    assert (told.total, told.done, len(told.failed), told.waiting) == (6, 4, 1, 1)
    each = [result.seconds for result in read_folder(tmp_path).results]
    assert len(each) == 4 and told.seconds_left == pytest.approx(sum(each) / 4) and min(each) >= 0.2
    lines = str(told).splitlines()
    assert lines[0] == "6 runs: 4 done, 0 running, 1 failed, 1 waiting"
    a_run = in_time(told.seconds_left)  # one run waits; how long one takes depends on the machine
    assert lines[1].startswith(f"time left: {a_run} ({a_run} a run, 1 at a time; none is at work now)")
    assert lines[2].endswith("seed=3: RuntimeError: it broke")
    assert [in_time(seconds) for seconds in (4.2, 42, 420, 42_000)] == ["4.2 s", "42 s", "7 min", "11.7 h"]


# Others' engines


@pytest.fixture
def dask(started, tmp_path):
    """The address of a Dask scheduler on this machine, and its two workers."""
    pytest.importorskip("distributed")
    told, here = tmp_path / "scheduler.json", ("--no-dashboard",)
    started("-m", "dask", "scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", told, *here)
    worker = ("-m", "dask", "worker", "--scheduler-file", told, "--nthreads", "1", "--no-nanny", *here)
    workers = [started(*worker, "--local-directory", tmp_path) for _ in range(2)]
    until = time.monotonic() + 60
    while not (told.exists() and told.read_text().endswith("}")) and time.monotonic() < until:
        time.sleep(0.05)
    return json.loads(told.read_text())["address"], workers


@pytest.mark.slow
def test_dask_makes_every_run_once_though_one_of_two_workers_is_killed(dask, tmp_path):
    address, workers = dask
    grid = [Deadly("error" if seed == 7 else "", seconds=0.3, seed=seed) for seed in range(10)]
    found = []
    with (
        pytest.raises(SweepError, match="seed=7: RuntimeError: it broke"),
        engine(f"dask:{address}", tmp_path) as there,
    ):
        for result in run_sweep(grid, tmp_path / "sweep", executor=there):
            found.append(result.experiment.seed)
            if len(found) == 3:
                workers[0].kill()
    every = [seed for seed in range(10) if seed != 7]
    assert sorted(found) == every == seeds_in(tmp_path / "sweep")
    assert [failure.experiment.seed for failure in read_folder(tmp_path / "sweep").failed] == [7]


@pytest.mark.slow
def test_submitit_makes_runs_in_processes_of_its_own_here(started, tmp_path):
    pytest.importorskip("submitit")
    with engine("local", tmp_path / "logs", 2) as there:
        made = run_sweep([Deadly(seed=0), Deadly(seed=1)], tmp_path / "sweep", executor=there)
        assert {result.experiment.seed for result in made} == {0, 1}
    assert seeds_in(tmp_path / "sweep") == [0, 1] and any((tmp_path / "logs").iterdir())


@pytest.mark.nightly  # submitit waits for what a dead process may still have written
def test_a_job_that_dies_is_kept_as_failed(started, tmp_path):
    pytest.importorskip("submitit")
    grid = [Deadly(seed=0), Deadly("exit", seed=1), Deadly(seed=2)]
    with (
        pytest.raises(SweepError, match="^a run failed.*how='exit', seed=1: UncompletedJobError"),
        engine("local", tmp_path / "logs", 1) as there,
    ):
        list(run_sweep(grid, tmp_path / "sweep", executor=there))
    assert seeds_in(tmp_path / "sweep") == [0, 2]
    assert file_of(tmp_path / "sweep", grid[1]).exists() and not list((tmp_path / "sweep").glob("*.running"))


SBATCH = """
    import os, re, shlex, subprocess, sys
    from pathlib import Path

    text = Path(sys.argv[-1]).read_text()
    (Path(sys.argv[0]).parent / "asked").write_text(text)
    command = shlex.split(text.strip().splitlines()[-1])
    for task in range(int(re.search("--array=0-([0-9]+)", text)[1]) + 1):
        own = {"SLURM_JOB_ID": str(7 + task), "SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": str(task),
               "SLURM_NTASKS": "1", "SLURM_JOB_NUM_NODES": "1", "SLURM_NODEID": "0", "SLURM_PROCID": "0",
               "SLURM_LOCALID": "0", "SLURM_JOB_NODELIST": "here", "SUBMITIT_EXECUTOR": "slurm"}
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.Popen(command[command.index(sys.executable):], env={**os.environ, **own}, **quiet)
    print("Submitted batch job 7")
"""


@pytest.mark.slow
def test_slurm_is_asked_for_what_is_wanted_and_its_jobs_results_are_taken(started, tmp_path, monkeypatch):
    """Slurm's commands are made up here; what stands in the batch file, and what is done with results, is real."""
    pytest.importorskip("submitit")
    commands = tmp_path / "bin"
    commands.mkdir()
    for name, code in (("sbatch", SBATCH), ("srun", ""), ("scancel", ""), ("sacct", "print('JobID|State')")):
        (commands / name).write_text(f"#!{sys.executable}\n{textwrap.dedent(code)}")
        (commands / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}{os.pathsep}{os.environ['PATH']}")
    with engine("slurm:short", tmp_path / "logs", None, {"timeout_min": 90, "mem_gb": 3}) as there:
        assert len(list(run_sweep([Deadly(seed=0), Deadly(seed=1)], tmp_path / "sweep", executor=there))) == 2
    asked = (commands / "asked").read_text()
    for line in ("--partition=short", "--time=90", "--mem=3GB", "--cpus-per-task=1", "--array=0-1%"):
        assert f"#SBATCH {line}" in asked
    assert "export OMP_NUM_THREADS=$SLURM_CPUS_PER_TASK" in asked and seeds_in(tmp_path / "sweep") == [0, 1]
    (commands / "sbatch").write_text("#!/bin/sh\necho invalid partition >&2; exit 1\n")
    refused = pytest.raises(DataError, match="could not be submitted: .*invalid partition")
    with refused, engine("slurm:shorter", tmp_path / "logs") as there:  # it is no fault of the run
        list(run_sweep([Deadly(seed=2)], tmp_path / "sweep", executor=there))
    assert read_folder(tmp_path / "sweep").failed == ()


def test_engines_that_can_not_be_are_refused(tmp_path, monkeypatch):
    def enter(*arguments):
        with engine(*arguments):
            pytest.fail("it began")

    for on in ("dusk:tcp://there", "dask", "slurm:", "local:here", ""):
        with pytest.raises(ValueError, match=f"on='{on}' is not known. It must be dask:tcp://"):
            enter(on, tmp_path)
    with pytest.raises(ValueError, match="its workers decide; leave it out"):
        enter("dask:tcp://127.0.0.1:9", tmp_path, 4)
    with pytest.raises(ValueError, match="resources={'mem_gib': 4} are not submitit's"):
        enter("local", tmp_path, None, {"mem_gib": 4})
    with pytest.raises(ValueError, match="jobs=0"):
        enter("local", tmp_path, 0)
    for on, package in (("dask:tcp://127.0.0.1:9", "distributed"), ("local", "submitit")):
        with monkeypatch.context() as patched, pytest.raises(DataError, match=rf"{package} is not.*nlkit\[cluster\]"):
            patched.setitem(sys.modules, package, None)
            enter(on, tmp_path)


def test_dask_s_workers_must_have_one_thread_each(tmp_path, monkeypatch):
    distributed = pytest.importorskip("distributed")

    class Client:
        def __init__(self, address, timeout):
            if address.endswith(":9"):
                raise OSError("Timed out")

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def nthreads(self):
            return {"tcp://a": 1, "tcp://b": 4}

    monkeypatch.setattr(distributed, "Client", Client)
    with pytest.raises(ValueError, match="tcp://b has 4 threads.*--nthreads 1"), engine("dask:tcp://c:1", tmp_path):
        pytest.fail("it began")
    with pytest.raises(DataError, match="no Dask scheduler answers at tcp://c:9"), engine("dask:tcp://c:9", tmp_path):
        pytest.fail("it began")
