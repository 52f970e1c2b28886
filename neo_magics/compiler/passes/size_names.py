"""Names for free sizes, so that a kernel reads each off the shape of what it is given.

A kernel whose data is [n, c, (h + 1) // 2, w] would have to be told h as a number, and FuseTIR does not fuse
such kernels. Where (h + 1) // 2 has a name of its own, the shapes alone say everything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tvm
from tvm import relax, tirx
from tvm.sym import Analyzer

from neo_magics.compiler.passes import calls
from neo_magics.compiler.schedules.loops import substituted, variables

TYPICAL = 224  # rows, columns or steps that a free size of an input is taken for where tiles are chosen


NAMED = "neo_named_sizes"  # the attribute of a module whose sizes have names


@tvm.transform.module_pass(opt_level=0, name="TidyBindings")
class TidyBindings:
    """CanonicalizeBindings, but where it would put expressions in place of the names that sizes have got."""

    def transform_module(self, module: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """As it is, or with `main` tidied up."""
        named = module.attrs and NAMED in module.attrs
        return module if named else relax.transform.CanonicalizeBindings()(module)


class SizeNames:
    """The names that the sizes of one function get, whose parameters' shapes say what is free."""

    def __init__(self, function: relax.Function) -> None:
        shapes = [calls.shape_of(parameter) or () for parameter in function.params]
        self._free = [size for shape in shapes for size in shape if isinstance(size, tirx.Var)]
        self._meanings: list[tuple[tirx.Var, Any]] = []

    def name(self, size: Any) -> Any:
        """A number or a variable: `size` itself where it is one, else the name of the expression."""
        if isinstance(size, int | tirx.IntImm):
            return int(size)
        size = Analyzer().simplify(self.meaning(size))
        if isinstance(size, tirx.Var):
            return size
        known = next((var for var, other in self._meanings if calls.same_size(size, other)), None)
        return self._bound(size) if known is None else known

    def can_name(self, sizes: Sequence[Any]) -> bool:
        """Whether they follow from what the function is given: not from what it finds in the data."""
        found = [var for size in sizes if not isinstance(size, int) for var in variables(self.meaning(size))]
        return all(any(var.same_as(free) for free in self._free) for var in found)

    def bind(self, module: tvm.IRModule) -> tvm.IRModule:
        """`main` with the names bound before all else: FuseOps moves calls, but not beyond."""
        if not self._meanings:
            return module
        bound = module.with_attr(NAMED, 1)
        bound.update_func(bound.get_global_var(calls.ENTRY), self._bound_before(bound[calls.ENTRY]))
        return bound

    def _bound_before(self, function: relax.Function) -> relax.Function:
        bindings = [
            relax.MatchCast(relax.Var(var.name, ty), relax.ShapeExpr([meaning]), ty)
            for var, meaning in self._meanings
            for ty in [relax.ShapeType([var])]
        ]
        first = relax.DataflowBlock(bindings)
        body = relax.SeqExpr([first, *function.body.blocks], function.body.body)
        return relax.Function(function.params, body, function.ret_ty, function.is_pure, function.attrs)

    def meaning(self, size: Any) -> Any:
        """`size` in terms of the function's own free sizes."""
        return size if isinstance(size, int) else substituted(size, self._meanings)

    def typical(self, size: Any) -> int:
        """About how large it is."""
        if isinstance(size, int):
            return size
        meaning = self.meaning(size)
        values = [(var, tirx.const(TYPICAL, str(var.ty.dtype))) for var in variables(meaning)]
        return max(int(Analyzer().simplify(substituted(meaning, values))), 1)

    def typical_pair(self, sizes: Sequence[Any]) -> tuple[int, int]:
        """The same of a height and a width."""
        return self.typical(sizes[0]), self.typical(sizes[1])

    def _bound(self, size: Any) -> tirx.Var:
        var = tirx.Var(f"size_{len(self._meanings)}", str(size.ty.dtype))
        self._meanings.append((var, size))
        return var
