"""Free loops over threads: one thread for little, all for much."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tvm
import tvm_ffi
from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from neo_magics.compiler.passes.wake_for_much import WakeForMuch

SERIAL, PARALLEL = tirx.ForKind.SERIAL, tirx.ForKind.PARALLEL


def plus_one(rows_of_one: int) -> Any:
    """x + 1 for n × `rows_of_one` rows of 100 numbers, n free; threads share the rows."""
    with IRBuilder() as builder, T.prim_func(s_tir=True):
        T.func_name("main")
        T.func_attr({"tirx.is_scheduled": True})
        n = tirx.Var("n", "int64")
        x, out = (T.arg(name, T.buffer((n * rows_of_one, 100), "float32")) for name in ("x", "out"))
        with T.parallel(0, n * rows_of_one) as i, T.serial(0, 100) as j:
            T.buffer_store(out, x[i, j] + tirx.const(1, "float32"), [i, j])
    return builder.get().with_attr("global_symbol", "main")


def changed(func: Any) -> tvm.IRModule:
    return WakeForMuch()(tvm.IRModule({"main": func}))


def kinds(module: tvm.IRModule) -> list[int]:
    found: list[int] = []
    tvm_ffi.structural_walk(module["main"].body, (tirx.For, lambda loop: found.append(loop.kind)))
    return sorted(found)


def test_a_free_batch_has_both_loops() -> None:
    assert kinds(changed(plus_one(1))) == [SERIAL, SERIAL, SERIAL, PARALLEL]


def test_a_loop_that_is_long_for_one_stays_alone() -> None:
    assert kinds(changed(plus_one(1000))) == [SERIAL, PARALLEL]


@pytest.mark.parametrize("count", [1, 163, 164, 165, 1000])
def test_both_loops_compute_the_same(count: int) -> None:
    run = tvm.compile(tirx.transform.ConvertSSA()(changed(plus_one(1))), "llvm")["main"]
    x = np.random.default_rng(0).standard_normal((count, 100)).astype("float32")
    out = tvm.runtime.empty(x.shape, "float32")
    run(tvm.runtime.tensor(x), out)
    np.testing.assert_array_equal(out.numpy(), x + np.float32(1))
