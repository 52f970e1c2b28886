"""A U-Net (Ronneberger et al., 2015) whose decoder uses both ways up: transposed convolution and resizing."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

from tests.benchmarks.models.blocks import ConvNorm


class Up(nn.Module):
    """Twice the sides, joined with what the encoder had at that size, then two convolutions."""

    def __init__(self, inputs: int, outputs: int, *, transposed: bool) -> None:
        super().__init__()
        self.up: nn.Module = (
            nn.ConvTranspose2d(inputs, outputs, 2, 2)
            if transposed
            else nn.Sequential(
                nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False), ConvNorm(inputs, outputs)
            )
        )
        self.layers = _double(2 * outputs, outputs)

    def forward(self, x: torch.Tensor, skipped: torch.Tensor) -> torch.Tensor:
        y = self.up(x)
        rows, columns = skipped.shape[2] - y.shape[2], skipped.shape[3] - y.shape[3]
        if rows or columns:  # an odd side was halved
            y = F.pad(y, (0, columns, 0, rows))
        joined: torch.Tensor = self.layers(torch.cat([skipped, y], 1))
        return joined


class UNet(nn.Module):
    """Four levels down and up again; two classes a pixel."""

    def __init__(self, width: int = 32, classes: int = 2) -> None:
        super().__init__()
        sizes = [width * 2**level for level in range(5)]
        self.first = _double(3, width)
        self.down = nn.ModuleList(_double(a, b) for a, b in pairwise(sizes))
        self.up = nn.ModuleList(
            Up(b, a, transposed=level >= 2) for level, (a, b) in enumerate(pairwise(sizes))
        )
        self.pool = nn.MaxPool2d(2)
        self.last = nn.Conv2d(width, classes, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = self.first(image)
        skipped = []
        for layer in self.down:
            skipped.append(x)
            x = layer(self.pool(x))
        for level in reversed(range(len(self.up))):
            x = self.up[level](x, skipped[level])
        scores: torch.Tensor = self.last(x)
        return scores


def _double(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(ConvNorm(inputs, outputs, 3), ConvNorm(outputs, outputs, 3))
