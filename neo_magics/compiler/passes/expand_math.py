"""Transcendental functions become arithmetic that vectors can do; maxima and minima keep NaN and infinity."""

from __future__ import annotations

from typing import Any

import tvm
import tvm_ffi
from tvm import tirx

from neo_magics.compiler.kernels.expansions import expand
from neo_magics.compiler.kernels.extremes import keep_nan, start_at_infinity


@tvm.transform.module_pass(opt_level=0, name="ExpandMath")
class ExpandMath:
    """Replace exp, log, erf, tanh, sigmoid, sin, cos, known powers and the like in every kernel.

    It comes after scheduling, which takes a call as a sign that a block is costly to repeat.
    """

    def transform_module(self, module: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """The same kernels without calls of the C library."""
        updated = tvm.IRModule(dict(module.functions_items()), attrs=module.attrs)
        for var, func in module.functions_items():
            if isinstance(func, tirx.PrimFunc):
                rules = [(tvm.ir.Call, expand), (tirx.Max, keep_nan), (tirx.Min, keep_nan)]
                body = start_at_infinity(func.body)
                updated[var] = func.with_body(tvm_ffi.structural_map(body, rules))
        return updated
