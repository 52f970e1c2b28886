"""Sequences are images of one row: one kind of convolution for both.

A convolution along a sequence [N, C, L] is one of an image [N, C, 1, L], which the kernels pack and tile. So
is one along an image of one column, which would fill its tiles with single pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tvm
from tvm import relax, tirx
from tvm.relax.expr_functor import PyExprMutator, mutator

from neo_magics.compiler.passes import calls

_AXES = {3: (0, 1, 3), 4: (0, 1, 3, 2)}  # by rank: where the axes of [N, C, L] or [N, C, L, 1] are in the row


@tvm.transform.module_pass(opt_level=0, name="OneRowImages")
class OneRowImages:
    """conv1d(x, w), conv2d of a column and conv1d_transpose become those of a row, reshaped on each side.

    Batch norm and what is element by element, joined, cut or padded moves to the other side of such a
    reshape, so that those between two convolutions cancel. The weights must be constant float32.
    """

    def transform_module(self, module: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Rewrite `main`."""
        return calls.rewrite_entry(_Rower(module), module)


@mutator
class _Rower(PyExprMutator):  # type: ignore[misc]
    def visit_call_(self, call: Any) -> Any:
        call = self.builder_.normalize(self.visit_expr_post_order(call))
        move = _MOVES.get(calls.name_of(call).removeprefix("relax."))
        row = move(self, call) if move else None
        return call if row is None else self.shaped(row, calls.shape_of(call) or ())

    def visit_tuple_getitem_(self, item: Any) -> Any:
        item = self.visit_expr_post_order(item)
        made: Any = self.lookup_binding(item.tuple_value) if isinstance(item.tuple_value, relax.Var) else None
        if calls.name_of(made) == "relax.split":
            piece = _piece(self, made, item.index)
            return item if piece is None else self.shaped(piece, calls.shape_of(item) or ())
        norm = calls.batch_norm_of(item, self.lookup_binding)
        data = None if norm is None else self.row(norm.args[0])
        if norm is None or data is None:
            return item
        made = self.builder_.emit(tvm.ir.Call(norm.op, [data, *norm.args[1:]], norm.attrs))
        return self.shaped(relax.TupleGetItem(made, 0), calls.shape_of(norm.args[0]) or ())

    def row(self, value: Any) -> Any | None:
        """The image of one row that `value` is a reshape of; None where it is none."""
        made: Any = self.lookup_binding(value) if isinstance(value, relax.Var) else None
        if calls.name_of(made) not in ("relax.reshape", "relax.squeeze"):
            return None
        shape, source = calls.shape_of(value) or (), calls.shape_of(made.args[0]) or ()
        if len(source) != 4 or source[2] != 1 or len(shape) not in _AXES:
            return None
        return made.args[0] if calls.has_shape(value, [source[axis] for axis in _AXES[len(shape)]]) else None

    def as_row(self, value: Any) -> Any:
        """`value`, [N, C, L] or [N, C, L, 1], as [N, C, 1, L]."""
        found = self.row(value)
        if found is not None:
            return found
        batch, channels, length, *_one = calls.shape_of(value) or ()
        return self.builder_.emit(relax.op.reshape(value, [batch, channels, 1, length]))

    def shaped(self, row: Any, shape: Any) -> Any:
        """The row in the shape that the rest of the model knows."""
        row = self.builder_.emit(row)
        return row if calls.has_shape(row, shape) else relax.op.reshape(row, list(shape))


def _operand(rower: _Rower, value: Any, rank: int) -> Any | None:
    """An operand beside rows; None where that is not possible."""
    if not isinstance(value.ty, relax.TensorType):
        return value
    array = calls.constant(value)
    if array is not None:
        whole = array.reshape((1,) * (rank - array.ndim) + array.shape) if array.ndim <= rank else None
        if array.ndim == 0 or whole is None:
            return value if array.ndim == 0 else None
        column = whole if rank == 4 else whole[..., None]
        return calls.make_constant(np.swapaxes(column, 2, 3))
    return rower.as_row(value) if len(calls.shape_of(value) or ()) == rank else None


def _rank(rower: _Rower, values: Any, call: Any) -> int:
    """That of `call` if one of the values is a row in disguise, else 0."""
    shape = calls.shape_of(call) or ()
    alike = len(shape) == 3 or (len(shape) == 4 and shape[3] == 1)
    return len(shape) if alike and any(rower.row(value) is not None for value in values) else 0


def _elementwise(rower: _Rower, call: Any) -> Any | None:
    rank = _rank(rower, call.args, call)
    operands = [_operand(rower, value, rank) for value in call.args] if rank else [None]
    return None if any(each is None for each in operands) else tvm.ir.Call(call.op, operands, call.attrs)


def _concat(rower: _Rower, call: Any) -> Any | None:
    fields = calls.fields_of(call.args[0], rower.lookup_binding)
    rank = _rank(rower, fields, call)
    operands = [_operand(rower, value, rank) for value in fields] if rank else [None]
    if any(each is None for each in operands):
        return None
    return relax.op.concat(operands, _AXES[rank][int(call.attrs.axis or 0) % rank])


def _pad(rower: _Rower, call: Any) -> Any | None:
    rank = _rank(rower, call.args[:1], call)
    if not rank:
        return None
    widths = np.zeros((4, 2), int)
    widths[list(_AXES[rank])] = np.reshape(calls.numbers(call.attrs.pad_width), (rank, 2))
    data = rower.row(call.args[0])
    return relax.op.nn.pad(data, widths.flatten().tolist(), call.attrs.pad_mode, float(call.attrs.pad_value))


def _piece(rower: _Rower, split: Any, index: int) -> Any | None:
    """One result of a split as a slice."""
    axis, rank = int(split.attrs.axis), _rank(rower, split.args, split.args[0])
    sizes: list[Any] = [field.shape.values[axis] for field in split.ty.fields] if rank else [None]
    if not all(isinstance(size, tirx.IntImm) for size in sizes):
        return None
    begin, end = (sum(map(int, sizes[:last])) for last in (index, index + 1))
    return relax.op.strided_slice(rower.row(split.args[0]), [_AXES[rank][axis % rank]], [begin], [end])


def _cut(rower: _Rower, call: Any) -> Any | None:
    """strided_slice whose numbers are all known."""
    rank = _rank(rower, call.args[:1], call)
    numbers = [calls.integers(operand) for operand in call.args[1:]] if rank else [None]
    known = [each for each in numbers if each is not None]
    if len(known) != len(numbers):
        return None
    axes, *places = known
    row = rower.row(call.args[0])
    return relax.op.strided_slice(row, [_AXES[rank][axis % rank] for axis in axes], *places)


def _reduced(rower: _Rower, call: Any) -> Any | None:
    """Over the whole length, as over the image."""
    row, axes = rower.row(call.args[0]), call.attrs.axis
    rank = len(calls.shape_of(call.args[0]) or ())
    if row is None or axes is None:
        return None
    places = {axis % rank for axis in calls.numbers(axes)}
    if places not in ({2}, {2, 3}) or (rank == 3 and 3 in places):
        return None
    operator = getattr(relax.op, calls.name_of(call).removeprefix("relax."))
    return operator(row, [2, 3], keepdims=True)


def _normed(rower: _Rower, call: Any) -> Any | None:
    """Group and instance norm with constants, over the whole length; a batch of one may be among the axes."""
    row, shape, attrs = rower.row(call.args[0]), calls.shape_of(call) or (), call.attrs
    if row is None or len(shape) != 3 or int(attrs.channel_axis) != 1:
        return None
    axes = {axis % 3 for axis in calls.numbers(attrs.axes)} - ({0} if shape[0] == 1 else set())
    if axes != {2}:
        return None
    options: dict[str, Any] = {"epsilon": float(attrs.epsilon), "center": attrs.center, "scale": attrs.scale}
    groups = {"num_groups": int(attrs.num_groups)} if calls.name_of(call) == "relax.nn.group_norm" else {}
    operator = relax.op.nn.group_norm if groups else relax.op.nn.instance_norm
    return operator(row, *call.args[1:3], **groups, channel_axis=1, axes=[2, 3], **options)


def _row_weight(call: Any) -> Any | None:
    """The constant weight [.., .., K] or [.., .., K, 1] as [.., .., 1, K]; None where it is not one."""
    weight = calls.constant(call.args[1])
    if weight is None or weight.dtype != np.float32 or calls.dtype_of(call.args[0]) != "float32":
        return None
    return calls.make_constant(weight.reshape(*weight.shape[:2], 1, weight.shape[2]))


def _row_geometry(attrs: Any) -> dict[str, Any]:
    """The attributes of a convolution along a sequence, plain or transposed, as those of one along a row."""
    before, after = (*calls.numbers(attrs.padding), *calls.numbers(attrs.padding))[:2]
    return {
        "strides": [1, *calls.numbers(attrs.strides)],
        "padding": [0, before, 0, after],
        "dilation": [1, *calls.numbers(attrs.dilation)],
        "groups": int(attrs.groups),
    }


def _sequence(rower: _Rower, call: Any) -> Any | None:
    attrs, weight = call.attrs, _row_weight(call)
    if weight is None or (attrs.data_layout, attrs.kernel_layout, attrs.out_layout) != ("NCW", "OIW", "NCW"):
        return None
    return relax.op.nn.conv2d(rower.as_row(call.args[0]), weight, **_row_geometry(attrs))


def _sequence_transpose(rower: _Rower, call: Any) -> Any | None:
    attrs, weight = call.attrs, _row_weight(call)
    if weight is None or (attrs.data_layout, attrs.kernel_layout, attrs.out_layout) != ("NCW", "IOW", "NCW"):
        return None
    extra = [0, *calls.numbers(attrs.output_padding)]
    geometry = _row_geometry(attrs)
    return relax.op.nn.conv2d_transpose(rower.as_row(call.args[0]), weight, output_padding=extra, **geometry)


def _column(rower: _Rower, call: Any) -> Any | None:
    attrs, data, window = call.attrs, calls.shape_of(call.args[0]), calls.shape_of(call.args[1])
    layouts = (attrs.data_layout, attrs.kernel_layout, attrs.out_layout)
    if data is None or window is None or layouts != ("NCHW", "OIHW", "NCHW"):
        return None
    if data[3] != 1 or window[3] != 1 or data[2] == 1:
        return None
    weight, (top, left, bottom, right) = _row_weight(call), calls.numbers(attrs.padding)
    if weight is None or left or right:
        return None
    return relax.op.nn.conv2d(
        rower.as_row(call.args[0]),
        weight,
        strides=[1, calls.numbers(attrs.strides)[0]],
        padding=[0, top, 0, bottom],
        dilation=[1, calls.numbers(attrs.dilation)[0]],
        groups=int(attrs.groups),
    )


def _expanded(rower: _Rower, call: Any) -> Any | None:
    """The row itself, where that is asked for: pooling along a sequence is imported as that of a row."""
    row = rower.row(call.args[0])
    return row if row is not None and calls.has_shape(row, calls.shape_of(call) or ()) else None


_MOVES: dict[str, Callable[[_Rower, Any], Any | None]] = {
    **dict.fromkeys((*calls.UNARY, *calls.BINARY, *calls.COMPARISONS, "where"), _elementwise),
    **dict.fromkeys(calls.REDUCTIONS, _reduced),
    "nn.group_norm": _normed,
    "nn.instance_norm": _normed,
    "concat": _concat,
    "nn.pad": _pad,
    "strided_slice": _cut,
    "nn.conv1d": _sequence,
    "nn.conv1d_transpose": _sequence_transpose,
    "nn.conv2d": _column,
    "expand_dims": _expanded,
    "reshape": _expanded,
}
