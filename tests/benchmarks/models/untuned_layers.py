"""Small networks with normalisations and activations that the compiler's kernels were not made with."""

from __future__ import annotations

from functools import partial

import torch
from torch import nn
from torch.nn import functional as F

from tests.benchmarks.models.blocks import ConvNorm, Head
from tests.benchmarks.models.untuned import Residual


class Diffusion(nn.Module):
    """A small denoiser (Ho et al., 2020): group normalisation and SiLU before each 3×3."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.down = nn.Conv2d(4, 64, 3, padding=1), nn.Conv2d(64, 64, 3, 2, 1)
        self.high, self.low = Residual(*_grouped(64, 64), *_grouped(64, 64)), _block(64, 128)
        self.up = _block(192, 64)
        self.last = nn.Sequential(*_grouped(64, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        high = self.high(self.first(x))
        low = F.interpolate(self.low(self.down(high)), scale_factor=2)
        result: torch.Tensor = self.last(self.up(torch.cat([high, low], 1)))
        return result


def _grouped(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.GroupNorm(min(32, inputs), inputs), nn.SiLU(), nn.Conv2d(inputs, outputs, 3, padding=1)]


def _block(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(*_grouped(inputs, outputs), Residual(*_grouped(outputs, outputs)))


def style() -> nn.Module:
    """Style transfer (Johnson et al., 2016): reflected borders, instance normalisation, 9×9 at both ends."""

    def layer(inputs: int, outputs: int, size: int, stride: int = 1, *, act: bool = True) -> list[nn.Module]:
        norm = nn.InstanceNorm2d(outputs, affine=True)
        parts = [nn.ReflectionPad2d(size // 2), nn.Conv2d(inputs, outputs, size, stride), norm]
        return [*parts, nn.ReLU()] if act else parts

    def up(inputs: int, outputs: int) -> list[nn.Module]:
        return [nn.Upsample(scale_factor=2), *layer(inputs, outputs, 3)]

    middle = [Residual(*layer(64, 64, 3), *layer(64, 64, 3, act=False)) for _ in range(3)]
    down = (*layer(3, 16, 9), *layer(16, 32, 3, 2), *layer(32, 64, 3, 2))
    return nn.Sequential(*down, *middle, *up(64, 32), *up(32, 16), nn.ReflectionPad2d(4), nn.Conv2d(16, 3, 9))


def face() -> nn.Module:
    """MobileFaceNet's kind (Chen et al., 2018): inverted residuals with PReLU, a depthwise 7×7 at the end."""

    def inverted(inputs: int, outputs: int, stride: int) -> nn.Module:
        wide, act = 2 * inputs, partial(nn.PReLU, 2 * inputs)
        parts = (
            ConvNorm(inputs, wide, 1, act=act),
            ConvNorm(wide, wide, 3, stride, groups=wide, act=act),
            ConvNorm(wide, outputs, 1, act=None),
        )
        return Residual(*parts) if stride == 1 and inputs == outputs else nn.Sequential(*parts)

    stages = [ConvNorm(3, 64, 3, 2, act=partial(nn.PReLU, 64)), inverted(64, 64, 2)]
    stages += [inverted(64, 64, 1) for _ in range(4)] + [inverted(64, 128, 2)]
    stages += [inverted(128, 128, 1) for _ in range(6)] + [inverted(128, 128, 2)]
    last = nn.Conv2d(512, 512, 7, groups=512), nn.Flatten(), nn.Linear(512, 128)
    return nn.Sequential(*stages, ConvNorm(128, 512, 1, act=partial(nn.PReLU, 512)), *last)


def mish() -> nn.Module:
    """The first stages of CSPDarknet (Bochkovskiy et al., 2020): 1×1 and 3×3 convolutions with Mish."""

    def pair(width: int) -> nn.Module:
        return Residual(
            ConvNorm(width, width // 2, 1, act=nn.Mish), ConvNorm(width // 2, width, 3, act=nn.Mish)
        )

    layers: list[nn.Module] = [ConvNorm(3, 32, 3, act=nn.Mish)]
    for width in (64, 128, 256):
        layers += [ConvNorm(width // 2, width, 3, 2, act=nn.Mish), pair(width), pair(width)]
    return nn.Sequential(*layers, nn.Conv2d(256, 255, 1))


def superresolution() -> nn.Module:
    """ESPCN (Shi et al., 2016): 5×5 and 3×3 convolutions with tanh, and pixels made of channels."""
    layers = nn.Conv2d(3, 64, 5, padding=2), nn.Tanh(), nn.Conv2d(64, 32, 3, padding=1), nn.Tanh()
    return nn.Sequential(*layers, nn.Conv2d(32, 12, 3, padding=1), nn.PixelShuffle(2))


def alexnet() -> nn.Module:
    """AlexNet (Krizhevsky et al., 2012): 11×11 windows, groups, responses normalised over channels."""
    pool = partial(nn.MaxPool2d, 3, 2)
    first = nn.Conv2d(3, 96, 11, 4), nn.ReLU(), nn.LocalResponseNorm(5), pool()
    second = nn.Conv2d(96, 256, 5, padding=2, groups=2), nn.ReLU(), nn.LocalResponseNorm(5), pool()
    third = (
        nn.Conv2d(256, 384, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1, groups=2),
        nn.ReLU(),
    )
    return nn.Sequential(*first, *second, *third, Head(256))
