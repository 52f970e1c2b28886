"""Pictures read at given points become kernels of our own."""

from __future__ import annotations

import math
from typing import Any

import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from neo_magics.compiler.kernels.grid_sample import BORDER, ZEROS, Sampling, grid_sample
from neo_magics.compiler.passes import calls

_METHODS = {"bilinear": True, "nearest": False}  # whether it is linear


@tvm.transform.module_pass(opt_level=0, name="LowerSampling")
class LowerSampling:
    """image.grid_sample of N C (D) H W in float32 → kernels.grid_sample; only the batch may be free.

    Cubic interpolation and pictures that are reflected at their border keep TVM's own lowering.
    """

    def transform_module(self, module: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Rewrite `main`."""
        return calls.rewrite_entry(_Lowerer(module), module)


@mutator
class _Lowerer(PyExprMutator):  # type: ignore[misc]
    def visit_call_(self, call: Any) -> Any:
        call = self.builder_.normalize(self.visit_expr_post_order(call))
        sampling = _sampling(call) if calls.name_of(call) == "relax.image.grid_sample" else None
        if sampling is None:
            return call
        data, grid = call.args
        batch, channels, *_sizes = calls.shape_of(data) or ()
        flat = [batch, channels, math.prod(sampling.sizes)], [batch, len(sampling.sizes), sampling.points]
        operands = [
            self.builder_.emit(relax.op.reshape(each, shape))
            for each, shape in zip((data, grid), flat, strict=True)
        ]
        kernel = self.builder_.add_func(grid_sample(sampling), "grid_sample")
        made = relax.call_tir(
            kernel, operands, relax.TensorType([batch, channels, sampling.points], "float32")
        )
        return relax.op.reshape(self.builder_.emit(made), list(calls.shape_of(call) or ()))


def _sampling(call: Any) -> Sampling | None:
    attrs, (data, grid) = call.attrs, (calls.shape_of(each) for each in call.args)
    plain = {calls.dtype_of(each) for each in call.args} == {"float32"} and str(attrs.layout) in (
        "NCHW",
        "NCDHW",
    )
    method, padding = str(attrs.method), str(attrs.padding_mode)
    if not plain or method not in _METHODS or padding not in (ZEROS, BORDER) or data is None or grid is None:
        return None
    batch, channels, *sizes = data
    known = [size for size in (channels, *sizes, *grid[2:]) if isinstance(size, int) and size > 0]
    if len(known) != 1 + 2 * len(sizes):
        return None
    free = calls.told_size(batch, "batch")
    points = math.prod(known[1 + len(sizes) :])
    return Sampling(
        free, known[0], tuple(known[1 : 1 + len(sizes)]), points, _METHODS[method], padding,
        aligned=bool(attrs.align_corners),
    )  # fmt: skip
