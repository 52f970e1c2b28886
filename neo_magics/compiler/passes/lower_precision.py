"""Products with constants get narrow operands, where the target multiplies those faster.

The graph says so in its own words (`narrow_operand`). Whoever packs the operator sees that and takes the
narrow value, or the one from before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from neo_magics.compiler.kernels.dots import BF16, INT8
from neo_magics.compiler.machine import Machine
from neo_magics.compiler.passes import calls, narrow_operand
from neo_magics.compiler.passes.narrow_operand import Narrow, Range

_CONV2D, _MATMUL = "relax.nn.conv2d", "relax.matmul"
NARROWEST = 16  # input channels or K, and columns; below, packing costs what the products save


@tvm.transform.module_pass(opt_level=0, name="RoundToBfloat16")
class RoundToBfloat16:
    """x → float32(bfloat16(x)) before each product that `takes_narrow`; each value is rounded once."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def transform_module(self, module: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Rewrite `main`."""
        found = [call for call in products(module) if takes_narrow(call, self.machine)]
        return calls.rewrite_entry(_Speaker(module, dict.fromkeys(found, Narrow(BF16))), module)


@tvm.transform.module_pass(opt_level=0, name="QuantizeProducts")
class QuantizeProducts:
    """x → dequantize(quantize(x)) before each of the `inner_products`; `ranges` are in their order."""

    def __init__(self, machine: Machine, ranges: Sequence[Range]) -> None:
        self.machine = machine
        self.ranges = ranges

    def transform_module(self, module: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Rewrite `main`."""
        found = inner_products(module, self.machine)
        made = [Narrow(INT8, each.scale, each.zero) for each in self.ranges]
        return calls.rewrite_entry(_Speaker(module, dict(zip(found, made, strict=True))), module)


def products(module: tvm.IRModule) -> list[Any]:
    """The convolutions and matrix products with a constant operand, in the order of `main`."""
    values = [binding.value for block in module[calls.ENTRY].body.blocks for binding in block.bindings]
    return [
        value
        for value in values
        if calls.name_of(value) in (_CONV2D, _MATMUL) and calls.constant(value.args[1]) is not None
    ]


def inner_products(module: tvm.IRModule, machine: Machine) -> list[Any]:
    """What is done in bytes: not the first and the last product of the model.

    What enters is not averaged over anything yet, and nobody evens out what the last one loses
    (Krishnamoorthi 2018, "Quantizing deep convolutional networks for efficient inference").
    """
    return [call for call in products(module)[1:-1] if takes_narrow(call, machine)]


def takes_narrow(call: Any, machine: Machine) -> bool:
    """Whether `call` multiplies a computed float32 value by a constant, and a narrow kernel fits."""
    if not isinstance(call.args[0], relax.Var) or calls.dtype_of(call.args[0]) != "float32":
        return False
    weight, shape = calls.constant(call.args[1]), calls.shape_of(call.args[0])
    if weight is None or weight.dtype != np.float32 or shape is None or not weight.size:
        return False
    if calls.name_of(call) == _MATMUL:
        return weight.ndim == 2 and len(shape) >= 2 and min(weight.shape) >= NARROWEST
    fits = min(weight.shape[:2]) >= max(NARROWEST, machine.lanes)
    return weight.ndim == 4 and int(call.attrs.groups) == 1 and fits


@mutator
class _Speaker(PyExprMutator):  # type: ignore[misc]
    """Says of the operands of some calls what they become."""

    def __init__(self, module: tvm.IRModule, wanted: dict[Any, Narrow]) -> None:
        super().__init__(module)
        self.wanted = wanted
        self._said: dict[Any, Any] = {}

    def visit_call_(self, call: Any) -> Any:
        narrow = self.wanted.get(call)
        call = self.visit_expr_post_order(call)
        if narrow is None:
            return call
        data = call.args[0]
        if (data, narrow) not in self._said:
            self._said[data, narrow] = narrow_operand.say(self.builder_, data, narrow)
        return tvm.ir.Call(call.op, [self._said[data, narrow], *call.args[1:]], call.attrs)
