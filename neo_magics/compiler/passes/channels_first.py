"""What lies between convolutions is computed with channels first, as they are: their transposes cancel.

Models of TFLite and TensorFlow have channels last. Their convolutions are imported with channels first and
a transpose on each side; every operator that does not care which axis is which moves to the other side of
such a transpose, until two of them meet.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from neo_magics.compiler.passes import calls

FIRST, LAST = (0, 3, 1, 2), (0, 2, 3, 1)  # N H W C → N C H W, and back
_PLACE = {axis: FIRST.index(axis) for axis in range(4)}  # where an axis of N H W C is in N C H W


@tvm.transform.module_pass(opt_level=0, name="ChannelsFirst")
class ChannelsFirst:
    """f(permute_dims(x, LAST), …) → permute_dims(f(x, …), LAST), and x for two transposes that meet.

    f is element by element, a concatenation, a border, pooling, resizing, or the mean or another reduction of
    the image. It is what TVM's ConvertLayout promises, which stops at biases and does not know borders.
    """

    def transform_module(self, module: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Rewrite `main`; transposes that nothing reads any more are left to dead code elimination."""
        return calls.rewrite_entry(_Mover(module), module)


@mutator
class _Mover(PyExprMutator):  # type: ignore[misc]
    def visit_call_(self, call: Any) -> Any:
        call = self.builder_.normalize(self.visit_expr_post_order(call))
        name = calls.name_of(call).removeprefix("relax.")
        if name == "permute_dims":
            inner = self.first(call.args[0]) if _axes(call) == FIRST else None
            return call if inner is None else inner
        if name not in _MOVES or len(calls.shape_of(call) or ()) not in (2, 4):
            return call
        moved = _MOVES[name](self, call)
        if moved is None:
            return call
        moved = self.builder_.emit(moved)
        return relax.op.permute_dims(moved, LAST) if len(calls.shape_of(moved) or ()) == 4 else moved

    def first(self, value: Any) -> Any | None:
        """The tensor with channels first whose transpose `value` is; None where it is none."""
        made: Any = self.lookup_binding(value) if isinstance(value, relax.Var) else None
        return made.args[0] if calls.name_of(made) == "relax.permute_dims" and _axes(made) == LAST else None

    def operand(self, value: Any) -> Any | None:
        """`value` as an operand beside tensors with channels first; None where that is not possible."""
        array, found = calls.constant(value), self.first(value)
        if found is not None or not isinstance(value.ty, relax.TensorType):
            return value if found is None else found
        if array is not None and array.ndim <= 4:
            whole = array.reshape((1,) * (4 - array.ndim) + array.shape)
            return value if array.ndim == 0 else calls.make_constant(whole.transpose(FIRST))
        rank = len(calls.shape_of(value) or ())
        return self.builder_.emit(relax.op.permute_dims(value, FIRST)) if rank == 4 else None


def _axes(call: Any) -> tuple[int, ...]:
    return calls.numbers(call.attrs.axes) if call.attrs.axes is not None else ()


def _elementwise(mover: _Mover, call: Any) -> Any | None:
    if all(mover.first(value) is None for value in call.args):
        return None
    operands = [mover.operand(value) for value in call.args]
    return None if any(each is None for each in operands) else tvm.ir.Call(call.op, operands, call.attrs)


def _concat(mover: _Mover, call: Any) -> Any | None:
    fields = calls.fields_of(call.args[0], mover.lookup_binding)
    if all(mover.first(value) is None for value in fields):
        return None
    operands = [mover.operand(value) for value in fields]
    axis = _PLACE[int(call.attrs.axis or 0) % 4]
    return None if any(each is None for each in operands) else relax.op.concat(operands, axis)


def _pad(mover: _Mover, call: Any) -> Any | None:
    """A border of the image; channels at the end are joined as a constant, which packed layouts know."""
    data, shape = mover.first(call.args[0]), calls.static_shape(call)
    if data is None or shape is None:
        return None
    widths = np.reshape(calls.numbers(call.attrs.pad_width), (4, 2))
    value, added = float(call.attrs.pad_value), int(widths[3, 1])
    image = np.array([widths[axis] for axis in FIRST])
    if added and call.attrs.pad_mode == "constant" and np.count_nonzero(widths) == 1:
        batch, height, width, _channels = shape
        border = np.full((batch, added, height, width), value, calls.dtype_of(call))
        return relax.op.concat([data, calls.make_constant(border)], 1)
    return relax.op.nn.pad(data, image.flatten().tolist(), call.attrs.pad_mode, value)


def _reduction(mover: _Mover, call: Any) -> Any | None:
    """Over height and width, or whatever keeps its dimensions."""
    data, attrs = mover.first(call.args[0]), call.attrs
    if data is None or attrs.axis is None:
        return None
    axes = sorted(_PLACE[axis % 4] for axis in calls.numbers(attrs.axis))
    if axes != [2, 3] and not attrs.keepdims:
        return None
    operator = getattr(relax.op, str(call.op.name).removeprefix("relax."))
    return operator(data, axes, keepdims=bool(attrs.keepdims))


def _pooling(mover: _Mover, call: Any) -> Any | None:
    data, attrs = mover.first(call.args[0]), call.attrs
    if data is None or attrs.layout != "NHWC" or attrs.out_layout != "NHWC":
        return None
    operator = getattr(relax.op.nn, str(call.op.name).removeprefix("relax.nn."))
    options = ("pool_size", "strides", "padding", "dilation", "ceil_mode", "count_include_pad")
    return operator(data, **{name: getattr(attrs, name) for name in options}, layout="NCHW")


def _resize(mover: _Mover, call: Any) -> Any | None:
    data, attrs = mover.first(call.args[0]), call.attrs
    if data is None or attrs.layout != "NHWC":
        return None
    return relax.op.image.resize2d(
        data,
        call.args[1],
        roi=[float(edge) for edge in attrs.roi],
        layout="NCHW",
        method=attrs.method,
        coordinate_transformation_mode=attrs.coordinate_transformation_mode,
        rounding_method=attrs.rounding_method,
        cubic_alpha=attrs.cubic_alpha,
        cubic_exclude=attrs.cubic_exclude,
        extrapolation_value=attrs.extrapolation_value,
    )


_MOVES: dict[str, Callable[[_Mover, Any], Any | None]] = {
    **dict.fromkeys((*calls.UNARY, *calls.BINARY, *calls.COMPARISONS, "where"), _elementwise),
    **dict.fromkeys(calls.REDUCTIONS, _reduction),
    **dict.fromkeys(("nn.max_pool2d", "nn.avg_pool2d"), _pooling),
    "concat": _concat,
    "nn.pad": _pad,
    "image.resize2d": _resize,
}
