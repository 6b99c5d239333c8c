"""Players in the book: the directive `play`, its place in chapters, and the scripts of Vega-Lite."""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import TYPE_CHECKING

import vl_convert
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from nlkit.papers import PAPERS

if TYPE_CHECKING:
    from .player import Player
    from .tables import Knob

# Chapter -> player, and words of the code cell behind which it stands: its panel's.
PLACES: dict[str, tuple[tuple[str, str], ...]] = {
    "02_memorization": (("memorization", "live.training("),),
    "03_meta_reweighting": (("meta-reweighting", "live.training("),),
    "04_mentormix": (("mentormix-batch", "live.mentormix("), ("mentormix", "live.training(")),
    "06_noisy_or_clean": (("reweight-or-clean", "live.training("),),
}
INTRODUCTION = (
    "**Play here, without Python.** A panel trains anew, and needs a kernel. The controls below need none: they go "
    "through runs that were made beforehand and are stored with the course, and where none is stored they show the "
    "nearest point and name it.\n\n```{{play}} {name}\n```"
)
SCRIPTS = "vega.js"


def with_players(notebook: dict, chapter: str) -> dict:
    """A notebook (as JSON) with the players of its chapter, each in a cell of text behind its panel.

    Raises a ValueError where there is no such panel.
    """
    cells = list(notebook["cells"])
    papers = {name: ((name, "live.panel("),) for name in PAPERS}
    for name, panel in (PLACES | papers).get(chapter, ()):
        places = [i for i, cell in enumerate(cells) if cell["cell_type"] == "code" and panel in "".join(cell["source"])]
        if not places:
            raise ValueError(f"chapter={chapter!r} has no cell with {panel}, behind which the player {name!r} stands")
        text = INTRODUCTION.format(name=name)
        cell = {"cell_type": "markdown", "id": f"play-{len(cells)}", "metadata": {}, "source": text}
        cells.insert(places[-1] + 1, cell)
    return notebook | {"cells": cells}


def control(knob: Knob, turn: int, name: str) -> str:
    """A slider through the values of a knob, or a list of them, with its label."""
    place, told = knob.place(knob.start), [knob.told(value) for value in knob.values]
    label = f'<label for="{name}-{turn}">{html.escape(knob.label)}</label>'
    if not knob.number:
        options = "".join(
            f'<option value="{i}"{" selected" if i == place else ""}>{html.escape(text)}</option>'
            for i, text in enumerate(told)
        )
        return f'<div>{label}<select id="{name}-{turn}" data-knob autocomplete="off">{options}</select></div>'
    slider = (
        f'<input type="range" id="{name}-{turn}" data-knob min="0" max="{len(told) - 1}" step="1" value="{place}" '
        f'aria-valuetext="{html.escape(told[place])}" autocomplete="off">'
    )
    return f"<div>{label}{slider}<output aria-hidden=true>{html.escape(told[place])}</output></div>"


def as_html(player: Player, name: str) -> str:
    """The player as it stands in a page: what it needs is in it, and without scripts its first words are there."""
    told = {
        "knobs": [[knob.told(value) for value in knob.values] for knob in player.knobs],
        "points": [{"at": point.at, "name": point.name, "words": point.words} for point in player.points],
        "charts": [{"spec": c.spec, "shows": c.shows, "along": c.along} for c in player.charts],
    }
    data = json.dumps(told, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")
    first = next(point for point in player.points if list(point.at) == player.starts)
    controls = "".join(control(knob, turn, f"play-{name}") for turn, knob in enumerate(player.knobs))
    lines = "".join(f"<li>{html.escape(line)}</li>" for line in first.words)
    boxes = "".join(
        f'<div class="play-chart" role="img" aria-label="{html.escape(chart.shows)}"{" hidden" if later else ""}>'
        '<div aria-hidden="true"></div></div>'
        for chart, later in zip(player.charts, _later(player))
    )
    return (
        f'<section class="play" aria-label="{html.escape(player.title)}"><p class="play-title">'
        f'{html.escape(player.title)}</p><div class="play-controls">{controls}</div>'
        f"<noscript><p>These controls need scripts; what stands below is for where they stand.</p></noscript>{boxes}"
        f'<div role="status"><p>Stored runs: {html.escape(first.name)}.</p><ul>{lines}</ul></div>'
        f'<p class="play-about">{html.escape(player.about)}</p>'
        f'<script type="application/json">{data}</script></section>'
    )


def _later(player: Player) -> list[bool]:
    """Which charts wait until their knob is moved: of those along a knob, all but the first."""
    first = next((chart for chart in player.charts if chart.along is not None), None)
    return [chart.along is not None and chart is not first for chart in player.charts]


class Play(SphinxDirective):
    """`{play} NAME`: the player of this name."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        from .players import player_of  # which loads the kit, and only where a chapter is read anew

        (name,) = self.arguments
        player = player_of(name)
        for file in (*player.files, *Path(__file__).parent.glob("*.py")):
            self.env.note_dependency(str(file))
        return [nodes.raw("", as_html(player, name), format="html", player=name)]


def bundle(folder: Path) -> Path:
    """The scripts of Vega, Vega-Lite and Vega-Embed in one file, which is written once for each version."""
    folder.mkdir(parents=True, exist_ok=True)
    file, versions = folder / SCRIPTS, f"Vega {vl_convert.get_vega_version()}, Vega-Embed {vl_convert.__version__}"
    head = f"/*! {versions}; licence: vega-licence.txt */\n"
    if not file.exists() or not file.read_text(encoding="utf-8").startswith(head):
        # A module's names are its own; but a page that is opened from a disk may not load modules.
        file.write_text(f"{head}(() => {{\n{vl_convert.javascript_bundle()}\n}})();\n", encoding="utf-8")
    return file


def add_scripts(app: Sphinx, pagename: str, _template: str, _context: dict, doctree: nodes.document | None) -> None:
    """Only pages with a player load what players need."""
    if doctree is not None and any("player" in raw for raw in doctree.findall(nodes.raw)):
        app.add_js_file(SCRIPTS, loading_method="defer")
        app.add_js_file("play.js", loading_method="defer")


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("play", Play)
    app.connect("html-page-context", add_scripts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
