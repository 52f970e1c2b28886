"""Operators that no rule of their own knows, in odd sizes: on threads and in vectors, and right."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from tvm import relax, tirx
from tvm.relax import op

from tests.compiler.models import kernels, module, random, run, x86_target
from tests.compiler.test_reductions_and_elementwise import loop_kinds

SHAPE = (37, 45, 83)
ROWS = np.array([3, 1, 44, 7] * 9)
THREADS_AND_VECTORS = {tirx.ForKind.PARALLEL, tirx.ForKind.VECTORIZED}


def number(value: float | np.ndarray) -> relax.Expr:
    return relax.const(np.asarray(value, "float32"))


ODD: dict[str, tuple[Callable[[relax.Var], relax.Expr], Callable[[np.ndarray], np.ndarray]]] = {
    "product": (lambda x: op.prod(x, 1), lambda x: x.prod(1)),
    "deviation": (lambda x: op.std(x, [0, 2]), lambda x: x.std((0, 2))),
    "sum of a prime number": (lambda x: op.sum(x, -1), lambda x: x.sum(-1)),
    "least of the middle": (lambda x: op.min(x, 1), lambda x: x.min(1)),
    "place of the largest": (lambda x: op.argmax(x, 0), lambda x: x.argmax(0)),
    "reversed": (lambda x: op.flip(x, 1), lambda x: x[:, ::-1]),
    "tiled": (lambda x: op.tile(x, [1, 2, 1]), lambda x: np.tile(x, [1, 2, 1])),
    "repeated": (lambda x: op.repeat(x, 2, 2), lambda x: x.repeat(2, 2)),
    "triangle": (lambda x: op.triu(x, 1), lambda x: np.triu(x, 1)),
    "padded": (
        lambda x: op.nn.pad(x, [1, 1, 2, 0, 3, 1], "constant", 0.5),
        lambda x: np.pad(x, [(1, 1), (2, 0), (3, 1)], constant_values=0.5),
    ),
    "every third": (lambda x: op.strided_slice(x, [2], [3], [80], [3]), lambda x: x[:, :, 3:80:3]),
    "gathered": (lambda x: op.take(x, relax.const(ROWS), axis=1), lambda x: x[:, ROWS]),
    "compared": (lambda x: op.astype(op.greater(x, number(0.1)), "int8"), lambda x: (x > 0.1).astype("int8")),
    "transposed product": (
        lambda x: op.matmul(op.permute_dims(x, [0, 2, 1]), x),
        lambda x: x.transpose(0, 2, 1) @ x,
    ),
    "matrix-vector product": (lambda x: op.matmul(x, number(0.5 * np.ones(83))), lambda x: x.sum(-1) / 2),
    "wide numbers": (lambda x: op.sum(op.astype(x, "float64"), -1), lambda x: x.astype("float64").sum(-1)),
}


def test_they_run_on_threads_and_in_vectors() -> None:
    source = module(lambda x: [make(x) for make, _ in ODD.values()], (SHAPE, "float32"))
    lowered, refused = kernels(source, x86_target())
    assert refused == []
    for var, func in lowered.functions_items():
        if isinstance(func, tirx.PrimFunc):
            assert loop_kinds(func) >= THREADS_AND_VECTORS, var.name_hint


def test_they_compute_what_numpy_does() -> None:
    x = random(SHAPE)
    source = module(lambda v: [make(v) for make, _ in ODD.values()], (SHAPE, "float32"))
    for name, got in zip(ODD, run(source, [x], x86_target()), strict=True):
        np.testing.assert_allclose(got, ODD[name][1](x), atol=1e-4, rtol=1e-4, err_msg=name)


@pytest.mark.parametrize("rows", [7, None])
def test_free_lengths_run_on_threads_and_in_vectors(rows: int | None) -> None:
    """Sums along a dimension that is free, for lengths below, at and beyond whole vectors."""
    shape = (rows or tirx.Var("rows", "int64"), 48, tirx.Var("length", "int64"))
    source = module(lambda v: [op.sum(v, -1), op.max(v, -1)], (shape, "float32"))
    lowered, _refused = kernels(source, x86_target())
    for var, func in lowered.functions_items():
        if isinstance(func, tirx.PrimFunc) and var.name_hint != "shape_func":
            assert loop_kinds(func) >= THREADS_AND_VECTORS, var.name_hint
    for length in (3, 16, 83):
        x = random((7, 48, length))
        for got, expected in zip(run(source, [x], x86_target()), (x.sum(-1), x.max(-1)), strict=True):
            np.testing.assert_allclose(got, expected, atol=1e-4)
