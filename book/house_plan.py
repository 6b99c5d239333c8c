"""The rooms of the package, and what each may import: a picture and a list, made from the test that holds them.

The floors are `LAYERS` of tests/test_packaging.py, and what a room is for is the first line of its own code.
"""

import ast
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

ROOT = Path(__file__).resolve().parent.parent
TEST, PACKAGE = ROOT / "tests" / "test_packaging.py", ROOT / "nlkit"
INK, WALL, GROUND = "#22303a", "#dcebf5", "#eeeae0"
WIDTH, ROW, MARGIN, LETTER = 100.0, 6.0, 8.0, 1.46  # LETTER: how wide a letter is, about


def floors(test: Path = TEST) -> list[list[str]]:
    """The floors as the test has them, from the lowest up; the rooms of each by their names."""
    for node in ast.parse(test.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and [getattr(target, "id", "") for target in node.targets] == ["LAYERS"]:
            return [sorted(floor) for floor in ast.literal_eval(node.value)]
    raise ValueError(f"test={test} has no list LAYERS; the picture of the house is made of it")


def rooms(package: Path = PACKAGE) -> dict[str, str]:
    """What is in the package, folders and files -> what it is for, by the first line of its code."""
    files = {path.stem: path for path in package.glob("*.py") if path.stem != "__init__"}
    files |= {path.parent.name: path for path in package.glob("*/__init__.py")}
    return {name: _first_line(path) for name, path in sorted(files.items())}


def _first_line(path: Path) -> str:
    told = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return told.partition("\n\n")[0].partition(". ")[0].replace("\n", " ").replace("|", "\\|").rstrip(".")


def ground(levels: list[list[str]], names: list[str]) -> list[str]:
    """The rooms that stand on no floor: all may import them, and they import only each other."""
    return [name for name in names if not any(name in level for level in levels)]


def in_words(levels: list[list[str]], below: list[str]) -> str:
    """The alternative text of the picture."""
    told = "; ".join(", ".join(level) for level in reversed(levels))
    return (
        f"The rooms of nlkit on {len(levels)} floors. From the top: {told}. On the ground: {', '.join(below)}. "
        "A room imports from the floors below its own, and never upwards."
    )


def draw(levels: list[list[str]], below: list[str], file: Path) -> None:
    """One row of boxes a floor, the highest on top, and an arrow for the way that imports go."""
    earth = _lines(below, WIDTH - MARGIN - 4)
    height = ROW * len(levels) + 3.0 * len(earth) + 4
    with rc_context({"svg.hashsalt": "house", "font.family": "DejaVu Sans"}):
        figure = Figure(figsize=(6.4, 6.4 * height / WIDTH))
        axes = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(height, 0))
        axes.axis("off")
        for place, level in enumerate(reversed(levels)):
            wide = (WIDTH - MARGIN) / len(level)
            for column, name in enumerate(level):
                _box(axes, MARGIN + column * wide, place * ROW + 1, wide - 1, ROW - 1.4, WALL)
                axes.text(MARGIN + (column + 0.5) * wide - 0.5, place * ROW + ROW / 2 + 0.3, name, **_WORDS)
        top = ROW * len(levels) + 1
        _box(axes, MARGIN, top, WIDTH - MARGIN - 1, height - top - 1, GROUND)
        for line, words in enumerate(earth):
            axes.text(MARGIN + (WIDTH - MARGIN - 1) / 2, top + 2.5 + 3.0 * line, words, **_WORDS)
        arrow = {"arrowstyle": "-|>", "color": INK, "linewidth": 1.6, "mutation_scale": 16}
        axes.annotate("", (MARGIN / 2 + 1.3, height - 2), (MARGIN / 2 + 1.3, 2), arrowprops=arrow)
        axes.text(MARGIN / 2 - 1.3, height / 2, "imports go down", rotation=90, **_WORDS)
        figure.savefig(file, metadata={"Date": None}, facecolor="white")


_WORDS = {"ha": "center", "va": "center", "color": INK, "fontsize": 11}


def _box(axes, x: float, y: float, wide: float, high: float, colour: str) -> None:
    axes.add_patch(FancyBboxPatch((x, y), wide, high, boxstyle="round,pad=0,rounding_size=0.8", fc=colour, ec=INK))


def _lines(names: list[str], wide: float) -> list[str]:
    """Names, put into lines of at most a width."""
    lines = [""]
    for name in names:
        longer = f"{lines[-1]}, {name}" if lines[-1] else name
        if LETTER * len(longer) > wide:
            lines.append(name)
        else:
            lines[-1] = longer
    return lines


def make(folder: Path, test: Path = TEST, package: Path = PACKAGE) -> None:
    """Write house.svg and house.md, which shows it and names every room, into `folder`, which is made."""
    folder.mkdir(exist_ok=True)
    levels, told = floors(test), rooms(package)
    if unknown := [name for level in levels for name in level if name not in told]:
        raise ValueError(f"LAYERS names {', '.join(unknown)}, of which the package has no such room")
    below = ground(levels, list(told))
    draw(levels, below, folder / "house.svg")
    named = [(str(place), level) for place, level in reversed(list(enumerate(levels, start=1)))]
    text = [f"```{{figure}} made/house.svg\n:alt: {in_words(levels, below)}\n:figclass: house\n```"]
    rows = [f"| {floor} | `{name}` | {told[name]} |" for floor, level in [*named, ("ground", below)] for name in level]
    text.append("\n".join(["| floor | room | what it is for |", "|---|---|---|", *rows]))
    page, new = folder / "house.md", "\n\n".join(text) + "\n"
    if not page.exists() or page.read_text(encoding="utf-8") != new:  # what is as it was, is not built again
        page.write_text(new, encoding="utf-8")
