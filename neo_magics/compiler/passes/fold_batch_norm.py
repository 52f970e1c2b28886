"""Batch normalisation with known statistics is a scale and a shift; a convolution before it takes both."""

from __future__ import annotations

from typing import Any

import numpy as np
import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from neo_magics.compiler.passes import calls
from neo_magics.compiler.passes.calls import Array, Uses

_LAYOUTS = {"relax.nn.conv2d": "OIHW", "relax.nn.conv2d_transpose": "IOHW"}


@relax.transform.function_pass(opt_level=0, name="FoldBatchNorm")
class FoldBatchNorm:
    """conv(x, w) [+ b] → batch_norm becomes conv(x, w · scale) + shift; elsewhere x · scale + shift.

    A transposed convolution without groups is one too. The convolution, its bias and the normalised value
    must have no other use, or they are kept.
    """

    def transform_function(self, function: Any, module: tvm.IRModule, _context: Any) -> Any:
        """batch_norm(x, γ, β, mean, variance) with constant statistics → arithmetic on x alone."""
        return _Folder(module, Uses(function)).visit_expr(function)


@mutator
class _Folder(PyExprMutator):  # type: ignore[misc]
    def __init__(self, module: tvm.IRModule, uses: Uses) -> None:
        super().__init__(module)
        self.uses = uses

    def visit_tuple_getitem_(self, item: Any) -> Any:
        item = self.visit_expr_post_order(item)
        value = item.tuple_value
        norm = self.lookup_binding(value) if isinstance(value, relax.Var) else value
        if item.index != 0 or calls.name_of(norm) != "relax.nn.batch_norm" or norm.attrs.training:
            return item
        scale_shift = _scale_and_shift(norm)
        if scale_shift is None:
            return item
        return self._normalised(norm.args[0], *scale_shift, axis=int(norm.attrs.axis))

    def _normalised(self, x: Any, scale: Array, shift: Array, *, axis: int) -> Any:
        absorbed = self._absorbed(x, scale, shift) if axis == 1 else None
        if absorbed is not None:
            return absorbed
        rank = x.ty.ndim
        shape = [-1 if dim == axis % rank else 1 for dim in range(rank)]
        scaled = self.builder_.emit(relax.op.multiply(x, calls.make_constant(scale.reshape(shape))))
        return relax.op.add(scaled, calls.make_constant(shift.reshape(shape)))

    def _absorbed(self, x: Any, scale: Array, shift: Array) -> Any | None:
        """The convolution, with or without bias, that `x` is, with scale and shift taken in."""
        value = self._single_use(x)
        bias: Array | None = np.zeros_like(shift)
        if calls.name_of(value) == "relax.add":
            bias = _channel_vector(calls.constant(value.args[1]), scale.size)
            value = self._single_use(value.args[0])
        layout = _LAYOUTS.get(calls.name_of(value))
        if bias is None or layout is None:
            return None
        weight = calls.constant(value.args[1])
        if weight is None or value.attrs.kernel_layout != layout or value.attrs.data_layout != "NCHW":
            return None
        if layout[0] == "I" and int(value.attrs.groups) != 1:
            return None
        own = [-1 if axis == "O" else 1 for axis in layout]
        scaled = calls.make_constant(weight * scale.reshape(own))
        conv = self.builder_.emit(tvm.ir.Call(value.op, [value.args[0], scaled], value.attrs))
        return relax.op.add(conv, calls.make_constant((bias * scale + shift).reshape(1, -1, 1, 1)))

    def _single_use(self, x: Any) -> Any:
        """What `x` is bound to, or None where something else needs it."""
        return self.lookup_binding(x) if isinstance(x, relax.Var) and self.uses.once(x) else None


def _scale_and_shift(norm: Any) -> tuple[Array, Array] | None:
    """float32 vectors with batch_norm(x) = x · scale + shift, computed in double precision."""
    arrays = [calls.constant(argument) for argument in norm.args[1:5]]
    if any(array is None for array in arrays):
        return None
    gamma, beta, mean, variance = (np.asarray(array, "float64") for array in arrays)
    scale = 1 / np.sqrt(variance + float(norm.attrs.epsilon))
    if norm.attrs.scale:
        scale = scale * gamma
    shift = (beta if norm.attrs.center else 0) - mean * scale
    dtype = calls.dtype_of(norm.args[0])
    return scale.astype(dtype), shift.astype(dtype)


def _channel_vector(array: Array | None, channels: int) -> Array | None:
    """A constant of shape (1, C, 1, 1) or (C, 1, 1) as a vector, else None."""
    if array is None or array.shape[-3:] != (channels, 1, 1) or array.size != channels:
        return None
    return array.reshape(-1)
