"""A kernel's small local buffers live on the stack, where LLVM turns them into registers."""

from __future__ import annotations

import math
from typing import Any

import tvm
import tvm_ffi
from tvm import tirx

from neo_magics.compiler.passes import calls

LARGEST = 8 * 1024  # bytes; a tile of sums has at most 2 KB, and threads may have small stacks
_NOT_IN_WORKSPACE = {"disable_lower_builtin": tirx.IntImm("bool", 1)}  # LowerTVMBuiltin's own key


@tvm.transform.module_pass(opt_level=0, name="KeepOnStack")
class KeepOnStack:
    """Buffers of scope "local" up to `LARGEST` bytes are not taken from the runtime's workspace.

    TVM allocates what is over 1 KB there: a tile of more than 16 AVX-512 sums would call the runtime twice,
    be cleared by memset, and stay in registers only while LLVM can prove that nothing else writes to it.
    """

    def transform_module(self, module: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Mark the allocations in every function that TVM has lowered."""
        return calls.rewrite_kernels(_kept, module)


def _kept(func: tirx.PrimFunc) -> tirx.PrimFunc:
    return func.with_body(tvm_ffi.structural_map(func.body, [(tirx.AllocBuffer, _marked)]))


def _marked(allocation: Any) -> Any:
    buffer = allocation.buffer
    if buffer.scope() != "local" or not all(isinstance(size, tirx.IntImm) for size in buffer.shape):
        return allocation
    elements = math.prod(int(size) for size in buffer.shape)
    if elements * int(buffer.dtype.bits) * int(buffer.dtype.lanes) > 8 * LARGEST:
        return allocation
    return tirx.AllocBuffer(buffer, _NOT_IN_WORKSPACE)
