"""Recurrent layers as one call, which a pass turns into a kernel for the target.

The call is `call_dps_packed` with a name that no library has: whatever the passes leave of it fails to link,
so nothing runs wrongly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tvm import relax

RECURRENT = "neo_magics.recurrent"


@dataclass(frozen=True)
class Direction:
    """One direction of one layer: weights [gates · hidden, …] in the order of `gates`, biases or None."""

    gates: str
    weight: Any
    recurrent: Any
    bias: Any | None
    recurrent_bias: Any | None
    reverse: bool
    batch_first: bool


def emit_direction(builder: Any, x: Any, direction: Direction, state: Sequence[Any]) -> list[Any]:
    """All outputs of the layer, and its last state(s), each (batch, hidden); `state` is h0 or h0, c0."""
    emit = builder.emit
    bias, late = _biases(emit, direction)
    product = emit(relax.op.matmul(x, emit(relax.op.permute_dims(direction.weight))))
    product = product if bias is None else emit(relax.op.add(product, bias))
    hidden = direction.recurrent.ty.shape[1]
    dtype = str(x.ty.dtype)
    sequence = relax.TensorType([*x.ty.shape.values[:2], hidden], dtype)
    results = [sequence, *(relax.TensorType(list(part.ty.shape.values), dtype) for part in state)]
    words = [RECURRENT, direction.gates]
    words += ["reverse"] * direction.reverse + ["batch_first"] * direction.batch_first
    made = emit(
        relax.op.call_dps_packed(".".join(words), [product, direction.recurrent, late, *state], results)
    )
    return [emit(relax.TupleGetItem(made, index)) for index in range(len(results))]


def _biases(emit: Any, direction: Direction) -> tuple[Any | None, Any]:
    """What is added to the products with the input; and what a GRU adds to those with the state."""
    hidden = direction.recurrent.ty.shape[1]
    zeros = emit(relax.op.zeros(relax.ShapeExpr([hidden]), "float32"))
    bias, recurrent = direction.bias, direction.recurrent_bias
    if recurrent is None:
        return bias, zeros
    if len(direction.gates) != 3:
        return (recurrent if bias is None else emit(relax.op.add(bias, recurrent))), zeros
    edge, end = 2 * int(hidden), 3 * int(hidden)
    late = emit(relax.op.strided_slice(recurrent, [0], [edge], [end]))
    early = emit(relax.op.strided_slice(recurrent, [0], [0], [edge]))
    early = emit(relax.op.concat([early, zeros], axis=0))
    return (early if bias is None else emit(relax.op.add(bias, early))), late
