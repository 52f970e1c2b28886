"""Recurrent layers become kernels for the target, with their weights in the kernel's order."""

from __future__ import annotations

from typing import Any

import tvm
from tvm import relax
from tvm.relax.expr_functor import mutator

from neo_magics.compiler.frontends.recurrent import RECURRENT
from neo_magics.compiler.kernels.recurrent import Recurrent, recurrent, unit_tile
from neo_magics.compiler.passes import calls
from neo_magics.compiler.passes.for_machine import ForMachine, RewritesMain


@mutator
class _Lowerer(ForMachine):
    def visit_call_(self, call: Any) -> Any:
        call = self.visit_expr_post_order(call)
        if calls.name_of(call) != "relax.call_dps_packed":
            return call
        name = str(getattr(call.args[0], "global_symbol", ""))
        if not name.startswith(RECURRENT):
            return call
        x, weight, bias, *state = call.args[1].fields
        layer = _layer(name, x, weight)
        kernel = self.builder_.add_func(recurrent(layer, self.machine), "recurrent")
        packed = self._packed(weight, layer)
        return relax.call_tir(kernel, [x, packed, bias, *state], list(call.ty_args[0].fields))

    def _packed(self, weight: Any, layer: Recurrent) -> Any:
        """[gates · hidden, hidden] → [hidden / units, hidden, gates, units], filled up with zeros."""
        emit, hidden, gates = self.builder_.emit, layer.hidden, len(layer.gates)
        _rows, units = unit_tile(layer, self.machine)
        blocks = -(-hidden // units)
        parted = emit(relax.op.reshape(weight, [gates, hidden, hidden]))
        if missing := blocks * units - hidden:
            zeros = relax.op.zeros(relax.ShapeExpr([gates, missing, hidden]), "float32")
            parted = emit(relax.op.concat([parted, emit(zeros)], axis=1))
        blocked = emit(relax.op.reshape(parted, [gates, blocks, units, hidden]))
        return emit(relax.op.permute_dims(blocked, [1, 3, 0, 2]))


@tvm.transform.module_pass(opt_level=0, name="LowerRecurrent")
class LowerRecurrent(RewritesMain):
    """The front ends' calls of `neo_magics.recurrent…` (x, weights, bias, state…) as kernels.recurrent.

    The weights are rearranged by operators, which FoldConstants does away with where they are constant.
    """

    rewriter = _Lowerer


def _layer(name: str, x: Any, weight: Any) -> Recurrent:
    gates, *words = name.removeprefix(RECURRENT + ".").split(".")
    shape, sizes = calls.shape_of(x), calls.shape_of(weight)
    assert shape is not None
    assert sizes is not None
    batch_first = "batch_first" in words
    steps, batch = (shape[1], shape[0]) if batch_first else shape[:2]
    # A kernel's own variables: a caller's size may be computed, as the steps behind a convolution are.
    batch = calls.told_size(batch, "batch")
    steps = calls.told_size(steps, "steps")
    return Recurrent(gates, steps, batch, int(sizes[1]), "reverse" in words, batch_first)
