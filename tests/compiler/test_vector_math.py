"""Functions in vectors are as good as the C library's, at the ends of their ranges too."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tvm
from tvm import relax, te, tirx
from tvm.s_tir import Schedule

from neo_magics.compiler.kernels.math import exp_below
from neo_magics.compiler.passes.expand_math import ExpandMath
from tests.compiler.models import WIDTHS, module, run, x86_target

FUNCTIONS: dict[str, tuple[Callable[[Any], Any], Callable[[float], float]]] = {
    "exp": (relax.op.exp, np.exp),
    "erf": (relax.op.erf, math.erf),
    "tanh": (relax.op.tanh, math.tanh),
    "sigmoid": (relax.op.sigmoid, lambda x: 1 / (1 + np.exp(-x))),
}
ENDS = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0, 88.7, 89.5, -104.5, -87.5, 1e-30, -1e-30], "float32")


@pytest.mark.parametrize("mcpu", WIDTHS)
def test_functions(mcpu: str) -> None:
    x = np.concatenate([np.linspace(-104, 88, 2001), np.linspace(-9, 9, 2003), ENDS]).astype("float32")
    source = module(lambda v: [make(v) for make, _ in FUNCTIONS.values()], (x.shape, "float32"))
    for name, got in zip(FUNCTIONS, run(source, [x], x86_target(mcpu)), strict=True):
        with np.errstate(all="ignore"):
            expected = np.array([FUNCTIONS[name][1](value) for value in x.astype("float64")]).astype(
                "float32"
            )
        np.testing.assert_allclose(got, expected, rtol=4e-7, atol=2e-38, err_msg=name)


@pytest.mark.parametrize("mcpu", WIDTHS)
def test_exponents_of_a_soft_max(mcpu: str) -> None:
    x = np.concatenate([np.linspace(-104, 0, 4001), [-np.inf, np.nan, -0.0, -87.9, -3e38]]).astype("float32")
    data = te.placeholder(x.shape, "float32")
    func = te.create_prim_func([data, te.compute(x.shape, lambda i: exp_below(data[i]))])
    schedule = Schedule(tvm.IRModule({"main": func}))
    schedule.vectorize(schedule.split(schedule.get_loops(schedule.get_sblock("compute"))[0], [None, 8])[1])
    got = tvm.runtime.tensor(np.zeros_like(x))
    tvm.compile(schedule.mod, x86_target(mcpu).tvm)(tvm.runtime.tensor(x), got)
    with np.errstate(all="ignore"):
        expected = np.exp(x.astype("float64")).astype("float32")
    # An error in the exponent grows with it; without fused multiply-adds more.
    np.testing.assert_allclose(got.numpy(), expected, rtol=1e-5, atol=2e-38)
    near = expected > 1e-3
    np.testing.assert_allclose(got.numpy()[near], expected[near], rtol=8e-7)


@pytest.mark.parametrize("mcpu", WIDTHS)
def test_not_a_number_is_never_hidden(mcpu: str) -> None:
    x = np.full((3, 35), np.nan, "float32")
    x[1] = np.inf
    x[2] = -np.inf

    def build(v: Any) -> list[Any]:
        low, high = relax.const(0.0), relax.const(6.0)
        clipped = [relax.op.nn.relu(v), relax.op.nn.relu6(v), relax.op.clip(v, -1, 1), relax.op.nn.silu(v)]
        return [*clipped, relax.op.minimum(relax.op.maximum(v, low), high), relax.op.maximum(high, v)]

    relu, relu6, clip, silu, bounded, above = run(module(build, (x.shape, "float32")), [x], x86_target(mcpu))
    for got, expected in ((relu, [np.inf, 0]), (relu6, [6, 0]), (clip, [1, -1]), (bounded, [6, 0])):
        assert np.isnan(got[0]).all()
        np.testing.assert_array_equal(got[1:, 0], expected)
    assert np.isnan(silu[0]).all()
    assert np.isnan(above[0]).all()


ANY_SIZE = np.concatenate(
    [np.logspace(-44, 38.5, 3001), np.linspace(0.5, 2, 1001), [1, 1 + 2**-23, 1 - 2**-24]]
)
SPECIAL = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, -1.0, -3e38], "float32")


def calls(function: Callable[[Any], Any], x: Any, mcpu: str = "native") -> Any:
    """`function` of TIR for each element of x, by the pass, as one vectorised loop."""
    data = te.placeholder(x.shape, str(x.dtype))
    made = te.compute(x.shape, lambda i: function(data[i]), name="made")
    schedule = Schedule(tvm.IRModule({"main": te.create_prim_func([data, made])}))
    schedule.vectorize(schedule.split(schedule.get_loops(schedule.get_sblock("made"))[0], [None, 8])[1])
    got = tvm.runtime.tensor(np.zeros(x.shape, str(made.dtype)))
    tvm.compile(ExpandMath()(schedule.mod), x86_target(mcpu).tvm)(tvm.runtime.tensor(x), got)
    return got.numpy()


@pytest.mark.parametrize("mcpu", WIDTHS)
@pytest.mark.parametrize("name", ["log", "log2", "log10", "log1p"])
def test_logarithms(name: str, mcpu: str) -> None:
    x = np.concatenate([ANY_SIZE, -ANY_SIZE[ANY_SIZE < 1], SPECIAL]).astype("float32")
    with np.errstate(all="ignore"):
        expected = getattr(np, name)(x.astype("float64")).astype("float32")
    np.testing.assert_allclose(calls(getattr(tirx, name), x, mcpu), expected, rtol=4e-7, atol=1e-38)


@pytest.mark.parametrize("mcpu", WIDTHS)
@pytest.mark.parametrize("name", ["sin", "cos"])
def test_angles(name: str, mcpu: str) -> None:
    near = np.linspace(-30, 30, 4001)
    far = np.random.default_rng(0).uniform(-1e9, 1e9, 4000)
    x = np.concatenate([near, far, np.pi / 4 * np.arange(-40, 41), SPECIAL[:5]]).astype("float32")
    with np.errstate(all="ignore"):
        expected = getattr(np, name)(x.astype("float64"))
    np.testing.assert_allclose(calls(getattr(tirx, name), x, mcpu), expected, atol=2e-7, rtol=0)
    (beyond,) = calls(getattr(tirx, name), np.array([3e38], "float32"), mcpu)
    assert -1 <= beyond <= 1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("exponent", [2, 3, 7, 8, -1, -3, 0.5, -0.5, 0.75, 1.25, 2.5, -1.5, 0, 1, 1.7, 9])
def test_powers_with_a_known_exponent(exponent: float, dtype: str) -> None:
    x = np.array(
        [0.1, 0.9, 1, 1.1, 3.7, 100, 1e-4, *([-0.3, -2.5] if exponent == int(exponent) else [])], dtype
    )
    got = calls(lambda v: tirx.pow(v, tirx.const(exponent, dtype)), x)
    expected = (x.astype("longdouble") ** exponent).astype(dtype)
    np.testing.assert_allclose(got, expected, rtol=1e-6 if dtype == "float32" else 2e-15)


def test_roots_and_what_is_not_a_number() -> None:
    x = np.concatenate([ANY_SIZE[ANY_SIZE > 1e-37], SPECIAL]).astype("float32")
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(calls(tirx.rsqrt, x), 1 / np.sqrt(x), rtol=2e-7)
    np.testing.assert_array_equal(calls(lambda v: tirx.isnan(v).astype("float32"), x), np.isnan(x))


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-6), ("float64", 1e-14)])
def test_hyperbolic_functions_of_any_float(dtype: str, tolerance: float) -> None:
    x = np.concatenate([np.linspace(-40, 40, 301), np.linspace(-1, 1, 77), [1e-20, -1e-8, 0.0]]).astype(dtype)
    source = module(lambda v: [relax.op.cosh(v), relax.op.sinh(v)], (x.shape, dtype))
    for got, expected in zip(run(source, [x], x86_target()), (np.cosh(x), np.sinh(x)), strict=True):
        np.testing.assert_allclose(got, expected, rtol=tolerance)


@pytest.mark.parametrize("mcpu", WIDTHS)
def test_results_that_are_rounded_to_bfloat16(mcpu: str) -> None:
    """TVM rounds by writing the operand several times, names of parts of it included, which it refuses."""
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    x = np.linspace(-5, 5, 64).reshape(4, 16).astype(bfloat16)

    def build(v: Any) -> list[Any]:
        wide = relax.op.astype(v, "float32")
        made = [relax.op.multiply(wide, relax.op.sigmoid(wide)), relax.op.cos(wide)]
        made.append(relax.op.maximum(relax.op.exp(wide), relax.op.multiply(wide, wide)))
        return [relax.op.astype(each, "bfloat16") for each in made]

    wide = x.astype("float64")
    expected = [wide / (1 + np.exp(-wide)), np.cos(wide), np.maximum(np.exp(wide), wide * wide)]
    results = run(module(build, (x.shape, "bfloat16")), [x], x86_target(mcpu))
    for got, want in zip(results, expected, strict=True):
        np.testing.assert_allclose(got.astype("float64"), want, rtol=2**-8, atol=1e-3)


def test_a_model_that_only_hands_its_input_through() -> None:
    x = np.ones((2, 3), "float32")
    (got,) = run(module(lambda v: [v], (x.shape, "float32")), [x], x86_target())
    np.testing.assert_array_equal(got, x)


def test_a_choice_by_a_logarithm() -> None:
    x = np.linspace(-3, 3, 41).astype("float32").reshape(1, 41)

    def build(v: Any) -> list[Any]:
        number = lambda value: relax.const(np.float32(value))  # noqa: E731
        size = relax.op.exp(relax.op.negative(relax.op.abs(v)))
        y = relax.op.subtract(relax.op.minimum(v, number(0)), relax.op.log(relax.op.add(number(1), size)))
        return [relax.op.where(relax.op.less_equal(y, number(-0.5)), number(20), y)]

    (got,) = run(module(build, (x.shape, "float32")), [x], x86_target())
    y = np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x)))
    np.testing.assert_allclose(got, np.where(y <= -0.5, 20, y), rtol=1e-5)
