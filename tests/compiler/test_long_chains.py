"""Values that are used twice, again and again: what a loop in a model's forward becomes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tvm import relax

from tests.compiler.models import module, random, run, x86_target

SHAPE = (3, 40)


def logistic(x: Any, minus: Callable[..., Any], times: Callable[..., Any]) -> Any:
    """x → 3 x (1 - x), 24 times: written out, 2²⁴ terms."""
    for _ in range(24):
        x = times(times(x, minus(1.0, x)), 3.0)
    return x


def square_root(x: Any, minus: Callable[..., Any], times: Callable[..., Any]) -> Any:
    """Newton's method for 1/√x, whose step uses the last value three times."""
    y = times(x, 0.5)
    for _ in range(12):
        y = times(y, minus(1.5, times(times(x, 0.5), times(y, y))))
    return y


def relax_minus(a: float, b: relax.Expr) -> relax.Expr:
    return relax.op.subtract(relax.const(a, "float32"), b)


def relax_times(a: relax.Expr, b: relax.Expr | float) -> relax.Expr:
    return relax.op.multiply(a, relax.const(b, "float32") if isinstance(b, float) else b)


@pytest.mark.parametrize("function", [logistic, square_root])
def test_repeated_uses_do_not_multiply_the_code(function: Callable[..., Any]) -> None:
    x = np.abs(random(SHAPE)) % np.float32(1)
    source = module(lambda v: [function(v, relax_minus, relax_times)], (SHAPE, "float32"))
    [result] = run(source, [x], x86_target())
    expected = function(x, lambda a, b: np.float32(a) - b, lambda a, b: a * np.float32(b))
    np.testing.assert_allclose(result, expected, rtol=1e-3, atol=1e-4)
