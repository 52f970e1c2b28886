"""Operations and bytes of a kernel, counted on its loops."""

from __future__ import annotations

from typing import Any

import numpy as np
from tvm import relax, tirx

from neo_magics.artifact.kernels import Kernel
from neo_magics.compiler.pipeline import optimize
from tests.compiler.models import constant, module, x86_target


def kernels(build: Any, *inputs: Any) -> dict[str, Kernel]:
    """The kernels of a model, by the first operator in them."""
    lowered = optimize(module(build, *inputs), x86_target("x86-64-v3"), lambda _event: None)
    return {kernel.operators[0]: kernel for kernel in lowered.kernels.kernels}


def test_a_convolution_counts_two_operations_for_each_weight_of_each_result() -> None:
    weight = constant((16, 8, 1, 1))
    kernel = kernels(lambda x: [relax.op.nn.conv2d(x, weight)], ((1, 8, 6, 6), "float32"))["conv2d"]
    assert kernel.rule
    assert kernel.flops.at({}) == 2 * 16 * 8 * 36
    assert kernel.bytes_written.at({}) == 4 * 16 * 36


def test_a_gather_reads_the_rows_that_it_takes() -> None:
    table = constant((1000, 64))
    kernel = kernels(lambda x: [relax.op.take(table, x, axis=0)], ((5,), "int64"))["take"]
    assert kernel.bytes_read.at({}) <= 4 * 5 * 64 + 8 * 5 * 64
    assert kernel.bytes_written.at({}) == 4 * 5 * 64
    assert kernel.flops.at({}) == 0


def test_a_free_dimension_is_a_factor() -> None:
    n = tirx.Var("n", "int64")
    kernel = kernels(lambda x: [relax.op.exp(x)], ((n, 8), "float32"))["exp"]
    assert kernel.flops.at({"n": 5}) == 5 * kernel.flops.at({"n": 1}) == 5 * 8
    assert kernel.bytes_read.at({"n": 5}) == 5 * 8 * 4
    assert kernel.arguments[0] == ("n", 8)


def test_a_kernel_that_is_written_as_loops_counts_its_tensors_whole() -> None:
    n = tirx.Var("n", "int64")
    kernel = kernels(lambda x: [relax.op.nn.softmax(x)], ((n, 24), "float32"))["softmax"]
    rows = {str(kernel.arguments[0][0]): 5}
    assert kernel.bytes_read.at(rows) == kernel.bytes_written.at(rows) == 4 * 5 * 24


def test_fused_operators_are_named_in_order() -> None:
    weight = constant((16, 8, 3, 3))
    bias = relax.const(np.ones((1, 16, 1, 1), "float32"))
    found = kernels(
        lambda x: [relax.op.nn.relu(relax.op.add(relax.op.nn.conv2d(x, weight), bias))],
        ((1, 8, 6, 6), "float32"),
    )
    assert any("add" in kernel.operators and "relu" in kernel.operators for kernel in found.values())
