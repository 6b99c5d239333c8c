"""A wide network of two layers, its first one trained, and what becomes of it as it gets wider: kernel regression.

    f(z) = m^(-1/2) Σ_r a_r ReLU(w_r · z),  a_r ∈ {-1, 1} fixed,  w_r(0) ~ N(0, I)
    L = 1/(2n) Σ_j ‖f(z_j) - y_j‖²,  w ← w - η ∂L/∂w
    κ(z, z') = z · z' (π - ∠(z, z')) / 2π                      the tangent kernel as m → ∞, of each output by itself
    f_s - y = (I - η κ/n)^s (f_0 - y)                          on the examples, after s steps

The kernel is that of Jacot, Gabriel, Hongler (NeurIPS 2018, arXiv:1806.07572); the stopping rule that of Raskutti,
Wainwright and Yu (JMLR 2014): step s is the last one with R(1/√(ηs)) ≤ 1/(2 e σ η s), R(ε)² = 1/n Σ_i min(λ_i, ε²),
where λ_i are the eigenvalues of κ/n and σ is the standard deviation of the labels' noise.
"""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor

from nlkit.checks import check_integer, check_number
from nlkit.randomness import seeded_generator

MOST_STEPS = 10**9  # after so many any rule stops


def kernel(a: Tensor, b: Tensor) -> Tensor:
    """(N, M) κ of inputs a (N, p) and b (M, p)."""
    products, lengths = a @ b.T, a.norm(dim=1)[:, None] * b.norm(dim=1)
    angles = (products / lengths.clamp(min=1e-300)).clamp(-1, 1).arccos()
    return products * (math.pi - angles) / (2 * math.pi)


class KernelPath:
    """Gradient descent of the kernel from f = 0, in closed form: any number of steps at once."""

    def __init__(self, z: Tensor, y: Tensor) -> None:
        """z: (n, p) inputs of the examples, y: (n, d) labels."""
        check_integer("z", len(z), 2, why=" examples")
        values, self.directions = torch.linalg.eigh(kernel(z, z) / len(z))
        self.z, self.eigenvalues = z, values.clamp(min=0)
        self.turned = self.directions.T @ y / len(y)
        self.rate = 1 / self.eigenvalues.max().item()  # η; from 2/λ_max on, descent leads away

    def __call__(self, z: Tensor, steps: int) -> Tensor:
        """(N, d) what it says of z (N, p) after so many steps."""
        return kernel(z, self.z) @ self.weights(steps)

    def weights(self, steps: int) -> Tensor:
        """(n, d) of the examples: f = κ(·, z_j) summed by these."""
        small = self.eigenvalues < 1e-12 * self.eigenvalues.max()
        left = (1 - self.rate * self.eigenvalues.clamp(max=1 / self.rate)) ** steps
        gain = torch.where(small, self.rate * steps, (1 - left) / self.eigenvalues.clamp(min=1e-300))
        return self.directions @ (gain[:, None] * self.turned)


def stopping_step(eigenvalues: Tensor, noise: float, rate: float) -> int:
    """The step at which the rule stops, 0 if at once and 10⁹ if never; `noise` σ above 0, `rate` η above 0."""
    check_number("noise", noise, 0, above=True)
    check_number("rate", rate, 0, above=True)

    def goes_on(step: int) -> bool:
        length = rate * step
        complexity = eigenvalues.clamp(max=1 / length).mean().sqrt().item()
        return complexity <= 1 / (2 * math.e * noise * length)

    low, high = 0, MOST_STEPS  # the left side times the length rises with the step, so that halving finds the last one
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if goes_on(middle) else (low, middle)
    return MOST_STEPS if goes_on(MOST_STEPS) else low


class TwoLayers:
    """The network, of even width m. Neurons come in pairs of opposite sign, so that it says 0 at first."""

    def __init__(self, inputs: int, outputs: int, width: int, seed: int) -> None:
        if check_integer("width", width, 2) % 2:
            raise ValueError(f"width={width} must be even: neurons come in pairs")
        generator = seeded_generator(seed, "two layers")
        weights = torch.randn(width // 2, inputs, generator=generator)
        signs = torch.randint(2, (width // 2, outputs), generator=generator) * 2.0 - 1
        self.weights, self.signs = torch.cat([weights, weights]), torch.cat([signs, -signs]) / math.sqrt(width)

    def __call__(self, z: Tensor) -> Tensor:
        """(N, outputs) what it says of z (N, inputs)."""
        return (z @ self.weights.T).relu() @ self.signs

    def copy(self) -> TwoLayers:
        """One that stays as this one is now."""
        other = copy.copy(self)
        other.weights = self.weights.clone()
        return other

    def descend(self, z: Tensor, y: Tensor, rate: float) -> None:
        """One step of gradient descent on the loss L of all the examples."""
        sums = z @ self.weights.T
        off = sums.relu() @ self.signs - y
        back = (off @ self.signs.T) * (sums > 0)
        self.weights -= rate / len(z) * back.T @ z
