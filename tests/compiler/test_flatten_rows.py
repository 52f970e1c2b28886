"""Rows as matrices: whatever is broadcast against whatever, the numbers are NumPy's."""

from __future__ import annotations

import numpy as np
import pytest
from tvm import relax

from tests.compiler.models import module, random, run, x86_target


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((1, 1, 6), (1, 5, 6)),
        ((1, 5, 6), (1, 1, 6)),
        ((1, 5, 6), (1, 5, 6)),
        ((2, 5, 6), (6,)),
        ((6,), (1, 1, 6)),
    ],
)
def test_a_reshaped_matrix_meets_another_value(left: tuple[int, ...], right: tuple[int, ...]) -> None:
    flat = (int(np.prod(left[:-1])), left[-1])

    def build(x: relax.Var, y: relax.Var) -> list[relax.Expr]:
        whole = relax.op.reshape(relax.op.exp(x), list(left))
        return [relax.op.tanh(relax.op.multiply(whole, y)), relax.op.subtract(y, whole)]

    x, y = random(flat), random(right, 1)
    product, difference = run(module(build, (flat, "float32"), (right, "float32")), [x, y], x86_target())
    whole = np.exp(x).reshape(left)
    assert np.allclose(product, np.tanh(whole * y), atol=1e-6)
    assert np.allclose(difference, y - whole, atol=1e-6)
