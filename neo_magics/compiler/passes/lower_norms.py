"""Layer norm and RMS norm of rows become kernels of our own."""

from __future__ import annotations

from typing import Any

import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from neo_magics.compiler.kernels.normalisation import Norm, norm
from neo_magics.compiler.machine import Machine
from neo_magics.compiler.passes import calls


@tvm.transform.module_pass(opt_level=0, name="LowerNorms")
class LowerNorms:
    """nn.layer_norm and nn.rms_norm over a known last dimension, in float32, as kernels.normalisation.

    Other axes and dtypes, and a layer norm without scale or shift, keep TVM's own lowering.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def transform_module(self, module: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Rewrite `main`."""
        return calls.rewrite_entry(_Lowerer(module, self.machine), module)


@mutator
class _Lowerer(PyExprMutator):  # type: ignore[misc]
    def __init__(self, module: tvm.IRModule, machine: Machine) -> None:
        super().__init__(module)
        self.machine = machine

    def visit_call_(self, call: Any) -> Any:
        call = self.builder_.normalize(self.visit_expr_post_order(call))
        name = calls.name_of(call)
        if name not in ("relax.nn.layer_norm", "relax.nn.rms_norm"):
            return call
        shape, attrs = calls.shape_of(call), call.attrs
        centred = name == "relax.nn.layer_norm"
        if shape is None or calls.dtype_of(call) != "float32" or not isinstance(shape[-1], int):
            return call
        if [axis % len(shape) for axis in calls.numbers(attrs.axes)] != [len(shape) - 1] or not shape[-1]:
            return call
        if centred and not (attrs.center and attrs.scale):
            return call
        rows = calls.product(shape[:-1])
        data = call.args[0]
        if len(shape) != 2:
            data = self.builder_.emit(relax.op.reshape(data, [rows, shape[-1]]))
        free = rows if isinstance(rows, int) else tvm.tirx.Var("rows", "int64")
        kernel = norm(Norm(free, shape[-1], float(attrs.epsilon), centred), self.machine)
        added = self.builder_.add_func(kernel, "norm")
        result = relax.TensorType([rows, shape[-1]], "float32")
        made = relax.call_tir(added, [data, *call.args[1:]], result)
        return made if len(shape) == 2 else relax.op.reshape(self.builder_.emit(made), list(shape))
