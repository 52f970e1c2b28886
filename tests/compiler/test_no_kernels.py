"""A model that computes nothing still compiles, links and runs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from tvm import relax

from tests.compiler.models import module, random, run, x86_target

MODELS: dict[str, Callable[[relax.Var], relax.Expr]] = {
    "the input itself": lambda x: x,
    "another shape": lambda x: relax.op.reshape(x, [6, 4]),
    "a constant": lambda _x: relax.const(np.arange(24, dtype="float32").reshape(6, 4)),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_model_without_kernels(name: str) -> None:
    x = random((2, 3, 4))
    [got] = run(module(lambda v: [MODELS[name](v)], (x.shape, "float32")), [x], x86_target())
    expected = np.arange(24, dtype="float32") if name == "a constant" else x
    np.testing.assert_array_equal(got.ravel(), expected.ravel())
