"""Quotients and remainders of shifted places are kept from a simplifier that takes them for others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tvm
import tvm_ffi
from tvm import s_tir, tirx
from tvm.sym import Analyzer

from neo_magics.compiler.passes import calls

_QUOTIENTS = (tirx.FloorDiv, tirx.FloorMod)
_SUMS = (tirx.Add, tirx.Sub)
_FAR = 1 << 40  # a bound beyond is none


@tvm.transform.module_pass(opt_level=0, name="KeepQuotients")
class KeepQuotients:
    """x[(i % 12 - 1) // 2] → x[truncdiv(i % 12 + 1, 2) - 1].

    FlattenBuffer and CompactBufferAllocation simplify indices by TVM's iterator maps. Where an index has more
    than one quotient or remainder, and an offset in one of them, those pad the iterator wrongly: they give
    (i + 1) % 12 // 2 - 1 here, and lose one of i // 2 + (i + 1) // 2 for each odd i; (11 - i) // 2 becomes
    i // -2 + 5. Chains of cuts, joins, repeats, padding, flips and rolls make such indices. Truncating
    quotients they leave alone.

    It comes when blocks are opaque: indices are written in terms of loops then.
    """

    def transform_module(self, module: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Rewrite the indices of the kernels that have such, after all that is simplified safely."""
        return calls.rewrite_kernels(_rewritten, module)


def _rewritten(func: tirx.PrimFunc) -> tirx.PrimFunc:
    if _kept(func).same_as(func):
        return func
    return _kept(s_tir.transform.StmtSimplify()(tvm.IRModule({"main": func}))["main"])


def _kept(func: tirx.PrimFunc) -> tirx.PrimFunc:
    """`func` itself where nothing is to do."""
    analyzer = Analyzer()
    loops = _found(func.body, (tirx.For,))
    for loop in loops:
        analyzer.bind(loop.loop_var, tvm.ir.Range.from_min_extent(loop.min, loop.extent), allow_override=True)
    counters = [loop.loop_var for loop in loops]

    def load(access: Any) -> Any:
        indices = _indices(access.indices, counters, analyzer)
        return access if indices is None else tirx.BufferLoad(access.source, indices)

    def store(access: Any) -> Any:
        indices = _indices(access.indices, counters, analyzer)
        return access if indices is None else tirx.BufferStore(access.buffer, access.value, indices)

    falling = [each for each in _found(func.body, _QUOTIENTS) if _is_reversed(each, counters)]

    def serial(loop: Any) -> Any:
        """TVM: takes the remainders of a vector that falls for a vector that falls, below zero."""
        lanes = loop.kind == tirx.ForKind.VECTORIZED
        if not (lanes and any(_is_counted(each, [loop.loop_var]) for each in falling)):
            return loop
        return tirx.For(loop.loop_var, loop.min, loop.extent, tirx.ForKind.SERIAL, loop.body)

    rules = [(tvm.ir.TensorLoad, load), (tirx.BufferStore, store), (tirx.For, serial)]
    body = tvm_ffi.structural_map(func.body, rules)
    return func if body.same_as(func.body) else func.with_body(body)


def _indices(indices: Sequence[Any], counters: Sequence[Any], analyzer: Analyzer) -> list[Any] | None:
    """`indices` with truncating quotients in place of shifted ones; None where nothing is to do."""
    quotients = [each for index in indices for each in _found(index, _QUOTIENTS)]
    shifted = len(quotients) > 1 and any(_is_shifted(each, counters) for each in quotients)
    if not shifted and not any(_is_reversed(each, counters) for each in quotients):
        return None

    def truncated(quotient: Any) -> Any:
        odd = _is_shifted(quotient, counters) or _is_reversed(quotient, counters)
        return _truncated(quotient, analyzer) if odd else quotient

    return [tvm_ffi.structural_map(index, [(_QUOTIENTS, truncated)]) for index in indices]


def _is_shifted(quotient: Any, counters: Sequence[Any]) -> bool:
    """Whether something that no loop counts is added within the dividend to what one counts.

    Sums of free sizes, as a stride's (n - 5) // 8 + 1, are none, and cost minutes where they are spread.
    """
    sums = [(each.a, each.b) for each in _found(quotient.a, _SUMS)]
    return any(_is_counted(a, counters) != _is_counted(b, counters) for a, b in sums)


def _is_reversed(quotient: Any, counters: Sequence[Any]) -> bool:
    """Whether the dividend falls while a loop counts."""
    falling = any(_is_counted(each.b, counters) for each in _found(quotient.a, (tirx.Sub,)))
    factors = [factor for each in _found(quotient.a, (tirx.Mul,)) for factor in (each.a, each.b)]
    return falling or any(isinstance(factor, tirx.IntImm) and int(factor) < 0 for factor in factors)


def _is_counted(term: Any, counters: Sequence[Any]) -> bool:
    return any(used.same_as(var) for used in tirx.analysis.undefined_vars(term) for var in counters)


def _truncated(quotient: Any, analyzer: Analyzer) -> Any:
    """The same number by a division that rounds to zero, of a dividend that is not negative."""
    dividend, divisor = quotient.a, quotient.b
    low = int(analyzer.const_int_bound(dividend).min_value)
    whole = 0
    if low < 0:
        if low < -_FAR or not isinstance(divisor, tirx.IntImm):
            return _of_any_sign(quotient)
        whole = -(low // int(divisor))
        dividend = dividend + tirx.IntImm(str(divisor.ty.dtype), whole * int(divisor))
    if isinstance(quotient, tirx.FloorMod):
        return tirx.truncmod(dividend, divisor)
    return tirx.truncdiv(dividend, divisor) - whole


def _of_any_sign(quotient: Any) -> Any:
    """floor(a / b) is the truncated quotient of a, or of a - b + 1 below zero; b is positive in an index."""
    dividend, divisor = quotient.a, quotient.b
    nearest = tirx.Select(dividend < 0, dividend - divisor + 1, dividend)
    whole = tirx.truncdiv(nearest, divisor)
    return dividend - whole * divisor if isinstance(quotient, tirx.FloorMod) else whole


def _found(root: Any, kinds: tuple[type, ...]) -> list[Any]:
    """The nodes of these kinds below `root`."""
    nodes: list[Any] = []
    tvm_ffi.structural_walk(root, (kinds, nodes.append), order="post")
    return nodes
