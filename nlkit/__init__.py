"""nlkit: a teaching kit on learning with noisy labels.

>>> from nlkit import make_task, train
>>> task = make_task("mnist5k", noise="symmetric", ratio=0.8, clean_per_class=50, seed=0)
>>> history = list(train(task, method="reweight", epochs=2, seed=0))
>>> 0 <= history[-1].test_accuracy <= 1
True

The names below are looked up on first use, so that ``import nlkit`` and ``nlkit --help`` do not wait for torch.
"""

import importlib
import importlib.util
import os

# Torch's threads wait for each other by spinning. On a machine that others use too, the one they wait for is often not
# running, and a training slows down tenfold and more. It is read when torch is loaded, so `import nlkit` before torch.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

_HOME = {
    "load": "data.load", "Dataset": "data.dataset", "DataError": "checks",
    "corrupt": "noise.draws", "noise_matrix": "noise.matrices",
    "Task": "tasks.task", "make_task": "tasks.make",
    "train": "training.train", "METHODS": "papers", "MODELS": "learning.models", "build_model": "learning.models",
    "Record": "records", "Step": "records", "records_frame": "records",
    "Experiment": "training.classification", "plots": "plots", "live": "live",
    "RobustClassifier": "audit.robust_classifier",
}  # fmt: skip

# Some names need a package of an extra; `from nlkit import *` works without it too.
_NEEDS = {"live": "ipywidgets", "RobustClassifier": "sklearn"}
__all__ = sorted(name for name in _HOME if name not in _NEEDS or importlib.util.find_spec(_NEEDS[name]))


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"module 'nlkit' has no attribute {name!r}")
    try:
        module = importlib.import_module(f"nlkit.{_HOME[name]}")
    except ModuleNotFoundError as error:
        if name not in _NEEDS:
            raise
        raise AttributeError(str(error)) from error  # so that `hasattr` and `getattr` can ask for it
    value = module if name == _HOME[name] else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
