"""Squeeze-excite: the scale and the 1×1 convolution that reads it are one kernel, and equal PyTorch's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from tvm import relax, tirx

from tests.compiler.models import WIDTHS, Array, agrees, constant, kernels, module, random, run, x86_target


@dataclass(frozen=True)
class Gated:
    """1×1, then a gate of `squeezed` channels, then 1×1 to `outputs`; `shared`: it is pooled too."""

    data: tuple[int, int, int, int]
    squeezed: int
    outputs: int
    shared: bool = False

    def weights(self) -> list[Any]:
        channels = self.data[1]
        shapes = (channels, channels), (self.squeezed, channels), (channels, self.squeezed)
        shapes = (*shapes, (channels if self.shared else self.outputs, channels))
        return [constant((*shape, 1, 1), seed) for seed, shape in enumerate(shapes)]

    def relax(self, x: Any) -> Any:
        first, squeeze, excite, last = self.weights()
        image = relax.op.nn.conv2d(x, first)
        means = relax.op.mean(image, [2, 3], keepdims=True)
        squeezed = relax.op.nn.relu(relax.op.nn.conv2d(means, squeeze))
        scaled = relax.op.multiply(image, relax.op.sigmoid(relax.op.nn.conv2d(squeezed, excite)))
        result = relax.op.nn.silu(relax.op.nn.conv2d(scaled, last))
        if not self.shared:
            return result
        return relax.op.add(result, relax.op.nn.max_pool2d(scaled, (3, 3), padding=(1, 1)))

    def torch(self, x: Array) -> Array:
        first, squeeze, excite, last = (torch.from_numpy(w.value.numpy()) for w in self.weights())
        image = torch.conv2d(torch.from_numpy(x), first)
        squeezed = torch.conv2d(image.mean((2, 3), keepdim=True), squeeze).relu()
        scaled = image * torch.conv2d(squeezed, excite).sigmoid()
        result = torch.nn.functional.silu(torch.conv2d(scaled, last))
        if self.shared:
            result = result + torch.nn.functional.max_pool2d(scaled, 3, 1, 1)
        return result.numpy()


GRID = (
    Gated((1, 32, 14, 14), 8, 48),  # threads share rows
    Gated((2, 20, 15, 13), 5, 24),
    Gated((1, 24, 33, 7), 5, 12),  # rows that no number of threads divides
    Gated((1, 96, 7, 7), 24, 160),  # few rows: threads share channels
    Gated((1, 48, 5, 5), 4, 20),  # few of either
    Gated((1, 64, 72, 72), 4, 16),  # more than a strip for each thread
    Gated((1, 32, 14, 14), 8, 32, shared=True),
)


@pytest.mark.parametrize("mcpu", WIDTHS)
def test_a_grid_of_sizes(mcpu: str) -> None:
    agrees(GRID, mcpu)


def test_a_free_batch() -> None:
    case = Gated((3, 32, 14, 14), 8, 48)
    source = module(lambda x: [case.relax(x)], ((tirx.Var("n", "int64"), *case.data[1:]), "float32"))
    x = random(case.data)
    [got] = run(source, [x], x86_target())
    np.testing.assert_allclose(got, case.torch(x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("case", "joined"), [(GRID[0], True), (GRID[-1], False)])
def test_the_scaled_image_is_not_stored_unless_others_read_it(case: Gated, joined: bool) -> None:
    lowered, refused = kernels(module(lambda x: [case.relax(x)], (case.data, "float32")), x86_target())
    names = [str(var.name_hint) for var, func in lowered.functions_items() if isinstance(func, tirx.PrimFunc)]
    assert refused == []
    assert any("scale_channels" in name and "conv2d" in name for name in names) == joined
