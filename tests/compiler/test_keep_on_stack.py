"""Tiles of sums stay out of the runtime's workspace."""

from __future__ import annotations

from typing import Any

import tvm
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from neo_magics.compiler.lowering import register_pipeline
from neo_magics.compiler.passes.keep_on_stack import LARGEST
from tests.compiler.models import x86_target


def _kernel(elements: int) -> Any:
    """Two passes over a local buffer of `elements`, so that it is needed."""
    with IRBuilder() as builder, T.prim_func(s_tir=True):
        T.func_name("kernel")
        T.func_attr({"global_symbol": "kernel", "tirx.noalias": True})
        x, y = (T.arg(name, T.buffer((elements,), "float32")) for name in "xy")
        kept = T.alloc_buffer((elements,), "float32", scope="local")
        with T.serial(0, elements) as i:
            T.buffer_store(kept, x[i] * x[i], [i])
        with T.serial(0, elements) as i:
            T.buffer_store(y, kept[elements - 1 - i], [i])
    return builder.get()


def _code(elements: int, pipeline: str) -> str:
    module = tvm.IRModule({"kernel": _kernel(elements)})
    return str(tvm.compile(module, x86_target().tvm, tir_pipeline=pipeline).mod.inspect_source("ll"))


def test_small_buffers_need_no_workspace() -> None:
    assert "TVMBackendAllocWorkspace" in _code(512, "default")
    assert "TVMBackendAllocWorkspace" not in _code(LARGEST // 4, register_pipeline())


def test_large_buffers_spare_the_stack() -> None:
    assert "TVMBackendAllocWorkspace" in _code(LARGEST // 4 + 1, register_pipeline())
