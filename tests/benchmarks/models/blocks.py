"""What convolutional networks share."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

Size = int | tuple[int, int]


class ConvNorm(nn.Sequential):
    """Convolution without bias, batch norm, activation; padded so that only the stride shrinks the image."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        size: Size = 1,
        stride: int = 1,
        groups: int = 1,
        act: Callable[[], nn.Module] | None = nn.ReLU,
        padding: Size | None = None,
    ) -> None:
        if padding is None:
            padding = size // 2 if isinstance(size, int) else (size[0] // 2, size[1] // 2)
        layers: list[nn.Module] = [
            nn.Conv2d(inputs, outputs, size, stride, padding, groups=groups, bias=False),
            nn.BatchNorm2d(outputs),
        ]
        super().__init__(*layers, *([act()] if act else []))


class SqueezeExcite(nn.Module):
    """Scales each channel by what two 1×1 convolutions make of the channels' means."""

    def __init__(self, channels: int, squeezed: int, act: type[nn.Module], gate: type[nn.Module]) -> None:
        super().__init__()
        self.scale = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, squeezed, 1),
            act(),
            nn.Conv2d(squeezed, channels, 1),
            gate(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.scale(x)


class Head(nn.Sequential):
    """Means over the image, then class scores."""

    def __init__(self, channels: int, classes: int = 1000) -> None:
        super().__init__(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))
