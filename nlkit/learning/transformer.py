"""A transformer to be read: each place looks at others, takes a mean of what they say, and thinks it over by itself.

    Vaswani et al.: Attention is all you need. NeurIPS 2017, arXiv:1706.03762; the norm comes first, as in GPT-2.

    A = softmax(Q Kᵀ / √d + mask),  head = A V      Q, K, V = x W_Q, x W_K, x W_V;   d: width of a head
    x ← x + [head_1 … head_H] W_O                   of the normed x; which place looks where is all in A
    x ← x + W_2 ReLU(W_1 x)                         of the normed x, at each place by itself

What x is made of is the caller's: words, numbers, places on a page. So is the mask: `causal` for what is written from
left to right, the places that hold a word for a page that is read whole.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from nlkit.checks import check_integer


def causal(places: int) -> Tensor:
    """(N, N) bool: a place may look at itself and at what comes before it."""
    return torch.ones(places, places, dtype=torch.bool).tril()


class Attention(nn.Module):
    """x (B, N, width) to the same shape, with `heads` sets of weights. A ValueError for heads that don't fit."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        check_integer("heads", heads, 1)
        if width % heads:
            raise ValueError(f"heads={heads} must divide width={width}")
        self.heads = heads
        self.look = nn.Linear(width, 3 * width)  # W_Q, W_K and W_V side by side
        self.out = nn.Linear(width, width)  # W_O

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        weights, values = self.weights(x, mask)
        return self.out((weights @ values).transpose(1, 2).flatten(2))

    def weights(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """A (B, heads, N, N), each row of sum 1, and V (B, heads, N, d). mask: as in `Transformer`."""
        queries, keys, values = (
            part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in self.look(x).chunk(3, 2)
        )
        scores = queries @ keys.transpose(2, 3) / math.sqrt(queries.shape[3])
        return scores.masked_fill(~mask, -torch.inf).softmax(3), values


class Layer(nn.Module):
    """Looking about, then thinking: each adds to x (B, N, width)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm, self.attention = nn.LayerNorm(width), Attention(width, heads)
        self.think = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.ReLU(), nn.Linear(4 * width, width)
        )

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = x + self.attention(self.norm(x), mask)
        return x + self.think(x)


class Transformer(nn.Module):
    """Layers upon each other: embedded places x (B, N, width) to (B, N, width), normed."""

    def __init__(self, width: int, layers: int, heads: int) -> None:
        super().__init__()
        check_integer("layers", layers, 1)
        self.layers = nn.ModuleList(Layer(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """mask: bool, (N, N) as `causal` makes it, or (B, 1, N, N), or (B, 1, 1, N) for pages of unequal length.

        True at [i, j] where place i may look at place j. Each must be allowed one at least, or it becomes NaN.
        """
        for layer in self.layers:
            x = layer(x, mask)
        return self.norm(x)
