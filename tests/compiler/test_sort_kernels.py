"""Orders of rows, ties and NaN included: the numbers of PyTorch by each kernel, on any vectors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tvm import relax, tirx

from neo_magics.compiler.kernels.sort_lanes import exchanges
from tests.compiler.models import Array, kernels, module, random, run, x86_target

# Rows side by side (odd counts, lengths of one), a few of them, the few of long rows, and all of long rows.
SORTED = ((1, 1), (5, 17), (2, 3, 7), (17, 100), (3, 1300), (11,))
TOP = (((64, 8), 2), ((3, 40), 20), ((1, 5000), 8), ((2, 2000), 100), ((2, 1700), 500), ((1, 65), 64))


def numbers(shape: tuple[int, ...], seed: int) -> Array:
    """With ties, both zeros, infinities and NaN."""
    x = np.round(4 * random(shape, seed)) / 4
    flat = x.reshape(-1)
    for place, value in enumerate((-0.0, 0.0, np.inf, -np.inf, np.nan, -np.nan)):
        flat[place * 3 % flat.size] = value if flat.size > 20 else place % 3
    return x


@pytest.mark.parametrize("mcpu", ["native", pytest.param("x86-64", marks=pytest.mark.slow)])
def test_sorts_and_their_places(mcpu: str) -> None:
    arrays = [numbers(shape, n) for n, shape in enumerate(SORTED)]
    source = module(
        lambda *xs: [
            result
            for x in xs
            for down in (False, True)
            for result in (relax.op.sort(x, -1, down), relax.op.argsort(x, -1, down, "int64"))
        ],
        *((shape, "float32") for shape in SORTED),
    )
    results = iter(run(source, arrays, x86_target(mcpu)))
    for x in arrays:
        for down in (False, True):
            values, places = torch.from_numpy(x).sort(stable=True, descending=down)
            np.testing.assert_array_equal(next(results), values.numpy(), err_msg=str((x.shape, down)))
            np.testing.assert_array_equal(next(results), places.numpy(), err_msg=str((x.shape, down)))


@pytest.mark.parametrize("mcpu", ["native", pytest.param("x86-64", marks=pytest.mark.slow)])
def test_the_first_few(mcpu: str) -> None:
    arrays = [numbers(shape, n) for n, (shape, _k) in enumerate(TOP)]
    source = module(
        lambda *xs: [
            relax.op.topk(x, k, -1, "values" if largest else "indices", largest, "int32")
            for x, (_shape, k) in zip(xs, TOP, strict=True)
            for largest in (False, True)
        ],
        *((shape, "float32") for shape, _k in TOP),
    )
    results = iter(run(source, arrays, x86_target(mcpu)))
    for x, (shape, k) in zip(arrays, TOP, strict=True):
        up = torch.from_numpy(x).sort(stable=True)
        np.testing.assert_array_equal(next(results), up.indices.numpy()[:, :k], err_msg=str((shape, k)))
        down = torch.from_numpy(x).sort(stable=True, descending=True)
        np.testing.assert_array_equal(next(results), down.values.numpy()[:, :k], err_msg=str((shape, k)))


def test_whole_numbers_free_rows_and_other_axes() -> None:
    source = module(
        lambda x, y: [relax.op.sort(x, 0), relax.op.topk(y, 4, 1, "indices", True, "int64")],
        ((50, 7), "int32"),
        ((tirx.Var("rows", "int64"), 30, 3), "float32"),
    )
    x = np.random.default_rng(0).integers(-9, 9, (50, 7)).astype("int32")
    x[0, 0], x[1, 0] = np.iinfo("int32").max, np.iinfo("int32").min
    for count in (13,):
        y = random((count, 30, 3))
        ordered, places = run(source, [x, y], x86_target())
        np.testing.assert_array_equal(ordered, np.sort(x, 0))
        np.testing.assert_array_equal(places, torch.from_numpy(y).topk(4, 1).indices.numpy())


def test_places_of_extremes() -> None:
    shapes = ((1, 1), (5, 3), (4, 33), (2, 3, 100), (7, 4000), (20,))
    arrays = [numbers(shape, n) for n, shape in enumerate(shapes)]
    source = module(
        lambda *xs: [
            found(x, axis) for x in xs for found in (relax.op.argmax, relax.op.argmin) for axis in (-1, None)
        ],
        *((shape, "float32") for shape in shapes),
    )
    results = iter(run(source, arrays, x86_target()))
    for x in arrays:
        for found in (torch.argmax, torch.argmin):
            for axis in (-1, None):
                expected = found(torch.from_numpy(x), axis).numpy()
                np.testing.assert_array_equal(next(results), expected, err_msg=str((x.shape, found, axis)))


def test_places_of_extremes_in_rows_of_free_length() -> None:
    shape = (tirx.Var("rows", "int64"), tirx.Var("width", "int64"))
    source = module(lambda x: [relax.op.argmax(x, -1), relax.op.argmin(x, -1)], (shape, "float32"))
    for sizes in ((2, 39),):
        x = random(sizes)
        for got, expected in zip(run(source, [x], x86_target()), (x.argmax(1), x.argmin(1)), strict=True):
            np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("width", [1, 2, 3, 7, 13, 32, 50])
def test_the_exchanges_sort_any_length(width: int) -> None:
    x = np.random.default_rng(width).integers(0, 2, (200, width))  # zeros and ones suffice (Knuth 5.3.4)
    for step, first, apart in exchanges(width):
        for place in range(width - apart):
            if place >= first and (place - first) % (2 * step) < step:
                pair = np.sort(x[:, [place, place + apart]], 1)
                x[:, place], x[:, place + apart] = pair[:, 0], pair[:, 1]
    assert (np.diff(x, axis=1) >= 0).all()


def test_no_sort_is_left_to_the_library() -> None:
    lowered, refused = kernels(module(lambda x: [relax.op.sort(x, -1)], ((9, 64), "float32")), x86_target())
    assert not refused
    assert "contrib.sort" not in lowered.script()
