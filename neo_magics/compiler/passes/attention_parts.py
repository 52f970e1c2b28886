"""Keys and values that a model concatenates, its cache and what is new, as parts that are read in turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tvm import relax

from neo_magics.compiler.kernels.attention_form import Attention, Operand, unflatten
from neo_magics.compiler.kernels.attention_rows import Part
from neo_magics.compiler.passes import calls
from neo_magics.compiler.passes.bindings import Bindings
from neo_magics.compiler.passes.views import Factor, View, shape_read, view_of


@dataclass(frozen=True)
class Stored:
    """The parts, and what the keys and the values of each are read from."""

    parts: list[Part]
    keys: list[Any]
    values: list[Any]


def parts_of(bindings: Bindings, a: Attention, k: View, v: View) -> Stored:
    """The parts of keys and values that are concatenated alike; else all of them as one part."""
    keys, values = _pieces(bindings, a.k, k, a.keys), _pieces(bindings, a.v, v, a.keys)
    rows = [piece.rows for piece in keys]
    others = [piece.rows for piece in values]
    if len(rows) != len(others) or not all(map(calls.same_size, rows, others)):
        return Stored([Part(0, a.keys, a.k, a.v)], [k.source], [v.source])
    begins = [sum(rows[:number]) for number in range(len(rows))]
    parts = [
        Part(begin, key.rows, key.operand, value.operand)
        for begin, key, value in zip(begins, keys, values, strict=True)
    ]
    return Stored(parts, [piece.source for piece in keys], [piece.source for piece in values])


@dataclass(frozen=True)
class _Piece:
    rows: Any
    operand: Operand
    source: Any


def _pieces(bindings: Bindings, operand: Operand, view: View, keys: Any) -> list[_Piece]:
    """The fields of the concatenation that `view` is one of, along its rows; else the operand itself."""
    whole = [_Piece(keys, operand, view.source)]
    call, shape = bindings.value(view.source), calls.shape_of(view.source)
    fields = bindings.value(call.args[0]) if calls.name_of(call) == "relax.concat" else None
    if not isinstance(fields, relax.Tuple) or shape is None:
        return whole
    axis = int(call.attrs.axis) % len(shape)
    steps = _steps_of(view, shape)
    if steps is None or steps.row != (axis, 1) or not calls.same_size(shape[axis], keys):
        return whole
    pieces = [_piece(bindings, operand.dtype, field, axis, steps) for field in fields.fields]
    found = [piece for piece in pieces if piece is not None]
    return found if len(found) == len(pieces) else whole


@dataclass(frozen=True)
class _Steps:
    """For each index of a view, which dimension of its source it moves along, and by how much."""

    groups: list[tuple[int, Any]]
    row: tuple[int, Any]
    column: tuple[int, Any]


def _steps_of(view: View, shape: Sequence[Any]) -> _Steps | None:
    """Each of groups, row and column within one dimension of `shape`, all from the beginning; else None."""
    strides = [calls.product(shape[place + 1 :]) for place in range(len(shape))]
    *lead, row, column = view.dims
    factors = [*(factor for dim in lead for factor in dim), *(_sole(dim) for dim in (row, column))]
    steps = [_step(size, stride, shape, strides) for size, stride in factors]
    found = [step for step in steps if step is not None]
    if len(found) < len(steps) or not isinstance(view.offset, int) or view.offset:
        return None
    return _Steps(found[:-2], found[-2], found[-1])


def _sole(dim: tuple[Factor, ...]) -> Factor:
    return dim[0] if dim else (1, 0)


def _step(size: Any, stride: Any, shape: Sequence[Any], strides: Sequence[Any]) -> tuple[int, Any] | None:
    """The dimension that a step of `stride` moves along, and how far, where `size` of them stay in it."""
    for place, (extent, own) in enumerate(zip(shape, strides, strict=True)):
        if calls.same_size(stride, own):
            return (place, 1) if calls.same_size(size, extent) or _at_most(size, extent) else None
        if isinstance(stride, int) and isinstance(own, int) and 0 < own <= stride and stride % own == 0:
            far = stride // own
            return (place, far) if _at_most(size, extent, far) else None
    return (len(shape) - 1, 0) if isinstance(stride, int) and stride == 0 else None


def _at_most(size: Any, extent: Any, far: int = 1) -> bool:
    return isinstance(size, int) and isinstance(extent, int) and (size - 1) * far < extent


def _piece(bindings: Bindings, dtype: str, field: Any, axis: int, steps: _Steps) -> _Piece | None:
    """One field, read through its own view by the steps that the concatenation is read by."""
    view, shape = view_of(field, bindings.value), calls.shape_of(field)
    source = None if view is None else calls.shape_of(view.source)
    if view is None or source is None or shape is None or any(len(dim) > 1 for dim in view.dims):
        return None
    strides = [dim[0][1] if dim else 0 for dim in view.dims]
    read_as = shape_read(source)

    def place(group: Sequence[Any], row: Any, column: Any) -> list[Any]:
        flat: Any = view.offset
        moved = [*zip(group, steps.groups, strict=True), (row, steps.row), (column, steps.column)]
        for index, (dim, far) in moved:
            flat = flat + index * (far * strides[dim])
        return unflatten(flat, read_as)

    return _Piece(shape[axis], Operand(read_as, dtype, place), view.source)
