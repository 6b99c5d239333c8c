"""The index of the atlas: each paper with a sentence and a picture, made from its page and the results it carries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from nlkit import plots
from nlkit.claims.trial import carried
from nlkit.contents import PAGES, experiment_of, knobs_of, notebook_of, what_is_missing
from nlkit.page import Page
from nlkit.papers import PAPERS
from nlkit.plots import Figure
from nlkit.sweeps.results import Sweep


class Entry(NamedTuple):
    """A paper in the index."""

    name: str
    page: Page
    notebook: str  # its notebook, below the folder of the notebooks
    picture: Figure
    where: str  # with which settings and how many seeds the runs of the picture were made, in words

    @property
    def words(self) -> str:
        """Title, source and finding, in Markdown."""
        link = self.notebook.removeprefix("atlas/")
        title, source = f"[{self.page.title}]({link})", f"*{self.page.source}* · `{self.name}`, {self.where}"
        return f"## {title}\n\n{self.page.finding}\n\n{source}"


def listed() -> list[dict[str, object]]:
    """Lessons and papers in reading order: what `nlkit papers` prints, as plain values."""
    return [
        {
            "name": name,
            "kind": "paper" if name in PAPERS else "lesson",
            "title": page.title,
            "source": page.source,
            "finding": page.finding,
            "notebook": f"notebooks/{notebook_of(name)}",
            "variants": list(page.variants),
            "claims": [claim.id for claim in page.claims],
            "missing": what_is_missing(page),
        }
        for name, page in PAGES.items()
    ]


def entries() -> Iterator[Entry]:
    """The papers, in reading order."""
    for name in PAPERS:
        page = PAGES[name]
        changes, ends = at_the_end(page, carried(name))
        moved = [f"{setting.replace('_', ' ')} {changes[setting]}" for setting in knobs_of(page) if setting in changes]
        where = ", ".join([*(moved or ["default settings"]), f"{len(page.seeds)} seeds"])
        yield Entry(name, page, notebook_of(name), plots.headline_bars(ends, page.headline), where)


def at_the_end(page: Page, sweep: Sweep) -> tuple[Mapping[str, object], dict[str, list[float]]]:
    """Changed settings, and variant -> its headline at the end of runs with them, by seed.

    Those settings are taken with which most variants were run alike, the page's own before others.

    Raises a ValueError when the sweep has no run of any variant.
    """
    places: list[Mapping[str, object]] = [{}, *(changes for _, changes in (page.grid() if page.grid else ()))]
    best: dict[str, list[float]] = {}
    chosen: Mapping[str, object] = {}
    for changes in places:
        found = {}
        for variant in page.variants:
            experiments = [experiment_of(page, variant, **{"seed": seed, **changes}) for seed in page.seeds]
            runs = [sweep.run(experiment) for experiment in experiments]
            if all(runs):
                found[variant] = [run.last(page.headline) for run in runs if run]
        if len(found) > len(best):
            best, chosen = found, changes
        if len(best) == len(page.variants):
            break
    if not best:
        raise ValueError(f"the results of {page.title!r} hold no run of any of its variants with all of its seeds")
    return chosen, best
