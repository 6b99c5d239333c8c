"""Papers: one file each, and one line here. Panels, command line, index and book offer what is found here.

A module of `PAPERS` has a `PAGE` (see `nlkit.page`), and if it brings methods for the kit's own task, a `METHODS`.
The methods of the course come first; `METHODS` holds all: classes as `nlkit.learning.learner.Method` describes them.
A method sees given labels and the clean set, and never true labels or the test set.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping

from nlkit.checks import check_choice
from nlkit.learning.learner import Method
from nlkit.papers.active_passive import ActivePassive
from nlkit.papers.backward import Backward
from nlkit.papers.bootstrapping import Bootstrapping
from nlkit.papers.cal import CAL
from nlkit.papers.clean_only import CleanOnly
from nlkit.papers.co_teaching import CoTeaching
from nlkit.papers.co_teaching_plus import CoTeachingPlus
from nlkit.papers.confident import ConfidentLearning
from nlkit.papers.cores import CORES
from nlkit.papers.decoupling import Decoupling
from nlkit.papers.disc import DISC
from nlkit.papers.dividemix import DivideMix
from nlkit.papers.early_stopping import EarlyStopping
from nlkit.papers.elr_plus import EarlyLearningPlus
from nlkit.papers.em import ExpectationMaximization
from nlkit.papers.f_divergence import FDivergence
from nlkit.papers.forward import Forward
from nlkit.papers.gce import GeneralizedCrossEntropy
from nlkit.papers.jocor import JoCoR
from nlkit.papers.label_smoothing import LabelSmoothing
from nlkit.papers.mentormix import MentorMix
from nlkit.papers.mentornet import MentorNet
from nlkit.papers.meta_weight_net import MetaWeightNet
from nlkit.papers.mixup import Mixup
from nlkit.papers.peer_loss import PeerLoss
from nlkit.papers.pes import PES
from nlkit.papers.pes_semi import SemiPES
from nlkit.papers.promix import ProMix
from nlkit.papers.reweight import Reweight
from nlkit.papers.sharpness_aware import SharpnessAware
from nlkit.papers.sop import SOP
from nlkit.papers.sop_plus import SOPPlus
from nlkit.papers.standard import Standard
from nlkit.papers.symmetric_cross_entropy import SymmetricCrossEntropy
from nlkit.papers.t_revision import TRevision
from nlkit.papers.volminnet import VolMinNet

METHODS: dict[str, Callable[..., Method]] = {
    "standard": Standard,
    "early_stopping": EarlyStopping,
    "clean_only": CleanOnly,
    "reweight": Reweight,
    "mixup": Mixup,
    "mentornet": MentorNet,
    "mentormix": MentorMix,
    "co-teaching": CoTeaching,
    "forward": Forward,
    "gce": GeneralizedCrossEntropy,
    "em": ExpectationMaximization,
    "backward": Backward,
    "sce": SymmetricCrossEntropy,
    "active_passive": ActivePassive,
    "bootstrapping": Bootstrapping,
    "label_smoothing": LabelSmoothing,
    "peer_loss": PeerLoss,
    "f_divergence": FDivergence,
    "decoupling": Decoupling,
    "co-teaching+": CoTeachingPlus,
    "jocor": JoCoR,
    "dividemix": DivideMix,
    "elr+": EarlyLearningPlus,
    "promix": ProMix,
    "meta_weight_net": MetaWeightNet,
    "volminnet": VolMinNet,
    "t_revision": TRevision,
    "cores2": CORES,
    "sam": SharpnessAware,
    "sop": SOP,
    "sop+": SOPPlus,
    "confident": ConfidentLearning,
    "cal": CAL,
    "disc": DISC,
    "pes": PES,
    "pes_semi": SemiPES,
}

# The atlas, in reading order: the names of modules of this folder.
PAPERS: tuple[str, ...] = (
    "local_clustering",
    "erase",
    "robust_dpo",
    "nbpo",
    "ldr",
    "elr",
    "pervasive_label_errors",
    "quantity_quality",
    "long_tail",
    "compressing_features",
    "nmtune",
    "rcal",
    "uda",
    "shrinkmatch",
    "out_of_domain",
    "open_set_tta",
    "relabel",
    "marvelovd",
    "value_of_labels",
    "label_proportions",
    "positive_labels",
    "rare_and_overlooked",
    "active_distillation",
    "pruning_distillation",
    "c_mixup",
    "adele",
    "noisy_dice",
    "loki",
    "pc2",
    "capro",
    "noisy_chains",
    "layout_nat",
    "score_estimation",
    "ambient_diffusion",
    "dsl",
)

for _name in PAPERS:
    METHODS |= getattr(importlib.import_module(f"nlkit.papers.{_name}"), "METHODS", {})


def build_method(name: str, options: Mapping[str, object]) -> Method:
    """Make a method from its name and options; a ValueError names an unknown method or option."""
    check_choice("method", name, METHODS)
    known = inspect.signature(METHODS[name]).parameters
    for option in options:
        if option not in known:
            takes = ", ".join(known) or "none"
            raise ValueError(f"{option}={options[option]!r} is not an option of method {name!r}; its options: {takes}")
    return METHODS[name](**options)
