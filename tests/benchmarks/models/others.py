"""Models that are bound by memory or by the cost of a call."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn

from tests.benchmarks.models.blocks import ConvNorm, Head


class Lstm(nn.Module):
    """Two layers over a sequence; scores from the last state."""

    def __init__(self, size: int = 128, hidden: int = 256, classes: int = 10) -> None:
        super().__init__()
        self.lstm = nn.LSTM(size, hidden, 2, batch_first=True)
        self.scores = nn.Linear(hidden, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        states, _ = self.lstm(x)
        scores: torch.Tensor = self.scores(states[:, -1])
        return scores


def mlp(sizes: tuple[int, ...] = (784, 1024, 1024, 10)) -> nn.Module:
    """Linear layers with ReLU between."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class Tiny(nn.Sequential):
    """A network that every peer builds in a moment, for the benchmark's own tests."""

    def __init__(self) -> None:
        super().__init__(ConvNorm(3, 8, 3), ConvNorm(8, 12, 3, 2), Head(12, 5))
