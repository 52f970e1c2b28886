"""The scale of a squeeze-excite and the 1×1 convolution that reads it become one kernel."""

from __future__ import annotations

from typing import Any

import tvm
from tvm import tirx

from neo_magics.compiler.kernels.channels import SCALE
from neo_magics.compiler.kernels.conv2d import CONV2D
from neo_magics.compiler.passes.fuse_depthwise import is_pointwise
from neo_magics.compiler.passes.join_kernels import join, parameter, sole_kernel


@tvm.transform.module_pass(opt_level=0, name="FuseScale")
class FuseScale:
    """conv(x · gate) → one kernel: the scaled image stays in the cache of the thread that reads it."""

    def transform_module(self, module: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Rewrite `main`."""
        return join(module, _Scaled())


class _Scaled:
    rare = SCALE

    def reads(self, second: tirx.PrimFunc) -> int | None:
        """The image of a 1×1 convolution."""
        found = sole_kernel(second, CONV2D)
        if found is None or not is_pointwise(*found):
            return None
        sch, block = found
        return parameter(second, sch.get(block).reads[0].source)

    def takes(self, first: tirx.PrimFunc, _shape: tuple[int | tirx.Expr, ...]) -> bool:
        """Whether it scales channels, and nothing else."""
        return sole_kernel(first, SCALE) is not None and len(first.params) == 3
