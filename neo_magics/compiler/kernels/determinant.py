# mypy: ignore-errors
# TVMScript: annotations are values there, and the decorated functions are never run as Python.
"""Determinants of small matrices, by elimination with the largest pivot of each column."""

from __future__ import annotations

from typing import Any

from tvm.script import tirx as T

from neo_magics.compiler.kernels import OPAQUE


def determinant(batch: int, size: int, dtype: str) -> Any:
    """(x [batch, size, size]) → [batch]."""

    @T.prim_func(s_tir=True, private=True)
    def kernel(x: T.Buffer((batch, size, size), dtype), result: T.Buffer((batch,), dtype)):
        T.func_attr({"tirx.noalias": True, "op_pattern": OPAQUE, "tirx.is_scheduled": True})
        with T.sblock("root"):
            T.reads()
            T.writes()
            work = T.alloc_buffer((batch, size, size), dtype)
            for b in T.parallel(batch):
                value = T.alloc_buffer((2,), dtype, scope="local")  # the product so far, a number on the move
                pivot = T.alloc_buffer((1,), "int32", scope="local")
                for i in T.serial(size):
                    for j in T.serial(size):
                        work[b, i, j] = x[b, i, j]
                value[0] = T.Cast(dtype, 1)
                for k in T.serial(size):
                    pivot[0] = k
                    for i in T.serial(size):
                        if i > k and T.abs(work[b, i, k]) > T.abs(work[b, pivot[0], k]):
                            pivot[0] = i
                    if pivot[0] != k:
                        value[0] = T.Cast(dtype, 0) - value[0]
                        for j in T.serial(size):
                            value[1] = work[b, k, j]
                            work[b, k, j] = work[b, pivot[0], j]
                            work[b, pivot[0], j] = value[1]
                    value[0] = value[0] * work[b, k, k]
                    if work[b, k, k] != T.Cast(dtype, 0):
                        for i in T.serial(size):
                            if i > k:
                                value[1] = work[b, i, k] / work[b, k, k]
                                for j in T.serial(size):
                                    work[b, i, j] = work[b, i, j] - value[1] * work[b, k, j]
                result[b] = value[0]

    return kernel
