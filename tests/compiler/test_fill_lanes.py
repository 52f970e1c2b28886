"""Convolutions of few channels compute several pixels at once, and the same numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import tvm
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from neo_magics.compiler.frontends.torch_program import program_to_module
from neo_magics.compiler.passes.fill_lanes import FillLanes, best_patch, moved
from tests.compiler.models import WIDTHS, random, run, x86_target

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning")


class Heads(nn.Module):
    """Last layers of image and sound networks, odd sizes and paddings among them."""

    def __init__(self) -> None:
        super().__init__()
        self.image = nn.Conv2d(24, 3, 3, padding=1)
        self.mask = nn.Conv2d(24, 1, (5, 3), padding=(0, 2), bias=False)
        self.border = nn.Conv2d(24, 4, 3, padding="same", padding_mode="reflect")
        self.sound = nn.Conv1d(40, 1, 7, padding=3)

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> list[torch.Tensor]:
        return [torch.tanh(self.image(x)), torch.sigmoid(self.mask(x)), self.border(x), self.sound(y)]


@pytest.mark.parametrize("mcpu", WIDTHS)
@pytest.mark.parametrize("size", [(8, 12), (7, 11)])
def test_heads(mcpu: str, size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    network, x, y = Heads().eval(), random((2, 24, *size)), random((1, 40, 37))
    inputs = torch.from_numpy(x), torch.from_numpy(y)
    source = program_to_module(torch.export.export(network, inputs))
    with torch.no_grad():
        expected = network(*inputs)
    for got, want in zip(run(source, [x, y], x86_target(mcpu)), expected, strict=True):
        np.testing.assert_allclose(got, want.numpy(), atol=1e-5, rtol=1e-5)


@settings(max_examples=60, deadline=None)
@given(
    channels=st.integers(1, 5),
    taps=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    patch=st.tuples(st.integers(1, 4), st.integers(1, 4)),
)
def test_a_patch_has_the_pixels_of_the_image(
    channels: int, taps: tuple[int, int], patch: tuple[int, int]
) -> None:
    weight = random((channels, 2, *taps))
    image = torch.from_numpy(random((1, 2, taps[0] + 4 * patch[0] - 1, taps[1] + 3 * patch[1] - 1), 1))
    whole = F.conv2d(image, torch.from_numpy(weight))
    parts = F.conv2d(image, torch.from_numpy(moved(weight, patch)), stride=patch)
    rows, columns = parts.shape[2:]
    arranged = parts.reshape(1, channels, *patch, rows, columns).permute(0, 1, 4, 2, 5, 3).flatten(2, 3)
    np.testing.assert_allclose(arranged.flatten(3), whole, atol=1e-4)


@pytest.mark.parametrize(
    ("weight", "size", "patch"),
    [
        ((3, 64, 9, 9), (128, 128), (1, 5)),
        ((1, 64, 3, 3), (64, 64), (4, 4)),
        ((1, 64, 1, 7), (1, 4096), (1, 16)),
        ((3, 64, 1, 1), (64, 64), None),  # nothing is shared between pixels
        ((9, 64, 3, 3), (64, 64), None),
        ((3, 4, 3, 3), (64, 64), None),  # too little to do
        ((1, 512, 3, 3), (1, 1), None),
    ],
)
def test_the_patch_is_the_one_with_the_fewest_products(
    weight: tuple[int, ...], size: tuple[int, int], patch: tuple[int, int] | None
) -> None:
    assert best_patch(weight, size, lanes=16) == patch


@pytest.mark.parametrize("options", [{"stride": 2}, {"dilation": 2}, {"groups": 2}])
def test_others_stay(options: dict[str, int]) -> None:
    network = nn.Conv2d(64, 2, 3, **options).eval()
    source = program_to_module(torch.export.export(network, (torch.zeros(1, 64, 16, 16),)))
    tvm.ir.assert_structural_equal(FillLanes(x86_target().machine)(source), source)
