"""A zoo of networks: what people hand in as `model=`, small, for images of 1×8×8 pixels and three classes.

Each factory makes its network anew; `make` draws it from a seed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune

from nlkit.learning.models import cnn, mlp
from nlkit.learning.resnet import Block, resnet32

SHAPE, CLASSES = (1, 8, 8), 3


def small(*middle: nn.Module, width: int = 8) -> nn.Sequential:
    """pixels-8-…-classes, with what is given in the middle."""
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 8), *(middle or (nn.ReLU(),)), nn.Linear(width, CLASSES))


def maps(*middle: nn.Module) -> nn.Sequential:
    """A convolution of four channels, what is given in the middle, and a head."""
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), *middle, nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(64, CLASSES)
    )


def frozen(network: nn.Sequential, *layers: int) -> nn.Sequential:
    for layer in layers:
        network[layer].requires_grad_(False)
    return network


def in_evaluation(network: nn.Sequential, layer: int) -> nn.Sequential:
    """With one layer in evaluation mode, the usual way to freeze a norm; its statistics are those of other data."""
    network[layer].eval()
    network[layer].running_mean.fill_(0.1)
    network[layer].running_var.fill_(0.5)
    return network


def one_layer_twice() -> nn.Module:
    shared = nn.Linear(8, 8)
    return small(shared, nn.Tanh(), shared, nn.Tanh())


def one_norm_twice() -> nn.Module:
    norm = nn.BatchNorm1d(8)
    return small(norm, nn.Linear(8, 8), norm, nn.Tanh())


def tied_weights() -> nn.Module:
    network = small(nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh())
    network[5].weight = network[3].weight
    return network


def hooked_after() -> nn.Module:
    network = small()
    network[1].register_forward_hook(lambda layer, given, out: 0.5 * out)
    return network


def hooked_before() -> nn.Module:
    network = small()
    network[3].register_forward_pre_hook(lambda layer, given: (given[0] * 2 + 0.1,))
    return network


def hooked_whole() -> nn.Module:
    network = small()
    network.register_forward_hook(lambda layer, given, out: 3 * out)
    return network


def hooked_gradient() -> nn.Module:
    """Half of a layer is frozen by a hook on its gradient."""
    network = small()
    network[1].weight.register_hook(lambda gradient: gradient * (torch.arange(64) % 2))
    return network


def other_forward() -> nn.Module:
    """A layer whose forward was replaced on the layer itself."""
    network = small()
    forward = network[1].forward
    network[1].forward = lambda x: forward(x).sin()
    return network


class Scaled(nn.Linear):
    """A subclass of a plain layer that does something else."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * 0.3 + x[:, :1]


class Recurrent(nn.Module):
    def __init__(self, kind: type[nn.Module]):
        super().__init__()
        self.rows, self.head = kind(8, 6, batch_first=True), nn.Linear(6, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.rows(x[:, 0])[0][:, -1])


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.rows = nn.TransformerEncoderLayer(8, 2, 8, batch_first=True, dropout=0.0)
        self.head = nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.rows(x[:, 0]).mean(1))


class Spare(nn.Module):
    def __init__(self):
        super().__init__()
        self.head, self.unused = nn.Linear(64, CLASSES), nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x.flatten(1))


class Bare(nn.Module):
    """Parameters of its own, two of which get the same gradient, and no layer."""

    def __init__(self):
        super().__init__()
        self.weight, self.more = (nn.Parameter(0.1 * torch.randn(64, CLASSES)) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ (self.weight + self.more).tanh()


class Steps(nn.Module):
    """As many passes through a layer as the images say."""

    def __init__(self):
        super().__init__()
        self.first, self.again, self.head = nn.Linear(64, 8), nn.Linear(8, 8), nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x.flatten(1))
        for _ in range(2 if x.mean() > 0.5 else 1):
            h = self.again(h).tanh()
        return self.head(h)


class BodyWithoutGradient(nn.Module):
    """A body that no gradient passes, though its parameters would take one."""

    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Linear(64, 8), nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            h = self.body(x.flatten(1)).tanh()
        return self.head(h)


class InDouble(nn.Module):
    """Computes in float64, whatever its images are."""

    def __init__(self):
        super().__init__()
        self.net = small().double()

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x.double())


class OnTheInput(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = small()

    def forward(self, x: Tensor) -> Tensor:
        x -= 0.5  # its own preprocessing
        return self.net(x)


class Tuple(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = small()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.net(x), x


class Nothing(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1)[:, :CLASSES]


def pruned() -> nn.Module:
    network = small()
    prune.random_unstructured(network[1], "weight", 0.5)
    return network


def normed_weights(norm: Callable[[nn.Module], nn.Module]) -> nn.Module:
    network = small()
    network[1] = norm(network[1])
    return network


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "mlp": lambda: mlp(SHAPE, CLASSES),
    "cnn": lambda: cnn(SHAPE, CLASSES),
    "resnet32": lambda: resnet32(SHAPE, CLASSES),
    "three blocks": lambda: nn.Sequential(
        Block(1, 4, 1), Block(4, 4, 1), Block(4, 8, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, CLASSES)
    ),
    "frozen body": lambda: frozen(small(), 1),
    "frozen middle layer": lambda: frozen(small(nn.Tanh(), nn.Linear(8, 8), nn.Tanh()), 3),
    "frozen head": lambda: frozen(small(), 3),
    "one layer twice": one_layer_twice,
    "one norm twice": one_norm_twice,
    "tied weights": tied_weights,
    "hook after a layer": hooked_after,
    "hook before a layer": hooked_before,
    "hook on the whole": hooked_whole,
    "hook on a gradient": hooked_gradient,
    "a forward of its own": other_forward,
    "a layer's subclass": lambda: small(nn.ReLU(), Scaled(8, 8)),
    "LSTM": lambda: Recurrent(nn.LSTM),
    "GRU": lambda: Recurrent(nn.GRU),
    "attention": Attention,
    "batch norm 1d": lambda: small(nn.BatchNorm1d(8), nn.Tanh()),
    "batch norm 2d": lambda: maps(nn.BatchNorm2d(4)),
    "batch norm in evaluation": lambda: in_evaluation(maps(nn.BatchNorm2d(4)), 1),
    "batch norm after a frozen body": lambda: frozen(maps(nn.BatchNorm2d(4)), 0),
    "batch norm, frozen": lambda: frozen(maps(nn.BatchNorm2d(4)), 1),
    "batch norm without affine": lambda: maps(nn.BatchNorm2d(4, affine=False)),
    "batch norm without statistics": lambda: maps(nn.BatchNorm2d(4, track_running_stats=False)),
    "group norm": lambda: maps(nn.GroupNorm(2, 4)),
    "layer norm": lambda: small(nn.LayerNorm(8), nn.Tanh()),
    "instance norm": lambda: maps(nn.InstanceNorm2d(4, affine=True)),
    "dropout": lambda: small(nn.Tanh(), nn.Dropout(0.5)),
    "in-place ReLU": lambda: small(nn.ReLU(inplace=True)),
    "pruned": pruned,
    "weight norm": lambda: normed_weights(parametrizations.weight_norm),
    "weight norm, old": lambda: normed_weights(nn.utils.weight_norm),
    "spectral norm": lambda: normed_weights(partial(parametrizations.spectral_norm, n_power_iterations=30)),
    "spectral norm, old": lambda: normed_weights(partial(nn.utils.spectral_norm, n_power_iterations=30)),
    "unused layer": Spare,
    "bare parameters": Bare,
    "as many steps as the images say": Steps,
    "body without gradient": BodyWithoutGradient,
    "float64 inside": InDouble,
    "dilated and grouped": lambda: maps(nn.Conv2d(4, 4, 3, padding=2, dilation=2, groups=2, bias=False)),
    "padded in circles": lambda: maps(nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1, padding_mode="circular")),
    # Those that no method can train
    "float64": lambda: small().double(),
    "tuple output": Tuple,
    "no parameters": Nothing,
    "all frozen": lambda: frozen(small(), 1, 3),
    "in-place on the input": OnTheInput,
}
UNTRAINABLE = ("float64", "tuple output", "no parameters", "all frozen", "in-place on the input")
# Of these, no layer draws some parameter: methods with a second network ask for what makes them.
WITHOUT_COMPANION = ("bare parameters", "pruned", "weight norm", "weight norm, old", "spectral norm",
                     "spectral norm, old")  # fmt: skip


def make(name: str, seed: int = 0) -> nn.Module:
    """A network of the zoo, its weights drawn from a seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return NETWORKS[name]()


def state_of(network: nn.Module) -> dict[str, object]:
    """What using a network is to leave as it was: which tensors are its parameters, their kinds, modes and hooks."""
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return {
        "parameters": [(name, id(p), type(p), p.requires_grad) for name, p in network.named_parameters()],
        "modes": [layer.training for layer in network.modules()],
        "hooks": [[len(getattr(layer, kind)) for kind in kinds] for layer in network.modules()],
        "buffers": [(name, id(b)) for name, b in network.named_buffers()],
    }
