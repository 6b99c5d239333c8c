"""Graph attention: each node's vector becomes a mean of its neighbours' vectors and its own, with learned weights.

    Veličković et al.: Graph attention networks. ICLR 2018, arXiv:1710.10903.

    e_ij = LeakyReLU(aᵀ W x_i + bᵀ W x_j),   w_ij = e^{e_ij} / Σ_j e^{e_ij},   x'_i = Σ_j w_ij W x_j

j goes over the neighbours of i and i itself. Work and memory grow with the number of edges: no matrix (n, n) is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

if TYPE_CHECKING:
    from scipy.sparse import csr_array


def edges_of(adjacency: csr_array) -> tuple[Tensor, Tensor]:
    """(E,) where each edge ends, and (E,) where it starts: both ways of each, and a self-loop at each node."""
    edges, loops = adjacency.tocoo(), torch.arange(adjacency.shape[0])
    ends, starts = (torch.as_tensor(at).long() for at in edges.coords)
    return torch.cat([ends, loops]), torch.cat([starts, loops])


class GraphAttention(nn.Module):
    """One layer: x (n, size) to (n, heads * width), the heads side by side."""

    def __init__(self, size: int, width: int, heads: int = 1) -> None:
        super().__init__()
        self.heads, self.width = heads, width
        self.weight = nn.Linear(size, heads * width, bias=False)
        self.end = nn.Parameter(torch.empty(heads, width))  # a
        self.start = nn.Parameter(torch.empty(heads, width))  # b
        self.bias = nn.Parameter(torch.zeros(heads * width))
        for parameter in (self.weight.weight, self.end, self.start):
            nn.init.xavier_uniform_(parameter)

    def forward(self, x: Tensor, edges: tuple[Tensor, Tensor]) -> Tensor:
        moved = self.weight(x).view(-1, self.heads, self.width)  # (n, H, W)
        weights = self.attention(moved, edges)
        ends, starts = edges
        messages = weights[:, :, None] * moved.index_select(0, starts)  # (E, H, W)
        return torch.zeros_like(moved).index_add(0, ends, messages).flatten(1) + self.bias

    def attention(self, moved: Tensor, edges: tuple[Tensor, Tensor]) -> Tensor:
        """w (E, heads), of W x (n, heads, width): those of the edges that end in a node sum to 1."""
        ends, starts = edges
        scores = (moved * self.end).sum(2).index_select(0, ends) + (moved * self.start).sum(2).index_select(0, starts)
        scores = F.leaky_relu(scores, 0.2)
        largest = torch.full_like(moved[:, :, 0], -torch.inf)
        largest = largest.scatter_reduce(0, ends[:, None].expand_as(scores), scores.detach(), "amax")
        powers = (scores - largest.index_select(0, ends)).exp()
        sums = torch.zeros_like(largest).index_add(0, ends, powers)
        return powers / sums.index_select(0, ends)


class AttentionEncoder(nn.Module):
    """Two layers: x (n, size) to (n, width). Half of the inputs are dropped while it trains.

    unit: whether the rows of both layers are made of length ‖z‖₁ = 1, and negative outputs 0.
    """

    def __init__(self, size: int, width: int, heads: int = 4, *, unit: bool = False) -> None:
        super().__init__()
        self.first = GraphAttention(size, width // heads, heads)
        self.second = GraphAttention(width, width)
        self.unit = unit

    def forward(self, x: Tensor, edges: tuple[Tensor, Tensor]) -> Tensor:
        hidden = F.leaky_relu(self.first(F.dropout(x, 0.5, self.training), edges))
        if not self.unit:
            return self.second(hidden, edges)
        return F.normalize(self.second(F.normalize(hidden, p=1.0), edges), p=1.0).relu()
