"""Convolutions of float64 become matrix products of their windows, which vectors and registers fit."""

from __future__ import annotations

import math
from typing import Any

import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from neo_magics.compiler.kernels.windows import Windows, emit_windows
from neo_magics.compiler.passes import calls

_AXES = {"relax.nn.conv1d": "W", "relax.nn.conv2d": "HW", "relax.nn.conv3d": "DHW"}
_FEWEST = 4  # results of a group; below, a product has no rows to tile


@tvm.transform.module_pass(opt_level=0, name="ConvolutionsAsProducts")
class ConvolutionsAsProducts:
    """conv1d, conv2d and conv3d of float64, of known sizes and constant weights → matmul(weights, windows).

    Our packed kernels are float32's; TVM's own loops are 50 times slower than a product. A depthwise
    convolution stays as it is.
    """

    def transform_module(self, module: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Rewrite `main`."""
        return calls.rewrite_entry(_Rewriter(module), module)


@mutator
class _Rewriter(PyExprMutator):  # type: ignore[misc]
    def visit_call_(self, call: Any) -> Any:
        call = self.builder_.normalize(self.visit_expr_post_order(call))
        spatial = _AXES.get(calls.name_of(call))
        if spatial is None or {calls.dtype_of(each) for each in call.args} != {"float64"}:
            return call
        shape, weight = calls.static_shape(call.args[0]), calls.constant(call.args[1])
        attrs, groups = call.attrs, int(call.attrs.groups)
        layouts = (attrs.data_layout, attrs.kernel_layout, attrs.out_layout)
        if shape is None or weight is None or layouts != (f"NC{spatial}", f"OI{spatial}", f"NC{spatial}"):
            return call
        out, inner, *sizes = weight.shape
        if out // groups < _FEWEST:
            return call
        rank, padding = len(sizes), calls.numbers(attrs.padding)
        strides, dilations = (calls.numbers(each) for each in (attrs.strides, attrs.dilation))
        found = Windows(tuple(sizes), strides, dilations, padding[:rank], padding[rank:])
        x, counts = call.args[0], found.counts(shape[2:])
        if any(size != 1 for size in (*sizes, *strides)) or any(padding):
            x = emit_windows(self.builder_, x, found)
        parts = (
            [1, out // groups, inner * math.prod(sizes)] if groups == 1 else [1, groups, out // groups, -1]
        )
        outer = [shape[0]] if groups == 1 else [shape[0], groups]
        columns = relax.op.reshape(x, [*outer, inner * math.prod(sizes), math.prod(counts)])
        rows = calls.make_constant(weight.reshape(parts))
        product = self.builder_.emit(relax.op.matmul(rows, self.builder_.emit(columns)))
        return relax.op.reshape(product, [shape[0], out, *counts])
