"""Convolutions and pooling of volumes and videos run as those of images, and give what PyTorch gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from tvm import tirx

from neo_magics.compiler.frontends.torch_program import program_to_module
from neo_magics.compiler.passes.frame_windows import Depth, frames_read
from tests.compiler.models import kernels, run, x86_target

SHAPE = (2, 5, 6, 9, 7)
LAYERS: dict[str, nn.Module] = {
    "plain": nn.Conv3d(5, 20, 3),
    "padded": nn.Conv3d(5, 16, 3, padding=1),
    "strided": nn.Conv3d(5, 18, (3, 5, 3), stride=(2, 1, 2), padding=(1, 2, 0)),
    "dilated": nn.Conv3d(5, 16, 3, dilation=(2, 1, 2), padding=(2, 1, 2)),
    "in space": nn.Conv3d(5, 17, (1, 3, 3), padding=(0, 1, 1)),
    "in time": nn.Conv3d(5, 17, (3, 1, 1), stride=(2, 1, 1), padding=(1, 0, 0)),
    "pointwise": nn.Conv3d(5, 32, 1, bias=False),
    "every second frame": nn.Conv3d(5, 32, 1, stride=2),
    "grouped": nn.Conv3d(5, 10, 3, padding=1, groups=5),
    "doubled": nn.ConvTranspose3d(5, 16, 2, 2),
    "doubled, overlapping": nn.ConvTranspose3d(5, 9, 4, 2, 1, bias=False),
    "doubled, of odd windows": nn.ConvTranspose3d(5, 7, 3, 2, 1, output_padding=1),
    "transposed in time": nn.ConvTranspose3d(5, 8, (4, 1, 1), (3, 1, 1), (2, 0, 0)),
    "transposed with gaps": nn.ConvTranspose3d(5, 8, (1, 3, 3), (2, 2, 2)),
    "transposed and grouped": nn.ConvTranspose3d(5, 10, 3, 2, groups=5),
    "largest": nn.MaxPool3d(3, 2, 1),
    "largest of an image": nn.MaxPool3d((1, 2, 2)),
    "largest, dilated": nn.MaxPool3d((3, 2, 2), (1, 2, 2), dilation=(2, 1, 1)),
    "mean": nn.AvgPool3d(2),
    "mean with borders": nn.AvgPool3d(3, 1, 1),
    "mean of images with borders": nn.AvgPool3d((1, 3, 3), 1, (0, 1, 1), count_include_pad=False),
}


class Branches(nn.Module):
    """Each layer by itself, on the same data."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(LAYERS.values())

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        return [layer(x) for layer in self.layers]


class Residual(nn.Module):
    """What stands between convolutions of videos: norms, activations, gates, joins, pooling, a mean."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv3d(3, channels, (1, 3, 3), (1, 2, 2), (0, 1, 1)), nn.BatchNorm3d(channels)
        )
        self.body = nn.Sequential(
            nn.Conv3d(channels, channels, 3, padding=1), nn.BatchNorm3d(channels), nn.SiLU()
        )
        self.gate = nn.Sequential(nn.Conv3d(channels, channels, 1), nn.Sigmoid())
        self.last = nn.Sequential(nn.MaxPool3d(2), nn.Conv3d(2 * channels, 8, (3, 1, 1)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.stem(x))
        y = self.body(x)
        y = x + y * self.gate(y.mean((2, 3, 4), keepdim=True))
        return self.last(torch.cat([x, y], 1) * 0.5).mean((2, 3, 4))


def compiled(net: nn.Module, x: torch.Tensor) -> tuple[Any, list[np.ndarray]]:
    module = program_to_module(torch.export.export(net.eval(), (x,)))
    return module, run(module, [x.numpy()], x86_target())


@pytest.mark.slow
def test_a_grid_of_windows() -> None:
    torch.manual_seed(0)
    x, net = torch.randn(SHAPE), Branches().eval()
    _module, outputs = compiled(net, x)
    for name, got, expected in zip(LAYERS, outputs, net(x), strict=True):
        np.testing.assert_allclose(got, expected.detach().numpy(), atol=1e-5, rtol=1e-5, err_msg=name)


@pytest.mark.parametrize(
    ("batch", "channels"),
    [
        (1, 16),
        pytest.param(2, 16, marks=pytest.mark.slow),
        pytest.param(1, 21, marks=pytest.mark.slow),
    ],
)
def test_nothing_is_moved_between_layers(batch: int, channels: int) -> None:
    torch.manual_seed(1)
    x, net = torch.randn(batch, 3, 6, 14, 10), Residual(channels).eval()
    module, [got] = compiled(net, x)
    np.testing.assert_allclose(got, net(x).detach().numpy(), atol=1e-5, rtol=1e-5)
    lowered, refused = kernels(module, x86_target())
    names = {var.name_hint for var, func in lowered.functions_items() if isinstance(func, tirx.PrimFunc)}
    assert refused == []
    assert not any("conv3d" in name or "pool3d" in name for name in names)
    assert not any("multiply_add" in name for name in names)  # the norms are in the weights
    if (batch, channels) == (1, 16):  # else the gate is moved; it is small
        assert sum("transpose" in name for name in names) == 1  # of the video, first of all


@pytest.mark.parametrize("repeat", [False, True])
def test_each_frame_of_the_result_reads_its_window(repeat: bool) -> None:
    depth = Depth(taps=3, stride=2, dilation=1, padding=(1, 1))
    first, middle, last = (place.tolist() for place in frames_read(depth, 2, 4, repeat=repeat))
    none = [0, 4] if repeat else [8, 8]
    assert (first, middle, last) == ([none[0], 1, none[1], 5], [0, 2, 4, 6], [1, 3, 5, 7])


def test_transposed_convolutions_multiply_no_zeros() -> None:
    net = nn.Sequential(nn.ConvTranspose3d(4, 8, 2, 2), nn.ReLU(), nn.ConvTranspose3d(8, 4, 4, 2, 1))
    module = program_to_module(torch.export.export(net.eval(), (torch.randn(1, 4, 3, 4, 5),)))
    lowered, refused = kernels(module, x86_target())
    names = {var.name_hint for var, func in lowered.functions_items() if isinstance(func, tirx.PrimFunc)}
    assert refused == []
    assert not any("conv3d" in name for name in names)
