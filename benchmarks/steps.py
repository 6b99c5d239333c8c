"""One training step: reweighting and MentorMix against a standard step, `higher`, and the bare products."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import torch
from torch import nn

from benchmarks import usual
from benchmarks.products import bare_products
from benchmarks.timing import Row, interleaved, rows_of
from nlkit.learning.devices import InBfloat16, has_convolutions, pick_precision, pick_threads, threads
from nlkit.learning.learner import Batch, Run
from nlkit.learning.models import build_model
from nlkit.learning.optimizers import build_optimizer
from nlkit.noise.matrices import symmetric_matrix
from nlkit.papers import build_method
from nlkit.randomness import seeded_generator
from nlkit.training.recipes import RECIPES

BATCH = 128
SHAPES = {"mlp": (1, 28, 28), "cnn": (1, 28, 28), "resnet32": (3, 32, 32)}  # of part 2 to 4 on a CPU
OPTIMIZERS = {  # those of the networks' recipes
    name: recipe.optimizer for name, recipe in RECIPES.items()
}
CLEAN_BATCHES = {"mlp": (16, 32, 64, 128, 256, 512), "cnn": (16, 32, 128, 512), "resnet32": (16, 128, 512)}
CALLS = "step with nothing to compute"
TOLD = {"matrix": symmetric_matrix(10, 0.8)}
LOSSES: dict[str, dict[str, object]] = {
    "standard": {}, "forward": TOLD, "backward": TOLD, "gce": {}, "sce": {}, "active_passive": {},
    "bootstrapping": {}, "label_smoothing": {}, "peer_loss": {}, "ldr": {}, "cores2": {}, "sam": {}, "volminnet": {},
    "t_revision": TOLD, "meta_weight_net": {}, "co-teaching": {"percentile": 0.6}, "co-teaching+": {"percentile": 0.6},
    "decoupling": {}, "jocor": {"percentile": 0.6}, "elr": {}, "elr+": {}, "dividemix": {}, "sop": {},
    "f_divergence": {}, "sop+": {}, "pes": {}, "pes_semi": {}, "cal": {}, "disc": {}, "confident": {},
    "promix": {},
}  # fmt: skip
ROUNDS = {"mlp": (40, 5), "cnn": (12, 1), "resnet32": (5, 1)}  # and steps in a row


class Bench:
    """A network with random images, on which any method takes one step at a time."""

    def __init__(self, name: str, shape=None, *, examples: int = 2000, clean: int = 512, classes: int = 10,
                 model: nn.Module | None = None, optimizer: str | None = None, device: str = "cpu"):  # fmt: skip
        self.name, self.shape = name, shape or SHAPES[name]
        self.model, self.optimizer = model, optimizer or OPTIMIZERS[name]
        generator = torch.Generator().manual_seed(0)
        self.images = torch.rand(examples, *self.shape, generator=generator).to(device)
        self.labels = torch.randint(0, classes, (examples,), generator=generator).to(device)
        self.clean, self.classes, self.device = clean, classes, torch.device(device)
        self.order = torch.randperm(examples, generator=generator).to(device)

    def network(self) -> nn.Module:
        """The network as `train` makes it."""
        model = (self.model or build_model(self.name, self.shape, self.classes, seed=0)).to(self.device)
        return model.to(memory_format=torch.channels_last) if has_convolutions(model) else model

    def step(self, method: str, **options: object) -> Callable[[], object]:
        """A function that takes the kit's next step, the gathering of its batch included, as `train` does."""
        model = self.network()
        precise = pick_precision(RECIPES[self.name].precision, model, self.device) if self.model is None else "float32"
        network = InBfloat16(model) if precise == "bfloat16" else model
        run = Run(
            network, build_optimizer(self.optimizer, model, 6e-4), self.images[: self.clean], self.labels[: self.clean],
            seeded_generator(0, "method"), self.classes, len(self.labels), progress=0.5, steps_done=1001,
            steps_an_epoch=len(self.labels) // BATCH, noisy_images=self.images, given_labels=self.labels,
        )  # fmt: skip
        algorithm, count, batches = build_method(method, options), pick_threads(model), self._batches()

        def take() -> object:
            index = next(batches)
            with threads(count):
                images = self.images.index_select(0, index)
                return algorithm.step(run, Batch(index, images, self.labels[index])).loss

        return take

    def torchopt(self, clean_batch: int = BATCH) -> Callable[[], object]:
        """A function that takes the next reweighting step by TorchOpt."""
        import torchopt

        model = self.network()
        optimizer = usual.meta_adam(model, 6e-4) if self.optimizer == "adam" else torchopt.MetaSGD(
            model, 6e-4, momentum=0.9)  # fmt: skip
        batches, clean = self._batches(), (self.images[:clean_batch], self.labels[:clean_batch])

        def take() -> object:
            index = next(batches)
            return usual.torchopt_step(model, optimizer, (self.images[index], self.labels[index]), clean)

        return take

    def products(self) -> dict[str, Callable[[], object]]:
        model = self.network()
        count = pick_threads(model)

        def bare(act: Callable[[], object]) -> Callable[[], object]:
            def take() -> None:
                with threads(count), torch.no_grad():
                    act()

            return take

        return {name: bare(act) for name, act in bare_products(model, self.images[:BATCH]).items()}

    def _batches(self):
        while True:
            yield from (part for part in self.order.split(BATCH) if len(part) == min(BATCH, len(self.order)))


def measure(names=tuple(SHAPES), shorten: int = 1) -> list[Row]:
    """Parts 2, 3, 4 and 7 of the list in run.py. shorten: divides the number of rounds."""
    torch.empty(
        2**22
    )  # as training does when it evaluates: once it freed a large block, the C library keeps what it has
    rows = []
    for name in names:
        rounds, each = max(2, ROUNDS[name][0] // shorten), ROUNDS[name][1]
        for clean_batch in CLEAN_BATCHES[name]:
            bench = Bench(name, examples=1024)
            sides = {"standard": bench.step("standard")}
            engines = ("auto", "jvp", "higher") if name != "resnet32" else ("auto", "higher")  # there, auto is jvp
            sides |= {e: bench.step("reweight", engine=e, clean_batch_size=clean_batch) for e in engines}
            if clean_batch == BATCH and importlib.util.find_spec("torchopt"):
                sides["torchopt"] = bench.torchopt()
            rows += rows_of(
                "reweighting", f"{name}, {clean_batch} clean", interleaved(sides, rounds, each=each), "standard"
            )
        bench = Bench(name, examples=1024)
        sides = {"standard": bench.step("standard"), "mixup": bench.step("mixup")}
        sides |= {m: bench.step(m, percentile=0.5) for m in ("mentornet", "mentormix")}
        sides["mentormix, second weighting"] = bench.step("mentormix", percentile=0.5, second_weighting=True)
        rows += rows_of("mentormix", name, interleaved(sides, rounds, each=each), "standard")
        rows += _losses(name, rounds, each) + _cut_features(name, rounds, each)
        rows += _against_products(name, rounds, each)
    return rows


def _losses(name: str, rounds: int, each: int) -> list[Row]:
    bench = Bench(name, examples=1024)
    sides = {method: bench.step(method, **options) for method, options in LOSSES.items()}
    return rows_of("losses", name, interleaved(sides, rounds, each=each), "standard")


def _cut_features(name: str, rounds: int, each: int) -> list[Row]:
    bench = Bench(name, examples=1024)
    sides = {"standard": bench.step("standard")}
    sides |= {f"compress, {mask}": bench.step("compress", mask=mask) for mask in ("nested", "dropout")}
    return rows_of("features", name, interleaved(sides, rounds, each=each), "standard")


def _one_unit_a_layer() -> nn.Module:
    return nn.Sequential(
        nn.Flatten(), nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 10)
    )  # the layers of the MLP


def _against_products(name: str, rounds: int, each: int) -> list[Row]:
    bench = Bench(name, examples=1024)
    products = bench.products()
    options = {"standard": {}, "reweight": {}, "mentormix": {"percentile": 0.5}}
    steps = {method: bench.step(method, **options[method]) for method in products}
    sides = {("bare products", m): act for m, act in products.items()} | {("step", m): act for m, act in steps.items()}
    if name == "mlp":
        # The same calls on one pixel and one unit a layer: what is left is Python, autograd and torch's own call costs.
        calls = Bench(name, (1, 1, 1), examples=1024, model=_one_unit_a_layer())
        sides |= {(CALLS, method): calls.step(method, **options[method]) for method in products}
    taken = interleaved(sides, rounds, each=each)
    rows = []
    for method in products:
        pair = {kind: times for (kind, of), times in taken.items() if of == method}
        rows += rows_of("floor", f"{name}, {method}", pair, "bare products")
    alone = {method: taken["bare products", method] for method in products}
    return rows + rows_of("floor", f"{name}, bare products alone", alone, "standard")
