"""Kernels that take a size as a number stay kernels of their own.

TVM's FuseTIR fails where such a number is also a free dimension of what it would be fused with, or is given
to two kernels of the same group: it defines the number twice.
"""

from __future__ import annotations

from typing import Any

import tvm
from tvm import relax

from neo_magics.compiler.kernels import OPAQUE
from neo_magics.compiler.passes import calls
from neo_magics.compiler.passes.bindings import Bindings


@tvm.transform.module_pass(opt_level=0, name="KeepSizesApart")
class KeepSizesApart:
    """Marks each function that `main` calls with a number that is only known at run time as opaque."""

    def transform_module(self, module: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Set the pattern that FuseOps reads; AnnotateTIROpPattern comes before."""
        kept = module.clone()
        for _var, call in Bindings(module[calls.ENTRY]).calls("relax.call_tir"):
            fields = call.args[1].fields if isinstance(call.args[1], relax.Tuple) else ()
            if not all(isinstance(field.ty, relax.TensorType) for field in fields):
                kept.update_func(call.args[0], kept[call.args[0]].with_attr("op_pattern", OPAQUE))
        return kept
