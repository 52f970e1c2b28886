"""Soft-max over the last dimension: the numbers of PyTorch for lengths known and free, in one kernel."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tvm import relax, tirx

from tests.compiler.models import kernels, module, random, run, x86_target

SHAPES = ((1, 1), (3, 16), (5, 17), (2, 3, 7), (4, 2, 100), (9,), (300, 130))


def both(x: relax.Var) -> list[relax.Expr]:
    return [relax.op.nn.softmax(x, -1), relax.op.nn.log_softmax(x, -1)]


def check(x: np.ndarray, results: list[np.ndarray]) -> None:
    values = torch.from_numpy(x)
    for got, expected in zip(results, (values.softmax(-1), values.log_softmax(-1)), strict=True):
        np.testing.assert_allclose(got, expected.numpy(), atol=2e-6, rtol=2e-5, err_msg=str(x.shape))


@pytest.mark.parametrize("mcpu", ["native", pytest.param("x86-64", marks=pytest.mark.slow)])
def test_a_grid_of_lengths(mcpu: str) -> None:
    arrays = [10 * random(shape, n) for n, shape in enumerate(SHAPES)]
    source = module(
        lambda *xs: [result for x in xs for result in both(x)], *((shape, "float32") for shape in SHAPES)
    )
    results = run(source, arrays, x86_target(mcpu))
    for n, x in enumerate(arrays):
        check(x, results[2 * n : 2 * n + 2])


def test_rows_and_lengths_may_be_free() -> None:
    shape = tuple(tirx.Var(name, "int64") for name in "abc")
    source = module(both, (shape, "float32"))
    for sizes in ((2, 3, 5), (1, 4, 16), (3, 1, 83)):
        x = random(sizes)
        check(x, run(source, [x], x86_target()))


def test_masked_numbers_and_what_is_not_a_number() -> None:
    x = random((6, 20))
    x[0, 3], x[1, 4], x[2, 5] = -np.inf, np.inf, np.nan
    x[3] = -np.inf
    check(x, run(module(both, ((6, 20), "float32")), [x], x86_target()))


def test_it_is_one_kernel_on_threads() -> None:
    lowered, _refused = kernels(module(lambda x: both(x)[:1], ((512, 512), "float32")), x86_target())
    [func] = [func for func in lowered.functions.values() if isinstance(func, tirx.PrimFunc)]
    assert "T.parallel" in func.script()
    assert "T.vectorized" in func.script()
