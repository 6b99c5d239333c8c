"""Live panels: one call each from a notebook. They show what the package computes, and hold no logic of their own.

The same panels work in different places, and choose by themselves how they are driven:

- in JupyterLab, Notebook, VS Code and Voilà, one background thread a panel that is at work: the kernel stays free, and
  Stop acts at once (`mode="thread"`);
- on Google Colab, which does not show what another thread changes, turns on the kernel's event loop: cells that you run
  meanwhile wait for at most one training step (`mode="asyncio"`);
- in a script or a test, within the call: `panel.start()` returns when the run is over, and what was seen is in
  `panel.current` (`mode="blocking"`).

`mode=…` overrules the choice. `nlkit.live.driver` holds it.
"""

import importlib.util

if importlib.util.find_spec("ipywidgets") is None:
    raise ModuleNotFoundError(
        "nlkit.live, the panels, need ipywidgets; add it with: python -m pip install 'nlkit[lab]'", name="ipywidgets"
    )

from nlkit.live.audit_panel import audit
from nlkit.live.boundary_panel import boundary
from nlkit.live.budget_panel import budget
from nlkit.live.detection_panel import detection
from nlkit.live.estimates_panel import noise_rates
from nlkit.live.losses_panel import losses
from nlkit.live.mentormix_panel import mentormix
from nlkit.live.noise_panel import noise
from nlkit.live.page_panel import panel
from nlkit.live.ratios_panel import ratios
from nlkit.live.training_panel import training
from nlkit.live.weights_panel import weights

__all__ = [
    "audit",
    "boundary",
    "budget",
    "detection",
    "losses",
    "mentormix",
    "noise",
    "noise_rates",
    "panel",
    "ratios",
    "training",
    "weights",
]
