"""Products of two computed matrices run in register tiles too: the right one is packed on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import tvm
from tvm import relax
from tvm.relax.expr_functor import mutator

from neo_magics.compiler.kernels import FUSES_ELEMENTWISE, INJECTIVE
from neo_magics.compiler.kernels.matmul import batch_matmul, pack_columns, pack_panels, packed_matmul
from neo_magics.compiler.kernels.sizes import is_one
from neo_magics.compiler.kernels.tiles import matmul_tile
from neo_magics.compiler.passes import calls
from neo_magics.compiler.passes.for_machine import ForMachine, RewritesMain

FEWEST_ROWS = 4  # of the left matrix; fewer read each panel too seldom to pay for the copy


@mutator
class _Packer(ForMachine):
    def visit_call_(self, call: Any) -> Any:
        call = self.visit_expr_post_order(call)
        if calls.name_of(call) != "relax.matmul":
            return call
        call = self.builder_.normalize(call)
        left, right = (calls.shape_of(operand) for operand in call.args)
        if left is None or right is None or not self._worth_it(left, right):
            return call
        floats = {calls.dtype_of(operand) for operand in call.args} == {"float32"}
        return self._packed(call, left, right) if floats else call

    def _worth_it(self, left: Sequence[Any], right: Sequence[Any]) -> bool:
        if len(left) < 2 or len(right) < 2:
            return False
        rows, depth, columns = left[-2], right[-2], right[-1]
        known = isinstance(depth, int) and isinstance(columns, int) and depth > 0
        enough = not isinstance(rows, int) or rows >= FEWEST_ROWS
        return known and enough and 2 * columns >= self.machine.lanes

    def _packed(self, call: Any, left: Sequence[Any], right: Sequence[Any]) -> Any:
        (*lead, rows, _depth), columns = left, int(right[-1])
        shared = all(map(is_one, right[:-2]))  # one matrix for all: their rows are those of one product
        rows = calls.product([*lead, rows]) if shared else rows
        machine = self.machine if shared else replace(self.machine, cores=1)
        tile = matmul_tile(rows if isinstance(rows, int) else None, -(-columns // machine.lanes), machine)
        data, panels = call.args[0], self._panels(call.args[1], right, tile[1] * machine.lanes, shared=shared)
        options = {"pattern": FUSES_ELEMENTWISE, "columns": columns, "rows": tile[0]}
        if not shared:
            return self._emit(batch_matmul, data, panels, **options)
        data = self.builder_.emit(relax.op.reshape(data, [rows, left[-1]])) if len(left) > 2 else data
        made = self._emit(packed_matmul, data, panels, **options)
        shape = calls.shape_of(call) or ()
        return relax.op.reshape(made, list(shape)) if len(shape) > 2 else made

    def _panels(self, value: Any, shape: Sequence[Any], panel: int, *, shared: bool) -> Any:
        """`value` packed: a constant now, anything else by a kernel. `shared`: without leading dimensions."""
        if shared and len(shape) > 2:
            value = self.builder_.emit(relax.op.reshape(value, list(shape[-2:])))
        array = calls.constant(value)
        if array is None:
            return self._emit(pack_panels, value, pattern=INJECTIVE, panel=panel)
        packed = np.stack([pack_columns(each, panel) for each in array.reshape(-1, *array.shape[-2:])])
        return calls.make_constant(packed.reshape(*array.shape[:-2], *packed.shape[1:]))

    def _emit(self, kernel: Any, *operands: Any, pattern: int, **options: Any) -> Any:
        made = self.builder_.call_te(
            lambda *tensors: kernel(*tensors, **options),
            *operands,
            primfunc_name_hint=kernel.__name__,
            primfunc_attrs={"op_pattern": pattern},
        )
        return self.builder_.emit(made)


@tvm.transform.module_pass(opt_level=0, name="PackBatchMatmuls")
class PackBatchMatmuls(RewritesMain):
    """matmul(x […, M, K], y […, K, N]) of float32 → pack_panels(y), and a kernel of our own on x and that.

    The copy costs K × N moves for M × K × N multiply-adds, and takes a transpose of y along. It is how
    GotoBLAS multiplies (Goto and van de Geijn 2008). Leading dimensions broadcast.
    """

    rewriter = _Packer
