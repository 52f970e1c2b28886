"""Small things that every schedule rule needs: what a block is, its loops, vectors and threads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import tvm
import tvm_ffi
from tvm import tirx
from tvm.s_tir import SBlockRealize, Schedule
from tvm.s_tir.schedule import ScheduleError

Block = Any  # tvm.s_tir.schedule.SBlockRV
Loop = Any  # tvm.s_tir.schedule.LoopRV

# A parallel loop costs about 2 µs to start; below this many element operations one thread is faster.
PARALLEL_WORK = 16 * 1024
FREE = 64  # what a dimension counts for whose size is not known: a sequence, more likely than a batch of one
LONGEST = 1500  # parts that an expression may grow to where it is used more than once
ROOT = "root"  # TVM's name of the block around a kernel that can be scheduled
REDUCE = tirx.IterVar.CommReduce
SPATIAL = tirx.IterVar.DataPar


def schedule_of(func: tirx.PrimFunc) -> Schedule:
    """Where more than the batch is free, without TVM's checks: it cannot prove ⌊x / t⌋ < ⌈w / t⌉ of x < w."""
    shapes = [param.shape for param in func.params if hasattr(param.ty, "shape")]
    known = all(isinstance(size, tirx.IntImm) for shape in shapes for size in shape[1:])
    return Schedule(tvm.IRModule({"main": func}), enable_check=known)


def extent(sch: Schedule, loop: Loop) -> int | None:
    """The number of iterations; None where it depends on a free dimension."""
    size = sch.get(loop).extent
    return int(size) if isinstance(size, tirx.IntImm) else None


def blocks(sch: Schedule) -> list[Block]:
    """All blocks below the root, in the order in which they are written; none of a kernel of plain loops."""
    body = sch.mod["main"].body
    if not isinstance(body, SBlockRealize) or body.block.name_hint != ROOT:
        return []
    return list(sch.get_child_blocks(sch.get_sblock(ROOT)))


def kinds(sch: Schedule, block: Block) -> list[int]:
    """The kind (`SPATIAL`, `REDUCE`, …) of each iterator of the block."""
    return [iterator.iter_type for iterator in sch.get(block).iter_vars]


def is_reduction(sch: Schedule, block: Block) -> bool:
    """Whether the block sums, or otherwise reduces, over some of its iterators."""
    return REDUCE in kinds(sch, block)


def is_plain(sch: Schedule, block: Block) -> bool:
    """Whether the block has one loop per iterator, each spatial or a reduction: rules may move those."""
    found = kinds(sch, block)
    return set(found) <= {SPATIAL, REDUCE} and len(sch.get_loops(block)) == len(found) > 0


def annotation(sch: Schedule, block: Block, name: str) -> Any:
    """The block's annotation `name`, or None."""
    found = sch.get(block).annotations.get(name)
    return found.value if isinstance(found, tirx.IntImm | tvm.ir.StringImm) else found


def numbers(sch: Schedule, block: Block, name: str) -> tuple[int, ...]:
    """The integers of the block's annotation `name`."""
    return tuple(int(value) for value in sch.get(block).annotations[name])


def reductions(sch: Schedule, block: Block) -> int:
    """How many iterators the block reduces over."""
    return kinds(sch, block).count(REDUCE)


def is_padding(sch: Schedule, block: Block) -> bool:
    """Whether the block is the padded copy that our kernels make."""
    return str(sch.get(block).name_hint).startswith("pad")


def sole_consumer(sch: Schedule, block: Block) -> Block:
    """The block that takes the results of `block`: its epilogue, or a copy that is made for it."""
    consumers = sch.get_consumers(block)
    return consumers[0] if consumers else sch.cache_write(block, 0, "local")


def find_annotated(sch: Schedule, name: str, value: str) -> Block | None:
    """The one block with the annotation `name` = `value`."""
    return next((block for block in blocks(sch) if annotation(sch, block, name) == value), None)


def work(sch: Schedule, block: Block) -> int:
    """Element operations of the block; a free dimension counts as `FREE`."""
    sizes = (extent(sch, loop) for loop in sch.get_loops(block))
    return math.prod(FREE if size is None else size for size in sizes)


def parallel(sch: Schedule, loops: Sequence[Loop], operations: int) -> None:
    """Spread the fused `loops` over threads where the kernel has enough to do."""
    if loops and operations >= PARALLEL_WORK:
        sch.parallel(sch.fuse(*loops))


def fused(sch: Schedule, loops: Sequence[Loop], operations: int) -> Loop:
    """One loop over the pieces that `loops` count, over threads where they are worth it."""
    found = sch.fuse(*loops)
    if operations >= PARALLEL_WORK:
        sch.parallel(found)
    return found


def inline_into_consumers(sch: Schedule, keep: Sequence[Block] = ()) -> None:
    """Inline each spatial block but the output, where TVM allows it and nothing costly is repeated."""
    kept = {sch.get(block).name_hint for block in keep}
    for block in blocks(sch):
        if sch.get(block).name_hint in kept or is_reduction(sch, block) or not sch.get_consumers(block):
            continue
        reduced = any(is_reduction(sch, consumer) for consumer in sch.get_consumers(block))
        if (reduced and is_costly(sch, block)) or is_repeated(sch, block):
            continue
        try:
            sch.compute_inline(block)
        except (ScheduleError, TypeError):
            # Not injective, or of places in 32 and in 64 bits: it keeps its loops, and is scheduled apart.
            continue


def is_costly(sch: Schedule, block: Block) -> bool:
    """Whether computing the block again for each use would hurt: it calls functions or takes decisions."""
    found: list[Any] = []
    walk = (tvm.ir.Call, found.append)
    tvm_ffi.structural_walk(sch.get(block).body, walk, order="post")
    return bool(found)


def is_repeated(sch: Schedule, block: Block) -> bool:
    """Whether inlining would write a long expression out several times: x (1 - x) doubles it each time."""
    stored = sch.get(block).writes[0].source
    uses = sum(_loads(sch, consumer, stored) for consumer in sch.get_consumers(block))
    return uses > 1 and uses * _length(sch, block) > LONGEST


def _loads(sch: Schedule, block: Block, stored: Any) -> int:
    found: list[Any] = []
    walk = (tvm.ir.TensorLoad, lambda load: found.append(load) if load.source.same_as(stored) else None)
    tvm_ffi.structural_walk(sch.get(block).body, walk, order="post")
    return len(found)


def _length(sch: Schedule, block: Block) -> int:
    """Operations, calls and numbers in the block's expression."""
    found: list[Any] = []
    tvm_ffi.structural_walk(sch.get(block).body, (tvm.ir.Expr, found.append), order="post")
    return len(found)


def with_plain_quotients(sch: Schedule) -> Schedule:
    """The schedule with quotients by free sizes that round to zero, as the processor's do.

    Of places, which are never negative, they are the same; those that round down are written out with a
    question in each of their many uses.
    """

    def plain(quotient: Any) -> Any:
        if isinstance(quotient.b, tirx.IntImm):
            return quotient
        rounded = tirx.truncdiv if isinstance(quotient, tirx.FloorDiv) else tirx.truncmod
        return rounded(quotient.a, quotient.b)

    func = sch.mod["main"]
    body = tvm_ffi.structural_map(func.body, [((tirx.FloorDiv, tirx.FloorMod), plain)])
    if body.same_as(func.body):
        return sch
    return Schedule(tvm.IRModule({"main": func.with_body(body)}))


def substituted(part: Any, values: Sequence[tuple[Any, Any]]) -> Any:
    """An expression or a statement with values in place of variables, as pairs."""

    def mapped(each: Any) -> Any:
        return next((value for variable, value in values if variable.same_as(each)), each)

    return tvm_ffi.structural_map(part, [(tirx.Var, mapped)])


def variables(expression: Any) -> list[tirx.Var]:
    """The variables of an index expression."""
    return list(tirx.analysis.undefined_vars(expression))
