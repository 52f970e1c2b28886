"""Maxima and minima of floats that keep NaN and infinity, which LLVM's comparisons and TVM's starts lose."""

from __future__ import annotations

import math
from typing import Any

import tvm
import tvm_ffi
from tvm import tirx

from neo_magics.compiler.kernels.arithmetic import bind


def keep_nan(maximum: Any, *, named: bool = True) -> Any:
    """max or min of floats of which a NaN is a NaN. LLVM's comparison gives the second operand then.

    max(x, constant) becomes max(constant, x), which costs nothing; two unknown ones need a test of the first,
    which gets a name unless not `named`.
    """
    if not str(maximum.ty.dtype).startswith(("float", "bfloat")) or _is_constant(maximum.a):
        return maximum
    kind = type(maximum)
    if _is_constant(maximum.b):
        return kind(maximum.b, maximum.a)

    def kept(a: Any) -> Any:  # `a <= ∞` is one comparison; TVM's isnan costs ten times as much
        return tirx.Select(a <= tirx.const(math.inf, str(a.ty.dtype)), kind(a, maximum.b), a)

    plain = isinstance(maximum.a, tvm.ir.TensorLoad | tirx.Var) or not named
    narrow = str(maximum.ty.dtype) == "bfloat16"  # which TVM widens, but not where it has a name
    return kept(maximum.a) if plain or narrow else bind(maximum.a, kept)


def larger(a: Any, b: Any) -> Any:
    """The larger of two floats in one instruction; of a NaN and a number whichever comes second."""
    return tirx.Select(a > b, a, b)


def start_at_infinity(body: Any) -> Any:
    """Statements with running maxima from -∞ and minima from ∞ on. TVM: from the largest finite numbers."""
    ends: dict[Any, float] = {}

    def note(store: Any) -> None:
        found = store.value
        if isinstance(found, tirx.Max | tirx.Min) and _reads(found, store.buffer):
            ends[store.buffer] = -math.inf if isinstance(found, tirx.Max) else math.inf

    def restart(store: Any) -> Any:
        end = ends.get(store.buffer)
        if end is None or not _is_extreme(store.value, end):
            return store
        return tirx.BufferStore(store.buffer, tirx.const(end, str(store.value.ty.dtype)), store.indices)

    tvm_ffi.structural_walk(body, (tirx.BufferStore, note), order="post")
    return tvm_ffi.structural_map(body, [(tirx.BufferStore, restart)]) if ends else body


def _reads(extreme: Any, buffer: Any) -> bool:
    parts = (extreme.a, extreme.b)
    return any(isinstance(part, tvm.ir.TensorLoad) and part.source.same_as(buffer) for part in parts)


def _is_extreme(value: Any, end: float) -> bool:
    """Whether `value` is the finite number of its dtype that is next to `end`."""
    if not _is_constant(value):
        return False
    dtype = str(value.ty.dtype)
    return bool(value.value == (tirx.min_value(dtype) if end < 0 else tirx.max_value(dtype)).value)


def _is_constant(value: Any) -> bool:
    return isinstance(value, tirx.FloatImm)
