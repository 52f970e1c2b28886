"""Graphs for several numbers of rows as one for any: what differs follows from the rows, or it is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tvm
from tvm import relax

from neo_magics.compiler.frontends.tflite_free import ROWS, with_free_rows
from neo_magics.errors import InputError

Body = Callable[[relax.BlockBuilder, Any, int], Any]


def _module(rows: int, body: Body) -> Any:
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType([rows, 2], "float32"))
    with builder.function("main", [x]):
        with builder.dataflow():
            result = builder.emit_output(relax.Tuple([body(builder, x, rows)]))
        builder.emit_func_output(result)
    return builder.finalize()


def _merged(body: Body) -> Any:
    return with_free_rows([_module(rows, body) for rows in ROWS], ["x"])


def _result(module: Any, x: np.ndarray) -> np.ndarray:
    machine = relax.VirtualMachine(tvm.compile(module, "llvm"), tvm.cpu())
    return machine["main"](tvm.runtime.tensor(x))[0].numpy()


X = np.arange(14, dtype="float32").reshape(7, 2)


def test_a_size_of_a_multiple_of_the_rows() -> None:
    module = _merged(lambda b, x, rows: b.emit(relax.op.reshape(x, [1, 2 * rows])))
    np.testing.assert_array_equal(_result(module, X), X.reshape(1, 14))


def test_a_constant_that_is_repeated_for_each_row() -> None:
    def body(builder: Any, x: Any, rows: int) -> Any:
        return builder.emit(relax.op.add(x, relax.const(np.tile([[1.0, 2.0]], (rows, 1)).astype("float32"))))

    np.testing.assert_array_equal(_result(_merged(body), X), X + np.array([1, 2], "float32"))


def _counted(builder: Any, x: Any, rows: int) -> Any:
    numbers = np.arange(rows, dtype="float32")[:, None]
    return builder.emit(relax.op.add(x, relax.const(numbers)))


def _squared(builder: Any, x: Any, rows: int) -> Any:
    return builder.emit(relax.op.broadcast_to(builder.emit(relax.op.sum(x)), [rows * rows]))


def _scaled(builder: Any, x: Any, rows: int) -> Any:
    return builder.emit(relax.op.multiply(x, relax.const(float(rows), "float32")))


def _reversed(builder: Any, x: Any, rows: int) -> Any:
    return builder.emit(relax.op.flip(x, 0) if rows == ROWS[1] else relax.op.flip(x, 1))


def _longer(builder: Any, x: Any, rows: int) -> Any:
    for _ in range(rows):
        x = builder.emit(relax.op.negative(x))
    return x


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (_counted, "a constant in it is for one number of rows"),
        (_squared, "a size in it is 9, 25, 64 for 3, 5, 8 rows"),
        (_scaled, "a constant in it is for one number of rows"),
        (_reversed, "what relax.flip does depends on it"),
        (_longer, "the number of its operators depends on it"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_what_depends_on_the_rows_otherwise_is_refused(body: Body, why: str) -> None:
    with pytest.raises(InputError, match=why):
        _merged(body)
