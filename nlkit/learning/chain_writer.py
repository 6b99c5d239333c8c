"""A small network that reads numbers and writes a chain and an answer, value by value: one prompt, one chain.

A sequence is  x_1 … x_T = line_1 … line_L  and then the answer, T = L m. What is to be written next is foretold at the
place before it. A number and a line of the same value are two words. Places that belong together share a place's name:
the numbers of block b, and the word at which line b is foretold; without that, even clean sums take long to learn.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nlkit.checks import check_integer, check_number
from nlkit.learning.optimizers import build_optimizer, descend
from nlkit.learning.transformer import Transformer, causal
from nlkit.randomness import seeded_generator

WIDTH, LAYERS, HEADS, BATCH, RATE, WARM_UP = 32, 2, 4, 128, 5e-3, 50


class ChainWriter(nn.Module):
    """Of numbers below `base` K, `length` T in a prompt, it writes a line for every `every` of them, and an answer."""

    def __init__(self, length: int, base: int, every: int) -> None:
        super().__init__()
        self.length, self.base, self.lines = length, base, length // every
        self.words = nn.Embedding(2 * base + 1, WIDTH)  # K numbers, K values of a line, and "="
        self.places = nn.Embedding(self.lines + 1, WIDTH)
        self.body = Transformer(WIDTH, LAYERS, HEADS)
        self.say = nn.Linear(WIDTH, base)
        place = torch.cat([torch.arange(length) // every, torch.arange(self.lines + 1)])
        self.register_buffer("place", place)
        self.register_buffer("mask", causal(len(place)))

    def forward(self, prompts: Tensor, lines: Tensor) -> Tensor:
        """Logits (B, l + 1, K) of lines 1 … l + 1 after prompts (B, T) and the l lines (B, l) so far.

        The one after all L lines is the answer.
        """
        equals = torch.full_like(prompts[:, :1], 2 * self.base)
        words = torch.cat([prompts, equals, self.base + lines], 1)
        n = words.shape[1]
        x = self.words(words) + self.places(self.place[:n])
        return self.say(self.body(x, self.mask[:n, :n])[:, self.length :])

    @torch.no_grad()
    def write(self, prompts: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """(B, L + 1) lines and answer after prompts (B, T), each from the network's own lines before.

        The likeliest value each time; with a generator, one that is drawn by its chance.
        """
        written = prompts[:, :0]
        for _ in range(self.lines + 1):
            said = self(prompts, written)[:, -1]
            value = said.argmax(1, keepdim=True)
            if generator is not None:
                value = torch.multinomial(said.softmax(1), 1, generator=generator)
            written = torch.cat([written, value], 1)
        return written


def new_writer(length: int, base: int, every: int, seed: int) -> ChainWriter:
    """One with random weights; torch's global random state stays as it was."""
    with torch.random.fork_rng(devices=[]):  # torch's layers draw their weights from the global generator only
        torch.default_generator.manual_seed(seed)
        return ChainWriter(length, base, every)


def learn(
    writer: ChainWriter, prompts: Tensor, chains: Tensor, *, steps: int, seed: int, rate: float = RATE
) -> Iterator[float]:
    """The loss after each step: mean cross-entropy of the lines and the answer, chains (N, L + 1), of a batch.

    Adam; the rate grows for 50 steps and falls as a cosine to 0 at the end. Batches go through all chains in random
    order, then again. Raises a ValueError for fewer steps than 1, fewer chains than a batch has, or those of others.
    """
    check_integer("steps", steps, 1)
    check_number("rate", rate, 0, above=True)
    check_integer("chains", len(chains), BATCH)
    if chains.shape != (len(prompts), writer.lines + 1):
        raise ValueError(f"chains has shape {tuple(chains.shape)}; it must be {(len(prompts), writer.lines + 1)}, "
                         "the lines of each prompt and its answer")  # fmt: skip
    return _steps(writer, prompts, chains, steps, rate, seeded_generator(seed, "batches"))


def _steps(writer, prompts, chains, steps, rate, generator) -> Iterator[float]:
    optimizer = build_optimizer("adam", writer, rate)
    left = torch.empty(0, dtype=torch.long)
    for step in range(steps):
        if len(left) < BATCH:
            left = torch.cat([left, torch.randperm(len(prompts), generator=generator)])
        batch, left = left[:BATCH], left[BATCH:]
        logits = writer(prompts[batch], chains[batch, :-1])
        loss = F.cross_entropy(logits.flatten(0, 1), chains[batch].flatten())
        optimizer.param_groups[0]["lr"] = rate * min((step + 1) / WARM_UP, (1 + math.cos(math.pi * step / steps)) / 2)
        descend(optimizer, loss)
        yield loss.item()
