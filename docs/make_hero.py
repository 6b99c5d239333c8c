"""Draw the first picture of the book, docs/hero.png, with the kit: `python docs/make_hero.py`. Takes under a minute."""

import io
from pathlib import Path

from PIL import Image

from nlkit import make_task, plots, train

METHODS, SEEDS = ("standard", "early_stopping", "reweight", "clean_only"), (0, 1, 2)


def draw() -> Image.Image:
    tasks = [make_task("mnist5k", noise="symmetric", ratio=0.6, clean_per_class=20, seed=seed) for seed in SEEDS]
    runs = {m: [list(train(task, m, epochs=40, seed=s)) for s, task in zip(SEEDS, tasks)] for m in METHODS}
    title = "5,000 digits, 60 % of the labels wrong, 200 clean: mean of three seeds, lowest to highest as a band"
    figures = plots.labelled_images(tasks[0], rows=2), plots.compare_methods(runs, title=title)
    parts = [Image.open(io.BytesIO(figure.png())).convert("RGB") for figure in figures]
    hero = Image.new("RGB", (max(p.width for p in parts), sum(p.height for p in parts)), "white")
    top = 0
    for part in parts:
        hero.paste(part, (0, top))
        top += part.height
    return hero


if __name__ == "__main__":
    draw().save(Path(__file__).with_name("hero.png"), optimize=True)
