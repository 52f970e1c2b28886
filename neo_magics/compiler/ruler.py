"""Two small kernels that every artifact carries: they measure what the machine can do at most.

They go through the same code generator for the same target as the model's kernels, and need only the runtime,
so a profile on any device has a roofline of its own.
"""

from __future__ import annotations

from typing import Any

import tvm
from tvm.script import tirx as T

from neo_magics.artifact.kernels import RULER_FLOPS, RULER_READ, RULER_STREAMS, RULER_SUMS, RULER_THREADS
from neo_magics.compiler.machine import Machine


def with_ruler(module: tvm.IRModule, machine: Machine) -> tvm.IRModule:
    """`module` and the kernels `RULER_FLOPS` and `RULER_READ`."""
    measured = tvm.IRModule(dict(module.functions_items()), attrs=module.attrs)
    for name, make in ((RULER_FLOPS, _multiply_adds), (RULER_READ, _reads)):
        measured[tvm.ir.GlobalVar(name)] = make(machine.lanes).with_attr("global_symbol", name)
    return measured


def _multiply_adds(lanes: int) -> Any:
    """Chains of multiply-adds on registers: `steps` × RULER_SUMS vectors on each of `threads` threads."""

    @T.prim_func(s_tir=True)  # type: ignore[untyped-decorator]
    def kernel(x: T.handle, y: T.handle, threads: T.int64, steps: T.int64) -> None:
        T.func_attr({"tirx.noalias": True})
        factors = T.match_buffer(x, (2 * lanes,), "float32")
        out = T.match_buffer(y, (RULER_THREADS, RULER_SUMS * lanes), "float32")
        for t in T.parallel(threads):
            sums = T.sblock_alloc_buffer((RULER_SUMS * lanes,), "float32", scope="local")
            for a in T.unroll(RULER_SUMS):
                for v in T.vectorized(lanes):
                    sums[a * lanes + v] = factors[v]
            for _step in T.serial(steps):
                for a in T.unroll(RULER_SUMS):
                    for v in T.vectorized(lanes):
                        sums[a * lanes + v] = sums[a * lanes + v] * factors[v] + factors[lanes + v]
            for a in T.unroll(RULER_SUMS):
                for v in T.vectorized(lanes):
                    out[t, a * lanes + v] = sums[a * lanes + v]

    return kernel


def _reads(lanes: int) -> Any:
    """Sums of an array, each of `threads` threads its own `steps` × RULER_STREAMS vectors of it."""
    width = RULER_STREAMS * lanes

    @T.prim_func(s_tir=True)  # type: ignore[untyped-decorator]
    def kernel(x: T.handle, y: T.handle, threads: T.int64) -> None:
        T.func_attr({"tirx.noalias": True})
        size = T.int64()
        data = T.match_buffer(x, (size,), "float32")
        out = T.match_buffer(y, (RULER_THREADS, width), "float32")
        for t in T.parallel(threads):
            sums = T.sblock_alloc_buffer((width,), "float32", scope="local")
            for a in T.unroll(RULER_STREAMS):
                for v in T.vectorized(lanes):
                    sums[a * lanes + v] = T.float32(0)
            for step in T.serial(size // width // threads):
                for a in T.unroll(RULER_STREAMS):
                    for v in T.vectorized(lanes):
                        sums[a * lanes + v] = (
                            sums[a * lanes + v]
                            + data[(t * (size // width // threads) + step) * width + a * lanes + v]
                        )
            for a in T.unroll(RULER_STREAMS):
                for v in T.vectorized(lanes):
                    out[t, a * lanes + v] = sums[a * lanes + v]

    return kernel
