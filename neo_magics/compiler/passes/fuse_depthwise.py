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

BLOCKS_PER_CORE = 2  # fewer, and threads that share whole blocks of channels would wait for each other
CACHE_BYTES = 1 << 20  # a block's image is written and read again; beyond, it would go to memory anyway


@tvm.transform.module_pass(opt_level=0, name="FuseDepthwise")
class FuseDepthwise:
    """depthwise(expand(x)) → one kernel, so that the expanded data stays in the cache block by block.

    What is expanded must have no other reader, and its kernel must be the one whose tiles divide the width:
    a kernel with a tail stays apart.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def transform_module(self, module: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Rewrite `main`."""
        return join(module, _Expanded(max(self.machine.cores, 2)))


class _Expanded:
    rare = DEPTHWISE

    def __init__(self, cores: int) -> None:
        self.cores = cores

    def reads(self, second: tirx.PrimFunc) -> int | None:
        """The argument that a depthwise kernel reads through its padded copy."""
        found = sole_kernel(second, DEPTHWISE)
        if found is None:
            return None
        sch, block = found
        padding = [made for made in sch.get_producers(block) if loops.is_padding(sch, made)]
        return parameter(second, sch.get(padding[0]).reads[0].source) if padding else None

    def takes(self, first: tirx.PrimFunc, shape: tuple[int | tirx.Expr, ...]) -> bool:
        """Whether it is a 1×1 convolution of packed channels without padding, over enough blocks."""
        found = sole_kernel(first, CONV2D)
        if found is None or len(shape) != 5 or not all(isinstance(size, int) for size in shape):
            return False
        batch, blocks, height, width, lanes = (int(size) for size in shape)
        enough = batch * blocks >= BLOCKS_PER_CORE * self.cores
        return enough and 4 * height * width * lanes <= CACHE_BYTES and is_pointwise(*found)


def is_pointwise(sch: Any, block: Any) -> bool:
    """Whether the block of kernels.conv2d is a 1×1 convolution of packed channels, without padding."""
    weight = sch.get(block).reads[1].source.shape
    plain = not any(loops.is_padding(sch, made) for made in sch.get_producers(block))
    return plain and len(weight) == 6 and int(weight[2]) == int(weight[3]) == 1
