"""Layer norm, RMS norm and soft-max of rows become kernels of our own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tvm
from tvm import relax
from tvm.relax.expr_functor import mutator

from neo_magics.compiler.kernels.normalisation import Norm, norm
from neo_magics.compiler.kernels.softmax import Softmax, softmax
from neo_magics.compiler.passes import calls
from neo_magics.compiler.passes.for_machine import ForMachine, RewritesMain

_NORMS = ("relax.nn.layer_norm", "relax.nn.rms_norm")
_SOFTMAX = ("relax.nn.softmax", "relax.nn.log_softmax")


@mutator
class _Lowerer(ForMachine):
    def visit_call_(self, call: Any) -> Any:
        call = self.builder_.normalize(self.visit_expr_post_order(call))
        shape = calls.shape_of(call)
        if shape is None or not shape or calls.dtype_of(call) != "float32":
            return call
        name, last = calls.name_of(call), len(shape) - 1
        if name in _SOFTMAX and int(call.attrs.axis) in (-1, last) and shape[last] != 0:
            return self._softmax(call, shape)
        if name in _NORMS and isinstance(shape[last], int) and shape[last]:
            return self._norm(call, shape)
        return call

    def _softmax(self, call: Any, shape: Sequence[Any]) -> Any:
        rows, width = calls.product(shape[:-1]), shape[-1]
        kernel = softmax(
            Softmax(
                calls.told_size(rows, "rows"), calls.told_size(width, "width"), "log" in calls.name_of(call)
            ),
            self.machine,
        )
        return self._called(kernel, "softmax", call.args, shape)

    def _norm(self, call: Any, shape: Sequence[Any]) -> Any:
        attrs, centred = call.attrs, calls.name_of(call) == "relax.nn.layer_norm"
        if [axis % len(shape) for axis in calls.numbers(attrs.axes)] != [len(shape) - 1]:
            return call
        if centred and not (attrs.center and attrs.scale):
            return call
        rows = calls.told_size(calls.product(shape[:-1]), "rows")
        kernel = norm(Norm(rows, shape[-1], float(attrs.epsilon), centred), self.machine)
        return self._called(kernel, "norm", call.args, shape)

    def _called(self, kernel: Any, name: str, operands: Sequence[Any], shape: Sequence[Any]) -> Any:
        """The kernel on [rows, width] of the first operand."""
        flat = [calls.product(shape[:-1]), shape[-1]]
        data = operands[0]
        if len(shape) != 2:
            data = self.builder_.emit(relax.op.reshape(data, flat))
        added = self.builder_.add_func(kernel, name)
        made = relax.call_tir(added, [data, *operands[1:]], relax.TensorType(flat, "float32"))
        return made if len(shape) == 2 else relax.op.reshape(self.builder_.emit(made), list(shape))


@tvm.transform.module_pass(opt_level=0, name="LowerNorms")
class LowerNorms(RewritesMain):
    """nn.layer_norm and nn.rms_norm over a known last dimension, in float32, as kernels.normalisation.

    nn.softmax and nn.log_softmax over the last dimension, known or free, as kernels.softmax. Other axes and
    dtypes, and a layer norm without scale or shift, keep TVM's own lowering.
    """

    rewriter = _Lowerer
