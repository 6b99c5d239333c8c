"""What makes a step faster, taken away again, and what was tried and dropped: each against the step as it is."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from unittest import mock

import torch
from torch import nn

from benchmarks.steps import ROUNDS, Bench
from benchmarks.timing import Row, interleaved, rows_of
from nlkit.learning.models import build_model

AS_IT_IS = "as it is"


class InUsualOrder(Bench):
    """Convolutions on the usual order in memory, one channel after another."""

    def network(self) -> nn.Module:
        return build_model(self.name, self.shape, self.classes, seed=0)


class Compiled(Bench):
    """The network's passes through torch.compile, which needs a C++ compiler."""

    def network(self) -> nn.Module:
        return torch.compile(super().network())


def ordinary_optimizer_step(act: Callable[[], object]) -> Callable[[], object]:
    """The step with `optimizer.step()` in place of the one kernel that it ends in."""
    return lambda: _with("nlkit.learning.learner.take_step", lambda optimizer: optimizer.step(), act)


def torchs_own_tangents(act: Callable[[], object]) -> Callable[[], object]:
    """The step with torch's tangent of batch norm in place of the kit's."""
    return lambda: _with("nlkit.papers.reweight.OwnTangents", contextlib.nullcontext, act)


def _with(name: str, other: object, act: Callable[[], object]) -> object:
    with mock.patch(name, other):
        return act()


def measure(names=("mlp", "cnn", "resnet32"), shorten: int = 1) -> list[Row]:
    """Every idea on the networks that it is for. shorten: divides the number of rounds."""
    rows = []
    for name in names:
        bench = Bench(name, examples=1024)
        sides = {AS_IT_IS: bench.step("standard")}
        if name == "mlp":
            sides["ends in optimizer.step()"] = ordinary_optimizer_step(bench.step("standard"))
        else:
            sides["channels one after another"] = InUsualOrder(name, examples=1024).step("standard")
        if name != "resnet32" and shutil.which("g++"):  # there, compiling takes minutes
            sides["by torch.compile"] = Compiled(name, examples=1024).step("standard")
        rows += _rows(f"{name}, standard", sides, *ROUNDS[name], shorten)
    if "resnet32" in names:
        bench = Bench("resnet32", examples=1024)
        sides = {
            AS_IT_IS: bench.step("reweight"),
            "torch's tangent of batch norm": torchs_own_tangents(bench.step("reweight")),
        }
        rows += _rows("resnet32, reweighting", sides, *ROUNDS["resnet32"], shorten)
    return rows


def _rows(case: str, sides: dict[str, Callable[[], object]], rounds: int, each: int, shorten: int) -> list[Row]:
    return rows_of("ideas", case, interleaved(sides, max(2, rounds // shorten), each=each), AS_IT_IS)
