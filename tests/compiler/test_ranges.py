"""Ranges for bytes: all numbers where they are even, a percentile where a few lie far away."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tvm import relax

from neo_magics.compiler.passes.narrow_operand import Range
from neo_magics.compiler.pipeline import measure_ranges
from neo_magics.compiler.ranges import best_range, squared_error
from tests.compiler.models import constant, module, random, x86_target


def test_even_numbers_take_their_whole_range() -> None:
    values = np.linspace(-1, 3, 5000, dtype="float32")
    assert best_range(values, -1.0, 3.0) == Range(-1.0, 3.0)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_few_numbers_far_away_become_the_end_of_a_finer_range(sign: int) -> None:
    values = sign * np.random.default_rng(0).standard_normal(400_000).astype("float32")
    values[7] = sign * 8.0  # clipping this one costs less than coarse steps for all others
    found = best_range(values, float(values.min()), float(values.max()))
    assert max(abs(found.low), abs(found.high)) < 8.0
    assert squared_error(values, found) < squared_error(values, Range(values.min(), values.max()))


def test_a_number_so_large_that_it_matters_stays() -> None:
    values = random((20000,))
    values[7] = 1000.0
    assert best_range(values, float(values.min()), 1000.0).high == 1000.0


def test_without_a_sample_the_range_is_whole() -> None:
    assert best_range(np.zeros(0, "float32"), -2.0, 5.0) == Range(-2.0, 5.0)


def test_the_error_is_that_of_quantising() -> None:
    values = np.array([0.0, 1.0, 2.4, 255.0, 300.0])
    assert squared_error(values, Range(0, 255)) == pytest.approx((0.4**2 + 45**2) / 5)


@settings(max_examples=50, deadline=None)
@given(arrays("float32", st.integers(1, 60), elements=st.floats(-100, 100, width=32)))
def test_never_worse_than_the_whole_range(values: np.ndarray) -> None:
    low, high = float(values.min()), float(values.max())
    found = best_range(values, low, high)
    assert low <= found.low <= found.high <= high
    assert squared_error(values, found) <= squared_error(values, Range(low, high))


@pytest.mark.parametrize("rows", [3, 300])
def test_a_model_is_looked_at_in_its_middle(rows: int) -> None:
    """The middle one of three products is done in bytes; its operand is x · I, which is x."""
    eye = relax.const(np.eye(40, dtype="float32"))

    def three(x: relax.Var) -> list[relax.Expr]:
        middle = relax.op.matmul(relax.op.matmul(x, eye), constant((40, 40)))
        return [relax.op.matmul(middle, constant((40, 40)))]

    source, inputs = module(three, ((rows, 40), "float32")), [[random((rows, 40), n)] for n in range(4)]
    [found] = measure_ranges(source, x86_target(), inputs, lambda _event: None)
    ends = min(x.min() for [x] in inputs), max(x.max() for [x] in inputs)
    assert (found.low, found.high) == pytest.approx(ends, rel=0.2)
    inputs[2][0][0, 5] = 50.0
    [wider] = measure_ranges(source, x86_target(), inputs, lambda _event: None)
    assert wider.high == pytest.approx(50.0)
