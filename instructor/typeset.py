"""A page of A4 that Markdown with formulas flows into, line by line: what the handouts are set with.

fpdf2 sets words; formulas are drawn by matplotlib as outlines and stand in the line at their own depth.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fpdf import FPDF
from fpdf.enums import XPos, YPos
from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.dollarmath import dollarmath_plugin

POINT = 25.4 / 72  # millimetres
MARGIN, LEADING = 14, 1.32  # millimetres; of the size of the letters
FACES = {"": "DejaVuSans", "B": "DejaVuSans-Bold", "I": "DejaVuSans-Oblique"}
MARKDOWN = MarkdownIt("commonmark").use(dollarmath_plugin)
_STYLES = {"strong_open": "B", "em_open": "I"}
_INK, _BLUE = (20, 30, 40), (25, 80, 120)


@dataclass(frozen=True)
class Formula:
    """A formula as SVG; sizes in millimetres, `depth` below the line."""

    latex: str
    svg: bytes
    width: float
    height: float
    depth: float


@dataclass(frozen=True)
class Word:
    """What stands between two spaces, or a part of it where the style changes. `glued`: no space before it."""

    content: str | Formula
    style: str
    glued: bool


@cache
def formula(latex: str, size: float) -> Formula:
    """A formula in letters of `size` points. A ValueError names one that can't be drawn."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.mathtext import math_to_image

    told = re.sub(r"\\([bB]ig+[lr]?|textstyle)(?![a-zA-Z])", "", " ".join(latex.split())).replace(r"\frac", r"\dfrac")
    told = re.sub(r"\\([gl]e)(?![a-zA-Z])", r"\\\1q", told)  # matplotlib has these two by their longer names alone
    made = io.BytesIO()
    try:
        depth = math_to_image(f"${told}$", made, FontProperties(size=size), dpi=72, format="svg")
    except ValueError as error:
        raise ValueError(f"the formula {latex!r} can't be drawn: {error}") from error
    svg = re.sub(rb"<metadata>.*?</metadata>", b"", made.getvalue(), flags=re.DOTALL)  # fpdf2 would warn of it
    width, height = map(float, re.search(rb'width="([\d.]+)pt" height="([\d.]+)pt"', svg).groups())
    return Formula(latex, svg, width * POINT, height * POINT, depth * POINT)


class Page(FPDF):
    """Pages of A4, each begun by `begin` and filled from the top; `y` says how far the last one is."""

    letters: float  # the size of the letters, in points

    def __init__(self, title: str) -> None:
        from matplotlib import get_data_path

        super().__init__(format="A4")
        self.c_margin = 0
        self.set_title(title)
        self.set_lang("en")
        self.set_margin(MARGIN)
        self.set_auto_page_break(False)
        for style, face in FACES.items():
            self.add_font("text", style, Path(get_data_path(), "fonts", "ttf", f"{face}.ttf"))
        self.add_font("code", "", Path(get_data_path(), "fonts", "ttf", "DejaVuSansMono.ttf"))

    def begin(self, size: float) -> None:
        """A new page, in letters of `size` points."""
        self.letters = size
        self.add_page()

    @property
    def full(self) -> bool:
        """Whether more was set than a page has room for."""
        return self.y > self.h - MARGIN

    def heading(self, words: str, size: float) -> None:
        self.y += 1.2
        self.set_font("text", "B", size)
        self.set_text_color(*_BLUE)
        self.multi_cell(0, size * POINT * 1.15, words, new_x=XPos.LMARGIN, new_y=YPos.NEXT, align="L")
        self.set_text_color(*_INK)
        self.y += 0.8

    def markdown(self, source: str, indent: float = 0, mark: str = "") -> None:
        """Paragraphs, lists and formulas, from the left margin plus `indent` mm on; `mark` stands before the first."""
        depth = 0
        for token in MARKDOWN.parse(source):
            if token.type == "list_item_open":
                depth, mark = depth + 1, "•"
            elif token.type == "list_item_close":
                depth -= 1
            elif token.type == "math_block":
                self._display(formula(token.content, self.letters + 1))
            elif token.type == "inline":
                inner = indent + 4 * depth
                if mark:
                    self.set_font("text", "", self.letters)
                    self.text(MARGIN + inner - 4, self.y + self.letters * POINT, mark)
                self._lines(words_of(token, self.letters), inner)
                mark = ""

    def picture(self, png: bytes, words: str, height: float) -> None:
        """A picture in the middle, at most `height` mm high, with its alternative text."""
        from PIL import Image

        with Image.open(io.BytesIO(png)) as opened:
            ratio = opened.width / opened.height
        width = min(self.epw, height * ratio)
        left = MARGIN + (self.epw - width) / 2
        self.image(io.BytesIO(png), left, self.y, width, width / ratio, alt_text=words)
        self.y += width / ratio + 1.5

    def row(self, sign: str, sentence: str, measured: str) -> None:
        """A line of a table: a sign, a sentence, and what was measured at the right."""
        self.set_font("text", "", self.letters)
        told = self.get_string_width(measured)
        top = self.y
        self.text(self.w - MARGIN - told, top + self.letters * POINT, measured)
        words = [Word(word, "", False) for word in sentence.split()]
        self.text(MARGIN, top + self.letters * POINT, sign)
        self._lines(words, 4.5, self.epw - told - 8)
        self.y -= 0.6

    def _width(self, word: Word) -> float:
        if isinstance(word.content, Formula):
            return word.content.width
        self._face(word.style)
        return self.get_string_width(word.content)

    def _face(self, style: str) -> None:
        if style == "code":
            self.set_font("code", "", self.letters * 0.92)
        else:
            self.set_font("text", style, self.letters)

    def _lines(self, words: list[Word], indent: float, width: float | None = None) -> None:
        """Set words, a line after the other; what is glued stays together."""
        width = width or self.epw - indent
        self._face("")
        space = self.get_string_width(" ")
        groups: list[list[Word]] = []
        for word in words:
            if word.glued and groups:
                groups[-1].append(word)
            else:
                groups.append([word])
        line: list[list[Word]] = []
        used = 0.0
        for group in groups:
            needs = sum(map(self._width, group))
            if line and used + space + needs > width:
                self._line(line, indent, space)
                line, used = [], 0.0
            used += needs + (space if line else 0)
            line.append(group)
        if line:
            self._line(line, indent, space)
        self.y += 0.9

    def _line(self, groups: list[list[Word]], indent: float, space: float) -> None:
        drawn = [word.content for group in groups for word in group if isinstance(word.content, Formula)]
        rise = max([self.letters * POINT, *(f.height - f.depth for f in drawn)])
        fall = max([self.letters * POINT * (LEADING - 1), *(f.depth for f in drawn)])
        base, left = self.y + rise, MARGIN + indent
        for group in groups:
            for word in group:
                width = self._width(word)
                if isinstance(word.content, Formula):
                    self._draw(word.content, left, base)
                else:
                    self.text(left, base, word.content)
                left += width
            left += space
        self.y = base + fall

    def _display(self, shown: Formula) -> None:
        scale = min(1, self.epw / shown.width)
        self._draw(
            shown, MARGIN + (self.epw - shown.width * scale) / 2, self.y + (shown.height - shown.depth) * scale, scale
        )
        self.y += shown.height * scale + 1.5

    def _draw(self, shown: Formula, left: float, base: float, scale: float = 1) -> None:
        top = base - (shown.height - shown.depth) * scale
        self.image(
            io.BytesIO(shown.svg), left, top, shown.width * scale, shown.height * scale, alt_text=f"${shown.latex}$"
        )


def words_of(inline: Token, size: float) -> list[Word]:
    """The words of a paragraph, with their style, and formulas among them in letters of `size` points."""
    found: list[Word] = []
    styles: list[str] = []
    glued = True
    for token in inline.children or []:
        if token.type in _STYLES:
            styles.append(_STYLES[token.type])
        elif token.type in ("strong_close", "em_close"):
            styles.pop()
        elif token.type in ("softbreak", "hardbreak"):
            glued = False
        elif token.type == "math_inline":
            found.append(Word(formula(token.content, size), "", glued))
            glued = True
        elif token.content:
            style = "code" if token.type == "code_inline" else styles[-1] if styles else ""
            for part in re.split(r"(\s+)", token.content):
                if part.strip():
                    found.append(Word(part, style, glued))
                    glued = True
                elif part:
                    glued = False
    return found
