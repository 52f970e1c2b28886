"""Networks along sequences: their convolutions are those of images, and compute what PyTorch computes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from neo_magics.api import devices
from neo_magics.artifact.kernels import KernelTable
from neo_magics.runtime import load
from tests.compiler.test_model_zoo import build, listed

HERE = devices.resolve({"TargetPlatform": {"Os": "LINUX", "Arch": "X86_64"}})


class Residual(nn.Module):
    """A block of a temporal convolutional network: dilated, padded, with batch norm and a gate."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(channels, channels, 3, padding=dilation, dilation=dilation)
        self.norm = nn.BatchNorm1d(channels)
        self.second = nn.Conv1d(channels, channels, 5, padding="same", groups=4)
        self.gate = nn.Conv1d(channels, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.second(torch.relu(self.norm(self.first(x))))
        scale = torch.sigmoid(self.gate(y.mean(-1, keepdim=True)))
        return torch.cat([x + y * scale, nn.functional.pad(y, (0, 0, 0, 4))], 1)


def sound() -> nn.Module:
    """From samples: one channel, a long window, strides, pooling."""
    return nn.Sequential(
        nn.Conv1d(1, 32, 80, 16, padding=38), nn.BatchNorm1d(32), nn.ReLU(), nn.MaxPool1d(4), Residual(32, 2)
    )


class Column(nn.Module):
    """As a sequence comes from other frameworks: an image of one column."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(20, 48, (5, 1), padding=(2, 0))
        self.second = nn.Conv2d(48, 48, (3, 1), stride=(2, 1), dilation=(2, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(nn.functional.gelu(self.first(x[..., None])) + 0.5).squeeze(3)


class Gated(nn.Module):
    """A layer of WaveNet: causal, half of its channels opens the other, which is cut and added."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.gate = nn.Conv1d(channels, 2 * channels, 2, dilation=dilation)
        self.mix = nn.Conv1d(channels, 2 * channels, 1)
        self.dilation = dilation

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        signal, opening = self.gate(nn.functional.pad(x, (self.dilation, 0))).chunk(2, 1)
        own, skip = self.mix(torch.tanh(signal) * torch.sigmoid(opening)).split((x.shape[1], x.shape[1]), 1)
        return x[..., 1:] + own[..., :-1] + skip[:, :, 1:]


class Speech(nn.Module):
    """Group and instance norm along a sequence, and the largest of it: the ends of two speech models."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self.first = nn.Sequential(
            nn.Conv1d(3, channels, 5, 2, bias=False), nn.GroupNorm(groups, channels), nn.GELU()
        )
        self.second = nn.Sequential(nn.Conv1d(channels, 48, 3), nn.InstanceNorm1d(48, affine=True), nn.ReLU())

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        y = self.second(self.first(x))
        return y.max(2)[0], y.amin(2, keepdim=True), y.sum(-1)


def upward() -> nn.Module:
    """A transposed convolution between two others, and a length that is no whole number of vectors."""
    return nn.Sequential(
        nn.Conv1d(20, 24, 4, 2), nn.ELU(), nn.ConvTranspose1d(24, 16, 4, 2), nn.Conv1d(16, 3, 7)
    )


def raised(size: int, stride: int, padding: int, extra: int = 0, groups: int = 1) -> nn.Module:
    """Sound from its bands, as vocoders make it: longer by each stride, with dilated windows between."""
    return nn.Sequential(
        nn.Conv1d(8, 20, 3, dilation=3),
        nn.LeakyReLU(0.1),
        nn.ConvTranspose1d(20, 36, size, stride, padding, extra, groups),
        nn.BatchNorm1d(36),
        nn.Conv1d(36, 2, 3),
        nn.Tanh(),
    )


def shuffled(model: nn.Module) -> nn.Module:
    """Statistics of batch norm that are not trivial."""
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm1d):
            nn.init.uniform_(layer.running_mean, -1, 1)
            nn.init.uniform_(layer.running_var, 0.5, 2)
    return model.eval()


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        (sound(), (2, 1, 2000)),
        (Column(), (1, 20, 61)),
        (upward(), (3, 20, 45)),
        (nn.Sequential(nn.Conv1d(3, 32, 1), Gated(32, 4), Gated(32, 1)), (1, 3, 50)),
        pytest.param(*(nn.Sequential(nn.Conv1d(3, 12, 1), Gated(12, 7)), (2, 3, 33)), marks=pytest.mark.slow),
        (Speech(64, 64), (1, 3, 90)),
        pytest.param(*(Speech(24, 4), (2, 3, 51)), marks=pytest.mark.slow),
        (raised(16, 8, 4), (1, 8, 19)),
        pytest.param(*(raised(3, 3, 1, 1), (2, 8, 13)), marks=pytest.mark.slow),
        pytest.param(*(raised(5, 1, 2), (1, 8, 10)), marks=pytest.mark.slow),
        (raised(4, 2, 1, 0, 4), (1, 8, 11)),
    ],
    ids=(
        [
            "sound",
            "column",
            "upward",
            "gated",
            "narrow gates",
            "speech",
            "short speech",
            "by 8",
            "by 3",
            "by 1",
            "groups",
        ]
    ),
)
def test_they_compute_what_pytorch_does(model: nn.Module, shape: tuple[int, ...], tmp_path: Path) -> None:
    x = torch.randn(shape)
    model = shuffled(model)
    folder = build(model, (x,), tmp_path, HERE, mcpu="native")
    with torch.no_grad():
        expected = model(x)
    for result, reference in zip(listed(load(folder)(x.numpy())), listed(expected), strict=True):
        np.testing.assert_allclose(result, reference, rtol=1e-4, atol=1e-4)


def test_their_convolutions_are_packed_and_nothing_lies_between(tmp_path: Path) -> None:
    model = nn.Sequential(
        nn.Conv1d(32, 32, 3, padding=1), nn.BatchNorm1d(32), nn.ReLU(), nn.Conv1d(32, 32, 3, padding=1)
    )
    folder = build(shuffled(model), (torch.randn(1, 32, 64),), tmp_path, HERE, mcpu="native")
    rules = [kernel.rule for kernel in KernelTable.read(folder).kernels]
    assert sorted(rules) == ["any", "packed convolution", "packed convolution"]  # "any" unpacks


def test_norms_and_maxima_of_a_sequence_stay_packed(tmp_path: Path) -> None:
    folder = build(Speech(64, 64).eval(), (torch.randn(1, 3, 90),), tmp_path, HERE, mcpu="native")
    assert not any("unpack" in kernel.name for kernel in KernelTable.read(folder).kernels)


def test_transposed_convolutions_take_the_kernel_of_images(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Conv1d(16, 16, 3), nn.ReLU(), nn.ConvTranspose1d(16, 32, 4, 2, 1), nn.ReLU())
    folder = build(model.eval(), (torch.randn(1, 16, 40),), tmp_path, HERE, mcpu="native")
    rules = [kernel.rule for kernel in KernelTable.read(folder).kernels]
    assert sorted(rules) == ["any", "packed convolution", "tiled convolution"]  # "any" unpacks


def test_what_gates_open_stays_packed(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Conv1d(32, 32, 1), Gated(32, 4), Gated(32, 8)).eval()
    folder = build(model, (torch.randn(1, 32, 64),), tmp_path, HERE, mcpu="native")
    table = KernelTable.read(folder)
    called = [kernel.name for kernel in table.kernels]
    assert not any("split" in name or "nn_pad" in name for name in called)
    assert sum("unpack" in name for name in called) == 1
