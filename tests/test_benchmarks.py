"""The benchmarks compare like with like, and what is kept of them has no hole. No time is asserted."""

import contextlib
import dataclasses
import functools
import io
import itertools
import json
import math
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import pytest
import torch
from click.testing import CliRunner
from torch import nn

from benchmarks import epochs, footprint, ideas, many, report, run, scaling, steps, sweeps, usual, ways
from benchmarks.products import bare_products
from benchmarks.timing import Row, interleaved, rows_of, single
from nlkit import build_model, make_task, train
from nlkit.randomness import seeded_generator


@pytest.fixture(scope="module")
def task(mnist5k):
    return make_task(mnist5k, ratio=0.8, clean_per_class=5, seed=0, device="cpu")


def test_sides_are_timed_in_turn_after_one_call_that_does_not_count():
    calls = []
    taken = interleaved({name: lambda name=name: calls.append(name) for name in "ab"}, 3, each=2)
    assert "".join(calls) == "ab" + "aabb" * 3
    assert [len(taken[name]) for name in "ab"] == [3, 3]


def test_a_ratio_is_the_median_over_rounds_of_times_in_the_same_round():
    row = rows_of("floor", "case", {"base": [1.0, 2.0, 4.0], "side": [3.0, 4.0, 4.0]}, "base")[1]
    assert (row.side, row.median, row.ratio) == ("side", 4000.0, 2.0)
    assert (row.ratio_low, row.ratio_high) == (1.5, 2.5)


def test_every_way_reads_the_same_images_and_labels(task):
    for method, count in (("standard", len(task.images)), ("reweight", len(task.wrong))):
        noisy, clean = ways.loaders(task, method, workers=0)
        assert len(noisy.dataset) == len(ways.in_memory(task, method)[0].images) == count
        assert len(noisy) == len(ways.in_memory(task, method)[0])
        for place in (0, 17):
            image, label = noisy.dataset[place]
            torch.testing.assert_close(image, task.images[place], atol=1e-5, rtol=1e-5)
            assert label == task.given[place]
    assert next(clean) is next(clean)  # the tutorial's loops keep the clean batches of their first pass
    for images, labels in (next(clean), next(ways.in_memory(task, "reweight")[1])):
        order, there = (each.flatten(1).sum(1).argsort() for each in (images, task.clean_images))
        torch.testing.assert_close(images[order], task.clean_images[there], atol=1e-5, rtol=1e-5)
        assert labels[order].equal(task.clean_labels[there])
    (images, labels), *_ = ways.in_memory(task, "standard")[0]
    assert not images.equal(task.images[:128]) and len(images) == len(labels) == 128


def adam(model: nn.Module, fused: bool = False) -> torch.optim.Optimizer:
    return torch.optim.Adam(model.parameters(), 6e-4, fused=fused)


def momentum(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), 6e-4, momentum=0.9)


def meta_sgd(model: nn.Module) -> object:
    return pytest.importorskip("torchopt").MetaSGD(model, 6e-4)


@pytest.mark.parametrize(
    "method, step, ours, theirs",
    [
        ("standard", usual.standard_step, "adam", adam),
        ("standard", usual.counting_right_ones(usual.standard_step), "adam", functools.partial(adam, fused=True)),
        ("reweight", usual.reweight_step, "momentum", momentum),
        ("reweight", usual.forward_mode_step, "adam", adam),
        ("reweight", usual.torchopt_step, "sgd", meta_sgd),
    ],
)
def test_on_the_kits_batches_every_way_ends_where_the_kit_does(task, method, step, ours, theirs):
    """With Adam, `higher` as it comes places eps elsewhere than torch: see nlkit.learning.look_ahead.torch_eps."""
    networks = [build_model("mlp", (1, 28, 28), 10, seed=0) for _ in range(2)]
    start = [p.detach().clone() for p in networks[0].parameters()]
    optimizer = theirs(networks[1])
    count = len(task.given if method == "standard" else task.given_labels)
    batches = torch.randperm(count, generator=seeded_generator(0, "batches")).split(128)
    clean = [] if method == "standard" else [(task.clean_images, task.clean_labels)]  # the kit draws all 50
    taken = train(task, method, model=networks[0], optimizer=ours, epochs=1, seed=0, yield_steps=True)
    for index, _ in zip(batches, itertools.islice(taken, 4)):
        step(networks[1], optimizer, (task.images[index], task.given[index]), *clean)
    ours, theirs = ([p.detach() - q for p, q in zip(each.parameters(), start)] for each in networks)
    torch.testing.assert_close(theirs, ours, rtol=0.01, atol=0.01 * max(float(each.abs().max()) for each in ours))


def test_right_ones_are_counted_in_what_the_step_saw_before_it(task):
    model = build_model("mlp", (1, 28, 28), 10, seed=0)
    before = model(task.images[:64]).argmax(1)
    step = usual.counting_right_ones(usual.standard_step)
    assert step(model, adam(model), (task.images[:64], before)) == 64


class InThisProcess(contextlib.nullcontext):
    """Runs the ways as their own process does, without waiting for one to start."""

    def __init__(self, data: str):
        super().__init__(self)
        self.data = data

    def seconds(self, method: str, way: str, settings: ways.Settings, batches: int) -> float:
        line = json.dumps([method, way, dataclasses.asdict(settings), batches])
        with mock.patch("sys.stdin", [line]), contextlib.redirect_stdout(io.StringIO()) as told:
            ways.serve(self.data)
        return float(told.getvalue())


def test_the_ways_run_where_torch_waits_as_it_likes(monkeypatch):
    """In their own process torch comes before the kit, which would set how its threads wait."""
    assert ways.SERVE.index("import torch") < ways.SERVE.index("benchmarks")
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    monkeypatch.setattr(ways, "SERVE", "import os; print(len(input()) * ('OMP_WAIT_POLICY' not in os.environ)) # {!r}")
    with ways.OwnProcess("mnist5k") as process:
        assert process.seconds("standard", "a way", ways.Settings(), 2) > 0
        with pytest.raises(RuntimeError, match="ended in an epoch of standard by a way"):
            process.seconds("standard", "a way", ways.Settings())


def test_the_fastest_settings_are_taken_and_the_start_of_workers_is_not_scaled(task, monkeypatch):
    class Clocked:
        def seconds(self, method, way, settings, batches):
            return 1.0 if (settings.workers, settings.threads) == (2, 1) else 2.0

    monkeypatch.setitem(ways.WAYS, ways.TUTORIAL, dataclasses.replace(
        ways.WAYS[ways.TUTORIAL], settings=tuple(ways.Settings(1, workers) for workers in (0, 2, 4))))  # fmt: skip
    best, rows = epochs.best_settings(Clocked(), "standard", ways.TUTORIAL, "mnist5k", 3)
    assert str(best) == "2 workers, Adam, 1 thread"
    assert {row.side: row.ratio for row in rows} == {f"{n} workers, Adam, 1 thread": 1 + (n != 2) for n in (0, 2, 4)}
    ticks = iter([0, 10, 12, 13])  # a start of 10, two batches in 2 in all, an end of 1; an epoch has 32
    monkeypatch.setattr(ways.time, "perf_counter", lambda: next(ticks))
    assert next(ways.epochs(task, "standard", "in memory, plain PyTorch", ways.Settings(), 2)) == 10 + 2 * 32 / 2 + 1


def test_bare_products_are_counted_layer_by_layer():
    """Three layers: 3 outputs, 3 gradients of parameters, and 2 of inputs, since the images need none."""
    model, images = build_model("mlp", (1, 8, 8), 4, seed=0), torch.rand(6, 1, 8, 8)
    counts = {method: len(act()) for method, act in bare_products(model, images).items()}
    assert counts == {"standard": 8, "reweight": 8 + 8 + 3, "mentormix": 3 + 8}
    with_norm = nn.Sequential(*list(model)[:2], nn.BatchNorm1d(128), *list(model)[2:])
    assert len(bare_products(with_norm, images)["reweight"]()) == 8 + 8 + 3 + 2
    shapes = [tuple(product.shape) for product in bare_products(build_model("cnn", (1, 8, 8), 4), images)["standard"]()]
    assert shapes == [(6, 16, 8, 8), (6, 32, 4, 4), (6, 4), (16, 1, 3, 3), (32, 16, 3, 3), (4, 128),
                      (6, 16, 4, 4), (6, 128)]  # fmt: skip


def test_every_part_measures_what_it_names(monkeypatch, mnist5k):
    monkeypatch.setattr(steps, "CLEAN_BATCHES", {"mlp": (4, 128)})
    monkeypatch.setattr(steps, "ROUNDS", {"mlp": (2, 1)})
    monkeypatch.setattr(footprint, "fresh", lambda program: [1.0, 2.0] if "perf_counter" in program else 3.0)
    for name, way in ways.WAYS.items():
        monkeypatch.setitem(ways.WAYS, name, dataclasses.replace(way, settings=way.settings[:1]))
    rows = epochs.measure(1, data="mnist5k", tried=2, batches=2, process=InThisProcess)
    rows += steps.measure(("mlp",))
    monkeypatch.setattr(ideas, "Compiled", steps.Bench)  # compiling takes half a minute
    rows += ideas.measure(("mlp",))
    rows += scaling.measure(1, {"examples": (500, 1000), "clean set": (10, 20), "classes": (10, 20), "width": (8, 16)})
    rows += footprint.measure(2) + footprint.measure_memory(2, data="mnist5k")
    rows += many.measure(1, epochs=1, counts=(2,))
    monkeypatch.setattr(sweeps, "dask_cluster", lambda folder, workers: contextlib.nullcontext("nowhere"))
    monkeypatch.setattr(sweeps, "engine", lambda on, logs: ThreadPoolExecutor(1))
    rows += sweeps.measure(1, trainings=1, epochs=1, empty=2)
    assert {row.part for row in rows} == report.TITLES.keys() - {"notebooks"}
    assert all(row.median > 0 and row.low <= row.median <= row.high for row in rows)
    assert {"auto", "jvp", "higher", "standard"} <= {row.side for row in rows if row.part == "reweighting"}


def test_a_report_is_written_and_read_again_and_a_part_run_alone_keeps_the_others(tmp_path):
    first = [single("memory", "peak memory", "all", [1.0, 3.0], "MB"), Row("floor", "mlp", "step", 2, 1, 3, 5)]
    report.write(report.machine(), first, tmp_path)
    later = [dataclasses.replace(first[1], median=2.5)]
    report.write(report.machine(), later, tmp_path)
    machine, rows = report.read(tmp_path)
    assert machine["torch"] == torch.__version__ and machine["threads"] == torch.get_num_threads()
    assert rows == [later[0], first[0]]
    text = (tmp_path / "RESULTS.md").read_text(encoding="utf-8")
    assert "2.500 [1.000, 3.000] ms" in text and machine["date"] in text and machine["processor"] in text


def test_one_command_measures_a_part(monkeypatch, tmp_path):
    row = single("footprint", "import", "import nlkit", [1.0, 2.0], "ms")
    monkeypatch.setattr(footprint, "measure", lambda rounds: [row])
    monkeypatch.setattr(report.write, "__defaults__", (tmp_path,))
    monkeypatch.setattr(report.read, "__defaults__", (tmp_path,))
    result = CliRunner().invoke(run.main, ["--only", "footprint", "--quick"])
    assert result.exit_code == 0, result.output
    assert "import nlkit" in result.output and (tmp_path / "results.json").exists()
    kept = (tmp_path / "results.json").read_bytes()
    (tmp_path / "RESULTS.md").unlink()
    assert CliRunner().invoke(run.main, ["--pages"]).exit_code == 0
    assert (tmp_path / "results.json").read_bytes() == kept
    assert "import nlkit" in (tmp_path / "RESULTS.md").read_text(encoding="utf-8")


def test_peak_memory_is_that_of_the_process_itself():
    """A process that another one starts must not be told what that one holds."""
    held = torch.ones(2**26)  # 256 MB
    program = "from benchmarks.footprint import peak_memory; print(peak_memory())"
    assert footprint.fresh(program) < footprint.peak_memory() - 200
    assert len(held) == 2**26


# What is kept


def test_the_kept_table_is_that_of_the_kept_results():
    assert (report.FOLDER / "RESULTS.md").read_text(encoding="utf-8") == report.table(*report.read())


def test_the_kept_results_have_every_part_and_no_hole():
    machine, rows = report.read()
    assert {row.part for row in rows} >= report.TITLES.keys() - {"notebooks"}  # which is measured on request
    assert {"processor", "threads", "date", "torch"} <= machine.keys()
    json.dumps([dataclasses.asdict(row) for row in rows], allow_nan=False)
    assert all(math.isfinite(row.median) for row in rows)
    networks = {row.case.partition(",")[0] for row in rows if row.part == "reweighting"}
    assert networks == {"mlp", "cnn", "resnet32"}
