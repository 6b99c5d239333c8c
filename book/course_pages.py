"""What the chapters need beyond what stands in the notebooks: alternative text of pictures, links to the glossary."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

_NO_PROSE = (
    nodes.title,
    nodes.reference,
    nodes.literal,
    nodes.literal_block,
    nodes.math,
    nodes.raw,
    addnodes.pending_xref,
)


def alternative_texts(notebook: Path) -> dict[str, str]:
    """The alternative text of each picture that a notebook kept, by its SHA-256, which names the picture's file."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    texts = {}
    for output in (output for cell in cells for output in cell.get("outputs", ())):
        if png := output.get("data", {}).get("image/png"):
            png = base64.b64decode("".join(png))
            texts.setdefault(hashlib.sha256(png).hexdigest(), output["metadata"]["image/png"]["alt"])
    return texts


def glossary_terms(glossary: Path) -> list[str]:
    """The terms of the glossary, the longest first, so that "pair noise" is found before "noise"."""
    body = glossary.read_text(encoding="utf-8").partition("```{glossary}")[2].partition("```")[0]
    return sorted(re.findall(r"^(\S.*)$", body, flags=re.MULTILINE), key=len, reverse=True)


def link_first_uses(doctree: nodes.document, terms: list[str], docname: str) -> None:
    """Turn the first use of each term in the running text, up to a plural s, into a link to the glossary."""
    left = {term.casefold(): term for term in terms}
    for text in list(doctree.findall(nodes.Text)):
        if any(isinstance(parent, _NO_PROSE) for parent in _parents(text)):
            continue
        parts, rest = [], text.astext()
        while left and (found := _any_of(left).search(rest)):
            term = left.pop(" ".join(found[1].casefold().split()))
            link = addnodes.pending_xref(
                "", refdomain="std", reftype="term", reftarget=term, refexplicit=True, refwarn=True, refdoc=docname
            )
            link += nodes.inline("", found[0], classes=["xref", "std", "std-term"])
            parts += [nodes.Text(rest[: found.start()]), link]
            rest = rest[found.end() :]
        if parts:
            text.parent.replace(text, [*parts, nodes.Text(rest)])


def _any_of(terms: dict[str, str]) -> re.Pattern[str]:
    words = "|".join(r"\s+".join(map(re.escape, term.split())) for term in sorted(terms, key=len, reverse=True))
    return re.compile(rf"(?<![\w-])({words})s?(?![\w-])", flags=re.IGNORECASE)


def _parents(node: nodes.Node) -> Iterator[nodes.Node]:
    while node := node.parent:
        yield node


def complete_chapter(app: Sphinx, doctree: nodes.document) -> None:
    docname = app.env.docname
    if not docname.startswith(("course/", "atlas/")):
        return
    alternatives = alternative_texts(Path(app.env.doc2path(docname)))
    for image in doctree.findall(nodes.image):
        if alternative := alternatives.get(PurePosixPath(image["uri"]).stem):
            image["alt"] = alternative
    link_first_uses(doctree, glossary_terms(Path(app.srcdir) / "glossary.md"), docname)


def lead_to_pages(_app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Where an output links to a notebook beside its own, as the index does, lead to that notebook's page."""
    for reference in doctree.findall(nodes.reference):
        target = reference.get("refuri", "")
        if docname.startswith(("course/", "atlas/")) and target.endswith(".ipynb") and "//" not in target:
            reference["refuri"] = f"{target.removesuffix('.ipynb')}.html"


class Translator(HTML5Translator):
    """Sphinx's own, but that a heading of the navigation says of which level it is, as screen readers need."""

    def starttag(self, node, tagname, suffix="\n", empty=False, **attributes):
        if attributes.get("ROLE") == "heading":
            attributes["ARIA-LEVEL"] = "2"
        return super().starttag(node, tagname, suffix, empty, **attributes)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("doctree-read", complete_chapter)
    app.connect("doctree-resolved", lead_to_pages)
    app.set_translator("html", Translator)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
