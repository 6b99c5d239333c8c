"""The noise panel: move the noise ratio or the size of the clean set, and see which labels go wrong."""

from __future__ import annotations

import ipywidgets as widgets

from nlkit import plots
from nlkit.data import Dataset, load
from nlkit.noise import ASYMMETRIC_MAPS, NOISE_TYPES
from nlkit.task import make_task

_WIDE = {"description_width": "9em"}


def noise(data: str | Dataset = "mnist5k", *, ratio: float = 0.4, clean_per_class: int = 50) -> widgets.Widget:
    """A panel with sliders for noise type, noise ratio, clean-set size and seed over a live picture of the task.

    data: a name of `nlkit.data.DATASETS`, or a data set of your own. ratio, clean_per_class: where the sliders start.
    """
    dataset = load(data) if isinstance(data, str) else data
    kinds = [kind for kind in NOISE_TYPES if kind != "asymmetric" or dataset.name in ASYMMETRIC_MAPS]
    most = int(dataset.train_labels.bincount().min()) - 1
    layout = widgets.Layout(width="97%")
    controls = {
        "noise": widgets.Dropdown(options=kinds, description="noise type", style=_WIDE),
        "ratio": widgets.FloatSlider(
            ratio, min=0, max=1, step=0.05, readout_format=".0%", description="noise ratio", style=_WIDE, layout=layout
        ),
        "clean_per_class": widgets.IntSlider(
            clean_per_class, min=0, max=most, description="clean a class", style=_WIDE, layout=layout
        ),
        "seed": widgets.BoundedIntText(0, min=0, max=9999, description="seed", style=_WIDE),
    }
    picture = widgets.Image(format="png", layout=widgets.Layout(width="100%", max_width="1000px"))
    told = widgets.HTML()

    def show(_change: object = None) -> None:
        values = {name: control.value for name, control in controls.items()}
        try:
            task = make_task(dataset, **values, device="cpu")
        except ValueError as error:
            told.value = f"<b>This can't be made:</b> {error}"
            return
        picture.value = plots.noise_overview(task).png()
        told.value = (
            f"<b>asked for {values['ratio']:.0%}</b>, realised <b>{task.realized_ratio:.1%}</b>: "
            f"{int(task.wrong.sum()):,} of {len(task.wrong):,} given labels are wrong; "
            f"{len(task.clean_labels):,} examples are clean"
        )

    for control in controls.values():
        control.observe(show, names="value")
    show()
    sliders = widgets.VBox([controls["ratio"], controls["clean_per_class"]], layout=widgets.Layout(flex="2 1 20em"))
    rest = widgets.VBox([controls["noise"], controls["seed"]], layout=widgets.Layout(flex="1 1 16em"))
    top = widgets.HBox([sliders, rest], layout=widgets.Layout(flex_flow="row wrap"))
    return widgets.VBox([top, told, picture], layout=widgets.Layout(max_width="1020px"))
