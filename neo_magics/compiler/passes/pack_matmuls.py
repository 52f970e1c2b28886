"""Constant right operands of matrix products are packed in panels, once, when the model is compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from neo_magics.compiler.kernels import FUSES_ELEMENTWISE
from neo_magics.compiler.kernels.matmul_candidates import Panels, Product
from neo_magics.compiler.machine import Machine
from neo_magics.compiler.passes import calls
from neo_magics.compiler.passes.calls import Array
from neo_magics.compiler.tuning import Choose


@tvm.transform.module_pass(opt_level=0, name="PackMatmuls")
class PackMatmuls:
    """matmul(x, w) with a constant 2-D w becomes a kernel of our own on [N/panel, K, panel].

    Leading dimensions become one, M. Columns are padded to whole panels, and the kernel stores what counts.
    `choose` decides between the tiles in registers.
    """

    def __init__(self, machine: Machine, choose: Choose | None = None) -> None:
        self.machine = machine
        self.choose = choose or Choose()

    def transform_module(self, module: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Rewrite every matmul of float32 […, K] × constant [K, N] in `main`."""
        return calls.rewrite_entry(_Packer(module, self.machine, self.choose), module)


@mutator
class _Packer(PyExprMutator):  # type: ignore[misc]
    def __init__(self, module: tvm.IRModule, machine: Machine, choose: Choose) -> None:
        super().__init__(module)
        self.machine = machine
        self.choose = choose
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
        known = count[0] if isinstance(count[0], int) else None
        way = self.choose(Product(known, weight.shape[0], columns), self.machine)
        product = self.builder_.emit(
            self.builder_.call_te(
                way.compute,
                data,
                self._panels(call.args[1], way),
                primfunc_name_hint=way.kernel,
                primfunc_attrs={"op_pattern": FUSES_ELEMENTWISE},
            )
        )
        return relax.op.reshape(product, [*lead, columns]) if len(lead) > 1 else product

    def _panels(self, weight: Any, way: Panels) -> Any:
        """The packed constant; a weight that several products share is packed once."""
        key = (weight.value.data_ptr(), weight.value.shape, way.panel)
        if key not in self._packs:
            self._packs[key] = calls.make_constant(way.pack(weight.value.numpy()))
        return self._packs[key]
