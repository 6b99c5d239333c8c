"""A notebook of the course as its teacher needs it: pieces of text and results in order, questions, claims.

It rests on how the notebooks are written (see `nlkit.commands.unspoiled`): **Predict.** asks, **Explain.** and
**Answers.** tell, and what tells goes on up to the next heading or question.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from nlkit.commands.unspoiled import FENCE, QUESTION, TELLING

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
OTHERS = re.compile(r"\*\*(You will learn|Three questions|Read on)")
RESULTS = ("picture", "table", "printed")
KINDS = {"You will learn": "learn", "Three questions": "questions", "Read on": "read"}


class Piece(NamedTuple):
    """Text up to the next mark or heading, or one output. `text`: Markdown, or what a cell printed."""

    kind: str  # title, section, text, learn, predict, explain, answers, questions, read; picture, table, printed
    cell: str  # the id of its cell
    text: str
    heading: str = ""
    output: dict = {}  # of a picture or a table, as the notebook keeps it
    tags: tuple[str, ...] = ()


class Prediction(NamedTuple):
    """A question of a lesson, what is seen after it, and what explains it."""

    cell: str
    section: str  # the heading above it
    before: str  # the text of its section that leads to it
    question: str
    seen: str  # what the cells up to the explanation say, alternative texts of pictures too
    explanation: str


class Verdict(NamedTuple):
    """A row of the claims table: its sentence, what was measured in short, its sign (✓, ? or ✗)."""

    sentence: str
    measured: str
    sign: str


def course() -> list[Path]:
    """The notebooks of the course, in order."""
    return sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))


def kind_of(line: str) -> tuple[str, str]:
    """What a line of Markdown begins, "" if nothing, and what is left of the line without its mark."""
    if heading := re.match(r"(#+) (.*)", line):
        return ("title" if heading[1] == "#" else "section"), heading[2]
    if found := QUESTION.match(line):
        return "predict", line[found.end() :].strip()
    if found := TELLING.match(line):
        return ("explain" if found[1] == "Explain" else "answers"), line[found.end() :].strip()
    if found := OTHERS.match(line):
        return KINDS[found[1]], line
    return "", line


def pieces_of_text(cell: str, source: str, tags: tuple[str, ...] = ()) -> Iterator[Piece]:
    """The pieces of a cell of Markdown; those without any text and heading are left out."""
    kind, heading, lines, fenced = "text", "", [], False
    for line in [*source.splitlines(), "# end"]:
        begun, rest = ("", line) if fenced else kind_of(line)
        fenced ^= bool(FENCE.match(line))
        if begun:
            text = "\n".join(lines).strip()
            if text or heading:
                yield Piece(kind, cell, text, heading, tags=tags)
            heading, lines = (rest, []) if begun in ("title", "section") else ("", [rest])
            kind = begun
        elif not line.startswith("[Open in Colab]"):
            lines.append(line)


def pieces_of_outputs(cell: str, outputs: list[dict], tags: tuple[str, ...] = ()) -> Iterator[Piece]:
    """The outputs of a cell: pictures, tables, and what was printed, as one piece where it goes on."""
    printed = ""
    for output in outputs:
        data = output.get("data", {})
        if output["output_type"] == "stream":
            printed += "".join(output["text"])
            continue
        if printed:
            yield Piece("printed", cell, printed.strip("\n"), tags=tags)
            printed = ""
        for kind, form in {"picture": "image/png", "table": "text/html"}.items():
            if form in data:
                yield Piece(kind, cell, "".join(data.get("text/plain", "")), output=output, tags=tags)
    if printed:
        yield Piece("printed", cell, printed.strip("\n"), tags=tags)


@dataclass(frozen=True)
class Lesson:
    """One notebook of the course. Raises a ValueError where it lacks a part that is asked for."""

    name: str  # 02_memorization
    cells: list[dict]

    @classmethod
    def read(cls, notebook: Path) -> Lesson:
        return cls(notebook.stem, json.loads(notebook.read_text(encoding="utf-8"))["cells"])

    @cached_property
    def pieces(self) -> list[Piece]:
        found: list[Piece] = []
        for cell in self.cells:
            tags = tuple(cell["metadata"].get("tags", ()))
            if cell["cell_type"] == "markdown":
                found += pieces_of_text(cell["id"], "".join(cell["source"]), tags)
            elif "remove-cell" not in tags:
                found += pieces_of_outputs(cell["id"], cell["outputs"], tags)
        return found

    def source_of(self, cell: str) -> str:
        """What stands in a cell, by its id."""
        return next("".join(one["source"]) for one in self.cells if one["id"] == cell)

    @property
    def title(self) -> str:
        return self.the("title").heading

    def the(self, kind: str) -> Piece:
        """The first piece of a kind."""
        for piece in self.pieces:
            if piece.kind == kind:
                return piece
        raise ValueError(f"{self.name} has no piece of the kind {kind}")

    @property
    def predictions(self) -> list[Prediction]:
        """Its questions, in order; an explanation may have more than one piece and ends with its section."""
        found, seen, told = [], [], []
        asked: tuple[str, ...] = ()
        section, before, answered = "", [], False
        for piece in [*self.pieces, Piece("predict", "", "")]:
            if piece.kind == "section":
                section, before = piece.heading, [piece.text]
                answered = bool(told)  # what explains later on explains something else
            elif piece.kind in RESULTS or piece.kind == "explain":
                before = []
            elif piece.kind == "text":
                before.append(piece.text)
            if piece.kind == "predict":
                if asked:
                    found.append(Prediction(*asked, "\n".join(seen), "\n\n".join(told)))
                asked, seen, told = (piece.cell, section, "\n\n".join(filter(None, before)), piece.text), [], []
                answered = False
            elif answered:
                continue
            elif piece.kind == "explain":
                told.append(piece.text)
            elif not told:
                seen.append(piece.text)
        return found

    @property
    def verdicts(self) -> list[Verdict]:
        """The claims with what was measured, from the tables that the notebook keeps."""
        return [verdict for piece in self.pieces if piece.kind == "table" for verdict in verdicts_in(piece.text)]

    @property
    def closing_questions(self) -> list[str]:
        """The three questions at the end, without answers."""
        asked = re.split(r"\([123]\)\s+", paragraphs(self.the("questions").text)[0])
        return [" ".join(question.split()) for question in asked[1:]]


def verdicts_in(table: str) -> list[Verdict]:
    """The rows of a table of claims; of any other table none."""
    if not re.search(r" \| [✓?✗] ?\w", table):
        return []
    rows = [row.split(" | ") for row in table.splitlines()]
    return [Verdict(row[0], row[4].partition(":")[0], row[5][0]) for row in rows]


def paragraphs(markdown: str) -> list[str]:
    """Markdown cut at empty lines, but not within a fence or a displayed formula."""
    found: list[str] = []
    for block in re.split(r"\n\s*\n", markdown.strip()):
        if found and (found[-1].count("$$") % 2 or found[-1].count("```") % 2):
            found[-1] += f"\n\n{block}"
        else:
            found.append(block)
    return found


def sentences(paragraph: str) -> list[str]:
    """A paragraph cut after full stops, but not within emphasis, brackets, code or formulas."""
    found, open_part = [], ""
    for part in re.split(r"(?<=[.?!])\s+(?=[A-Z*$“\"`(‘])|(?<=[.?!][)*\"”])\s+(?=[A-Z*$“\"`(])", paragraph):
        open_part = f"{open_part} {part}".strip()
        whole = all(open_part.count(mark) % 2 == 0 for mark in ("*", "$", "`"))
        if whole and open_part.count("(") == open_part.count(")") and not open_part.endswith((" al.", "e.g.")):
            found.append(open_part)
            open_part = ""
    return [*found, open_part] if open_part else found


def in_short(markdown: str, most: int) -> str:
    """The beginning of a text, whole sentences as many as fit into `most` letters; of one at least.

    Where a formula, a list, a table or code is part of it, and there is room, that is kept, and of each paragraph the
    first sentences.
    """
    blocks = paragraphs(markdown)
    if len(markdown) <= most:
        return markdown
    if not all(map(is_prose, blocks)):
        for count in (3, 2, 1):
            made = [" ".join(sentences(block)[:count]) if is_prose(block) else block for block in blocks]
            if sum(map(len, made)) <= most:
                return "\n\n".join(made)
    kept: list[list[str]] = []
    left = most
    for block in filter(is_prose, blocks):
        kept.append([])
        for sentence in sentences(block):
            left -= len(sentence) + 1
            if left < 0 and kept[0]:
                return "\n\n".join(" ".join(part) for part in kept if part)
            kept[-1].append(sentence)
    return "\n\n".join(" ".join(part) for part in kept)


def is_prose(block: str) -> bool:
    """Whether a paragraph is running text: no formula of its own, list, table or code."""
    return not re.match(r"\$\$|[-*+] |\d\. |\||```|>", block)
