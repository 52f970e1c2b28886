"""Residual networks (He et al., 2015), the stride in the 3×3 convolution."""

from __future__ import annotations

import torch
from torch import nn

from tests.benchmarks.models.blocks import ConvNorm, Head


class Residual(nn.Module):
    """`branch` plus the input, which is projected where the shapes differ; then ReLU."""

    def __init__(self, branch: nn.Module, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.branch = branch
        same = inputs == outputs and stride == 1
        self.shortcut = nn.Identity() if same else ConvNorm(inputs, outputs, 1, stride, act=None)
        self.act = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.act(self.branch(x) + self.shortcut(x))


def _basic(inputs: int, width: int, stride: int) -> tuple[nn.Module, int]:
    branch = nn.Sequential(ConvNorm(inputs, width, 3, stride), ConvNorm(width, width, 3, act=None))
    return Residual(branch, inputs, width, stride), width


def _bottleneck(inputs: int, width: int, stride: int) -> tuple[nn.Module, int]:
    outputs = 4 * width
    branch = nn.Sequential(
        ConvNorm(inputs, width), ConvNorm(width, width, 3, stride), ConvNorm(width, outputs, act=None)
    )
    return Residual(branch, inputs, outputs, stride), outputs


def _resnet(block: object, depths: tuple[int, ...], width: int = 64) -> nn.Module:
    assert callable(block)
    layers: list[nn.Module] = [ConvNorm(3, width, 7, 2), nn.MaxPool2d(3, 2, 1)]
    channels = width
    for stage, depth in enumerate(depths):
        for index in range(depth):
            stride = 2 if stage and not index else 1
            layer, channels = block(channels, width * 2**stage, stride)
            layers.append(layer)
    return nn.Sequential(*layers, Head(channels))


def resnet18() -> nn.Module:
    """Eighteen layers of two 3×3 convolutions a block."""
    return _resnet(_basic, (2, 2, 2, 2))


def resnet50() -> nn.Module:
    """Fifty layers of 1×1, 3×3, 1×1."""
    return _resnet(_bottleneck, (3, 4, 6, 3))


def resnet_odd() -> nn.Module:
    """Channels that no vector width divides: 50, 100, 200, 400."""
    return _resnet(_basic, (1, 1, 1, 1), 50)
