"""The book: the executed notebooks, the guide and what stands beside them as a static site that asks nobody outside.

`make book` builds it. Nothing is run: the notebooks stand here as they were kept, with pictures in place of the panels.
"""

import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import house_plan  # noqa: E402  (which stands beside this file)

project = "nlkit"
author = copyright = "The nlkit authors"
html_title = "Learning with noisy labels"
html_theme = "furo"
html_static_path = ["_static"]
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

extensions = ["myst_nb", "sphinx_mathml", "course_pages"]
exclude_patterns = ["_static", "made"]
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 2
nb_execution_mode = "off"
nb_ipywidgets_js = {}
# A panel without its kernel is no panel: its last picture, which stands below it, is what a reader sees.
nb_mime_priority_overrides = [("html", "application/vnd.jupyter.widget-view+json", None)]


def gather_chapters(chapter_folder: Path, folder: Path) -> None:
    """Bring copies of notebooks to where Sphinx looks for pages, and take away those that are gone."""
    chapters = {path.name: path for path in chapter_folder.glob("*.ipynb")}
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.ipynb"):
        if old.name not in chapters:
            old.unlink()
    for name, path in chapters.items():
        copy = folder / name
        if not copy.exists() or copy.read_bytes() != path.read_bytes():
            shutil.copyfile(path, copy)


gather_chapters(HERE.parent / "notebooks", HERE / "course")
gather_chapters(HERE.parent / "notebooks" / "atlas", HERE / "atlas")
house_plan.make(HERE / "made")
