"""Matrix products of narrow operands with constants: panels of groups, packed when the model is compiled."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import tvm
from tvm import relax
from tvm.relax.expr_functor import mutator

from neo_magics.compiler.kernels import ELEMENTWISE, FUSES_ELEMENTWISE
from neo_magics.compiler.kernels.matmul import pack_columns
from neo_magics.compiler.kernels.matmul_dots import dot_matmul, pad_depth
from neo_magics.compiler.kernels.tiles import matmul_tile
from neo_magics.compiler.machine import Machine
from neo_magics.compiler.passes import calls
from neo_magics.compiler.passes.calls import Array
from neo_magics.compiler.passes.for_machine import ForMachine, RewritesMain
from neo_magics.compiler.passes.narrow_operand import Narrow, read


@mutator
class _Packer(ForMachine):
    def __init__(self, module: tvm.IRModule, machine: Machine) -> None:
        super().__init__(module, machine)
        self._matrices: dict[Any, Any] = {}

    def visit_call_(self, call: Any) -> Any:
        call = self.visit_expr_post_order(call)
        if calls.name_of(call) != "relax.matmul":
            return call
        weight, found = calls.constant(call.args[1]), read(call.args[0], self.lookup_binding)
        if found is None or weight is None or weight.ndim != 2 or found[1].dot.name not in self.machine.dots:
            return call
        source, narrow = found
        *lead, _depth = calls.shape_of(source) or ()
        product = self._product(source, weight, narrow)
        return relax.op.reshape(product, [*lead, weight.shape[1]]) if len(lead) > 1 else product

    def _product(self, source: Any, weight: Array, narrow: Narrow) -> Any:
        data = self._matrix(source, len(weight), narrow)
        count, columns = (calls.shape_of(data) or (None,))[0], weight.shape[1]
        known = count if isinstance(count, int) else None
        rows, vectors = matmul_tile(known, -(-columns // self.machine.lanes), self.machine)
        weights, scaling = narrow.weights(weight, axis=1)
        packed = pack_groups(weights, vectors * self.machine.lanes, narrow.dot.group)
        operands = [data, *map(calls.make_constant, (packed, *scaling))]
        kernel = partial(dot_matmul, columns=columns, rows=rows, dot=narrow.dot)
        return self._emit(kernel, "dot_matmul", *operands, pattern=FUSES_ELEMENTWISE)

    def _matrix(self, source: Any, depth: int, narrow: Narrow) -> Any:
        """The narrow form of a value as [M, K], K in whole groups; made once."""
        if (source, narrow) not in self._matrices:
            *lead, _depth = calls.shape_of(source) or ()
            data = source
            if len(lead) > 1:
                data = self.builder_.emit(relax.op.reshape(data, [calls.product(lead), depth]))
            data = self._emit(narrow.convert, "to_" + narrow.dot.name, data, pattern=ELEMENTWISE)
            whole = -(-depth // narrow.dot.group) * narrow.dot.group
            if whole != depth:
                data = self._emit(partial(pad_depth, depth=whole), "pad_depth", data)
            self._matrices[source, narrow] = data
        return self._matrices[source, narrow]

    def _emit(self, kernel: Any, name: str, *operands: Any, pattern: int | None = None) -> Any:
        attrs = None if pattern is None else {"op_pattern": pattern}
        made = self.builder_.call_te(kernel, *operands, primfunc_name_hint=name, primfunc_attrs=attrs)
        return self.builder_.emit(made)


@tvm.transform.module_pass(opt_level=0, name="PackDotMatmuls")
class PackDotMatmuls(RewritesMain):
    """matmul(x, w) with a constant w, where x becomes narrow, is a kernel on narrow x and w."""

    rewriter = _Packer


def pack_groups(weight: Array, panel: int, group: int) -> Array:
    """[K, N] → [N/panel, K/group, panel, group], filled up with zeros."""
    weight = np.pad(weight, [(0, -len(weight) % group), (0, 0)])
    panels: Array = pack_columns(weight, panel)
    panels = panels.reshape(len(panels), -1, group, panel)
    return panels.transpose(0, 1, 3, 2)
