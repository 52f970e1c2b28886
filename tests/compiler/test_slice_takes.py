"""Rows taken by numbers that count up become slices; other gathers stay."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import tvm
from torch import nn
from tvm import relax

from neo_magics.compiler.frontends.torch_program import program_to_module
from neo_magics.compiler.passes import calls
from neo_magics.compiler.passes.slice_takes import SliceTakes
from tests.compiler.models import kernels, module, random, run, x86_target

SLICED = {
    "rotated": ([2, 3, 4, 0, 1], ["relax.strided_slice", "relax.strided_slice", "relax.concat"]),
    "some in their order": ([1, 2, 3], ["relax.strided_slice"]),
    "all": ([0, 1, 2, 3, 4], ["relax.strided_slice"]),
    "twice the same run": ([3, 4, 3, 4], ["relax.strided_slice", "relax.strided_slice", "relax.concat"]),
    "backwards": ([4, 3, 2, 1, 0], ["relax.take"]),
    "a table": ([[0, 1], [1, 2]], ["relax.take"]),
    "of which some are not there": ([3, 4, 5], ["relax.take"]),
}


def operators(sliced: tvm.IRModule) -> list[str]:
    values = [binding.value for block in sliced["main"].body.blocks for binding in block.bindings]
    return [calls.name_of(value) for value in values if calls.name_of(value)]


@pytest.mark.parametrize("name", SLICED)
@pytest.mark.parametrize("axis", [0, -1])
def test_places_in_runs_are_slices(name: str, axis: int) -> None:
    places, wanted = SLICED[name]
    taking = module(
        lambda x: [relax.op.take(x, relax.const(np.array(places), "int64"), axis=axis)], ((5, 5), "float32")
    )
    sliced = relax.transform.CanonicalizeBindings()(SliceTakes()(taking))
    assert operators(sliced) == wanted
    if np.max(places) < 5:
        x = random((5, 5))
        [got] = run(sliced, [x], x86_target())
        np.testing.assert_array_equal(got, np.take(x, places, axis))


class ShiftedWindows(nn.Module):
    """Attention within windows of an image that is rolled (Swin, Liu et al. 2021), as torchvision has it.

    The mask is built in each call, and the bias of a pair of pixels is taken from a table.
    """

    def __init__(self, width: int = 16, heads: int = 2, window: int = 4, shift: int = 2) -> None:
        super().__init__()
        self.heads, self.window, self.shift = heads, window, shift
        self.qkv = nn.Linear(width, 3 * width)
        self.table = nn.Parameter(torch.randn((2 * window - 1) ** 2, heads))
        place = torch.cartesian_prod(torch.arange(window), torch.arange(window))
        apart = place[:, None] - place[None] + window - 1
        self.register_buffer("pair", (apart[..., 0] * (2 * window - 1) + apart[..., 1]).flatten())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        size, width = x.shape[1], x.shape[-1]
        rolled = torch.roll(x, (-self.shift, -self.shift), (1, 2))
        rows = self._windows(rolled)
        qkv = self.qkv(rows).reshape(*rows.shape[:2], 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        scores = qkv[0] @ qkv[1].transpose(-2, -1) / (width // self.heads) ** 0.5
        pixels = self.window**2
        scores = scores + self.table[self.pair].view(pixels, pixels, -1).permute(2, 0, 1)[None]
        scores = scores + self._mask(x, size)[:, None]
        mixed = (scores.softmax(-1) @ qkv[2]).transpose(1, 2).reshape(rows.shape)
        count = size // self.window
        image = mixed.view(-1, count, count, self.window, self.window, width).permute(0, 1, 3, 2, 4, 5)
        return torch.roll(image.reshape(x.shape), (self.shift, self.shift), (1, 2))

    def _windows(self, image: torch.Tensor) -> torch.Tensor:
        batch, size, _, width = image.shape
        count = size // self.window
        parts = image.view(batch, count, self.window, count, self.window, width).permute(0, 1, 3, 2, 4, 5)
        return parts.reshape(-1, self.window**2, width)

    def _mask(self, x: torch.Tensor, size: int) -> torch.Tensor:
        regions = x.new_zeros((size, size))
        cuts = ((0, -self.window), (-self.window, -self.shift), (-self.shift, None))
        for number, (rows, columns) in enumerate((r, c) for r in cuts for c in cuts):
            regions[slice(*rows), slice(*columns)] = number
        of = self._windows(regions[None, ..., None])[..., 0]
        apart = of[:, None] - of[:, :, None]
        return apart.masked_fill(apart != 0, -100.0).masked_fill(apart == 0, 0.0)


def test_shifted_windows_are_products_an_attention_and_copies() -> None:
    """Neither the mask nor the table's lookup is left, and rolling is part of cutting windows."""
    model, x = ShiftedWindows().eval(), torch.randn(1, 8, 8, 16)
    source = program_to_module(torch.export.export(model, (x,), strict=False))
    names = [var.name_hint for var in kernels(source, x86_target())[0].functions]
    left = ("take", "less", "equal", "slice_scatter", "full", "where", "mod")
    assert not [name for name in names if any(word in name for word in left)]
    made = [name for name in names if name != "main" and not name.startswith("neo_")]
    assert len(made) == 4  # a product, an attention, a copy before and one after
    [got] = run(source, [x.numpy()], x86_target())
    np.testing.assert_allclose(got, model(x).detach().numpy(), atol=1e-5)
