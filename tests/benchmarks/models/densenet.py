"""DenseNet-121 (Huang et al., 2017): every layer sees the concatenation of all before it."""

from __future__ import annotations

import torch
from torch import nn

from tests.benchmarks.models.blocks import ConvNorm, Head

GROWTH = 32


class NormConv(nn.Sequential):
    """Batch norm and ReLU before the convolution: neither can be folded into it."""

    def __init__(self, inputs: int, outputs: int, size: int) -> None:
        super().__init__(
            nn.BatchNorm2d(inputs),
            nn.ReLU(),
            nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False),
        )


class DenseLayer(nn.Module):
    """Adds `GROWTH` channels to its input."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(NormConv(inputs, 4 * GROWTH, 1), NormConv(4 * GROWTH, GROWTH, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x, self.layers(x)], 1)


class DenseNet(nn.Sequential):
    """Four dense blocks; between them channels and sides are halved."""

    def __init__(self, depths: tuple[int, ...] = (6, 12, 24, 16)) -> None:
        layers: list[nn.Module] = [ConvNorm(3, 64, 7, 2), nn.MaxPool2d(3, 2, 1)]
        channels = 64
        for index, depth in enumerate(depths):
            if index:
                layers += [NormConv(channels, channels // 2, 1), nn.AvgPool2d(2)]
                channels //= 2
            layers += [DenseLayer(channels + GROWTH * step) for step in range(depth)]
            channels += GROWTH * depth
        super().__init__(*layers, nn.BatchNorm2d(channels), nn.ReLU(), Head(channels))
