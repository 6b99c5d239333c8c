"""A study: claims, seeds and a folder in which all that was measured is kept, so that a broken-off study goes on."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from nlkit.checks import DataError, check_choice, check_integer
from nlkit.claims.cheapest import cheapest_claim
from nlkit.claims.report import Outcome, Report, as_value, where_made
from nlkit.claims.trial import PageTrial, carried
from nlkit.contents import CLAIMS, CURVES, GRIDS, PAGE_OF, PAGES, what_is_missing
from nlkit.files import check_writable, to_json, write_whole
from nlkit.identity import key
from nlkit.learning.devices import PRECISIONS, has_bfloat16_products, pick_device
from nlkit.made import in_words, made_here
from nlkit.page import Value
from nlkit.papers import PAPERS
from nlkit.sweeps.folder import read_folder
from nlkit.sweeps.results import Result
from nlkit.sweeps.run import run_sweep

SEEDS, QUICK_SEEDS = 5, 3
KEPT = tuple(dict.fromkeys(number for page in PAGES.values() for number in page.keep))  # several pages share a run
FORM = 2  # of values.json; in the first one, values did not say where they were made


class Study:
    """Claims measured over seeds, one (claim, seed) at a time: whoever drives it may stop at any of them.

    >>> study = Study("reproduced", only=["exact_ratio"], seeds=2)
    >>> [round(study.measure(id, seed), 1) for id, seed in study.plan]
    [0.8, 0.8]
    >>> study.report().outcomes[0].verdict
    'holds'

    folder: where runs/ (the folder of a sweep) and values.json are kept; made unless it exists.
    only: ids of the claims to measure, or names of pages for all of theirs; all claims unless given.
    seeds: how many: the first of the page's own, which begin at 0 unless it says otherwise; 5, or 3 for a quick study,
        which takes all of those whose runs are carried.
    quick: without data that have to be fetched; runs that are part of a grid are taken from the results that the
        package carries, and a measure may be content with less. Where all claims are asked for, the cheapest one of
        every paper has the runs of its first seed made anew, so that each paper's program is tried.

    precision: with which the kit's own task is trained on, as `train` takes it; the papers of other kinds have none.
        What is measured with one is kept apart from what is measured with another.

    Raises a ValueError for bad arguments, a DataError when no claim is left since their data was not found, or for
    "fast" on a processor that does not multiply in bfloat16: it would measure what float32 does.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        only: Iterable[str] = (),
        seeds: int | None = None,
        device: str = "auto",
        quick: bool = False,
        precision: str = "float32",
    ):
        asked = [id for name in only for id in _claims_of(name)] or list(CLAIMS)
        self.seeds = check_integer("seeds", (QUICK_SEEDS if quick else SEEDS) if seeds is None else seeds, 1)
        self.device, self.quick = str(pick_device(device)), quick
        self.precision = check_choice("precision", precision, PRECISIONS)
        if precision == "fast" and not (self.device == "cpu" and has_bfloat16_products()):
            raise DataError(
                "precision='fast' can't be measured here: the processor has no products in bfloat16, and would compute "
                "as with float32; take a machine that has them"
            )
        lacks = {name: self._lacks(name) for name in PAGES}
        self.skipped = {id: lacks[PAGE_OF[id]] for id in CLAIMS if id in asked and lacks[PAGE_OF[id]]}
        self.claims = [id for id in CLAIMS if id in asked and id not in self.skipped]
        if not self.claims:
            raise DataError(f"nothing can be measured of {', '.join(asked)}: {next(iter(self.skipped.values()))}")
        self.folder = Path(folder)
        self.folder.mkdir(exist_ok=True)
        check_writable(self.values_file)
        cheapest = [cheapest_claim(name, self.claims) for name in PAPERS] if quick and not only else []
        self.anew = {(id, self.seeds_of(id)[0]) for id in cheapest if id}
        self._read_runs()
        self._values = _read_values(self.values_file)
        self._taken: dict[str, Mapping[str, object]] = {}  # where what was measured comes from
        self._dates: dict[str, str] = {}  # claim -> the latest day of what it was measured on
        self.failed: dict[str, str] = {}  # claims that could not be measured, and why
        self.on_run: Callable[[Any], None] = lambda experiment: None  # told of each run before it starts

    def _lacks(self, name: str) -> str:
        data = [need for need in PAGES[name].needs if ":" not in need]
        if self.quick and data:
            return f"needs {', '.join(data)}, which --quick leaves out"
        return what_is_missing(PAGES[name])

    @property
    def runs_folder(self) -> Path:
        return self.folder / "runs"

    @property
    def values_file(self) -> Path:
        return self.folder / "values.json"

    def seeds_of(self, id: str) -> list[int]:
        """The seeds with which a claim is measured: the first of its page, and those after them if these are few.

        In a quick study, all of a page's whose runs are carried: they cost nothing.
        """
        own = list(PAGES[PAGE_OF[id]].seeds)
        if self.quick and PAGE_OF[id] in GRIDS and not self._own_precision:
            return own
        return [*own, *range(own[-1] + 1, own[-1] + 1 + self.seeds)][: self.seeds]

    @property
    def plan(self) -> list[tuple[str, int]]:
        """Claim and seed of all that is to be measured, in order: what needs nothing first, seed by seed."""
        large = [id for id in self.claims if PAGES[PAGE_OF[id]].needs]
        small = [id for id in self.claims if id not in large]
        by_claim = [[[(id, seed) for seed in self.seeds_of(id)] for id in ids] for ids in (small, large)]
        return [pair for pairs in by_claim for turn in itertools.zip_longest(*pairs) for pair in turn if pair]

    def measure(self, id: str, seed: int) -> Value:
        """The value of a claim for a seed: from the runs it asks for, each made once for all claims, or directly."""
        kept = self._values.setdefault(", ".join([self.device, *self._own_precision.values()]), {}).setdefault(id, {})
        if str(seed) in kept:
            self._take(id, kept[str(seed)]["made"])
            return as_value(kept[str(seed)]["value"])
        name, asked = PAGE_OF[id], []

        def get(experiment: Any) -> Result:
            carried = None if (id, seed) in self.anew else self._carried(name, experiment)
            result = self._known(experiment) or carried or self._run(experiment)
            asked.append(experiment)
            self._take(id, result.made)
            return result

        value = CLAIMS[id].measure(self._trial(name, seed, get))
        if not asked:  # what was measured by hand is in no run's file
            kept[str(seed)] = {"value": value, "made": made_here(device=self.device, **self._own_precision)}
            self._take(id, kept[str(seed)]["made"])
            write_whole(self.values_file, to_json({"form": FORM, "values": self._values}))
        return as_value(value)

    def attempt(self, id: str, seed: int) -> None:
        """Measure a claim for a seed; where that fails, `failed` tells why, and the other claims go on.

        What stops all is passed on: data that was not found, and files that can't be written.
        """
        if id in self.failed:
            return
        try:
            self.measure(id, seed)
        except (DataError, OSError):
            raise
        except Exception as error:  # whatever it is
            self.failed[id] = " ".join(f"failed with seed {seed}: {type(error).__name__}: {error}".split())

    def _trial(self, name: str, seed: int, get: Callable[[Any], Any]) -> PageTrial:
        return PageTrial(PAGES[name], seed, get, self.device, self.quick, self.precision)

    @property
    def _own_precision(self) -> dict[str, str]:
        """What files say of it; nothing of float32, which is what they all had before there was another."""
        return {} if self.precision == "float32" else {"precision": self.precision}

    def _take(self, id: str, made: Mapping[str, object]) -> None:
        self._dates[id] = max(self._dates.get(id, ""), str(made["date"]))
        self._taken[to_json(made, sort_keys=True)] = made

    def _read_runs(self) -> None:
        self._runs = dict(read_folder(self.runs_folder).by_key) if self.runs_folder.exists() else {}

    def _known(self, experiment: Any) -> Result | None:
        return self._runs.get(key(experiment))

    def _carried(self, name: str, experiment: Any) -> Result | None:
        """In a quick study, the run as the package carries it: made on whatever device there was."""
        if not self.quick:
            return None
        has_device = any(f.name == "device" for f in fields(experiment))
        return carried(name).run(replace(experiment, device="auto") if has_device else experiment)

    def _run(self, experiment: Any) -> Result:
        self.on_run(experiment)
        list(run_sweep([experiment], self.runs_folder, keep=KEPT, again=True))
        self._read_runs()  # also what another study put there meanwhile
        return self._runs[key(experiment)]

    def report(self) -> Report:
        """What was found; measures whatever is still missing. Claims that failed are among what it leaves out."""
        for id, seed in self.plan:
            self.attempt(id, seed)
        claims = [id for id in self.claims if id not in self.failed]
        values = {id: tuple(self.measure(id, seed) for seed in self.seeds_of(id)) for id in claims}
        outcomes = [Outcome(id, values[id], self._dates[id]) for id in claims]
        runs = in_words(self._taken.values())
        made = where_made(
            device=self.device, quick=self.quick, seeds=self.seeds, runs=runs, **self._own_precision
        )  # fmt: skip
        return Report(made, tuple(outcomes), self.skipped | self.failed, self.curves())

    def curves(self) -> dict[str, dict[str, dict[str, list]]]:
        """Part -> name of a line -> "test" and "given" accuracy, runs by epoch, and "seconds" an epoch, by run.

        Of those of `nlkit.contents.CURVES` whose runs the claims asked for.
        """

        def known(experiment: Any) -> Result | None:
            return self._known(experiment) or self._carried(name, experiment)

        found: dict[str, dict[str, dict[str, list]]] = {}
        for part, lines in CURVES.items():
            for line, (name, variant) in lines.items():
                trials = [self._trial(name, seed, known) for seed in range(self.seeds)]
                runs = [run for trial in trials if (run := trial.run(variant))]
                if len(runs) == self.seeds:
                    found.setdefault(part, {})[line] = {
                        "test": [list(run.curves["test_accuracy"]) for run in runs],
                        "given": [list(run.curves["given_accuracy"]) for run in runs],
                        "seconds": [round(run.seconds / len(run.curves["test_accuracy"]), 3) for run in runs],
                    }
        return found


def _claims_of(name: str) -> list[str]:
    if name in PAGES:
        return [claim.id for claim in PAGES[name].claims]
    return [check_choice("claim", name, CLAIMS)]


def _read_values(file: Path) -> dict[str, dict[str, dict[str, dict]]]:
    """Device -> claim -> seed -> "value", and where it was "made"."""
    if not file.exists():
        return {}
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if content.get("form") != FORM:
            raise ValueError("it is in the form of another version of nlkit. Move it away, and it is made anew")
        return content["values"]
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise ValueError(f"{str(file)!r} does not hold the values of a study: {error}") from error
