"""Formulas as MathML, which browsers draw and screen readers read by themselves: no script, no font, no network."""

import html
import re

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)
# The converter does not know \arg, and after \big and its relatives not these: of braces it keeps the backslash.
_ANGLES = {r"\langle": "⟨", r"\rangle": "⟩"}


def mathml(latex: str, display: str) -> str:
    """LaTeX as a <math> element. display: "inline" or "block". ValueError for what the converter leaves as it is."""
    latex = re.sub(r"(\\[bB]igg?[lr]?\s*)(\\[lr]angle)", lambda found: found[1] + _ANGLES[found[2]], latex)
    latex = re.sub(r"\\arg(?![a-zA-Z])", r"\\operatorname{arg}", latex)
    made = convert(latex, display=display).replace(r">\{<", ">{<").replace(r">\}<", ">}<")
    if "\\" in made:
        unknown = ", ".join(re.findall(r"\\+\w*", made))
        raise ValueError(f"the converter to MathML does not know {unknown} in the formula {latex!r}")
    return made


def visit_inline(self, node: nodes.math) -> None:
    self.body.append(_made(node, "inline"))
    raise nodes.SkipNode


def visit_block(self, node: nodes.math_block) -> None:
    self.body.append(f'<div class="formula">{_made(node, "block")}</div>\n')
    raise nodes.SkipNode


def _made(node: nodes.Node, display: str) -> str:
    try:
        return mathml(node.astext(), display)
    except Exception as error:  # of any kind, since the converter has many; a build that minds warnings ends here
        logger.warning("%s", error, location=node)
        return f"<code>{html.escape(node.astext())}</code>"


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
