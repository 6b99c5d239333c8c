"""The book: the executed notebooks, the guide and what stands beside them as a static site that asks nobody outside.

`make book` builds it. Nothing is run: the notebooks stand here as they were kept, with pictures in place of the panels.
"""

import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import house_plan  # noqa: E402  (which stands beside this file)
from plays.page import bundle, with_players  # noqa: E402

from nlkit.commands.unspoiled import with_folds, with_results_behind_predictions  # noqa: E402

project = "nlkit"
author = copyright = "The nlkit authors"
html_title = "Learning with noisy labels"
html_theme = "furo"
html_static_path = ["_static", "made/scripts"]
html_favicon = "_static/icon.svg"
html_css_files, html_js_files = ["book.css"], ["book.js"]
html_copy_source = html_show_sourcelink = html_use_index = False
html_theme_options = {
    # The theme's own grey of the code's line of words and of captions is too pale for WCAG 2 AA.
    "light_css_variables": {"color-foreground-muted": "#5a5c63", "color-brand-primary": "#00598c",
                            "color-brand-content": "#00598c", "color-brand-visited": "#6f3f8f"},
    "dark_css_variables": {"color-brand-primary": "#7cc4f0", "color-brand-content": "#7cc4f0",
                           "color-brand-visited": "#d0a6ec"},
}  # fmt: skip
pygments_style, pygments_dark_style = "a11y-high-contrast-light", "a11y-high-contrast-dark"

extensions = ["myst_nb", "sphinx_mathml", "course_pages", "plays.page"]
exclude_patterns = ["_static", "made"]
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 2
nb_execution_mode = "off"
nb_ipywidgets_js = {}
# A panel without its kernel is no panel: its last picture, which stands below it, is what a reader sees.
nb_mime_priority_overrides = [("html", "application/vnd.jupyter.widget-view+json", None)]
# What came out of a cell after a prediction is shown when it is asked for.
nb_code_prompt_show, nb_code_prompt_hide = "Predicted? Show what came out", "Hide what came out"


def gather_chapters(chapter_folder: Path, folder: Path) -> None:
    """Bring copies of notebooks, with what would spoil a prediction folded, to where Sphinx looks for pages.

    Those that are gone are taken away; those that are as they were are left alone, so that Sphinx need not read them.
    """
    chapters = {path.name: path for path in chapter_folder.glob("*.ipynb")}
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.ipynb"):
        if old.name not in chapters:
            old.unlink()
    for name, path in chapters.items():
        notebook = with_results_behind_predictions(json.loads(path.read_text(encoding="utf-8")))
        notebook = with_players(with_folds(notebook), path.stem)
        text, copy = json.dumps(notebook, ensure_ascii=False), folder / name
        if not copy.exists() or copy.read_text(encoding="utf-8") != text:
            copy.write_text(text, encoding="utf-8")


gather_chapters(HERE.parent / "notebooks", HERE / "course")
gather_chapters(HERE.parent / "notebooks" / "atlas", HERE / "atlas")
house_plan.make(HERE / "made")
bundle(HERE / "made" / "scripts")
