"""Small networks of kinds that the compiler's kernels were not made with."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

from tests.benchmarks.models.blocks import ConvNorm, Head, SqueezeExcite


class Residual(nn.Module):
    """The branch's result added to its input."""

    def __init__(self, *branch: nn.Module) -> None:
        super().__init__()
        self.branch = nn.Sequential(*branch)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = x + self.branch(x)
        return result


def narrow() -> nn.Module:
    """3×3 convolutions of 20, 36, 72 and 100 channels."""
    layers: list[nn.Module] = [ConvNorm(3, 20, 3, 2)]
    for inputs, outputs in ((20, 20), (20, 36), (36, 72), (72, 100)):
        layers += [
            ConvNorm(inputs, outputs, 3, 1 if inputs == outputs else 2),
            Residual(ConvNorm(outputs, outputs, 3), ConvNorm(outputs, outputs, 3)),
        ]
    return nn.Sequential(*layers, Head(100))


def wide_windows() -> nn.Module:
    """Inverted residuals with depthwise 5×5, squeeze-excite and hard swish, half of them of stride 2."""
    act, width = nn.Hardswish, 24
    stages: list[nn.Module] = [ConvNorm(3, width, 3, 2, act=act)]
    for outputs in (40, 72, 120, 184):
        stages += [*_inverted(width, outputs, 2, act), Residual(*_inverted(outputs, outputs, 1, act))]
        width = outputs
    return nn.Sequential(*stages, Head(width))


def _inverted(inputs: int, outputs: int, stride: int, act: type[nn.Module]) -> list[nn.Module]:
    wide = 4 * inputs
    return [
        ConvNorm(inputs, wide, 1, act=act),
        ConvNorm(wide, wide, 5, stride, groups=wide, act=act),
        SqueezeExcite(wide, wide // 4, nn.ReLU, nn.Hardsigmoid),
        ConvNorm(wide, outputs, 1, act=None),
    ]


def generator() -> nn.Module:
    """DCGAN's (Radford et al., 2016): transposed convolutions from 100 × 1² to 3 × 64²."""
    layers: list[nn.Module] = []
    sizes = (100, 512, 256, 128, 64)
    for index, (inputs, outputs) in enumerate(pairwise(sizes)):
        place = (1, 0) if index == 0 else (2, 1)
        layers += [
            nn.ConvTranspose2d(inputs, outputs, 4, *place, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
        ]
    return nn.Sequential(*layers, nn.ConvTranspose2d(64, 3, 4, 2, 1), nn.Tanh())


class WaveNet(nn.Module):
    """Gated dilated convolutions over samples of sound, with skips (van den Oord et al., 2016)."""

    def __init__(self, width: int = 64, dilations: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64, 128)) -> None:
        super().__init__()
        self.first = nn.Conv1d(1, width, 1)
        self.gates = nn.ModuleList(nn.Conv1d(width, 2 * width, 2, dilation=each) for each in dilations)
        self.mixes = nn.ModuleList(nn.Conv1d(width, 2 * width, 1) for _ in dilations)
        self.last = nn.Sequential(nn.ReLU(), nn.Conv1d(width, width, 1), nn.ReLU(), nn.Conv1d(width, 256, 1))
        self.dilations = dilations

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        total: torch.Tensor | None = None
        for gate, mix, dilation in zip(self.gates, self.mixes, self.dilations, strict=True):
            signal, opening = gate(F.pad(x, (dilation, 0))).chunk(2, 1)
            own, skip = mix(torch.tanh(signal) * torch.sigmoid(opening)).chunk(2, 1)
            x = x + own
            total = skip if total is None else total + skip
        scores: torch.Tensor = self.last(total)
        return scores


class Vocoder(nn.Sequential):
    """Sound from 80 bands (after HiFi-GAN, Kong et al., 2020): transposed and dilated Conv1d in turn."""

    def __init__(self, width: int = 256) -> None:
        layers: list[nn.Module] = [nn.Conv1d(80, width, 7, padding=3)]
        for size, stride in ((16, 8), (16, 8), (4, 2), (4, 2)):
            layers += [
                nn.LeakyReLU(0.1),
                nn.ConvTranspose1d(width, width // 2, size, stride, (size - stride) // 2),
            ]
            width //= 2
            layers += [Residual(*_dilated(width, dilation)) for dilation in (1, 3, 5)]
        super().__init__(*layers, nn.LeakyReLU(0.1), nn.Conv1d(width, 1, 7, padding=3), nn.Tanh())


def _dilated(width: int, dilation: int) -> list[nn.Module]:
    return [
        nn.LeakyReLU(0.1),
        nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation),
        nn.LeakyReLU(0.1),
        nn.Conv1d(width, width, 3, padding=1),
    ]


class MixerLayer(nn.Module):
    """Mixes places, then channels (Tolstikhin et al., 2021)."""

    def __init__(self, places: int, width: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.places, self.channels = _wide(places, width // 2), _wide(width, 4 * width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.places(self.norms[0](x).transpose(1, 2)).transpose(1, 2)
        result: torch.Tensor = x + self.channels(self.norms[1](x))
        return result


def _wide(width: int, inner: int) -> nn.Module:
    return nn.Sequential(nn.Linear(width, inner), nn.GELU(), nn.Linear(inner, width))


class Mixer(nn.Module):
    """Eight layers over patches of 16²."""

    def __init__(self, places: int = 196, width: int = 256, depth: int = 8) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, 16, 16)
        self.layers = nn.Sequential(*(MixerLayer(places, width) for _ in range(depth)))
        self.norm, self.scores = nn.LayerNorm(width), nn.Linear(width, 1000)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.layers(self.patches(x).flatten(2).transpose(1, 2))
        scores: torch.Tensor = self.scores(self.norm(x).mean(1))
        return scores


class Gru(nn.Module):
    """Two layers over a sequence; scores from the last state."""

    def __init__(self, size: int = 128, hidden: int = 256) -> None:
        super().__init__()
        self.gru, self.scores = nn.GRU(size, hidden, 2, batch_first=True), nn.Linear(hidden, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.scores(self.gru(x)[0][:, -1])
        return scores


class DilatedHead(nn.Module):
    """Segmentation by dilated windows beside each other (after DeepLabV3, Chen et al., 2017)."""

    def __init__(self, width: int = 256, classes: int = 21) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            ConvNorm(3, 32, 3, 2),
            ConvNorm(32, 64, 3, 2),
            ConvNorm(64, 128, 3, 2),
            Residual(ConvNorm(128, 128, 3), ConvNorm(128, 128, 3)),
        )
        self.branches = nn.ModuleList(
            [ConvNorm(128, width)]
            + [nn.Sequential(nn.Conv2d(128, width, 3, 1, d, d), nn.ReLU()) for d in (6, 12, 18)]
        )
        self.mean = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(128, width, 1), nn.ReLU())
        self.head = nn.Sequential(ConvNorm(5 * width, width), nn.Conv2d(width, classes, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        size, x = x.shape[2:], self.trunk(x)
        parts = [branch(x) for branch in self.branches]
        parts.append(self.mean(x).expand(-1, -1, *x.shape[2:]))
        scores = self.head(torch.cat(parts, 1))
        return F.interpolate(scores, size=size, mode="bilinear", align_corners=False)


class CrossStage(nn.Module):
    """Half of the channels pass through residuals, all halves are joined (YOLO's C2f)."""

    def __init__(self, inputs: int, outputs: int, depth: int, add: bool = True) -> None:
        super().__init__()
        half = outputs // 2
        self.first = ConvNorm(inputs, outputs, act=nn.SiLU)
        kind = Residual if add else nn.Sequential
        self.steps = nn.ModuleList(
            kind(ConvNorm(half, half, 3, act=nn.SiLU), ConvNorm(half, half, 3, act=nn.SiLU))
            for _ in range(depth)
        )
        self.last = ConvNorm((2 + depth) * half, outputs, act=nn.SiLU)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        parts = list(self.first(x).chunk(2, 1))
        for step in self.steps:
            parts.append(step(parts[-1]))
        result: torch.Tensor = self.last(torch.cat(parts, 1))
        return result


class Detector(nn.Module):
    """A backbone of cross-stage blocks, a neck that goes up and down again, and boxes at three sizes."""

    def __init__(self, widths: tuple[int, ...] = (16, 32, 64, 128, 256), outputs: int = 84) -> None:
        super().__init__()
        down = [ConvNorm(3, widths[0], 3, 2, act=nn.SiLU)]
        self.stem = nn.Sequential(*down, ConvNorm(widths[0], widths[1], 3, 2, act=nn.SiLU))
        self.stages = nn.ModuleList(
            nn.Sequential(ConvNorm(a, b, 3, 2, act=nn.SiLU), CrossStage(b, b, 1))
            for a, b in pairwise(widths[1:])
        )
        small, middle, large = widths[2:]
        self.up = nn.ModuleList(
            [CrossStage(large + middle, middle, 1, False), CrossStage(middle + small, small, 1, False)]
        )
        self.shrink = nn.ModuleList(ConvNorm(each, each, 3, 2, act=nn.SiLU) for each in (small, middle))
        self.down = nn.ModuleList(
            [CrossStage(small + middle, middle, 1, False), CrossStage(middle + large, large, 1, False)]
        )
        self.heads = nn.ModuleList(
            nn.Sequential(ConvNorm(each, 64, 3, act=nn.SiLU), nn.Conv2d(64, outputs, 1))
            for each in (small, middle, large)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        small, middle, large = maps
        middle = self.up[0](torch.cat([F.interpolate(large, scale_factor=2.0), middle], 1))
        small = self.up[1](torch.cat([F.interpolate(middle, scale_factor=2.0), small], 1))
        middle = self.down[0](torch.cat([self.shrink[0](small), middle], 1))
        large = self.down[1](torch.cat([self.shrink[1](middle), large], 1))
        found = [head(each).flatten(2) for head, each in zip(self.heads, (small, middle, large), strict=True)]
        return torch.cat(found, 2)
