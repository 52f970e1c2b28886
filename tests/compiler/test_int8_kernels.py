"""Products of bytes: exact in int32, scaled per channel, with ranges measured on calibration inputs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tvm import relax, tirx
from tvm.relax import op

from neo_magics.compiler.kernels.dots import INT8
from neo_magics.compiler.passes.narrow_operand import Narrow, Range
from neo_magics.compiler.pipeline import measure_ranges
from neo_magics.compiler.precision import describe_precision
from neo_magics.compiler.targets import CpuTarget
from neo_magics.errors import InputError, TargetError
from tests.compiler.models import Array, constant, module, random, run, x86_target

SCALE, ZERO = 0.03, 131


def int8_target() -> CpuTarget:
    try:
        return x86_target(precision="int8")
    except TargetError:
        pytest.skip("this CPU has no AVX512-VNNI")


def through_bytes(x: Any) -> relax.Expr:
    """`x` in the form that asks for a product of bytes."""
    scale, zero = relax.const(np.float32(SCALE)), relax.const(np.uint8(ZERO), "uint8")
    return op.dequantize(op.quantize(x, scale, zero, out_dtype="uint8"), scale, zero)


def to_bytes(x: Array) -> Array:
    """What the kernel makes of `x`, in its own arithmetic, minus the byte for 0."""
    whole = np.floor(np.clip(x * np.float32(1 / SCALE) + np.float32(ZERO + 0.5), 0.5, 255.5))
    return whole.astype("int64") - ZERO


def weight_bytes(weight: Array, axis: int) -> tuple[Array, Array]:
    """The bytes and the step of each channel."""
    others = tuple(dim for dim in range(weight.ndim) if dim != axis)
    steps = np.abs(weight).max(axis=others, keepdims=True) / 127
    return np.rint(weight / steps).astype("int64"), steps.reshape(-1)


# (leading dimensions, K, N)
PRODUCTS = (((1,), 64, 64), ((64,), 33, 48), ((77,), 18, 16), ((2, 3), 21, 37), ((2, 1, 8), 17, 130))


def test_products_are_exact_but_for_the_scaling() -> None:
    source = module(
        lambda *xs: [
            op.nn.relu(op.matmul(through_bytes(x), constant((k, n))))
            for x, (_lead, k, n) in zip(xs, PRODUCTS, strict=True)
        ],
        *(((*lead, k), "float32") for lead, k, _n in PRODUCTS),
    )
    target = int8_target()
    arrays = [2 * random((*lead, k)) for lead, k, _n in PRODUCTS]
    for (_lead, k, n), x, got in zip(PRODUCTS, arrays, _run(source, arrays, target), strict=True):
        weight, steps = weight_bytes(constant((k, n)).value.numpy(), 1)
        expected = np.maximum(to_bytes(x) @ weight * steps * SCALE, 0)
        np.testing.assert_allclose(got, expected, rtol=2e-6, atol=2e-5, err_msg=f"{x.shape} {n}")


@dataclass(frozen=True)
class Layer:
    """A convolution; the sizes of its data and of its weight."""

    data: tuple[int, int, int, int]
    weight: tuple[int, int, int, int]
    stride: int = 1
    padding: int = 0


LAYERS = (
    Layer((1, 16, 14, 14), (64, 16, 3, 3), 2, 1),
    Layer((2, 20, 9, 11), (40, 20, 3, 3), 2, 1),
    Layer((1, 64, 7, 7), (32, 64, 1, 1)),
    Layer((1, 17, 13, 5), (16, 17, 1, 1), 2),
    Layer((3, 16, 6, 6), (48, 16, 1, 5), 1, 2),
)


def test_convolutions_pad_with_the_byte_for_zero() -> None:
    source = module(
        lambda *xs: [
            op.nn.conv2d(through_bytes(x), constant(e.weight), strides=e.stride, padding=e.padding)
            for x, e in zip(xs, LAYERS, strict=True)
        ],
        *((layer.data, "float32") for layer in LAYERS),
    )
    arrays = [2 * random(layer.data) for layer in LAYERS]
    for e, x, got in zip(LAYERS, arrays, _run(source, arrays, int8_target()), strict=True):
        weight, steps = weight_bytes(constant(e.weight).value.numpy(), 0)
        data = torch.from_numpy(to_bytes(x).astype("float64"))
        sums = torch.conv2d(data, torch.from_numpy(weight.astype("float64")), None, e.stride, e.padding)
        expected = sums.numpy() * steps[:, None, None] * SCALE
        np.testing.assert_allclose(got, expected, rtol=2e-6, atol=2e-5, err_msg=str(e))


def _run(source: Any, arrays: list[Array], target: CpuTarget) -> list[Array]:
    """Compiled with the bytes that the source itself asks for; nothing more is quantised."""
    return run(source, arrays, replace(target, precision="float32"))


def test_ranges_are_those_of_the_inner_layers_over_all_samples() -> None:
    source = _three_layers((4, 32))
    samples = [[random((4, 32), seed)] for seed in range(3)]
    [found] = measure_ranges(source, int8_target(), samples, lambda _event: None)
    hidden = [np.maximum(sample[0] @ constant((32, 48)).value.numpy(), 0) for sample in samples]
    assert found.low == 0
    assert found.high == pytest.approx(max(float(array.max()) for array in hidden), rel=1e-5)


def test_a_model_with_a_free_batch_through_calibration_and_bytes() -> None:
    n = tirx.Var("n", "int64")
    source, target = _three_layers((n, 32)), int8_target()
    ranges = measure_ranges(source, target, [[random((8, 32), 5)]], lambda _event: None)
    x = random((8, 32), 5)
    [got] = run(source, [x], target, ranges=ranges)
    hidden = np.maximum(x @ constant((32, 48)).value.numpy(), 0)
    hidden = np.maximum(hidden @ constant((48, 64), 1).value.numpy(), 0)
    expected = hidden @ constant((64, 16), 2).value.numpy()
    assert np.abs(got - expected).max() < 0.02 * np.abs(expected).max()
    assert np.abs(got - expected).max() > 0  # bytes were used


def test_calibration_inputs_are_needed_and_have_to_be_finite() -> None:
    source, target = _three_layers((4, 32)), int8_target()
    with pytest.raises(InputError, match="needs calibration inputs"):
        measure_ranges(source, target, [], lambda _event: None)
    with pytest.raises(InputError, match="NaN or infinite"):
        measure_ranges(source, target, [[np.full((4, 32), np.inf, "float32")]], lambda _event: None)


def test_the_share_counts_products_of_bytes() -> None:
    from neo_magics.compiler.pipeline import optimize

    source, target = _three_layers((4, 32)), int8_target()
    lowered = optimize(source, target, lambda _event: None, ranges=[Range(0, 3)])
    said = describe_precision(target.precision, lowered.kernels)
    products = [4 * 32 * 48, 4 * 48 * 64, 4 * 64 * 16]
    assert said["share"] == pytest.approx(products[1] / sum(products), abs=0.08)


@given(st.floats(-100, 100), st.floats(0, 100))
def test_zero_is_a_byte_of_every_range(low: float, width: float) -> None:
    found = Range(low, low + width)
    assert 0 <= found.zero <= 255
    assert found.scale > 0


def test_weights_of_nothing_but_zeros_stay_zeros() -> None:
    weight = np.zeros((8, 4), "float32")
    weight[:, 1] = 3
    narrow, (factors, terms) = Narrow(INT8, 0.5, 7).weights(weight, axis=1)
    assert not narrow[:, 0].any()
    assert np.isfinite(factors).all()
    assert terms[0] == 0


def _three_layers(shape: tuple[Any, ...]) -> Any:
    def build(x: relax.Var) -> list[relax.Expr]:
        first = op.nn.relu(op.matmul(x, constant((32, 48))))
        second = op.nn.relu(op.matmul(first, constant((48, 64), 1)))
        return [op.matmul(second, constant((64, 16), 2))]

    return module(build, (shape, "float32"))
