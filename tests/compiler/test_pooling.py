"""Pooling on packed channels equals PyTorch's, for any window."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from neo_magics.compiler.frontends.torch_program import program_to_module
from tests.compiler.models import WIDTHS, random, run, x86_target

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning")
POOLS = (
    nn.MaxPool2d(3, 2, 1),
    nn.MaxPool2d(2),
    nn.MaxPool2d(3, 2, ceil_mode=True),
    nn.MaxPool2d((2, 5), (1, 3), (1, 2)),
    nn.MaxPool2d(3, 1, 1, dilation=2),
    nn.AvgPool2d(3, 1, 1),
    nn.AvgPool2d(3, 1, 1, count_include_pad=False),
    nn.AvgPool2d(3, 2, 1, ceil_mode=True),
    nn.AvgPool2d(2, 2, ceil_mode=True, count_include_pad=False),
    nn.AvgPool2d((3, 2), (2, 3), (1, 0), count_include_pad=False),
    nn.AvgPool2d(2),
    nn.AvgPool2d(13),
    nn.AdaptiveAvgPool2d(1),
    nn.AdaptiveAvgPool2d((2, 3)),
    nn.Sequential(nn.AvgPool2d(3, 1, 1), nn.BatchNorm2d(20), nn.ReLU()),
)


class Pools(nn.Module):
    """Every pooling of one convolution's result."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 20, 1)
        self.pools = nn.ModuleList(POOLS)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        y = self.first(x)
        return [pool(y) for pool in self.pools]


@pytest.mark.parametrize("mcpu", WIDTHS)
@pytest.mark.parametrize("shape", [(1, 3, 14, 14), (2, 3, 17, 15)])
def test_pooling(shape: tuple[int, ...], mcpu: str) -> None:
    torch.manual_seed(0)
    network = Pools().eval()
    x = torch.from_numpy(random(shape))
    source = program_to_module(torch.export.export(network, (x,)))
    with torch.no_grad():
        expected = network(x)
    for pool, got, want in zip(POOLS, run(source, [x.numpy()], x86_target(mcpu)), expected, strict=True):
        np.testing.assert_allclose(got, want.numpy(), atol=1e-5, rtol=1e-5, err_msg=str(pool))


@pytest.mark.parametrize(
    ("activation", "pool"),
    [
        (nn.ReLU(), nn.MaxPool2d(3, 2, 1)),
        (nn.Identity(), nn.MaxPool2d(3, 1, 1)),
        (nn.ReLU(), nn.AvgPool2d(3, 1, 1)),
    ],
    ids=str,
)
def test_pooling_right_after_a_pointwise_convolution(activation: nn.Module, pool: nn.Module) -> None:
    """Maxima of negative numbers too: what surrounds the image is no zero."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(16, 150, 1), activation, pool, nn.Conv2d(150, 5, 1)).eval()
    x = torch.from_numpy(random((1, 16, 15, 13)))
    source = program_to_module(torch.export.export(network, (x,)))
    [got] = run(source, [x.numpy()], x86_target())
    with torch.no_grad():
        np.testing.assert_allclose(got, network(x).numpy(), atol=1e-5, rtol=1e-5)
