"""How many float operations and bytes a kernel takes, counted on its plain loops before it is scheduled."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import tvm
import tvm_ffi
from tvm import tirx
from tvm.ir.instrument import pass_instrument

from neo_magics.artifact.kernels import Count
from neo_magics.compiler.kernels.dots import DOT

NOT_ARITHMETIC = {"if_then_else", "reinterpret", "likely"}
ARITHMETIC = (tirx.Add, tirx.Sub, tirx.Mul, tirx.Div, tirx.Max, tirx.Min)
Term = tuple[int, tuple[str, ...]]


@dataclass(frozen=True)
class Cost:
    """What one call takes, and the shapes of its tensors."""

    flops: Count
    bytes_read: Count
    bytes_written: Count
    arguments: tuple[tuple[int | str, ...], ...]


def cost(func: tirx.PrimFunc) -> Cost:
    """Each arithmetic operation and function call on floats counts as one; integers (indices) do not.

    A tensor's bytes count once: all of it, or the elements that the loops touch where they are fewer (a
    gather reads a few rows of its table). What stays inside of the kernel counts as no bytes. Kernels that
    are written as loops name no regions: their tensors count whole, their operations not at all.
    """
    buffers = [param for param in func.params if hasattr(param, "shape") and hasattr(param.ty, "shape")]
    touched: dict[Any, list[Term]] = {buffer: [] for buffer in buffers}
    written: set[Any] = set()
    flops: list[Term] = []
    for realize, iterations in _blocks(func.body, (1, ())):
        block = realize.block
        flops.append((_operations(block) * iterations[0], iterations[1]))
        for region in block.reads:
            if region.source in touched and region.source not in written:
                touched[region.source].append(iterations)
        for region in block.writes:
            if region.source in touched:
                touched[region.source].append(iterations)
                written.add(region.source)
    if not any(touched.values()):
        return _whole_tensors(func, buffers)
    read = [_bytes(b, touched[b]) for b in buffers if b not in written and touched[b]]
    made = [_bytes(b, touched[b]) for b in buffers if b in written]
    return Cost(_sum(flops), _sum(read), _sum(made), tuple(_shape(buffer) for buffer in buffers))


def _whole_tensors(func: tirx.PrimFunc, buffers: list[Any]) -> Cost:
    stores: list[Any] = []
    tvm_ffi.structural_walk(func.body, ((tirx.BufferStore,), stores.append))
    written = {store.buffer for store in stores}
    read, made = ([_size(b) for b in buffers if (b in written) is side] for side in (False, True))
    return Cost(_sum([]), _sum(read), _sum(made), tuple(_shape(buffer) for buffer in buffers))


def _blocks(statement: Any, iterations: Term) -> Iterator[tuple[Any, Term]]:
    """The innermost blocks below `statement`, each with how often it runs."""
    if isinstance(statement, tirx.For):
        yield from _blocks(statement.body, _times(iterations, statement.extent))
    elif isinstance(statement, tirx.SeqStmt):
        for part in statement.seq:
            yield from _blocks(part, iterations)
    elif isinstance(statement, tvm.s_tir.SBlockRealize):
        inner = list(_blocks(statement.block.body, iterations))
        yield from inner or [(statement, iterations)]
    elif hasattr(statement, "then_case"):
        yield from _blocks(statement.then_case, iterations)
        yield from _blocks(statement.else_case, iterations)
    elif hasattr(statement, "body"):
        yield from _blocks(statement.body, iterations)


def _operations(block: Any) -> int:
    """Float operations of one run of a block's body; a product of narrow numbers and its sum are two."""
    if DOT in block.annotations:
        return 2
    found: list[Any] = []
    tvm_ffi.structural_walk(block.body, ((*ARITHMETIC, tvm.ir.Call), found.append))
    return sum(1 for node in found if str(node.ty).startswith(("float", "bfloat")) and _computes(node))


def _computes(node: Any) -> bool:
    """Arithmetic, or a call of a function; a choice between values and a cast of bits are neither."""
    if not isinstance(node, tvm.ir.Call):
        return True
    return str(getattr(node.op, "name", "")).rpartition(".")[2] not in NOT_ARITHMETIC


def _bytes(buffer: Any, touched: list[Term]) -> Term:
    """The bytes of `buffer`, or of the elements that were touched where that is less."""
    whole, names = _size(buffer)
    if names or any(names for _number, names in touched):
        return whole, names
    elements = sum(number for number, _names in touched)
    return min(whole, -(-elements * int(buffer.dtype.bits) // 8)), ()


def _size(buffer: Any) -> Term:
    """The bytes of all of `buffer`."""
    elements: Term = (1, ())
    for size in buffer.shape:
        elements = _times(elements, size)
    return -(-elements[0] * int(buffer.dtype.bits) // 8), elements[1]


def _times(term: Term, size: Any) -> Term:
    number, names = term
    if isinstance(size, tirx.IntImm):
        return number * int(size), names
    return number, tuple(sorted((*names, _text(size))))


def _shape(buffer: Any) -> tuple[int | str, ...]:
    return tuple(int(size) if isinstance(size, tirx.IntImm) else _text(size) for size in buffer.shape)


def _text(size: Any) -> str:
    """A free dimension's name, or an expression of them without TVM's types."""
    return str(size.name) if isinstance(size, tirx.Var) else re.sub(r"T\.\w+\((-?\d+)\)", r"\1", str(size))


def _sum(terms: Iterable[Term]) -> Count:
    """Equal products of free dimensions come together."""
    total: dict[tuple[str, ...], int] = {}
    for number, names in terms:
        total[names] = total.get(names, 0) + number
    return Count(tuple((number, names) for names, number in sorted(total.items()) if number))


@pass_instrument
class Costs:
    """Counts every kernel when it is about to be scheduled, while its loops are still plain."""

    def __init__(self) -> None:
        self.costs: dict[str, Cost] = {}

    def run_before_pass(self, module: Any, info: Any) -> None:
        """ScheduleKernels is the pass that is waited for."""
        if info.name != "ScheduleKernels":
            return
        for var, func in module.functions_items():
            if isinstance(func, tirx.PrimFunc):
                self.costs[str(var.name_hint)] = cost(func)
