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
from neo_magics.compiler.passes.views import View, view_of


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
    if rows != [piece.rows for piece in values]:
        return Stored([Part(0, a.keys, a.k, a.v)], [k.source], [v.source])
    begins = [sum(rows[:number]) for number in range(len(rows))]
    parts = [
        Part(begin, key.rows, key.operand, value.operand)
        for begin, key, value in zip(begins, keys, values, strict=True)
    ]
    return Stored(parts, [piece.source for piece in keys], [piece.source for piece in values])


@dataclass(frozen=True)
class _Piece:
    rows: int
    operand: Operand
    source: Any


def _pieces(bindings: Bindings, operand: Operand, view: View, keys: int) -> list[_Piece]:
    """The fields of the concatenation that `view` is one of, along its rows; else the operand itself."""
    whole = [_Piece(keys, operand, view.source)]
    call = bindings.value(view.source)
    fields = bindings.value(call.args[0]) if calls.name_of(call) == "relax.concat" else None
    if not isinstance(fields, relax.Tuple):
        return whole
    axis = int(call.attrs.axis) % len(operand.shape)
    if not _rows_are(view, axis, operand.shape, keys):
        return whole
    pieces = [_piece(bindings, operand, field, axis) for field in fields.fields]
    found = [piece for piece in pieces if piece is not None]
    return found if len(found) == len(pieces) else whole


def _rows_are(view: View, axis: int, shape: Sequence[Any], keys: int) -> bool:
    """Whether the rows of `view` are its source's dimension `axis`, all of it in order."""
    if not all(isinstance(size, int) for size in shape[axis:]) or shape[axis] != keys:
        return False
    stride = calls.product(shape[axis + 1 :])
    whole = view.dims[-2] == ((keys, stride),) and view.offset // stride % keys == 0
    inner = [factor for dim in (*view.dims[:-2], view.dims[-1]) for factor in dim]
    return whole and all(step < stride or step % (stride * keys) == 0 for _size, step in inner)


def _piece(bindings: Bindings, operand: Operand, field: Any, axis: int) -> _Piece | None:
    """One field, read through its own view at the index that `operand` has in the concatenation."""
    view, shape = view_of(field, bindings.value), calls.shape_of(field)
    source = None if view is None else calls.static_shape(view.source)
    if view is None or source is None or shape is None or not isinstance(shape[axis], int):
        return None
    if any(len(dim) > 1 for dim in view.dims):
        return None
    strides = [dim[0][1] if dim else 0 for dim in view.dims]

    def place(group: Sequence[Any], row: Any, column: Any) -> list[Any]:
        flat: Any = view.offset
        for index, stride in zip(operand.place(group, row, column), strides, strict=True):
            flat = flat + index * stride
        return unflatten(flat, source)

    return _Piece(shape[axis], Operand(source, operand.dtype, place), view.source)
