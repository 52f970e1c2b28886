"""A 1×1 convolution and the depthwise convolution that reads it become one kernel."""

from __future__ import annotations

from typing import Any

import tvm
from tvm import tirx

from neo_magics.compiler.kernels.conv2d import CONV2D
from neo_magics.compiler.kernels.depthwise import DEPTHWISE
from neo_magics.compiler.machine import Machine
from neo_magics.compiler.passes.join_kernels import join, parameter, sole_kernel
from neo_magics.compiler.schedules import loops
from neo_magics.compiler.schedules.depthwise import image_of, strips_of

PIECES_PER_CORE = 2  # fewer, and threads would wait for each other
CACHE_BYTES = 1 << 20  # a strip is written and read again; beyond, it would go to memory anyway


@tvm.transform.module_pass(opt_level=0, name="FuseDepthwise")
class FuseDepthwise:
    """depthwise(expand(x)) → one kernel, so that the expanded data stays in the cache strip by strip.

    What is expanded must have no other reader, and its kernel must be the one whose tiles divide the width:
    a kernel with a tail stays apart.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def transform_module(self, module: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Rewrite `main`."""
        return join(module, _Expanded(self.machine))


class _Expanded:
    rare = DEPTHWISE

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def reads(self, second: tirx.PrimFunc) -> int | None:
        """The argument that a depthwise kernel reads through its padded copy, in pieces enough."""
        found = sole_kernel(second, DEPTHWISE)
        if found is None:
            return None
        sch, block = found
        padding = [made for made in sch.get_producers(block) if loops.is_padding(sch, made)]
        if not padding or not self._pays(sch, block, padding[0]):
            return None
        return parameter(second, sch.get(padding[0]).reads[0].source)

    def takes(self, first: tirx.PrimFunc, shape: tuple[int | tirx.Expr, ...]) -> bool:
        """Whether it is a 1×1 convolution of packed channels without padding."""
        found = sole_kernel(first, CONV2D)
        return found is not None and len(shape) == 5 and is_pointwise(*found)

    def _pays(self, sch: Any, block: Any, padding: Any) -> bool:
        """Whether there are pieces for all threads, and what one expands stays near."""
        batch, blocks = sch.get(block).writes[0].source.shape[:2]
        size = sch.get(padding).reads[0].source.shape[2:]
        if not all(isinstance(each, tirx.IntImm) for each in (batch, *size)):
            return False
        height, width, lanes = map(int, size)
        expanded = height, 4 * height * width * lanes
        strips = strips_of([image_of(sch, block), expanded, image_of(sch, padding)], self.machine)
        pieces, cores = int(batch) * int(blocks) * strips, max(self.machine.cores, 2)
        return pieces >= PIECES_PER_CORE * cores and expanded[1] / strips <= CACHE_BYTES


def is_pointwise(sch: Any, block: Any) -> bool:
    """Whether the block of kernels.conv2d is a 1×1 convolution of packed channels, without padding."""
    weight = sch.get(block).reads[1].source.shape
    plain = not any(loops.is_padding(sch, made) for made in sch.get_producers(block))
    return plain and len(weight) == 6 and int(weight[2]) == int(weight[3]) == 1
