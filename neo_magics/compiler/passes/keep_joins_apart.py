"""Parts of a vector that are computed differently are computed before they are joined.

Fused into the join, each lane would choose between the parts, and vectors of such lanes become scalars: the
boxes of a detector, whose places, sizes and scores lie side by side.
"""

from __future__ import annotations

from typing import Any

import tvm
import tvm_ffi
from tvm import relax

from neo_magics.compiler.kernels import INJECTIVE, OPAQUE
from neo_magics.compiler.machine import Machine
from neo_magics.compiler.passes import calls
from neo_magics.compiler.passes.bindings import Bindings

_MOST_PARTS = 4  # of more the kernels' calls would cost what vectors save
_COSTLY = frozenset(f"tirx.{name}" for name in ("exp", "log", "pow", "sigmoid", "tanh", "erf", "sin", "cos"))


@tvm.transform.module_pass(opt_level=0, name="KeepJoinsApart")
class KeepJoinsApart:
    """Marks a concatenation of the last dimension opaque where a part of no whole vectors is costly.

    FuseOps reads the mark; AnnotateTIROpPattern comes before.
    """

    def __init__(self, machine: Machine) -> None:
        self.lanes = machine.lanes

    def transform_module(self, module: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Set the patterns."""
        kept, bindings = module.clone(), Bindings(module[calls.ENTRY])
        for _var, call in bindings.calls("relax.call_tir"):
            if self._wastes_lanes(call) and any(_is_costly(module, bindings, part) for part in _parts(call)):
                kept.update_func(call.args[0], kept[call.args[0]].with_attr("op_pattern", OPAQUE))
        return kept

    def _wastes_lanes(self, call: Any) -> bool:
        """Whether it joins few parts along the last dimension, some of them no whole vectors."""
        if not str(call.args[0].name_hint).startswith("concatenate"):
            return False
        lasts = [(calls.shape_of(part) or (None,))[-1] for part in _parts(call)]
        widths = [width for width in lasts if isinstance(width, int)]
        if len(widths) != len(lasts) or not 1 < len(widths) <= _MOST_PARTS:
            return False
        along = sum(widths) == (calls.shape_of(call) or (None,))[-1]
        return along and any(width % self.lanes for width in widths)


def _parts(call: Any) -> list[Any]:
    return list(call.args[1].fields) if isinstance(call.args[1], relax.Tuple) else []


def _is_costly(module: tvm.IRModule, bindings: Bindings, part: Any) -> bool:
    """Whether what FuseOps would take along with `part` has more than sums and products."""
    made = bindings.value(part)
    if calls.name_of(made) != "relax.call_tir":
        return False
    func = module[made.args[0]]
    if int((func.attrs or {}).get("op_pattern", OPAQUE)) > INJECTIVE:
        return False
    found: list[str] = []
    tvm_ffi.structural_walk(func.body, ((tvm.ir.Call,), lambda each: found.append(calls.name_of(each))))
    return not _COSTLY.isdisjoint(found) or any(_is_costly(module, bindings, each) for each in _parts(made))
