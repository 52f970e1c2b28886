"""A kernel asks for all lines of the weights that come next while it computes with others."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
import tvm_ffi
from tvm import ir, te, tirx
from tvm.sym import Analyzer

from neo_magics.compiler.kernels.conv2d import Window
from neo_magics.compiler.kernels.conv2d_candidates import Convolution, Rows, Tiles, Winograd
from neo_magics.compiler.kernels.matmul_candidates import Panels, Product
from neo_magics.compiler.kernels.winograd_plan import ranked_plans
from neo_magics.compiler.machine import Machine
from neo_magics.compiler.schedules import RULES
from neo_magics.compiler.schedules.prefetch import LINE
from neo_magics.tuner.bench import expression

MACHINE = Machine("x86_64", 16, 32, 2)
POINTWISE, SQUARE = Window((1, 1), (0,) * 4, (1, 1)), Window((1, 1), (1,) * 4, (1, 1))


def convolution(taps: int, batch: int | None = 1) -> Convolution:
    window = SQUARE if taps == 3 else POINTWISE
    return Convolution(batch, (32, 64), (6, 14), (taps, taps), window)


def winograd(*, shared: bool) -> Winograd:
    work = convolution(3)
    plans = ranked_plans(work.layer(MACHINE.lanes), MACHINE)
    return Winograd(
        work,
        MACHINE.lanes,
        next(plan for plan in plans if plan.chunks_are_shared is shared and plan.chunks > 1),
    )


def scheduled(candidate: Any) -> tirx.PrimFunc:
    operands, out = expression(candidate.work, candidate)
    func = te.create_prim_func([*operands, out])
    found = (rule.apply(func, MACHINE) for rule in RULES)
    return next(schedule for schedule in found if schedule is not None).mod["main"]


def requests(func: tirx.PrimFunc) -> Iterator[int]:
    """Each place in the weights, counted in numbers, that is asked for at some time."""
    ranges: list[Any] = []
    calls: list[Any] = []
    tvm_ffi.structural_walk(func.body, ((tirx.For,), ranges.append), order="pre")
    tvm_ffi.structural_walk(func.body, ((ir.Call,), calls.append))
    ends = _ends(ranges)
    for call in calls:
        if getattr(call.op, "name", "") == "tirx.prefetch":
            *lead, place = call.args[0].args[0].indices
            assert not any(int(index) for index in lead)
            variables = list(tirx.analysis.undefined_vars(place))
            for values in product(*(range(ends[variable]) for variable in variables)):
                yield _value(place, dict(zip(variables, values, strict=True)))


def _ends(ranges: list[Any]) -> dict[Any, int]:
    """Where each loop ends at most: the rows of a window that lie in the image depend on outer loops."""
    analyzer, ends = Analyzer(), {}
    for loop in ranges:
        analyzer.bind(loop.loop_var, ir.Range.from_min_extent(loop.min, loop.extent), allow_override=True)
        end = analyzer.simplify(loop.min + loop.extent)
        ends[loop.loop_var] = int(analyzer.const_int_bound(end).max_value)
    return ends


def _value(expression: Any, values: dict[Any, int]) -> int:
    analyzer = Analyzer()
    for variable, value in values.items():
        analyzer.bind(variable, tirx.IntImm(variable.ty.dtype, value))
    return int(analyzer.simplify(expression))


@pytest.mark.parametrize(
    ("candidate", "slab"),
    [
        (Rows(convolution(1), 16, (7, 2)), 32 * 32),  # in strips of rows
        (Rows(convolution(3), 16, (7, 2)), 9 * 32 * 32),  # strips that copy what they read
        (Rows(convolution(1), 16, (7, 1), across=True), 32 * 16),
        (Tiles(convolution(1), 16, (4, 2)), 32 * 32),
        (Panels(Product(12, 64, 128), 16, (6, 2)), 64 * 32),
        (winograd(shared=True), 0),
        (winograd(shared=False), 0),
    ],
    ids=lambda value: getattr(value, "label", str(value)),
)
def test_all_lines_of_the_next_slab_are_asked_for(candidate: Any, slab: int) -> None:
    shape = candidate.shapes[1]
    total = math.prod(shape)
    slab = slab or shape[-1] * shape[-2]
    assert set(requests(scheduled(candidate))) == set(range(slab, total + slab, LINE))


@pytest.mark.parametrize(
    "candidate", [Rows(convolution(1), 16, (7, 4)), Panels(Product(6, 256, 64), 16, (6, 2))]
)
def test_weights_that_all_tiles_share_or_one_tile_reads_are_left_to_the_processor(candidate: Any) -> None:
    assert not list(requests(scheduled(candidate)))
