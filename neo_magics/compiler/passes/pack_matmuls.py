"""Constant right operands of matrix products are packed in panels, once, when the model is compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from neo_magics.compiler.kernels import FUSES_ELEMENTWISE
from neo_magics.compiler.kernels.matmul import packed_matmul
from neo_magics.compiler.kernels.tiles import register_tile
from neo_magics.compiler.machine import Machine
from neo_magics.compiler.passes import calls
from neo_magics.compiler.passes.calls import Array


@tvm.transform.module_pass(opt_level=0, name="PackMatmuls")
class PackMatmuls:
    """matmul(x, w) with a constant 2-D w becomes a kernel of our own on [N/panel, K, panel].

    Columns are padded to whole vectors, and cut off again behind the kernel where N is not a multiple.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def transform_module(self, module: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Rewrite every matmul of float32 […, K] × constant [K, N] in `main`."""
        return calls.rewrite_entry(_Packer(module, self.machine), module)


@mutator
class _Packer(PyExprMutator):  # type: ignore[misc]
    def __init__(self, module: tvm.IRModule, machine: Machine) -> None:
        super().__init__(module)
        self.machine = machine

    def visit_call_(self, call: Any) -> Any:
        call = self.visit_expr_post_order(call)
        if calls.name_of(call) != "relax.matmul":
            return call
        weight, shape = calls.constant(call.args[1]), calls.shape_of(call.args[0])
        if weight is None or weight.ndim != 2 or shape is None or len(shape) < 2 or not weight.size:
            return call
        if weight.dtype != np.float32 or calls.dtype_of(call.args[0]) != "float32":
            return call
        return self._packed(call.args[0], shape, weight)

    def _packed(self, data: Any, shape: tuple[Any, ...], weight: Array) -> Any:
        lanes = self.machine.lanes
        columns = weight.shape[1]
        padded = -(-columns // lanes) * lanes
        inner = shape[-2] if isinstance(shape[-2], int) else 1
        rows, vectors = register_tile(inner, padded // lanes, self.machine)
        product = self.builder_.emit(
            self.builder_.call_te(
                packed_matmul,
                data,
                calls.make_constant(pack_columns(weight, vectors * lanes)),
                rows=rows,
                primfunc_name_hint="packed_matmul",
                primfunc_attrs={"op_pattern": FUSES_ELEMENTWISE},
            )
        )
        if padded == columns:
            return product
        return relax.op.strided_slice(product, [len(shape) - 1], [0], [columns], [1])


def pack_columns(weight: Array, panel: int) -> Array:
    """[K, N] → [N/panel, K, panel], the last panel filled with zeros."""
    depth, columns = weight.shape
    panels = -(-columns // panel)
    padded = np.zeros((depth, panels * panel), weight.dtype)
    padded[:, :columns] = weight
    return padded.reshape(depth, panels, panel).transpose(1, 0, 2)
