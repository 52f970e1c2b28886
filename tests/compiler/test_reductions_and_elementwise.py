"""Everything else: sums, soft-max, element-wise chains, with vectors and threads and no scalar loop."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import tvm
import tvm_ffi
from hypothesis import given, settings
from hypothesis import strategies as st
from tvm import relax, tirx

from tests.compiler.models import WIDTHS, kernels, module, random, run, x86_target

OPERATORS: dict[str, tuple[Callable[[relax.Var], relax.Expr], Callable[[torch.Tensor], torch.Tensor]]] = {
    "sum of the last axis": (lambda x: relax.op.sum(x, -1), lambda x: x.sum(-1)),
    "sum of the first axis, kept": (lambda x: relax.op.sum(x, 0, True), lambda x: x.sum(0, keepdim=True)),
    "sum of all": (relax.op.sum, torch.sum),
    "mean of two axes": (lambda x: relax.op.mean(x, [1, 2]), lambda x: x.mean((1, 2))),
    "maximum": (lambda x: relax.op.max(x, -1), lambda x: x.amax(-1)),
    "arg-maximum": (lambda x: relax.op.argmax(x, 1), lambda x: x.argmax(1)),
    "soft-max": (lambda x: relax.op.nn.softmax(x, -1), lambda x: x.softmax(-1)),
    "soft-max of an inner axis": (lambda x: relax.op.nn.softmax(x, 1), lambda x: x.softmax(1)),
    "variance": (lambda x: relax.op.variance(x, -1), lambda x: x.var(-1, unbiased=False)),
    "transposition": (lambda x: relax.op.permute_dims(x, [2, 0, 1]), lambda x: x.permute(2, 0, 1)),
    "chain": (
        lambda x: relax.op.tanh(relax.op.add(relax.op.multiply(x, x), relax.op.exp(x))),
        lambda x: torch.tanh(x * x + torch.exp(x)),
    ),
    "running sum": (lambda x: relax.op.cumsum(x, -1), lambda x: x.cumsum(-1)),
}
SHAPES = ((2, 3, 64), (5, 7, 9), (1, 1, 1), (3, 16, 1), (4, 33, 130))


@pytest.mark.parametrize("mcpu", WIDTHS)
@pytest.mark.parametrize("shape", SHAPES)
def test_operators(shape: tuple[int, ...], mcpu: str) -> None:
    x = random(shape)
    source = module(lambda v: [make(v) for make, _ in OPERATORS.values()], (shape, "float32"))
    for name, got in zip(OPERATORS, run(source, [x], x86_target(mcpu)), strict=True):
        expected = OPERATORS[name][1](torch.from_numpy(x)).numpy()
        np.testing.assert_allclose(got, expected, atol=2e-5, rtol=1e-5, err_msg=name)


@settings(max_examples=4, deadline=None, derandomize=True)
@given(st.lists(st.integers(1, 40), min_size=3, max_size=3).map(tuple))
def test_operators_on_any_shape(shape: tuple[int, ...]) -> None:
    test_operators(shape, "native")


def test_every_dimension_may_be_free() -> None:
    shape = tuple(tirx.Var(name, "int64") for name in "abc")
    names = ["sum of the last axis", "soft-max", "chain", "transposition"]
    source = module(lambda v: [OPERATORS[name][0](v) for name in names], (shape, "float32"))
    x = random((3, 5, 19))
    for name, got in zip(names, run(source, [x], x86_target()), strict=True):
        np.testing.assert_allclose(
            got, OPERATORS[name][1](torch.from_numpy(x)).numpy(), atol=2e-5, err_msg=name
        )


def loop_kinds(func: tirx.PrimFunc) -> set[int]:
    found: set[int] = set()
    tvm_ffi.structural_walk(func.body, (tirx.For, lambda loop: found.add(int(loop.kind))))
    return found


def test_a_kernel_worth_it_runs_in_vectors_and_on_threads() -> None:
    names = [name for name in OPERATORS if name not in ("arg-maximum", "running sum", "sum of all")]
    source = module(lambda v: [OPERATORS[name][0](v) for name in names], ((64, 64, 64), "float32"))
    lowered, refused = kernels(source, x86_target())
    assert refused == []
    wanted = {tirx.ForKind.PARALLEL, tirx.ForKind.VECTORIZED}
    for var, func in lowered.functions_items():
        if isinstance(func, tirx.PrimFunc) and var.name_hint != "shape_func":
            assert wanted <= loop_kinds(func), var.name_hint


def test_a_small_kernel_stays_on_one_thread() -> None:
    lowered, _ = kernels(module(lambda v: [relax.op.nn.relu(v)], ((8, 8), "float32")), x86_target())
    [func] = [func for func in lowered.functions.values() if isinstance(func, tirx.PrimFunc)]
    assert tirx.ForKind.PARALLEL not in loop_kinds(func)


def test_scheduling_twice_changes_nothing() -> None:
    from neo_magics.compiler.passes.schedule_kernels import ScheduleKernels
    from neo_magics.compiler.schedules import RULES

    source = module(lambda v: [relax.op.nn.relu(v)], ((8, 8), "float32"))
    schedule = ScheduleKernels(RULES, x86_target().machine, lambda _report: None)
    once = schedule(relax.transform.LegalizeOps()(source))
    tvm.ir.assert_structural_equal(schedule(once), once)
