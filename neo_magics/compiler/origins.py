"""Which layers of the source each value of the graph came from, carried through every pass.

Passes know nothing of it. TVM drops spans when it fuses, and a rewrite has many authors, so the graphs before
and after each pass are compared instead. A variable that a pass keeps has the same identity on both sides.
What it was computed from before, up to the variables that its new computation starts from, is what the new
computation stands for: conv → batch norm → ReLU that became one kernel has the layers of all three.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import tvm
from tvm import relax
from tvm.ir.instrument import pass_instrument

from neo_magics.artifact.kernels import Call, Source
from neo_magics.compiler.passes.calls import ENTRY

Sources = tuple[Source, ...]
LAST_GRAPH = "CallTIRRewrite"  # before it each kernel call is one binding, in the order of execution


@dataclass(frozen=True)
class Node:
    """One binding: its variable's identity and name, what it computes ("conv2d1", "relax.add"), on what.

    `label` is "" where nothing is computed: a tuple, a part of one, another name. `inner` are the kernels
    that a fused function calls, one after the other; else empty.
    """

    key: int
    name: str
    label: str
    operands: tuple[int, ...]
    inner: tuple[str, ...] = ()
    is_kernel: bool = False


class Graph:
    """The bindings of `main` in order. The function is kept, so that no identity is used again."""

    def __init__(self, module: tvm.IRModule, before: Graph | None = None) -> None:
        self.function = module[ENTRY]
        tuples: dict[int, list[Any]] = {}
        self.nodes: list[Node] = []
        self.known: dict[Any, Node] = {}  # operators by their bindings, which passes keep where they can
        known = before.known if before else {}
        for binding in _bindings(self.function):
            node = known.get(binding) or _node(binding, module, tuples)
            if node.label.startswith("relax."):
                self.known[binding] = node
            self.nodes.append(node)
        self.by_key = {node.key: node for node in self.nodes}
        self.place = {node.key: place for place, node in enumerate(self.nodes)}
        self.parameters = [param.id_ for param in self.function.params]

    def between(self, sinks: list[int], stops: Container[int], limit: int = 0) -> list[Node]:
        """`sinks` and what they are computed from, without `stops` and what is behind them; in order.

        With a `limit`, the search ends soon after so many are found.
        """
        found: set[int] = set()
        waiting = list(sinks)
        while waiting and (not limit or len(found) <= limit):
            key = waiting.pop()
            if key in found or key not in self.by_key:
                continue
            found.add(key)
            waiting += [operand for operand in self.by_key[key].operands if operand not in stops]
        return [self.nodes[place] for place in sorted(self.place[key] for key in found)]

    def alive(self) -> set[int]:
        """The variables that the result needs."""
        body = self.function.body.body
        ends = [var.id_ for var in relax.analysis.free_vars(body)]
        return {node.key for node in self.between(ends, set())}


def _bindings(function: Any) -> Iterator[Any]:
    for block in function.body.blocks:
        yield from block.bindings


def _node(binding: Any, module: tvm.IRModule, tuples: dict[int, list[Any]]) -> Node:
    """`tuples`: the fields of each tuple so far; taking one out needs none of the others."""
    var = binding.var
    value = getattr(binding, "value", None)
    if value is None:  # a match cast
        return Node(var.id_, var.name, "match_cast", ())
    if isinstance(value, relax.Tuple):
        tuples[var.id_] = list(value.fields)
    if isinstance(value, relax.TupleGetItem) and getattr(value.tuple_value, "id_", 0) in tuples:
        value = tuples[value.tuple_value.id_][value.index]
    operands = tuple(operand.id_ for operand in relax.analysis.free_vars(value))
    callee = _callee(value)
    if callee is None:
        operator = value.op.name if isinstance(value, tvm.ir.Call) and hasattr(value.op, "name") else ""
        return Node(var.id_, var.name, str(operator), operands)
    function = module[callee]
    name = str(callee.name_hint)
    if not isinstance(function, relax.Function):
        return Node(var.id_, var.name, name, operands, is_kernel=True)
    called = [_callee(inner.value) for inner in _bindings(function)]
    inner = tuple("" if kernel is None else str(kernel.name_hint) for kernel in called)
    return Node(var.id_, var.name, name, operands, inner)


def _callee(value: Any) -> Any | None:
    """The function of the module that `value` calls: a kernel, or a group that was fused."""
    if not isinstance(value, tvm.ir.Call):
        return None
    if isinstance(value.op, tvm.ir.GlobalVar):
        return value.op
    first = value.args[0] if len(value.args) else None
    return first if isinstance(first, tvm.ir.GlobalVar) else None


@pass_instrument
class Origins:
    """Watches the passes of one pipeline. `calls` are the kernel calls of the result, `operators` what
    was fused into each kernel."""

    def __init__(self, named: Mapping[str, Source]) -> None:
        """`named`: the source of each variable of the imported `main`, by the variable's name."""
        self.named = named
        self.calls: list[Call] = []
        self.operators: dict[str, tuple[str, ...]] = {}
        self._graph: Graph | None = None
        self._sources: dict[int, Sources] = {}
        self._depth = 0

    def run_before_pass(self, module: Any, info: Any) -> None:
        """The first pass shows the imported graph; the one that ends the graph, all kernel calls."""
        self._depth += 1
        if ENTRY not in _names(module):
            return
        graph = self._graph or self._begin(Graph(module))
        if info.name == LAST_GRAPH:
            self.calls = [
                Call(node.label, self._sources.get(node.key, ())) for node in graph.nodes if node.is_kernel
            ]

    def run_after_pass(self, module: Any, _info: Any) -> None:
        """Carry the sources over; passes inside of passes are left to the outer one."""
        self._depth -= 1
        if self._depth != 1 or self._graph is None or ENTRY not in _names(module):
            return
        if module[ENTRY].same_as(self._graph.function) or self.calls:
            return
        new = Graph(module, self._graph)
        for node in new.nodes:
            if node.inner:
                self.operators[node.label] = tuple(map(plain, node.inner))
        self._sources = carry(self._graph, self._sources, new)
        self._graph = new

    def _begin(self, graph: Graph) -> Graph:
        """A converter may emit several bindings; the last one has the name, and stands for them all."""
        self._graph = graph
        source: Sources = ()
        for node in reversed(graph.nodes):
            own = self.named.get(node.name)
            source = (own,) if own else source
            if node.name != "outputs" and node.operands:
                self._sources[node.key] = source
        return graph


def carry(old: Graph, sources: Mapping[int, Sources], new: Graph) -> dict[int, Sources]:
    """The sources of each binding of `new`, given those of `old`."""
    if [node.label for node in new.nodes] == [node.label for node in old.nodes]:  # variables were copied
        pairs = zip(old.nodes, new.nodes, strict=True)
        return {fresh.key: sources.get(node.key, ()) for node, fresh in pairs}
    if any(node.inner and node.key not in old.by_key for node in new.nodes):
        return _grouped(old, sources, new)
    return _rewritten(old, sources, new)


def _rewritten(old: Graph, sources: Mapping[int, Sources], new: Graph) -> dict[int, Sources]:
    """New bindings come right before the kept one that they serve, its owner."""
    owner: dict[int, int] = {}
    last: int | None = None
    for node in reversed(new.nodes):
        last = node.key if node.key in old.by_key else last
        if last is not None:
            owner[node.key] = last
    segments: dict[int, list[Node]] = {}
    for node in new.nodes:
        if node.key in owner:
            segments.setdefault(owner[node.key], []).append(node)
    alive = new.alive()
    found: dict[int, Sources] = {}
    for key, segment in segments.items():
        own = {node.key for node in segment}
        starts = {owner.get(operand, operand) for node in segment for operand in node.operands} - own
        if len(segment) == 1 and starts == set(old.by_key[key].operands):
            union = sources.get(key, ())
        else:
            union = _union(old.between([key], _Either(starts, alive)), sources)
        found |= dict.fromkeys(own, union)
    return found


@dataclass(frozen=True)
class _Either:
    """The union of two sets, without making it."""

    one: set[int]
    other: set[int]

    def __contains__(self, key: object) -> bool:
        return key in self.one or key in self.other


def _grouped(old: Graph, sources: Mapping[int, Sources], new: Graph) -> dict[int, Sources]:
    """FuseOps: each call stands for a group of old bindings, which its operands and kernels tell."""
    same = {key: key for key in (*old.by_key, *old.parameters)}
    same |= dict(zip(new.parameters, old.parameters, strict=False))
    consumers: dict[int, list[Node]] = {}
    for node in old.nodes:
        for operand in node.operands:
            consumers.setdefault(operand, []).append(node)
    found: dict[int, Sources] = {}
    for node in new.nodes:
        found[node.key] = sources.get(node.key, ())
        starts = {same[operand] for operand in node.operands if operand in same}
        for last in _ends(node, starts, consumers) if node.inner else ():
            group = old.between([last.key], starts, len(node.inner))
            if sorted(each.label for each in group) == sorted(_labels(node, group)):
                same[node.key] = last.key
                found[node.key] = _union(group, sources)
                break
    return found


def _ends(node: Node, starts: set[int], consumers: Mapping[int, list[Node]]) -> list[Node]:
    """Where the group may end: what its kernels make of the operand that has the fewest users."""
    if not starts:
        return []
    kernels = set(node.inner)
    reached: dict[int, Node] = {}
    waiting = [min(starts, key=lambda key: len(consumers.get(key, ())))]
    for _step in node.inner:
        following = [each for key in waiting for each in consumers.get(key, ())]
        fresh = [
            each
            for each in following
            if each.key not in reached and (each.label in kernels or not each.is_kernel)
        ]
        reached |= {each.key: each for each in fresh}
        waiting = [each.key for each in fresh]
    return [each for each in reached.values() if each.label == node.inner[-1]]


def _labels(node: Node, group: list[Node]) -> list[str]:
    """The kernels inside `node`; what is no kernel there (a tuple) is taken as it is in the group."""
    others = [each.label for each in group if not each.is_kernel]
    return [name for name in node.inner if name] + others


def _union(nodes: list[Node], sources: Mapping[int, Sources]) -> Sources:
    working = [node for node in nodes if node.label] or nodes
    return tuple(dict.fromkeys(source for node in working for source in sources.get(node.key, ())))


def plain(kernel: str) -> str:
    """A kernel's operator: "conv2d" for "conv2d1", "exp" for "tir_exp"."""
    return re.sub(r"^tir_|\d+$", "", kernel)


def _names(module: tvm.IRModule) -> set[str]:
    return {str(var.name_hint) for var in module.get_global_vars()}
