"""Constant right operands of matrix products are packed in panels, once, when the model is compiled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from neo_magics.compiler.kernels import FUSES_ELEMENTWISE
from neo_magics.compiler.kernels.matmul_candidates import Panels, Product
from neo_magics.compiler.machine import Machine
from neo_magics.compiler.passes import calls
from neo_magics.compiler.passes.calls import Array
from neo_magics.compiler.passes.tied_tables import TiedTables, rows_of_panels
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
        self._tied = TiedTables(module[calls.ENTRY], _is_packed)

    def visit_call_(self, call: Any) -> Any:
        tied = self._tied.product(call)
        call = self.visit_expr_post_order(call)
        if tied is not None:
            data, weight = tied.args
            panels = self._panels(weight, self._way(calls.shape_of(data) or (), weight.value))
            return self.builder_.call_te(rows_of_panels, panels, call.args[1], primfunc_name_hint="tied_take")
        if calls.name_of(call) != "relax.matmul":
            return call
        weight, shape = calls.constant(call.args[1]), calls.shape_of(call.args[0])
        if weight is None or shape is None or not _is_packed(call, weight):
            return call
        return self._packed(call, shape, weight)

    def _packed(self, call: Any, shape: tuple[Any, ...], weight: Array) -> Any:
        """The product of [M, K], all leading dimensions in one, and the packed weight."""
        *lead, depth = shape
        data = call.args[0]
        if len(lead) > 1:
            data = self.builder_.emit(relax.op.reshape(data, [calls.product(lead), depth]))
        columns = weight.shape[1]
        way = self._way(shape, weight)
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

    def _way(self, shape: Sequence[Any], weight: Array) -> Panels:
        """The kernel for data of this shape times this weight."""
        rows = calls.product(shape[:-1])
        known = int(rows) if isinstance(rows, int) else None
        way: Panels = self.choose(Product(known, weight.shape[0], weight.shape[1]), self.machine)
        return way

    def _panels(self, weight: Any, way: Panels) -> Any:
        """The packed constant; a weight that several products share is packed once."""
        key = (weight.value.data_ptr(), weight.value.shape, way.panel)
        if key not in self._packs:
            self._packs[key] = calls.make_constant(way.pack(weight.value.numpy()))
        return self._packs[key]


def _is_packed(product: Any, weight: Array) -> bool:
    """Whether a matmul with this constant becomes the packed kernel."""
    shape = calls.shape_of(product.args[0])
    dtypes = {str(weight.dtype), calls.dtype_of(product.args[0])}
    return (
        dtypes == {"float32"}
        and weight.ndim == 2
        and weight.size > 0
        and shape is not None
        and len(shape) > 1
    )
