"""Queries, keys and values of one input: three matrix products become one, three times as wide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from neo_magics.compiler.machine import Machine
from neo_magics.compiler.passes import calls
from neo_magics.compiler.passes.bindings import Bindings
from neo_magics.compiler.passes.calls import Array
from neo_magics.compiler.passes.fuse_attention import attentions


@tvm.transform.module_pass(opt_level=0, name="MergeProjections")
class MergeProjections:
    """x W₁ + b₁, x W₂ + b₂, … of one attention as parts of x [W₁ W₂ …] + [b₁ b₂ …], weights constant.

    A third of the kernel calls, and more tiles to share between threads. Only what FuseAttention reads where
    it lies is merged, so that nothing is copied to take the parts apart.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def transform_module(self, module: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Rewrite `main`; the single products are left for DeadCodeElimination."""
        bindings = Bindings(module["main"])
        merged = [
            group
            for match in attentions(bindings, self.machine)
            for group in _groups(bindings, match.projected)
        ]
        return calls.rewrite_entry(_Merger(module, merged), module) if merged else module


@dataclass(frozen=True)
class _Projection:
    """`call` computes x · weight + bias; `root` is x without its reshapes."""

    call: Any
    x: Any
    root: Any
    weight: Array
    bias: Array


@dataclass
class _Group:
    """Projections of the same input, and their results' places in the merged one, once it is there."""

    members: list[_Projection]
    parts: Any = field(default=None)

    @property
    def edges(self) -> list[int]:
        """Where each part but the first begins."""
        return [int(edge) for edge in np.cumsum([each.weight.shape[1] for each in self.members])[:-1]]


@mutator
class _Merger(PyExprMutator):  # type: ignore[misc]
    def __init__(self, module: tvm.IRModule, groups: Sequence[_Group]) -> None:
        super().__init__(module)
        self.places = {
            each.call: (group, place) for group in groups for place, each in enumerate(group.members)
        }

    def visit_call_(self, call: Any) -> Any:
        found = self.places.get(call)
        if found is None:
            return self.visit_expr_post_order(call)
        group, place = found
        if group.parts is None:
            group.parts = self._merged(group, group.members[place].x)
        return relax.TupleGetItem(group.parts, place)

    def _merged(self, group: _Group, x: Any) -> Any:
        """The parts; `x` is the operand of the member that comes first, so that it is there already."""
        emit = self.builder_.emit
        weight = calls.make_constant(np.concatenate([each.weight for each in group.members], axis=1))
        bias = calls.make_constant(np.concatenate([each.bias for each in group.members]))
        product = emit(relax.op.matmul(self.visit_expr(x), weight))
        return emit(relax.op.split(emit(relax.op.add(product, bias)), group.edges, axis=-1))


def _groups(bindings: Bindings, sources: Sequence[Any]) -> list[_Group]:
    """The projections among `sources` by their input, where there are several of one."""
    groups: list[_Group] = []
    for source in sources:
        found = _projection(bindings, source)
        if found is None or any(found.call.same_as(each.call) for g in groups for each in g.members):
            continue
        same = next((group for group in groups if _same_input(group.members[0], found)), None)
        if same is None:
            groups.append(_Group([found]))
        else:
            same.members.append(found)
    return [group for group in groups if len(group.members) > 1]


def _same_input(one: _Projection, other: _Projection) -> bool:
    shape, wanted = calls.shape_of(one.x), calls.shape_of(other.x)
    if shape is None or wanted is None or len(shape) != len(wanted):
        return False
    return bool(one.root.same_as(other.root)) and all(map(calls.same_size, shape, wanted))


def _projection(bindings: Bindings, source: Any) -> _Projection | None:
    """x · constant, with a constant bias or without, read by one binding."""
    if not isinstance(source, relax.Var) or bindings.sole_user(source) is None:
        return None
    call = bindings.value(source)
    product, bias = call, None
    if calls.name_of(call) == "relax.add":
        operands = list(call.args)
        bias = next((found for found in map(calls.constant, operands) if found is not None), None)
        product = next((bindings.value(v) for v in operands if calls.constant(v) is None), None)
        if bias is None or product is None:
            return None
    if calls.name_of(product) != "relax.matmul" or calls.dtype_of(product) != "float32":
        return None
    x, weight = product.args[0], calls.constant(product.args[1])
    if weight is None or weight.ndim != 2 or (bias is not None and bias.size != weight.shape[1]):
        return None
    flat = np.zeros(weight.shape[1], weight.dtype) if bias is None else bias.reshape(-1)
    return _Projection(call, x, _root(bindings, x), weight, flat)


def _root(bindings: Bindings, value: Any) -> Any:
    """`value` through reshapes, each of which a front end writes anew."""
    while isinstance(value, relax.Var):
        bound = bindings.value(value)
        if calls.name_of(bound) != "relax.reshape":
            break
        value = bound.args[0]
    return value
