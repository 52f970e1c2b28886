"""A 1×1 convolution and the depthwise convolution that reads it become one kernel."""

from __future__ import annotations

from typing import Any

import tvm
from tvm import relax, tirx
from tvm.relax.expr_functor import PyExprMutator, mutator
from tvm.s_tir import SBlockRealize, Schedule

from neo_magics.compiler.kernels import KERNEL
from neo_magics.compiler.kernels.conv2d import CONV2D
from neo_magics.compiler.kernels.depthwise import DEPTHWISE
from neo_magics.compiler.machine import Machine
from neo_magics.compiler.passes import calls
from neo_magics.compiler.passes.calls import Uses
from neo_magics.compiler.schedules import loops

BLOCKS_PER_CORE = 2  # fewer, and threads that share whole blocks of channels would wait for each other
CACHE_BYTES = 1 << 20  # a block's image is written and read again; beyond, it would go to memory anyway


@tvm.transform.module_pass(opt_level=0, name="FuseDepthwise")
class FuseDepthwise:
    """depthwise(expand(x)) → one kernel, so that the expanded data stays in the cache block by block.

    It comes after FuseTIR, when both have their epilogues, and FuseTIR joins the bodies. What is expanded
    must have no other reader, and its kernel must be the one whose tiles divide the width: a kernel with a
    tail stays apart.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def transform_module(self, module: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Rewrite `main`."""
        joined = calls.rewrite_entry(_Joiner(module, self.machine), module)
        return relax.transform.DeadCodeElimination(["main"])(relax.transform.FuseTIR()(joined))


@mutator
class _Joiner(PyExprMutator):  # type: ignore[misc]
    def __init__(self, module: tvm.IRModule, machine: Machine) -> None:
        super().__init__(module)
        self.module = module
        self.cores = max(machine.cores, 2)
        self.uses = Uses(module[calls.ENTRY])

    def visit_call_(self, call: Any) -> Any:
        rebuilt = self.visit_expr_post_order(call)
        place = self._expanded_argument(rebuilt)
        if place is None or not self.uses.once(call.args[1].fields[place]):
            return rebuilt
        first = self.lookup_binding(rebuilt.args[1].fields[place])
        if not _is_call_tir(first) or not self._expands(first):
            return rebuilt
        return self._joined(first, rebuilt, place)

    def _expanded_argument(self, call: Any) -> int | None:
        """Which argument a depthwise kernel reads through its padded copy."""
        func = self._kernel(call)
        sch = _with_block(func, DEPTHWISE)
        if sch is None or func is None:
            return None
        block = loops.find_annotated(sch, KERNEL, DEPTHWISE)
        padding = [made for made in sch.get_producers(block) if loops.is_padding(sch, made)]
        if not padding:
            return None
        read = sch.get(padding[0]).reads[0].source
        found = [index for index, parameter in enumerate(func.params) if parameter.same_as(read)]
        return found[0] if found and isinstance(call.args[1].fields[found[0]], relax.Var) else None

    def _expands(self, call: Any) -> bool:
        """Whether it is a 1×1 convolution of packed channels without padding, over enough blocks."""
        func, shape = self._kernel(call), calls.static_shape(call)
        sch = _with_block(func, CONV2D)
        if sch is None or shape is None or len(shape) != 5:
            return False
        block = loops.find_annotated(sch, KERNEL, CONV2D)
        weight = sch.get(block).reads[1].source.shape
        plain = not any(loops.is_padding(sch, made) for made in sch.get_producers(block))
        image = 4 * shape[2] * shape[3] * shape[4]
        enough = shape[0] * shape[1] >= BLOCKS_PER_CORE * self.cores and image <= CACHE_BYTES
        return plain and enough and len(weight) == 6 and int(weight[2]) == int(weight[3]) == 1

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
        if not _is_call_tir(call) or len(call.args) != 2:
            return None
        func = self.module[call.args[0]] if call.args[0] in self.module.functions else None
        return func if isinstance(func, tirx.PrimFunc) else None


def _is_call_tir(call: Any) -> bool:
    return calls.name_of(call) == "relax.call_tir"


def _again(call: Any, arguments: list[Any]) -> Any:
    """The same kernel on other arguments."""
    return relax.call_tir(call.args[0], relax.Tuple(arguments), out_ty=call.ty)


def _with_block(func: tirx.PrimFunc | None, kind: str) -> Schedule | None:
    """A schedule of `func` if its one convolution is of this kind."""
    if func is None:
        return None
    if not isinstance(func.body, SBlockRealize):  # written as plain loops: trees, sorting
        return None
    sch = Schedule(tvm.IRModule({"main": func}))
    kinds = [loops.annotation(sch, block, KERNEL) for block in loops.blocks(sch)]
    return sch if [str(found) for found in kinds if found is not None] == [kind] else None
