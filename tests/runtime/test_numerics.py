"""Two results are the same, or it is said how far they lie apart."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from neo_magics.runtime.numerics import DEFAULT_TOLERANCES, differences, tolerance_for

floats = hnp.arrays(
    np.float32, hnp.array_shapes(min_dims=0, max_dims=3, max_side=5), elements=st.floats(width=32)
)


def one(expected, got, **options):
    """The difference of a single output."""
    (found,) = differences({"y": np.asarray(expected)}, {"y": np.asarray(got)}, **options)
    return found


@given(array=floats)
def test_an_array_is_no_different_from_itself_whatever_it_holds(array):
    found = one(array, array.copy())
    assert not found.problem
    assert found.max_abs == 0


@given(array=floats.filter(lambda a: a.size > 0 and bool(np.isfinite(a).all())), data=st.data())
def test_one_wrong_element_is_found_wherever_it_is(array, data):
    index = data.draw(st.integers(0, array.size - 1))
    wrong = array.astype(np.float64).reshape(-1)
    limit = one(array, array).limit
    wrong[index] += 4 * limit + 1e-30
    with np.errstate(over="ignore"):
        rounded = wrong.reshape(array.shape).astype(np.float32)
    assert one(array, rounded).problem


def test_figures():
    found = one(np.array([0.0, -10.0], "f4"), np.array([0.5, -10.0], "f4"))
    assert (found.max_abs, found.max_rel, found.scale) == (0.5, 0.05, 10.0)
    assert found.limit == pytest.approx(1e-5 + 1e-3 * 10)
    assert "largest difference 0.5 where 0.01 is allowed (50.0% of the values are over" in found.problem


def test_small_outputs_are_held_to_their_own_scale():
    probabilities = np.full(1000, 1e-3, "f4")
    assert one(probabilities, probabilities[::-1] * np.float32(1.1)).problem
    assert not one(probabilities, probabilities * np.float32(1.0001)).problem


@pytest.mark.parametrize(
    ("got", "words"),
    [
        ([np.nan, 1.0], r"1 NaN \(source: 0\)"),
        ([np.inf, 1.0], r"1 infinite \(source: 0\)"),
    ],
)
def test_what_is_not_a_number_is_counted(got, words):
    import re

    assert re.search(words, one(np.array([0.0, 1.0], "f4"), np.array(got, "f4")).problem)


def test_an_infinity_of_the_other_sign_is_wrong():
    assert one(np.array([np.inf], "f4"), np.array([-np.inf], "f4")).problem
    assert one(np.array([np.nan], "f4"), np.array([0.0], "f4")).problem


def test_shapes_dtypes_and_names():
    y = np.zeros((2, 3), "f4")
    assert one(y, y[:1]).problem == "shape [1, 3] in place of [2, 3]"
    assert one(y, y.astype("f8")).problem == "dtype float64 in place of float32"
    assert differences({"y": y}, {})[0].problem == "the compiled model has no such output"
    assert differences({}, {"z": y})[0].problem == "the source model has no such output"


def test_integers_are_exact_unless_the_user_says_otherwise():
    expected, got = np.array([100, 50]), np.array([101, 50])
    assert one(expected, got).problem
    assert not one(expected, got, relative=0.02).problem
    assert one(np.array([True]), np.array([False])).problem


def test_low_precision_has_room():
    expected = np.linspace(0, 1, 9).astype(ml_dtypes.bfloat16)
    assert not one(expected, expected * ml_dtypes.bfloat16(1.01)).problem
    lower = tolerance_for("float32", "bfloat16")
    assert lower.relative == DEFAULT_TOLERANCES["bfloat16"].relative
    assert lower.absolute == DEFAULT_TOLERANCES["float32"].absolute
    assert tolerance_for("int64", "bfloat16").limit(100) == 0
    assert tolerance_for("float32", relative=0.5).relative == 0.5


def test_large_integers_do_not_overflow():
    big = np.array([np.iinfo("int64").max, np.iinfo("int64").min])
    assert not one(big, big).problem
    assert one(np.array([0], "uint8"), np.array([255], "uint8")).max_abs == 255
