"""The report of an audit: one HTML page that needs nothing beside it, and no network."""

from __future__ import annotations

import base64
import io

import numpy as np
import torch

from nlkit import markup, plots
from nlkit.audit.advice import advise
from nlkit.audit.audit import Audit, Suspect
from nlkit.audit.collection import Collection
from nlkit.audit.evidence import WHY
from nlkit.made import in_words, made_here
from nlkit.markup import bullets, table, text
from nlkit.plots.figure import with_fewer_colors

SHOWN = 60  # suspects, and contradictions, on the page
SIDE = 96  # pixels of a thumbnail
STRONG = 0.95  # rank from which on a kind of evidence is told as a reason
COLUMNS, LETTERS = 8, 160  # of a row of a table that are shown
MOST_DRAWN = 40  # classes of which a matrix is drawn
OWN_CSS = """
.picture { max-width: 100%; height: auto } td small { max-width: 16rem; overflow-wrap: anywhere } td ul { margin: 0; padding-left: 1.1rem }
.thumbnail { width: 96px; height: 96px; object-fit: contain; image-rendering: pixelated; background: #f4f4f4 }
.wrong { color: #a33c00; font-weight: 600 } .right { color: #00654a; font-weight: 600 } ol li { margin-bottom: .6rem }
dl.row { margin: 0; display: grid; grid-template-columns: max-content 1fr; gap: 0 .8rem } dl.row dt { color: #555 } dl.row dd { margin: 0 }
"""  # noqa: E501


def as_html(found: Audit) -> str:
    """The report as one page: what to do next, how many labels are wrong and how, the suspects, contradictions."""
    collection = found.collection
    parts = [
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width, initial-scale=1'>",
        f"<title>nlkit audit: {text(collection.source)}</title><style>{markup.CSS}{OWN_CSS}</style></head><body>",
        f"<h1>Which labels are wrong?</h1><p><code>{text(collection.source)}</code>: {_in_short(collection)}</p>",
        "<h2>What to do next</h2><ol>",
        *(f"<li><strong>{text(step.title)}.</strong> {text(step.words)}</li>" for step in advise(found)),
        "</ol><h2>How many are wrong, and how</h2>",
        _estimates(found),
        _matrix(found),
        f"<h2>The first {min(SHOWN, collection.count)} suspects</h2>",
        "<p>The order is by the mean rank over all kinds of evidence; a kind is told as a reason where the label is "
        f"among its {1 - STRONG:.0%} most suspicious. The CSV beside this page goes on where the list ends.</p>",
        _suspects(found),
        "<h2>The same example, different labels</h2>",
        _contradictions(found),
        "<h2>What was read</h2>",
        bullets(collection.notes) if collection.notes else "<p>Everything that was there.</p>",
        f"<p>Audited by a small network in five-fold cross-validation, which predicts {found.accuracy:.1%} of the "
        f"labels. {text(in_words([made_here()]))}.</p></body></html>\n",
    ]
    return "\n".join(parts)


def thumbnail(collection: Collection, place: int) -> bytes | None:
    """A small PNG of an example that is an image, from its file where it has one; None of what is none."""
    from PIL import Image

    if collection.shape is None:
        return None
    try:
        if file := collection.file_of(place):
            with Image.open(file) as image:
                small = image.convert("RGB")
            small.thumbnail((SIDE, SIDE))
            return _png(small)
    except Exception:  # it was there when it was read: then what the model saw is shown
        pass
    pixels = np.asarray(collection.features[place]).reshape(collection.shape)[:3]
    low, high = pixels.min(), pixels.max()
    levels = np.uint8(255 * (pixels - low) / ((high - low) or 1))
    return _png(Image.fromarray(levels[0] if len(levels) < 3 else levels.transpose(1, 2, 0)))


def row_of(collection: Collection, place: int) -> dict[str, str]:
    """The first columns of an example that is a row of a table, as text, each cut short; empty for others."""
    if collection.rows is None:
        return {}
    cells = list(collection.rows.iloc[place].items())[:COLUMNS]
    return {str(name): told if len(told := str(cell)) <= LETTERS else f"{told[:LETTERS]} …" for name, cell in cells}


def reasons(suspect: Suspect) -> list[str]:
    """Why a label is suspected: the three kinds of evidence that rank it highest, and how many others do.

    Of kinds that don't rank it among their first twentieth only the highest is told.
    """
    known = {kind: rank for kind, rank in suspect.ranks.items() if np.isfinite(rank)}
    order = sorted(known, key=lambda kind: -known[kind])
    strong = [kind for kind in order if known[kind] >= STRONG] or order[:1]
    told = [
        f"{WHY[kind]} (more so than for {100 * min(known[kind], 0.999):.1f} % of the labels)" for kind in strong[:3]
    ]
    return told + ([f"and {len(strong) - 3} more of the {len(known)} kinds of evidence"] if len(strong) > 3 else [])


def _in_short(collection: Collection) -> str:
    trusted = int(collection.clean.sum())
    known = f"{trusted:,} of them trusted" if trusted else "none of them trusted"
    return f"{collection.count:,} examples of {collection.num_classes} classes, {known}."


def _estimates(found: Audit) -> str:
    rows = [
        (text(way), f"{estimate.ratio:.1%}", f"{estimate.ratio_low:.1%} to {estimate.ratio_high:.1%}")
        for way, estimate in found.estimates.items()
    ]
    return (
        "<p>Estimated from the noisy labels alone, in ways that need different things to be so. Counting and "
        "clusterability take for noise what they can't tell apart, so the lower of the two is taken: "
        f"<strong>{text(found.likely)}</strong>. Anchor points err both ways. The intervals tell chance, not these "
        "errors; and where mistakes follow a rule that a network can learn, all of them say too little.</p>"
        + table(("Way", "Wrong labels", "95 % interval (bootstrap)"), rows, numbers=(1, 2))
    )


def _matrix(found: Audit) -> str:
    names = found.collection.class_names
    if len(names) > MOST_DRAWN:
        return f"<p>The transition matrix of {len(names)} classes is too large to be drawn.</p>"
    matrix = torch.from_numpy(found.estimates[found.likely].matrix)
    figure = plots.transition_matrices({found.likely: matrix}, names)
    picture = base64.b64encode(with_fewer_colors(figure.png())).decode()
    return f"<img class='picture' width='760' alt='{text(figure.alt)}' src='data:image/png;base64,{picture}'>"


def _suspects(found: Audit) -> str:
    rows = [
        (
            str(rank),
            _shown(found.collection, suspect.place) + f"<small>{text(suspect.id)}</small>",
            f"<span class='wrong'>{text(suspect.given)}</span>",
            f"<span class='right'>{text(suspect.suggested)}</span>",
            bullets(reasons(suspect)),
        )
        for rank, suspect in enumerate(found.suspects(SHOWN), start=1)
    ]
    return table(("", "Example", "Label", "Suggested", "Why"), rows, numbers=(0,))


def _contradictions(found: Audit) -> str:
    if not found.contradictions:
        return "<p>None was found.</p>"
    names, labels, rows = found.collection.class_names, found.collection.believed, []
    for each in found.contradictions[:SHOWN]:
        shown = [(place, f"{found.collection.ids[place]}: {names[labels[place]]}") for place in each.places[:6]]
        kind = "the same" if each.exact else f"nearly ({each.distance:.3f} of the usual distance)"
        more = f"<small>and {len(each.places) - 6} more</small>" if len(each.places) > 6 else ""
        cells = "".join(_shown(found.collection, place) + f"<small>{text(told)}</small>" for place, told in shown)
        rows.append((kind, cells + more))
    more = len(found.contradictions) - SHOWN
    return table(("Alike", "Examples and their labels"), rows) + (f"<p>And {more:,} more.</p>" if more > 0 else "")


def _shown(collection: Collection, place: int) -> str:
    if picture := thumbnail(collection, place):
        encoded = base64.b64encode(picture).decode()
        label = text(collection.class_names[collection.given[place]])
        return f"<img class='thumbnail' alt='an example labelled {label}' src='data:image/png;base64,{encoded}'>"
    cells = "".join(f"<dt>{text(name)}</dt><dd>{text(cell)}</dd>" for name, cell in row_of(collection, place).items())
    return f"<dl class='row'>{cells}</dl>" if cells else ""


def _png(image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format="png", optimize=True)
    return stream.getvalue()
