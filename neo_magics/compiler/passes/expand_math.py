"""Transcendental functions become arithmetic that vectors can do; maxima and minima keep NaN and infinity."""

from __future__ import annotations

from functools import partial
from typing import Any

import tvm
import tvm_ffi
from tvm import tirx

from neo_magics.compiler.kernels.expansions import expand
from neo_magics.compiler.kernels.extremes import keep_nan, start_at_infinity
from neo_magics.compiler.passes import calls


@tvm.transform.module_pass(opt_level=0, name="ExpandMath")
class ExpandMath:
    """Replace exp, log, erf, tanh, sigmoid, sin, cos, known powers and the like in every kernel.

    It comes after scheduling, which takes a call as a sign that a block is costly to repeat.
    """

    def transform_module(self, module: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """The same kernels without calls of the C library."""
        return calls.rewrite_kernels(_expanded, module)


def _expanded(func: tirx.PrimFunc) -> tirx.PrimFunc:
    named = not _rounds_to_bfloat16(func.body) and not _decides_by_decisions(func.body)
    extremes = partial(keep_nan, named=named)
    rules = [(tirx.Max, extremes), (tirx.Min, extremes), *([(tvm.ir.Call, expand)] if named else [])]
    return func.with_body(tvm_ffi.structural_map(start_at_infinity(func.body), rules))


def _decides_by_decisions(body: Any) -> bool:
    """Whether a condition holds a function that chooses by a name, as a logarithm does.

    TVM's analyzer reads a condition again for what is chosen by it; then the name has another value for it,
    and it fails.
    """
    found: list[Any] = []

    def look(select: Any) -> None:
        if not found:
            condition = tvm_ffi.structural_map(select.condition, [(tvm.ir.Call, expand)])
            if not condition.same_as(select.condition):
                tvm_ffi.structural_walk(condition, (tirx.Select, found.append))

    tvm_ffi.structural_walk(body, (tirx.Select, look))
    return bool(found)


def _rounds_to_bfloat16(body: Any) -> bool:
    """Whether something computed in float32 is stored as bfloat16.

    TVM rounds by writing the operand several times, and fails on a name that is given in each of them: there
    calls stay those of the C library, and operands are written again in place of names.
    """
    found: list[Any] = []

    def look(cast: Any) -> None:
        computed = not isinstance(cast.value, tirx.Var | tvm.ir.TensorLoad)
        if computed and str(cast.ty.dtype) == "bfloat16" and str(cast.value.ty.dtype) == "float32":
            found.append(cast)

    tvm_ffi.structural_walk(body, (tirx.Cast, look), order="post")
    return bool(found)
