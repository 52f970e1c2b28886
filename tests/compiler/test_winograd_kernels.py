"""Winograd convolutions equal PyTorch's, however the image is cut, and `strict` switches them off."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import cycle
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tvm import relax, tirx

from neo_magics.api.events import Event
from neo_magics.compiler.kernels.conv2d_candidates import Convolution, Winograd
from neo_magics.compiler.kernels.winograd import Plan
from neo_magics.compiler.kernels.winograd_axis import Axis
from neo_magics.compiler.kernels.winograd_plan import Layer, choose_plan, plans
from neo_magics.compiler.machine import Machine
from tests.compiler.models import WIDTHS, constant, kernels, module, random, run, x86_target

# (data N C H W, output channels, window, padding, stride); channels fill and do not fill their blocks.
GRID = (
    ((1, 16, 7, 7), 16, (3, 3), (1, 1), 1),
    ((2, 20, 13, 23), 33, (3, 3), (1, 1), 1),
    ((1, 32, 9, 30), 48, (3, 3), (0, 2), 1),
    ((1, 17, 11, 11), 16, (5, 5), (2, 2), 1),
    ((4, 16, 6, 5), 16, (3, 5), (1, 2), 1),
    ((1, 17, 9, 17), 20, (1, 7), (0, 3), 1),
    ((2, 16, 16, 5), 16, (7, 1), (2, 0), 1),
    ((1, 20, 15, 30), 33, (3, 3), (1, 1), 2),
    ((3, 16, 8, 9), 16, (3, 3), (0, 1), 2),
)
AVX512 = Machine("x86_64", 16, 32, 2)


def convolution(x: relax.Var, case: tuple[Any, ...]) -> relax.Expr:
    """The case with bias, residual where the shape allows it, and ReLU."""
    shape, out, window, padding, stride = case
    y = relax.op.nn.conv2d(x, constant((out, shape[1], *window)), strides=stride, padding=padding)
    y = relax.op.add(y, constant((1, out, 1, 1), 1))
    same = (
        stride == 1 and out == shape[1] and all(2 * p == w - 1 for p, w in zip(padding, window, strict=True))
    )
    return relax.op.nn.relu(relax.op.add(y, x) if same else y)


def expected(x: np.ndarray, case: tuple[Any, ...]) -> np.ndarray:
    shape, out, window, padding, stride = case
    weight, bias = constant((out, shape[1], *window)), constant((1, out, 1, 1), 1)
    y = torch.conv2d(torch.from_numpy(x), torch.from_numpy(weight.value.numpy()), None, stride, padding)
    y = y + torch.from_numpy(bias.value.numpy())
    return torch.relu(y + torch.from_numpy(x) if y.shape == x.shape else y).numpy()


def agrees(cases: tuple[Any, ...], mcpu: str, plan: Callable[[Layer, Machine], Plan]) -> None:
    source = module(
        lambda *xs: [convolution(x, case) for x, case in zip(xs, cases, strict=True)],
        *((case[0], "float32") for case in cases),
    )
    arrays = [random(case[0]) for case in cases]
    events: list[Event] = []
    results = run(source, arrays, x86_target(mcpu), events, choose=planned(plan))
    assert not [event for event in events if ": rule " in event.sentence()]  # a slower rule stepped in
    for case, array, got in zip(cases, arrays, results, strict=True):
        np.testing.assert_allclose(got, expected(array, case), atol=1e-4, err_msg=str(case))


def planned(plan: Callable[[Layer, Machine], Plan]) -> Callable[[Convolution, Machine], Winograd]:
    """A choice of Winograd kernels that are cut as `plan` says."""

    def choose(work: Convolution, machine: Machine) -> Winograd:
        inner, outer = (-(-channels // machine.lanes) for channels in work.channels)
        layer = Layer(work.batch, *work.out, inner, outer, work.taps, work.window.stride)
        return Winograd(work, machine.lanes, plan(layer, machine))

    return choose


def names(source: Any, **options: Any) -> list[str]:
    lowered, refusals = kernels(source, x86_target(**options))
    assert not refusals
    return [var.name_hint for var in lowered.get_global_vars()]


@pytest.mark.parametrize(
    ("outputs", "taps", "stride", "longest"),
    [
        (2, 3, 1, 3),
        (4, 3, 1, 3),
        (2, 5, 1, 5),
        (3, 2, 1, 2),
        (1, 1, 1, 1),
        (3, 7, 1, 4),
        (4, 3, 2, 3),
        (3, 5, 2, 5),
    ],
)
def test_the_transforms_give_the_correlation(outputs: int, taps: int, stride: int, longest: int) -> None:
    axis = Axis(outputs, taps, stride, longest)
    data, window = random((axis.span,), 1).astype("float64"), random((taps,), 2).astype("float64")
    products = axis.weight @ window
    got, begin = np.zeros(outputs), 0
    for first, part in axis.parts:
        own = products[begin : begin + part.size]
        got += part.result @ (own * (part.data @ data[first::stride][: part.size]))
        begin += part.size
    np.testing.assert_allclose(got, np.correlate(data, window, "valid")[::stride], atol=1e-12)


@pytest.mark.parametrize("mcpu", WIDTHS)
def test_a_grid_of_odd_shapes(mcpu: str) -> None:
    agrees(GRID, mcpu, min_cost)


def min_cost(layer: Layer, machine: Machine) -> Plan:
    """The best plan even where the layer is so small that the direct kernel is as fast."""
    return choose_plan(layer, machine) or next(iter(plans(layer, machine)))


@settings(max_examples=2, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(1, 18), st.integers(1, 18), st.integers(1, 3)), min_size=4, max_size=4))
def test_every_way_to_cut_an_image(sizes: list[tuple[int, int, int]]) -> None:
    numbers: Iterator[int] = iter(range(3, 10_000, 13))

    def any_plan(layer: Layer, machine: Machine) -> Plan:
        found = list(plans(layer, machine))
        return found[next(numbers) % len(found)]

    cases = [((n, 16, h + 2, w + 2), 32, (3, 3), (p, 1), 1) for (h, w, n), p in zip(sizes, cycle((0, 1)))]
    agrees(tuple(cases), "native", any_plan)


def test_a_free_batch_takes_any_number() -> None:
    case = ((3, 32, 14, 14), 32, (3, 3), (1, 1), 1)
    source = module(lambda x: [convolution(x, case)], ((tirx.Var("n", "int64"), *case[0][1:]), "float32"))
    assert any("winograd" in name for name in names(source))
    [got] = run(source, [random(case[0])], x86_target())
    np.testing.assert_allclose(got, expected(random(case[0]), case), atol=1e-4)


def test_strict_sums_products_and_nothing_else() -> None:
    case = ((1, 32, 14, 14), 32, (3, 3), (1, 1), 1)
    source = module(lambda x: [convolution(x, case)], (case[0], "float32"))
    assert any("winograd" in name for name in names(source))
    assert not any("winograd" in name for name in names(source, strict=True))


def test_what_winograd_cannot_do_or_is_slower_at_stays_direct() -> None:
    assert choose_plan(Layer(1, 56, 56, 4, 4, (1, 1)), AVX512) is None
    assert choose_plan(Layer(1, 56, 56, 4, 4, (7, 7)), AVX512) is None
    assert choose_plan(Layer(1, 1, 1, 32, 32, (3, 3)), AVX512) is None
    assert choose_plan(Layer(1, 7, 7, 32, 32, (3, 3), (2, 2)), AVX512) is None  # more weights than it saves


def test_the_plan_fits_the_caches() -> None:
    wide = min_cost(Layer(1, 224, 224, 2, 2, (3, 3)), AVX512)
    deep = min_cost(Layer(1, 7, 7, 32, 32, (3, 3)), AVX512)
    assert wide.rows.outputs == 4
    assert wide.chunks > 8
    assert wide.chunks_are_shared
    assert deep.rows.outputs == 2  # more points, more weights: bound by memory
    assert not deep.chunks_are_shared  # or each thread would read all of them


def test_the_plan_of_a_free_side_takes_a_few_tiles_of_it_and_no_more_than_there_are_of_the_other() -> None:
    image = choose_plan(Layer(1, 112, 112, 4, 4, (3, 3), free=(True, True)), AVX512)
    sequence = choose_plan(Layer(1, 1, 4096, 16, 16, (1, 3), free=(False, True)), AVX512)
    small = choose_plan(Layer(1, 14, 14, 16, 16, (3, 3), free=(True, True)), AVX512)
    assert image is not None
    assert image.tile_columns * image.columns.outputs < 112
    assert sequence is not None
    assert sequence.tile_rows == 1
    assert small is None
    assert choose_plan(Layer(1, 112, 112, 4, 4, (1, 1), free=(True, True)), AVX512) is None
