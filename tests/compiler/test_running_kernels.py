"""Running sums, products and extremes: the numbers of PyTorch along each axis, known and free."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tvm import relax, tirx

from neo_magics.compiler.frontends.torch_program import program_to_module
from tests.compiler.models import Array, module, random, run, x86_target

# Beside the axis: nothing, less than a vector, whole vectors, and a rest.
SHAPES = (((5, 9), 1), ((8, 200), -1), ((2, 7, 3), 1), ((3, 40, 64), 1), ((6, 77), 0), ((200, 2, 70), 0))


def cumulated(x: Array, axis: int) -> list[Array]:
    values = torch.from_numpy(x)
    shifted = values.roll(1, axis).index_fill(axis, torch.tensor([0]), 0)
    found = values.cumsum(axis), values.cumprod(axis), shifted.cumsum(axis), values.double().cumsum(axis)
    return [each.numpy() for each in found]


@pytest.mark.parametrize("mcpu", ["native", pytest.param("x86-64", marks=pytest.mark.slow)])
def test_sums_and_products(mcpu: str) -> None:
    source = module(
        lambda *xs: [
            found
            for x, (_shape, axis) in zip(xs, SHAPES, strict=True)
            for found in (
                relax.op.cumsum(x, axis), relax.op.cumprod(x, axis), relax.op.cumsum(x, axis, exclusive=True),
                relax.op.cumsum(x, axis, "float64"),
            )
        ],
        *((shape, "float32") for shape, _axis in SHAPES),
    )  # fmt: skip
    arrays = [random(shape, n) for n, (shape, _axis) in enumerate(SHAPES)]
    results = iter(run(source, arrays, x86_target(mcpu)))
    for x, (shape, axis) in zip(arrays, SHAPES, strict=True):
        for expected in cumulated(x, axis):
            np.testing.assert_allclose(next(results), expected, rtol=2e-5, atol=2e-5, err_msg=str(shape))


def test_whole_numbers_and_free_sizes() -> None:
    shape = (tirx.Var("outer", "int64"), tirx.Var("size", "int64"), 5)
    source = module(
        lambda x, truths: [relax.op.cumsum(x, 1), relax.op.cumsum(truths, -1, "int64")],
        (shape, "int32"),
        ((3, 21), "bool"),
    )
    truths = random((3, 21)) > 0
    for sizes in ((3, 8, 5),):
        x = np.random.default_rng(0).integers(-9, 9, sizes).astype("int32")
        sums, counts = run(source, [x, truths], x86_target())
        np.testing.assert_array_equal(sums, x.cumsum(1))
        np.testing.assert_array_equal(counts, truths.cumsum(-1))


class Extremes(torch.nn.Module):
    """Running extremes of several shapes and dtypes, with their places."""

    def forward(self, x: torch.Tensor, rows: torch.Tensor) -> list[torch.Tensor]:
        whole, half = (rows * 3).to(torch.int32), rows.half()
        given = ((x, 0), (rows, -1), (whole, 1), (half, 1))
        return [each for data, axis in given for each in (*data.cummax(axis), *data.cummin(axis))]


def test_extremes_and_their_places() -> None:
    x, rows = torch.from_numpy(random((3, 9, 40))), torch.from_numpy(np.round(random((4, 30))))
    x[0, 3, 5], x[1, 2, 0], x[2, 0, 1] = torch.nan, torch.inf, -torch.inf
    program = torch.export.export(Extremes(), (x, rows))
    results = run(program_to_module(program), [x.numpy(), rows.numpy()], x86_target())
    for number, (got, expected) in enumerate(zip(results, Extremes()(x, rows), strict=True)):
        np.testing.assert_array_equal(got, expected.numpy(), err_msg=str(number))
