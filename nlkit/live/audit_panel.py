"""The audit panel: suspect after suspect is judged, and noise and a quick model's accuracy move with the decisions."""

from __future__ import annotations

import functools
import html
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import ipywidgets as widgets
import numpy

from nlkit.audit.audit import RIGHT, UNSURE, WRONG, Audit, Suspect
from nlkit.audit.collection import check_outside
from nlkit.audit.report import row_of, thumbnail
from nlkit.audit.review import DECISIONS, Decisions, QuickModel, Standing, reviewed
from nlkit.live.any_panel import Frame, Panel, drawn, polite_line, tell
from nlkit.live.controls import rows
from nlkit.live.driver import Driver
from nlkit.plots.audits import suspect_and_course

MOST = 1_000  # suspects on the list
NEAREST = 5  # neighbours whose labels are told
LEFT_OUT = "not known: leave it out"
VERDICTS = {"Wrong": WRONG, "Right": RIGHT, "Unsure": UNSURE}


def audit(
    found: Audit, *, folder: str | Path | None = None, beside: Sequence[str] | None = None, mode: str | None = None
) -> widgets.Widget:
    """A panel that shows suspect after suspect of an audit, takes down what you say of it, and counts anew.

    Buttons say *wrong* (what its label should be may be chosen beside them), *right* or *unsure*; *Back* goes one
    suspect back, to decide otherwise. Tab and the space bar do the same. Each decision is saved before the next suspect
    is shown, and the panel begins where you left off; `panel.decided` is the audit with all of them.

    found: what `nlkit.audit.audit.audit` returned. Decisions that it has already are taken over.
    folder: where `decisions.json` is kept, made with the first decision; `audit-NAME` unless given, as `nlkit audit`
        names the folder of its report. It must not lie within the data.
    beside: what else is known of each example, a text each, such as a second opinion or where to look it up.
    mode: how it is driven, see `nlkit.live`.

    Raises a ValueError for decisions of other data in the folder, and for a folder within the data; an OSError where
    nothing can be written.
    """
    collection = found.collection
    source = Path(collection.source).expanduser()
    folder = Path(folder) if folder is not None else Path(f"audit-{source.resolve().stem}")
    check_outside(folder, source, "folder=")
    if not folder.resolve().parent.is_dir():
        raise ValueError(f"folder={str(folder)!r} can't be made: {folder.resolve().parent} does not exist")
    if beside is not None and len(beside) != collection.count:
        raise ValueError(
            f"beside has {len(beside):,} texts; it must be one for each of the {collection.count:,} examples"
        )
    keeper = Decisions(folder / DECISIONS, collection)
    return AuditPanel(found, keeper, dict(found.decisions) | keeper.kept(), beside, mode)


class AuditPanel(Panel):
    """See `audit`."""

    def __init__(
        self, found: Audit, keeper: Decisions, decisions: dict[int, str], beside: Sequence[str] | None, mode: str | None
    ):
        self._found, self._keeper, self._beside, self.decisions = found, keeper, beside, decisions
        self.suspects = found.suspects(MOST, decided=True)
        self.course: list[Standing] = []
        self.about, self.details, self.line = polite_line(), widgets.HTML(), polite_line()
        self.right_label = widgets.Dropdown(description="it should be", style={"description_width": "7.5em"})
        self.buttons = {name: widgets.Button(description=name) for name in (*VERDICTS, "Back")}
        for name, button in self.buttons.items():
            button.layout.width = "6.5em"
            button.on_click(functools.partial(self._pressed, name))
        make = functools.partial(_work_out, found, QuickModel(found.collection))
        self.driver = Driver(make, self.on_event, self.on_state, mode=mode, delay=0)
        parts = [self.about, self.details, rows(self.buttons.values()), self.right_label, self.line]
        super().__init__("audit", parts, [self.driver])
        self._move(self._next(-1))
        for event in make(self._asked()):
            self.on_event(event)

    @property
    def decided(self) -> Audit:
        """The audit with the decisions of this panel."""
        return self._found.decide(self.decisions)

    @property
    def suspect(self) -> Suspect:
        return self.suspects[self.place]

    def decide(self, verdict: str) -> None:
        """Say "wrong", "right", "unsure", or which class is right, of the suspect that is shown, and go on to the next.

        What can't be saved is not taken, and the line says why.
        """
        with self.driver.lock:
            decisions = self.decisions | {self.suspect.place: verdict}
            try:
                self._keeper.keep(decisions)
            except OSError as error:
                return tell(self.line, f"not saved, so not taken: {error}", urgent=True)
            self.decisions = decisions
            self._move(self._next(self.place))
        self.driver.start(self._asked())

    def _pressed(self, name: str, _button: object = None) -> None:
        if name == "Back":
            with self.driver.lock:
                self._move(max(0, self.place - 1))
            self.driver.start(self._asked())
        elif name == "Wrong" and self.right_label.value != LEFT_OUT:
            self.decide(self.right_label.value)
        else:
            self.decide(VERDICTS[name])

    def _next(self, place: int) -> int:
        """The first suspect after this place that is not decided, else the first at all; else the one after it."""
        order = [*range(place + 1, len(self.suspects)), *range(max(place, 0))]
        open_ = [at for at in order if self.suspects[at].place not in self.decisions]
        return open_[0] if open_ else min(place + 1, len(self.suspects) - 1)

    def _move(self, place: int) -> None:
        self.place, suspect, names = place, self.suspects[place], self._found.collection.class_names
        verdict = self.decisions.get(suspect.place)
        known = f"; decided: {verdict}" if verdict else ""
        tell(
            self.about,
            f"Suspect {place + 1:,} of {len(self.suspects):,}, {suspect.id}: labelled {suspect.given}, a model that "
            f"has not seen it says {suspect.suggested}{known}",
        )
        others = [name for name in names if name != suspect.given]
        self.right_label.options = [LEFT_OUT, *others] if len(others) > 1 else others + [LEFT_OUT]
        self.right_label.value = verdict if verdict in others else self.right_label.options[0]
        self.details.value = self._details(suspect)
        self.buttons["Back"].disabled = place == 0

    def _details(self, suspect: Suspect) -> str:
        collection = self._found.collection
        cells = row_of(collection, suspect.place)
        told = [f"{name}: {cell}" for name, cell in cells.items()]
        labels = self._found.labels[self._found.nearest[suspect.place, :NEAREST]].tolist()
        nearest = ", ".join("unknown" if label < 0 else collection.class_names[label] for label in labels)
        told.append(f"the {len(labels)} most like it are labelled: {nearest}")
        told += [self._beside[suspect.place]] if self._beside is not None else []
        return "<br>".join(map(html.escape, told))

    def _asked(self) -> tuple[Suspect, dict[int, str], tuple[Standing, ...]]:
        return self.suspect, dict(self.decisions), tuple(self.course)

    def on_event(self, event: object) -> None:
        if isinstance(event, Frame):
            self.show(event)
        elif isinstance(event, Standing):
            self.course = _with(self.course, event)
            tell(self.line, str(event))

    def on_state(self) -> None:
        if self.driver.state == "failed":
            tell(self.line, f"failed: {self.driver.error}", urgent=True)
        elif self.driver.state == "done":
            self.keep_picture()


def _work_out(
    found: Audit, model: QuickModel, asked: tuple[Suspect, dict[int, str], tuple[Standing, ...]]
) -> Iterator[Frame | Standing | None]:
    """First the suspect that is next, then what the decisions come to; with none before, how it was without any."""
    suspect, decisions, course = asked
    image = _image(found, suspect.place)
    yield _picture(suspect, image, course)
    for those in ({}, decisions) if not course and decisions else (decisions,):
        for event in reviewed(found.decide({}) if not those and found.decisions else found, those, model):
            if event is not None:
                course = tuple(_with(course, event))
            yield event
    yield _picture(suspect, image, course)


def _with(course: Sequence[Standing], now: Standing) -> list[Standing]:
    """A course without what was undone: of as many judged or more."""
    return [*(before for before in course if before.judged < now.judged), now]


def _picture(suspect: Suspect, image: numpy.ndarray | None, course: Sequence[Standing]) -> Frame:
    title = f"labelled {suspect.given}; a model says {suspect.suggested}"
    points = [(at.judged, at.share, at.low, at.high, at.accuracy) for at in course]
    return drawn(suspect_and_course(suspect.ranks, points, title=title, image=image))


def _image(found: Audit, place: int) -> numpy.ndarray | None:
    from PIL import Image

    png = thumbnail(found.collection, place)
    return None if png is None else numpy.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
