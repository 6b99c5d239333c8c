"""A small diffusion model, to be read: learn to take noise of any strength away, then make an example out of noise.

    Karras, Aittala, Aila, Laine: Elucidating the design space of diffusion-based generative models. NeurIPS 2022,
    arXiv:2206.00364.

    x_σ = x₀ + σ ε,  ε ~ N(0, I)                                an example with noise of strength σ
    D(x, σ) ≈ E[x₀ | x_σ = x]                                  the denoiser: what is learned
    ∇ log p_σ(x) = (D(x, σ) − x) / σ²                          the score, by Tweedie's formula
    dx/dσ = (x − D(x, σ)) / σ                                  followed from much noise to none, x becomes an example

An example may itself be y = x₀ + σₙ ε', with noise that nobody can take out again. It teaches all σ > σₙ: what it lacks
of such a strength is added, and what is expected of y, given x = x_σ, is a mixture of the denoiser and of x,

    E[y | x] = (1 − σₙ²/σ²) E[x₀ | x] + (σₙ²/σ²) x

    (Daras, Cherapanamjeri, Daskalakis, ICLR 2025, arXiv:2411.02780). Where σₙ = 0 nothing of this is left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from nlkit.checks import check_integer, check_number
from nlkit.learning.models import seeded
from nlkit.learning.optimizers import adam, averaged_network, descend
from nlkit.randomness import seeded_generator

SPREAD = 0.5  # standard deviation of a coordinate of the examples
WIDTH, WAVES = 192, 8  # units a layer; frequencies by which a network is told σ
LOG_MEAN, LOG_DEVIATION = -1.2, 1.2  # of ln σ, in training
BATCH, RATE, KEPT, FALLS = 192, 1.5e-3, 0.998, 0.7  # KEPT: of the average, a step; from FALLS on the rate goes to 0
HIGHEST, LOWEST, LEVELS, BEND = 10.0, 0.01, 18, 7.0  # σ of sampling
Denoise = Callable[[Tensor, Tensor], Tensor]  # (N, d) examples with noise, (N, 1) its strengths -> (N, d)


class Denoiser(nn.Module):
    """D(x, σ) of examples with `dimension` coordinates of standard deviation ½: three hidden layers.

    The network sees x with variance 1 and foretells something of variance 1, whatever σ is. Where there is little noise
    D is x with a correction, where there is much D is what the network says.
    """

    def __init__(self, dimension: int) -> None:
        super().__init__()
        sizes = [dimension + 2 * WAVES, WIDTH, WIDTH, WIDTH, dimension]
        layers = [layer for a, b in zip(sizes, sizes[1:]) for layer in (nn.Linear(a, b), nn.SiLU())]
        self.layers = nn.Sequential(*layers[:-1])
        self.register_buffer("waves", 2.0 ** torch.linspace(-2, 2, WAVES))

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """(N, d) denoised examples of x (N, d), whose noise has strengths sigma (N, 1)."""
        total = sigma**2 + SPREAD**2
        turns = sigma.log() * self.waves
        said = self.layers(torch.cat([x / total.sqrt(), turns.sin(), turns.cos()], 1))
        return SPREAD**2 / total * x + sigma * SPREAD / total.sqrt() * said


def new_denoiser(dimension: int, seed: int) -> Denoiser:
    """One with random weights; torch's global random state stays as it was."""
    return seeded(lambda: Denoiser(dimension), seed)


def denoising_loss(denoise: Denoise, y: Tensor, had: Tensor, sigma: Tensor, noise: Tensor) -> Tensor:
    """Mean squared error of what is expected of y (N, d), weighted so that every σ asks equally much of the network.

    had: (N, 1) σₙ, strength of the noise that is in y; 0 for clean examples. sigma: (N, 1) σ, at least as much. noise:
    (N, d) standard normal, of which x_σ gets what y lacks. Raises a ValueError where σ < σₙ.
    """
    if (sigma < had).any():
        place = int((sigma < had).flatten().int().argmax())
        raise ValueError(f"sigma={sigma[place].item():.3g} must be at least {had[place].item():.3g}, the noise that "
                         "the example has")  # fmt: skip
    x = y + (sigma**2 - had**2).clamp(min=0).sqrt() * noise
    share = had**2 / sigma**2
    off = (1 - share) * denoise(x, sigma) + share * x - y
    weight = (sigma**2 + SPREAD**2) / (sigma * SPREAD) ** 2
    return (weight * off**2).mean()


def strengths(count: int, generator: torch.Generator) -> Tensor:
    """(count, 1) σ of training: ln σ is normal."""
    return (LOG_MEAN + LOG_DEVIATION * torch.randn(count, 1, generator=generator)).exp()


def learn(
    denoiser: Denoiser, examples: Tensor, *, steps: int, seed: int, had: Tensor | None = None, once: bool = False
) -> Iterator[tuple[float, nn.Module]]:
    """After each step of Adam its loss, and the average of the weights so far, which is what samples are made with.

    examples: (N, d). had: (N,) strength of the noise that each has already; None if they are clean. once: whether σ and
    ε are drawn once for each example, and never again. Batches are drawn with replacement, so that a step costs the
    same however few examples there are. Raises a ValueError for fewer steps than 1, no example, and noise below 0.
    """
    check_integer("steps", steps, 1)
    check_integer("examples", len(examples), 1)
    had = torch.zeros(len(examples)) if had is None else had
    check_number("had", had.min().item(), 0)
    return _steps(denoiser, examples, had[:, None], steps, seeded_generator(seed, "diffusion"), once)


def _steps(denoiser, examples, had, steps, generator, once) -> Iterator[tuple[float, nn.Module]]:
    optimizer, average = adam(denoiser.parameters(), RATE), averaged_network(denoiser, KEPT)
    fixed = (strengths(len(examples), generator), torch.randn(examples.shape, generator=generator)) if once else None
    for step in range(steps):
        batch = torch.randint(len(examples), (BATCH,), generator=generator)
        y, before = examples[batch], had[batch]
        if fixed:
            sigma, noise = (part[batch] for part in fixed)
        else:
            sigma, noise = strengths(BATCH, generator), torch.randn(y.shape, generator=generator)
        loss = denoising_loss(denoiser, y, before, torch.maximum(sigma, before), noise)
        optimizer.param_groups[0]["lr"] = RATE * min(1.0, (1 - step / steps) / (1 - FALLS))
        descend(optimizer, loss)
        average.update_parameters(denoiser)
        yield loss.item(), average


@torch.no_grad()
def sample(denoise: Denoise, count: int, dimension: int, generator: torch.Generator, lowest: float = LOWEST) -> Tensor:
    """(count, dimension) new examples: 18 strengths from 10 to `lowest`, closer together where there is little noise.

    From each to the next by Heun's rule: a step along the slope here, and then again by the mean of the slopes here and
    there. At the end the denoiser takes out all that is left.
    """
    check_integer("count", count, 1)
    ends = HIGHEST ** (1 / BEND), check_number("lowest", lowest, 0, HIGHEST, above=True) ** (1 / BEND)
    sigmas = [*(torch.linspace(*ends, LEVELS) ** BEND).tolist(), 0.0]
    x = sigmas[0] * torch.randn(count, dimension, generator=generator)

    def slope(x: Tensor, sigma: float) -> Tensor:
        return (x - denoise(x, torch.full((count, 1), sigma))) / sigma

    for here, there in zip(sigmas, sigmas[1:]):
        first = slope(x, here)
        moved = x + (there - here) * first
        x = moved if there == 0 else x + (there - here) * (first + slope(moved, there)) / 2
    return x


def mean_of_examples(examples: Tensor) -> Denoise:
    """The denoiser that fits N examples (N, d) best of all: their mean, each weighted by how likely it made x.

    It is E[x₀ | x_σ] if these examples are all that there is. What it generates are the examples themselves.
    """

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        squared = torch.cdist(x, examples, compute_mode="donot_use_mm_for_euclid_dist") ** 2
        return (-squared / (2 * sigma**2)).softmax(1) @ examples

    return denoise


def energy_distance(a: Tensor, b: Tensor) -> float:
    """2 E‖A − B‖ − E‖A − A'‖ − E‖B − B'‖ of points a (N, d) and b (M, d), without pairs of a point with itself.

    0 on average if both are from one distribution, and above if not. Raises a ValueError for fewer than two points.
    """
    for name, points in (("a", a), ("b", b)):
        check_integer(name, len(points), 2, why=" points")

    def within(points: Tensor) -> float:
        return torch.cdist(points, points).sum().item() / (len(points) * (len(points) - 1))

    return 2 * torch.cdist(a, b).mean().item() - within(a) - within(b)


def nearer(samples: Tensor, learned: Tensor, unseen: Tensor) -> float:
    """Share of the samples whose nearest neighbour among both sets is one that was learned from.

    Of as many unseen examples as learned ones: ½ if the model knows nothing of its examples that is not true of others,
    1 if it copies. Raises a ValueError where the sets differ in number.
    """
    if len(learned) != len(unseen):
        raise ValueError(f"unseen has {len(unseen)} examples; there must be {len(learned)}, as many as learned ones")
    near = [torch.cdist(samples, points).amin(1) for points in (learned, unseen)]
    return (near[0] < near[1]).double().mean().item()
