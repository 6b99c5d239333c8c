"""The benchmarks compare like with like, and what is kept of them has no hole. No time is asserted."""

import dataclasses
import json
import math

import pytest
import torch
from click.testing import CliRunner
from torch import nn

from benchmarks import epochs, footprint, ideas, many, report, run, scaling, steps, usual
from benchmarks.products import bare_products
from benchmarks.timing import Row, interleaved, rows_of, single
from nlkit import build_model, make_task
from nlkit.learning.learner import Batch, Run
from nlkit.learning.optimizers import build_optimizer
from nlkit.papers import build_method
from nlkit.randomness import seeded_generator


@pytest.fixture(scope="module")
def task(mnist5k):
    return make_task(mnist5k, ratio=0.8, clean_per_class=5, seed=0, device="cpu")


def kit_run(task, optimizer: str) -> Run:
    model = build_model("mlp", (1, 28, 28), 10, seed=0)
    return Run(model, build_optimizer(optimizer, model, 6e-4), task.clean_images, task.clean_labels,
               seeded_generator(0, "method"), 10, len(task.given))  # fmt: skip


def test_sides_are_timed_in_turn_after_one_call_that_does_not_count():
    calls = []
    taken = interleaved({name: lambda name=name: calls.append(name) for name in "ab"}, 3, each=2)
    assert "".join(calls) == "ab" + "aabb" * 3
    assert [len(taken[name]) for name in "ab"] == [3, 3]


def test_a_ratio_is_the_median_over_rounds_of_times_in_the_same_round():
    row = rows_of("floor", "case", {"base": [1.0, 2.0, 4.0], "side": [3.0, 4.0, 4.0]}, "base")[1]
    assert (row.side, row.median, row.ratio) == ("side", 4000.0, 2.0)
    assert (row.ratio_low, row.ratio_high) == (1.5, 2.5)


def test_the_usual_way_reads_the_same_images_and_labels(task):
    noisy, clean = epochs.loaders(task, with_clean=True)
    assert len(noisy.dataset) == len(task.images)
    for loader, start in ((noisy, 0), (clean, len(task.wrong))):
        for place in (0, 17):
            image, label = loader.dataset[place]
            torch.testing.assert_close(image, task.images[start + place], atol=1e-5, rtol=1e-5)
            assert label == task.given[start + place]
    assert len(epochs.loaders(task, with_clean=False)[0].dataset) == len(task.wrong)


@pytest.mark.parametrize("method, optimizer", [("standard", "adam"), ("reweight", "sgd"), ("reweight", "momentum")])
def test_both_sides_of_a_step_compute_the_same(task, method, optimizer):
    """With Adam, `higher` as it comes places eps elsewhere than torch: see nlkit.learning.look_ahead.torch_eps."""
    ours, theirs = kit_run(task, optimizer), kit_run(task, optimizer)
    algorithm = build_method(method, {})
    for start in (0, 64):
        index = torch.arange(start, start + 64)
        noisy = task.images[index], task.given[index]
        loss = algorithm.step(ours, Batch(index, *noisy)).loss
        if method == "standard":
            usual_loss = usual.standard_step(theirs.model, theirs.optimizer, noisy)
        else:
            usual_loss = usual.reweight_step(theirs.model, theirs.optimizer, noisy, theirs.clean_batch(128))
        torch.testing.assert_close(loss.detach(), usual_loss, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(list(ours.model.parameters()), list(theirs.model.parameters()), rtol=1e-3, atol=1e-5)


def test_torchopt_computes_the_same_step(task):
    torchopt = pytest.importorskip("torchopt")
    ours, model = kit_run(task, "sgd"), build_model("mlp", (1, 28, 28), 10, seed=0)
    optimizer = torchopt.MetaSGD(model, 6e-4)
    noisy = task.images[:64], task.given[:64]
    loss = build_method("reweight", {}).step(ours, Batch(torch.arange(64), *noisy)).loss
    other = usual.torchopt_step(model, optimizer, noisy, (task.clean_images, task.clean_labels))
    torch.testing.assert_close(loss.detach(), other, rtol=1e-3, atol=1e-5)
    theirs = [p.detach() for p in model.parameters()]
    torch.testing.assert_close([p.detach() for p in ours.model.parameters()], theirs, rtol=1e-3, atol=1e-5)


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
    rows = epochs.measure(1, batches=2, data="mnist5k")
    rows += steps.measure(("mlp",))
    monkeypatch.setattr(ideas, "Compiled", steps.Bench)  # compiling takes half a minute
    rows += ideas.measure(("mlp",))
    rows += scaling.measure(1, {"examples": (500, 1000), "clean set": (10, 20), "classes": (10, 20), "width": (8, 16)})
    rows += footprint.measure(2, data="mnist5k")
    rows += many.measure(1, epochs=1, counts=(2,))
    assert {row.part for row in rows} == report.TITLES.keys() - {"notebooks"}
    assert all(row.median > 0 and row.low <= row.median <= row.high for row in rows)
    assert {"auto", "jvp", "higher", "standard"} <= {row.side for row in rows if row.part == "reweighting"}


def test_a_report_is_written_and_read_again_and_a_part_run_alone_keeps_the_others(tmp_path):
    first = [single("footprint", "peak memory", "all", [1.0, 3.0], "MB"), Row("floor", "mlp", "step", 2, 1, 3, 5)]
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
