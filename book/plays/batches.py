"""The batches of the MentorMix panel, stored: whose loss is small, and who is mixed with whom.

`python -m book.plays.batches` trains the panel's networks anew and writes batches.json, in a minute.
"""

from __future__ import annotations

import base64
import io
import itertools
import json
from pathlib import Path

from nlkit.files import to_json, write_whole

FILE = Path(__file__).parent / "batches.json"
RATIOS = (0.0, 0.2, 0.4, 0.6, 0.8)
PERCENTILES = tuple(tenth / 10 for tenth in range(1, 10))
ALPHAS = (0.125, 0.5, 2.0, 8.0, 32.0)
COLUMNS = 4  # examples that are shown as images, as in the panel


def read() -> dict:
    """What is stored: "made", where and when; "images", one of each example of the batch, as addresses that hold them;
    and "batches", of each ratio the "given" labels, whether they are "right", the "losses", and "mixtures", of each
    "percentile" and "alpha" the "threshold", what the panel says, and of some examples "own", their places in the
    batch, "partner" and "lam", their own shares.
    """
    return json.loads(FILE.read_text(encoding="utf-8"))


def make() -> dict:
    """Have the panel's networks trained, and its batches weighed and mixed with all settings."""
    from nlkit.live.mentormix_panel import in_words, mixed, trained
    from nlkit.made import made_here
    from nlkit.plots.mixing import telling_blends
    from nlkit.plots.tiles import image_array

    batches, images = [], []
    for ratio in RATIOS:
        task, model = trained(ratio)
        mixtures = []
        for percentile, alpha in itertools.product(PERCENTILES, ALPHAS):
            batch = mixed(task, model, percentile, alpha)
            own = telling_blends(batch.v >= 0.5, task.right[batch.picks[batch.partner]], batch.lam, COLUMNS)
            mixtures.append({
                "percentile": percentile, "alpha": alpha, "threshold": _short(batch.threshold),
                "own": own.tolist(), "partner": batch.partner[own].tolist(),
                "lam": [round(share, 3) for share in batch.lam[own].tolist()],
                "words": in_words(task, batch.picks, batch.v, batch.partner),
            })  # fmt: skip
        batches.append({
            "ratio": ratio, "given": task.given[batch.picks].tolist(), "right": task.right[batch.picks].tolist(),
            "losses": list(map(_short, batch.losses.tolist())), "mixtures": mixtures,
        })  # fmt: skip
        images = images or [_address(image) for image in image_array(task, task.noisy_images[batch.picks])]
    return {"made": made_here(), "images": images, "batches": batches}


def _short(number: float) -> float:
    return float(f"{number:.5g}")  # who is below the threshold stays so


def _address(image) -> str:
    """A digit (28, 28, 1) in [0, 1] as an address that holds it: dark on white, as in the pictures of the course."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray((255 * (1 - image[..., 0])).round().byte().numpy()).save(stream, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()


if __name__ == "__main__":
    found = make()
    lists = {name: ",\n".join(map(to_json, found[name])) for name in ("images", "batches")}
    told = "".join(f',\n"{name}": [\n{lines}\n]' for name, lines in lists.items())
    write_whole(FILE, f'{{"made": {to_json(found["made"])}{told}}}\n')
