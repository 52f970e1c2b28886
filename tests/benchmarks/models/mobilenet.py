"""Networks of inverted residuals: MobileNetV2 (2018), MobileNetV3-Small (2019), EfficientNet-B0 (2019)."""

from __future__ import annotations

import torch
from torch import nn

from tests.benchmarks.models.blocks import ConvNorm, Head, SqueezeExcite

Activation = type[nn.Module]


class Inverted(nn.Module):
    """1×1 to `expanded` channels, depthwise `size`×`size`, maybe squeeze-excite, 1×1 back."""

    def __init__(
        self,
        inputs: int,
        expanded: int,
        outputs: int,
        size: int,
        stride: int,
        act: Activation,
        excite: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            ConvNorm(inputs, expanded, act=act) if expanded != inputs else nn.Identity(),
            ConvNorm(expanded, expanded, size, stride, expanded, act),
            excite or nn.Identity(),
            ConvNorm(expanded, outputs, act=None),
        )
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.layers(x)
        return x + y if self.residual else y


def mobilenet_v2() -> nn.Module:
    """ReLU6, no squeeze-excite."""
    stages = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2)]
    stages.append((6, 320, 1, 1))
    layers: list[nn.Module] = [ConvNorm(3, 32, 3, 2, act=nn.ReLU6)]
    channels = 32
    for factor, outputs, count, stride in stages:
        for index in range(count):
            step = stride if index == 0 else 1
            layers.append(Inverted(channels, factor * channels, outputs, 3, step, nn.ReLU6))
            channels = outputs
    return nn.Sequential(*layers, ConvNorm(channels, 1280, act=nn.ReLU6), Head(1280))


def mobilenet_v3_small() -> nn.Module:
    """Hard swish, squeeze-excite with a hard sigmoid."""
    relu, swish = nn.ReLU, nn.Hardswish
    # kernel, expanded, outputs, squeeze-excite, activation, stride
    rows: list[tuple[int, int, int, bool, Activation, int]] = [
        (3, 16, 16, True, relu, 2),
        (3, 72, 24, False, relu, 2),
        (3, 88, 24, False, relu, 1),
        (5, 96, 40, True, swish, 2),
        (5, 240, 40, True, swish, 1),
        (5, 240, 40, True, swish, 1),
        (5, 120, 48, True, swish, 1),
        (5, 144, 48, True, swish, 1),
        (5, 288, 96, True, swish, 2),
        (5, 576, 96, True, swish, 1),
        (5, 576, 96, True, swish, 1),
    ]
    layers: list[nn.Module] = [ConvNorm(3, 16, 3, 2, act=swish)]
    channels = 16
    for size, expanded, outputs, excited, act, stride in rows:
        squeezed = max(8, (expanded // 4 + 4) // 8 * 8)
        excite = SqueezeExcite(expanded, squeezed, nn.ReLU, nn.Hardsigmoid) if excited else None
        layers.append(Inverted(channels, expanded, outputs, size, stride, act, excite))
        channels = outputs
    tail = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(576, 1024), swish(), nn.Linear(1024, 1000)]
    return nn.Sequential(*layers, ConvNorm(channels, 576, act=swish), *tail)


def efficientnet() -> nn.Module:
    """SiLU, squeeze-excite in every block, kernels of 3 and 5: EfficientNet-B0."""
    # factor, kernel, outputs, blocks, stride
    stages = [(1, 3, 16, 1, 1), (6, 3, 24, 2, 2), (6, 5, 40, 2, 2), (6, 3, 80, 3, 2), (6, 5, 112, 3, 1)]
    stages += [(6, 5, 192, 4, 2), (6, 3, 320, 1, 1)]
    layers: list[nn.Module] = [ConvNorm(3, 32, 3, 2, act=nn.SiLU)]
    channels = 32
    for factor, size, outputs, count, stride in stages:
        for index in range(count):
            expanded = factor * channels
            excite = SqueezeExcite(expanded, max(1, channels // 4), nn.SiLU, nn.Sigmoid)
            step = stride if index == 0 else 1
            layers.append(Inverted(channels, expanded, outputs, size, step, nn.SiLU, excite))
            channels = outputs
    return nn.Sequential(*layers, ConvNorm(channels, 1280, act=nn.SiLU), Head(1280))
