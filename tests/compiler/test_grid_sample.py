"""Pictures read at given points: the numbers of PyTorch, within the picture, beyond it, and far away."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from neo_magics.compiler.frontends.torch_program import program_to_module
from tests.compiler.models import kernels, random, run, x86_target

# Pictures [N, C, H, W] and the sizes of their grids: fewer points than a piece, whole pieces, and a rest.
PICTURES = (((1, 3, 8, 9), (2, 3)), ((2, 1, 1, 5), (4, 8)), ((2, 20, 7, 6), (5, 7)))
WAYS_OF = (
    (("bilinear", "zeros", False), ("nearest", "zeros", True)),
    (("bilinear", "zeros", True), ("nearest", "border", False)),
    (("bilinear", "border", False), ("bilinear", "border", True), ("nearest", "zeros", False)),
)
EACH = [(shape, way) for (shape, _sizes), ways in zip(PICTURES, WAYS_OF, strict=True) for way in ways]


class Samples(torch.nn.Module):
    """Each picture at its points, in some ways."""

    def forward(self, *given: torch.Tensor) -> list[torch.Tensor]:
        return [
            functional.grid_sample(x, grid, mode, padding, aligned)
            for (x, grid), ways in zip(zip(given[::2], given[1::2], strict=True), WAYS_OF, strict=True)
            for mode, padding, aligned in ways
        ]


@pytest.mark.parametrize("mcpu", ["native", pytest.param("x86-64", marks=pytest.mark.slow)])
def test_as_pytorch(mcpu: str) -> None:
    given = []
    for seed, (shape, sizes) in enumerate(PICTURES):
        grid = 1.2 * random((shape[0], *sizes, 2), seed + 10)
        grid[0, 0, 0], grid[0, 0, 1], grid[0, 1, 0] = 37.5, -37.5, 1.0
        given += [torch.from_numpy(random(shape, seed)), torch.from_numpy(grid)]
    program = torch.export.export(Samples(), tuple(given))
    results = run(program_to_module(program), [each.numpy() for each in given], x86_target(mcpu))
    for number, (got, expected) in enumerate(zip(results, Samples()(*given), strict=True)):
        np.testing.assert_allclose(got, expected.numpy(), atol=1e-5, rtol=1e-5, err_msg=str(EACH[number]))


class Reflected(torch.nn.Module):
    """What our kernel leaves to PyTorch's own decomposition."""

    def forward(self, x: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
        return functional.grid_sample(x, grid, "bilinear", "reflection", False)


@pytest.mark.slow
def test_reflected_at_the_border() -> None:
    x, grid = torch.from_numpy(random((1, 3, 8, 9))), torch.from_numpy(2 * random((1, 4, 5, 2), 1))
    [got] = run(
        program_to_module(torch.export.export(Reflected(), (x, grid))),
        [x.numpy(), grid.numpy()],
        x86_target(),
    )
    np.testing.assert_allclose(got, Reflected()(x, grid).numpy(), atol=1e-5, rtol=1e-5)


class Volumes(torch.nn.Module):
    """Volumes, linear and nearest."""

    def forward(self, x: torch.Tensor, grid: torch.Tensor) -> list[torch.Tensor]:
        ways = (("bilinear", "zeros"), ("nearest", "border"))
        return [functional.grid_sample(x, grid, mode, padding, True) for mode, padding in ways]


def test_volumes() -> None:
    x, grid = torch.from_numpy(random((2, 3, 4, 5, 6))), torch.from_numpy(random((2, 2, 3, 7, 3), 1))
    program = torch.export.export(Volumes(), (x, grid))
    results = run(program_to_module(program), [x.numpy(), grid.numpy()], x86_target())
    for got, expected in zip(results, Volumes()(x, grid), strict=True):
        np.testing.assert_allclose(got, expected.numpy(), atol=1e-5, rtol=1e-5)


class Sample(torch.nn.Module):
    """One picture of a batch of any size."""

    def forward(self, x: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
        return functional.grid_sample(x, grid, align_corners=False)


def test_a_free_batch_is_one_kernel_and_missing_points_are_beyond() -> None:
    x, grid = torch.from_numpy(random((2, 3, 6, 5))), torch.from_numpy(random((2, 4, 5, 2)))
    batch = torch.export.Dim("batch", min=1)
    program = torch.export.export(Sample(), (x, grid), dynamic_shapes=({0: batch}, {0: batch}))
    module = program_to_module(program)
    grid[0, 0, 0, 0], grid[0, 0, 1] = torch.nan, 1e30
    expected = Sample()(x, grid).numpy()
    expected[0, :, 0, 0] = 0
    [got] = run(module, [x.numpy(), grid.numpy()], x86_target())
    np.testing.assert_allclose(got, expected, atol=1e-5, rtol=1e-5)
    lowered, _refused = kernels(module, x86_target())
    assert [var.name_hint for var in lowered.get_global_vars() if "grid_sample" in var.name_hint]
