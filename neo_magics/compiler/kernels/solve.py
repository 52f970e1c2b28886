# mypy: ignore-errors
# ruff: noqa: PLR0912
# TVMScript: annotations are values there, and the decorated functions are never run as Python.
"""Small systems of linear equations, by elimination with the largest pivot of each column."""

from __future__ import annotations

from typing import Any

from tvm.script import tirx as T

from neo_magics.compiler.kernels import OPAQUE


def solve(batch: int, size: int, columns: int, dtype: str) -> Any:
    """(a [batch, size, size], b [batch, size, columns]) → x [batch, size, columns] with a x = b.

    Of a singular matrix infinity or NaN.
    """

    @T.prim_func(s_tir=True, private=True)
    def kernel(
        a: T.Buffer((batch, size, size), dtype),
        b: T.Buffer((batch, size, columns), dtype),
        x: T.Buffer((batch, size, columns), dtype),
    ):
        T.func_attr({"tirx.noalias": True, "op_pattern": OPAQUE, "tirx.is_scheduled": True})
        with T.sblock("root"):
            T.reads()
            T.writes()
            work = T.alloc_buffer((batch, size, size), dtype)
            for n in T.parallel(batch):
                moved = T.alloc_buffer((1,), dtype, scope="local")
                pivot = T.alloc_buffer((1,), "int32", scope="local")
                for i in T.serial(size):
                    for j in T.serial(size):
                        work[n, i, j] = a[n, i, j]
                    for c in T.serial(columns):
                        x[n, i, c] = b[n, i, c]
                for k in T.serial(size):
                    pivot[0] = k
                    for i in T.serial(size):
                        if i > k and T.abs(work[n, i, k]) > T.abs(work[n, pivot[0], k]):
                            pivot[0] = i
                    if pivot[0] != k:
                        for j in T.serial(size):
                            moved[0] = work[n, k, j]
                            work[n, k, j] = work[n, pivot[0], j]
                            work[n, pivot[0], j] = moved[0]
                        for c in T.serial(columns):
                            moved[0] = x[n, k, c]
                            x[n, k, c] = x[n, pivot[0], c]
                            x[n, pivot[0], c] = moved[0]
                    for i in T.serial(size):
                        if i > k:
                            moved[0] = work[n, i, k] / work[n, k, k]
                            for j in T.serial(size):
                                work[n, i, j] = work[n, i, j] - moved[0] * work[n, k, j]
                            for c in T.serial(columns):
                                x[n, i, c] = x[n, i, c] - moved[0] * x[n, k, c]
                for back in T.serial(size):
                    for c in T.serial(columns):
                        moved[0] = x[n, size - 1 - back, c]
                        for j in T.serial(size):
                            if j > size - 1 - back:
                                moved[0] = moved[0] - work[n, size - 1 - back, j] * x[n, j, c]
                        x[n, size - 1 - back, c] = moved[0] / work[n, size - 1 - back, size - 1 - back]

    return kernel
