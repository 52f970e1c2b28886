"""Constant right operands of matrix products are packed in panels, once, when the model is compiled."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from neo_magics.compiler.kernels import FUSES_ELEMENTWISE
from neo_magics.compiler.kernels.matmul import packed_matmul
from neo_magics.compiler.kernels.tiles import matmul_tile
from neo_magics.compiler.machine import Machine
from neo_magics.compiler.passes import calls
from neo_magics.compiler.passes.calls import Array


@tvm.transform.module_pass(opt_level=0, name="PackMatmuls")
class PackMatmuls:
    """matmul(x, w) with a constant 2-D w becomes a kernel of our own on [N/panel, K, panel].

    Leading dimensions become one, M. Columns are padded to whole panels, and the kernel stores what counts.
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
        self._packs: dict[Any, Any] = {}

    def visit_call_(self, call: Any) -> Any:
        call = self.visit_expr_post_order(call)
        if calls.name_of(call) != "relax.matmul":
            return call
        weight, shape = calls.constant(call.args[1]), calls.shape_of(call.args[0])
        if weight is None or weight.ndim != 2 or shape is None or len(shape) < 2 or not weight.size:
            return call
        if weight.dtype != np.float32 or calls.dtype_of(call.args[0]) != "float32":
            return call
        return self._packed(call, shape, weight)

    def _packed(self, call: Any, shape: tuple[Any, ...], weight: Array) -> Any:
        """The product of [M, K], all leading dimensions in one, and the packed weight."""
        *lead, depth = shape
        data = call.args[0]
        if len(lead) > 1:
            data = self.builder_.emit(relax.op.reshape(data, [calls.product(lead), depth]))
        count = calls.shape_of(data)
        assert count is not None
        columns = weight.shape[1]
        vectors = -(-columns // self.machine.lanes)
        known = count[0] if isinstance(count[0], int) else None
        rows, panel = matmul_tile(known, vectors, self.machine)
        product = self.builder_.emit(
            self.builder_.call_te(
                partial(packed_matmul, columns=columns, rows=rows),  # call_te would convert options
                data,
                self._panels(call.args[1], panel * self.machine.lanes),
                primfunc_name_hint="packed_matmul",
                primfunc_attrs={"op_pattern": FUSES_ELEMENTWISE},
            )
        )
        return relax.op.reshape(product, [*lead, columns]) if len(lead) > 1 else product

    def _panels(self, weight: Any, panel: int) -> Any:
        """The packed constant; a weight that several products share is packed once."""
        key = (weight.value.data_ptr(), weight.value.shape, panel)
        if key not in self._packs:
            self._packs[key] = calls.make_constant(pack_columns(weight.value.numpy(), panel))
        return self._packs[key]


def pack_columns(weight: Array, panel: int) -> Array:
    """[K, N] → [N/panel, K, panel], the last panel filled with zeros."""
    depth, columns = weight.shape
    panels = -(-columns // panel)
    padded = np.zeros((depth, panels * panel), weight.dtype)
    padded[:, :columns] = weight
    return padded.reshape(depth, panels, panel).transpose(1, 0, 2)
