"""An Inception network after Szegedy et al. (2015): branches, and 7×7 as 1×7 and 7×1."""

from __future__ import annotations

import torch
from torch import nn

from tests.benchmarks.models.blocks import ConvNorm, Head


class Branches(nn.Module):
    """All branches of the input, concatenated."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([branch(x) for branch in self.branches], 1)


def _pooled(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.AvgPool2d(3, 1, 1), ConvNorm(inputs, outputs))


def _small(inputs: int, pooled: int) -> nn.Module:
    """5×5 and twice 3×3 beside 1×1."""
    return Branches(
        ConvNorm(inputs, 64),
        nn.Sequential(ConvNorm(inputs, 48), ConvNorm(48, 64, 5)),
        nn.Sequential(ConvNorm(inputs, 64), ConvNorm(64, 96, 3), ConvNorm(96, 96, 3)),
        _pooled(inputs, pooled),
    )


def _factored(inputs: int, width: int) -> nn.Module:
    """7×7 as 1×7 and 7×1, once and twice."""
    row, column = (1, 7), (7, 1)
    once = nn.Sequential(ConvNorm(inputs, width), ConvNorm(width, width, row), ConvNorm(width, 192, column))
    twice = nn.Sequential(
        ConvNorm(inputs, width),
        ConvNorm(width, width, column),
        ConvNorm(width, width, row),
        ConvNorm(width, width, column),
        ConvNorm(width, 192, row),
    )
    return Branches(ConvNorm(inputs, 192), once, twice, _pooled(inputs, 192))


def _wide(inputs: int) -> nn.Module:
    """3×3 as 1×3 beside 3×1."""

    def split(channels: int) -> nn.Module:
        return Branches(ConvNorm(channels, 384, (1, 3)), ConvNorm(channels, 384, (3, 1)))

    return Branches(
        ConvNorm(inputs, 320),
        nn.Sequential(ConvNorm(inputs, 384), split(384)),
        nn.Sequential(ConvNorm(inputs, 448), ConvNorm(448, 384, 3), split(384)),
        _pooled(inputs, 192),
    )


def _shrink(inputs: int) -> nn.Module:
    """Half the sides: strided 3×3 convolutions beside pooling."""
    return Branches(
        ConvNorm(inputs, 384, 3, 2, padding=0),
        nn.Sequential(ConvNorm(inputs, 64), ConvNorm(64, 96, 3), ConvNorm(96, 96, 3, 2, padding=0)),
        nn.MaxPool2d(3, 2),
    )


def _shrink_late(inputs: int) -> nn.Module:
    """Half the sides again, after 1×7 and 7×1."""
    factored = [ConvNorm(inputs, 192), ConvNorm(192, 192, (1, 7)), ConvNorm(192, 192, (7, 1))]
    return Branches(
        nn.Sequential(ConvNorm(inputs, 192), ConvNorm(192, 320, 3, 2, padding=0)),
        nn.Sequential(*factored, ConvNorm(192, 192, 3, 2, padding=0)),
        nn.MaxPool2d(3, 2),
    )


class Inception(nn.Sequential):
    """Eleven blocks of branches after a plain stem."""

    def __init__(self) -> None:
        stem = [
            ConvNorm(3, 32, 3, 2, padding=0),
            ConvNorm(32, 32, 3, padding=0),
            ConvNorm(32, 64, 3),
            nn.MaxPool2d(3, 2),
            ConvNorm(64, 80),
            ConvNorm(80, 192, 3, padding=0),
            nn.MaxPool2d(3, 2),
        ]
        early = [_small(192, 32), _small(256, 64), _small(288, 64), _shrink(288)]
        middle = [_factored(768, width) for width in (128, 160, 160, 192)]
        late = [_shrink_late(768), _wide(1280), _wide(2048)]
        super().__init__(*stem, *early, *middle, *late, Head(2048))
