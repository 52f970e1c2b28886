"""Numbers that are computed from a free dimension, beside tensors that have it."""

from __future__ import annotations

import numpy as np
from tvm import relax, tirx

from tests.compiler.models import module, run, x86_target


def test_a_size_that_is_a_number_to_one_kernel_and_a_dimension_to_another() -> None:
    """As the places of a mask are computed. TVM fuses them, and fails: it defines the size twice."""
    rows, others, columns = (tirx.Var(name, "int64") for name in ("rows", "others", "columns"))

    def body(x: relax.Var, y: relax.Var) -> list[relax.Expr]:
        def places(dimension: tirx.Var, axis: int, size: tirx.Var) -> relax.Expr:
            number = relax.op.expand_dims(relax.op.arange(0, dimension, 1, "int64"), axis)
            below = relax.op.less(number, relax.const(0, "int64"))
            length = relax.op.shape_to_tensor(relax.ShapeExpr([size]))
            return relax.op.where(below, relax.op.add(number, length), number)

        width = relax.op.shape_to_tensor(relax.ShapeExpr([columns]))
        begin = relax.op.multiply(places(rows, 1, others), width)
        return [relax.op.add(begin, places(columns, 0, columns)), relax.op.negative(x), relax.op.negative(y)]

    x, y = np.ones((3, 5), "float32"), np.ones((2, 5), "float32")
    source = module(body, ((rows, columns), "float32"), ((others, columns), "float32"))
    places, *_negatives = run(source, [x, y], x86_target())
    np.testing.assert_array_equal(places, np.arange(15).reshape(3, 5))
