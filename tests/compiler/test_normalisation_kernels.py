"""Layer norm and RMS norm of rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tvm import relax, tirx

from tests.compiler.models import WIDTHS, constant, module, random, run, x86_target

Array = np.ndarray[Any, Any]


def expected_norm(x: Array, gamma: Array, beta: Array | None) -> Array:
    """In double precision; without β the RMS norm."""
    x = x.astype("float64")
    centred = x if beta is None else x - x.mean(-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * gamma
    result: Array = scaled if beta is None else scaled + beta
    return result


def both(width: int) -> Any:
    gamma, beta = constant((width,), 1), constant((width,), 2)
    return lambda *xs: [
        value
        for x in xs
        for value in (
            relax.op.nn.layer_norm(x, gamma, beta, axes=[-1], epsilon=1e-5),
            relax.op.nn.rms_norm(x, gamma, axes=[-1], epsilon=1e-5),
        )
    ]


def check(arrays: list[Array], source: Any, mcpu: str) -> None:
    width = arrays[0].shape[-1]
    gamma, beta = (constant((width,), seed).value.numpy() for seed in (1, 2))
    outputs = iter(run(source, arrays, x86_target(mcpu)))
    for x in arrays:
        np.testing.assert_allclose(next(outputs), expected_norm(x, gamma, beta), atol=1e-5)
        np.testing.assert_allclose(next(outputs), expected_norm(x, gamma, None), atol=1e-5)


@pytest.mark.parametrize("mcpu", WIDTHS)
@pytest.mark.parametrize("width", [1, 5, 64, 77, 192, 768])
def test_rows_and_widths(width: int, mcpu: str) -> None:
    shapes = [(width,), (1, width), (7, width), (2, 77, width), (64, 8, width)]
    arrays = [random(shape) * 3 + 1 for shape in shapes[1:]]
    check(arrays, module(both(width), *((array.shape, "float32") for array in arrays)), mcpu)


def test_rows_may_be_free() -> None:
    source = module(both(40), ((tirx.Var("n", "int64"), 9, 40), "float32"))
    check([random((3, 9, 40)) + 10], source, "native")


@settings(max_examples=5, deadline=None, derandomize=True)
@given(st.integers(1, 40), st.integers(1, 300))
def test_any_size(rows: int, width: int) -> None:
    check([random((rows, width))], module(both(width), ((rows, width), "float32")), "native")
