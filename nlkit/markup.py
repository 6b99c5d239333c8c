"""Pieces of HTML that pages of several kinds are made of: escaped text, lists, tables. Cells are HTML already."""

from __future__ import annotations

import html
from collections.abc import Iterable

CSS = """
:root { color-scheme: light }
body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff; max-width: 76rem; margin: 2rem auto; padding: 0 1.2rem }
h1 { line-height: 1.2; margin-bottom: .3rem } h2 { margin-top: 2.6rem; border-bottom: 1px solid #ccc; padding-bottom: .2rem }
p, li { max-width: 52rem } .wide { overflow-x: auto }
table { border-collapse: collapse; width: 100%; font-size: .92rem; margin: 1rem 0 }
th, td { text-align: left; vertical-align: top; padding: .5rem .7rem; border-bottom: 1px solid #ddd }
th { white-space: nowrap; border-bottom: 2px solid #888 } td.number { white-space: nowrap; font-variant-numeric: tabular-nums }
td small { color: #555; display: block }
"""  # noqa: E501


def text(value: object) -> str:
    """What a value prints as, escaped."""
    return html.escape(str(value))


def bullets(items: Iterable[object]) -> str:
    """A list of texts."""
    return "<ul>" + "".join(f"<li>{text(item)}</li>" for item in items) + "</ul>"


def table(
    head: Iterable[str], rows: Iterable[Iterable[str]], numbers: tuple[int, ...] = (), widths: tuple[int, ...] = ()
) -> str:
    """A table. numbers: which columns hold some. widths: of the columns, in percent."""
    columns = "".join(f"<col style='width:{width}%'>" for width in widths)
    top = "".join(f"<th scope='col'>{text(cell)}</th>" for cell in head)
    body = "".join(
        "<tr>" + "".join(f"<td{' class=number' if i in numbers else ''}>{c}</td>" for i, c in enumerate(row)) + "</tr>"
        for row in rows
    )
    return f"<div class='wide'><table>{columns}<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
