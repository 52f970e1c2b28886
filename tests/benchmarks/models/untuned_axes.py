"""Small networks of other axes: frames, points, samples of sound, tokens that become images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F


def video() -> nn.Module:
    """C3D, a few layers smaller (Tran et al., 2015): 3×3×3 convolutions and pooling."""

    def layer(inputs: int, outputs: int) -> list[nn.Module]:
        return [nn.Conv3d(inputs, outputs, 3, padding=1), nn.ReLU()]

    first = [*layer(3, 32), nn.MaxPool3d((1, 2, 2)), *layer(32, 64), nn.MaxPool3d(2), *layer(64, 128)]
    last = [*layer(128, 128), nn.MaxPool3d(2), *layer(128, 128)]
    return nn.Sequential(*first, *last, nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(128, 101))


class Points(nn.Module):
    """PointNet without its transforms (Qi et al., 2017): each point alone, and the largest of all."""

    def __init__(self, widths: Sequence[int] = (3, 64, 128, 1024)) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            layers += [nn.Conv1d(inputs, outputs, 1), nn.BatchNorm1d(outputs), nn.ReLU()]
        self.points = nn.Sequential(*layers)
        self.head = nn.Sequential(nn.Linear(widths[-1], 256), nn.ReLU(), nn.Linear(256, 40))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.head(self.points(x).max(2)[0])
        return result


class Samples(nn.Module):
    """Wav2Vec2's extractor (Baevski et al., 2020), half as wide: group norm, GELU, strided convolutions."""

    def __init__(self, width: int = 256) -> None:
        super().__init__()
        sound = nn.Conv1d(1, width, 10, 5, bias=False)
        self.first = nn.Sequential(sound, nn.GroupNorm(width, width), nn.GELU())
        steps = [nn.Conv1d(width, width, taps, 2, bias=False) for taps in (3, 3, 3, 3, 2, 2)]
        self.rest = nn.Sequential(*(part for step in steps for part in (step, nn.GELU())))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.rest(self.first(x))
        return result


class RelativeAttention(nn.Module):
    """Attention with relative positions (Transformer-XL's, Dai et al., 2019), as in a Conformer."""

    def __init__(self, width: int = 144, heads: int = 4, length: int = 98) -> None:
        super().__init__()
        self.inputs = nn.ModuleList(nn.Linear(width, width) for _ in range(3))
        self.places, self.output = nn.Linear(width, width, bias=False), nn.Linear(width, width)
        self.content = nn.Parameter(torch.randn(heads, 1, width // heads) * 0.1)
        self.position = nn.Parameter(torch.randn(heads, 1, width // heads) * 0.1)
        self.register_buffer("table", torch.randn(1, 2 * length - 1, width) * 0.3)
        self.heads = heads

    def _heads(self, x: torch.Tensor) -> torch.Tensor:
        return x.view(x.shape[0], x.shape[1], self.heads, -1).transpose(1, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        query, key, value = (self._heads(layer(x)) for layer in self.inputs)
        batch, heads, length, width = query.shape
        by_place = (query + self.position) @ self._heads(self.places(self.table)).transpose(-2, -1)
        shifted = F.pad(by_place, (1, 0)).view(batch, heads, 2 * length, length)[:, :, 1:]
        near = shifted.reshape(by_place.shape)[..., :length]
        scores = (query + self.content) @ key.transpose(-2, -1) + near
        mixed = (scores / math.sqrt(width)).softmax(-1) @ value
        result: torch.Tensor = x + self.output(mixed.transpose(1, 2).flatten(2))
        return result


def conformer() -> nn.Module:
    """The attentions and the wide layers of four blocks."""
    blocks = []
    for _ in range(4):
        wide = nn.Sequential(nn.Linear(144, 576), nn.SiLU(), nn.Linear(576, 144))
        blocks += [nn.LayerNorm(144), RelativeAttention(), nn.LayerNorm(144), wide]
    return nn.Sequential(*blocks)


class TokenHead(nn.Module):
    """SegFormer's head (Xie et al., 2021): tokens of three scales become images, are resized and joined."""

    def __init__(self, widths: Sequence[int] = (32, 64, 160), inner: int = 128) -> None:
        super().__init__()
        self.scales = nn.ModuleList(
            nn.Conv2d(3, width, 4 << number, 4 << number) for number, width in enumerate(widths)
        )
        self.inner = nn.ModuleList(nn.Linear(width, inner) for width in widths)
        joined = nn.Conv2d(inner * len(widths), inner, 1, bias=False)
        self.last = nn.Sequential(joined, nn.BatchNorm2d(inner), nn.ReLU(), nn.Conv2d(inner, 19, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        images: list[torch.Tensor] = []
        for scale, inner in zip(self.scales, self.inner, strict=True):
            y = scale(x)
            tokens = inner(F.gelu(y.flatten(2).transpose(1, 2)))
            image = tokens.transpose(1, 2).reshape(y.shape[0], -1, *y.shape[2:])
            images.append(image if not images else F.interpolate(image, images[0].shape[2:], mode="bilinear"))
        result: torch.Tensor = self.last(torch.cat(images, 1))
        return result
