"""Two kernels of which one reads the other become one, where a rule says so."""

from __future__ import annotations

from typing import Any, Protocol

import tvm
import tvm_ffi
from tvm import relax, tirx
from tvm.relax.expr_functor import PyExprMutator, mutator
from tvm.s_tir import SBlock, SBlockRealize, Schedule

from neo_magics.compiler.kernels import KERNEL
from neo_magics.compiler.passes import calls
from neo_magics.compiler.passes.calls import Uses
from neo_magics.compiler.schedules import loops


class Pair(Protocol):
    """Which kernels go together. `rare` is a kind of which each pair has one, and many models have none."""

    rare: str

    def reads(self, second: tirx.PrimFunc) -> int | None:
        """The argument of `second` that the first one may make, or None."""

    def takes(self, first: tirx.PrimFunc, shape: tuple[int | tirx.Expr, ...]) -> bool:
        """Whether `first`, with a result of this shape, is one to join."""


def join(module: tvm.IRModule, pair: Pair) -> tvm.IRModule:
    """`main` with each such pair as one kernel; what is joined must have no other reader.

    It comes after FuseTIR, when both have their epilogues, and FuseTIR joins the bodies.
    """
    functions = (func for _var, func in module.functions_items())
    if not any(pair.rare in kernel_kinds(func) for func in functions if isinstance(func, tirx.PrimFunc)):
        return module
    joined = calls.rewrite_entry(_Joiner(module, pair), module)
    return relax.transform.DeadCodeElimination(["main"])(relax.transform.FuseTIR()(joined))


def sole_kernel(func: tirx.PrimFunc, kind: str) -> tuple[Schedule, Any] | None:
    """A schedule of `func` and its block of this kind, if that is its only annotated one."""
    if kernel_kinds(func) != [kind]:
        return None
    sch = Schedule(tvm.IRModule({"main": func}))
    return sch, loops.find_annotated(sch, KERNEL, kind)


def kernel_kinds(func: tirx.PrimFunc) -> list[str]:
    """The kinds of the annotated blocks of `func`; none where it was written as plain loops, as trees are."""
    found: list[Any] = []
    if isinstance(func.body, SBlockRealize):
        tvm_ffi.structural_walk(func.body, ((SBlock,), found.append))
    return [str(block.annotations[KERNEL]) for block in found if KERNEL in block.annotations]


def parameter(func: tirx.PrimFunc, buffer: Any) -> int | None:
    """Which parameter the buffer is."""
    return next((index for index, each in enumerate(func.params) if each.same_as(buffer)), None)


@mutator
class _Joiner(PyExprMutator):  # type: ignore[misc]
    def __init__(self, module: tvm.IRModule, pair: Pair) -> None:
        super().__init__(module)
        self.module = module
        self.pair = pair
        self.uses = Uses(module[calls.ENTRY])

    def visit_call_(self, call: Any) -> Any:
        rebuilt = self.visit_expr_post_order(call)
        second = self._kernel(rebuilt)
        place = None if second is None else self.pair.reads(second)
        if place is None or not isinstance(argument := rebuilt.args[1].fields[place], relax.Var):
            return rebuilt
        first = self.lookup_binding(argument)
        made, shape = self._kernel(first), None if first is None else calls.shape_of(first)
        if made is None or shape is None or not self.uses.once(call.args[1].fields[place]):
            return rebuilt
        return self._joined(first, rebuilt, place) if self.pair.takes(made, shape) else rebuilt

    def _joined(self, first: Any, second: Any, place: int) -> Any:
        """A call of a function that calls both kernels, for FuseTIR."""
        before = list(first.args[1].fields)
        after = [field for index, field in enumerate(second.args[1].fields) if index != place]
        parameters = [relax.Var(f"a{index}", field.ty) for index, field in enumerate([*before, *after])]
        builder = relax.BlockBuilder()
        with builder.function("joined", parameters):
            with builder.dataflow():
                data = builder.emit(_again(first, parameters[: len(before)]))
                rest = parameters[len(before) :]
                result = builder.emit_output(_again(second, [*rest[:place], data, *rest[place:]]))
            builder.emit_func_output(result)
        function = builder.get()["joined"].without_attr("global_symbol").with_attr("Primitive", True)
        name = f"{first.args[0].name_hint}_{second.args[0].name_hint.removeprefix('fused_')}"
        return relax.Call(self.builder_.add_func(function, name), [*before, *after])

    def _kernel(self, call: Any) -> tirx.PrimFunc | None:
        if calls.name_of(call) != "relax.call_tir" or len(call.args) != 2:
            return None
        func = self.module[call.args[0]] if call.args[0] in self.module.functions else None
        return func if isinstance(func, tirx.PrimFunc) else None


def _again(call: Any, arguments: list[Any]) -> Any:
    """The same kernel on other arguments."""
    return relax.call_tir(call.args[0], relax.Tuple(arguments), out_ty=call.ty)
