"""Products of bfloat16 numbers: what is rounded, what is exact, and which CPUs have the instruction."""

from __future__ import annotations

from dataclasses import dataclass

import ml_dtypes
import numpy as np
import pytest
import torch
from tvm import relax, tirx
from tvm.relax import op

from neo_magics.api import devices
from neo_magics.api.compiler_options import CompilerOptions
from neo_magics.compiler.precision import describe_precision
from neo_magics.compiler.targets import CpuTarget, resolve_target
from neo_magics.errors import TargetError
from tests.compiler.models import Array, constant, kernels, module, random, run, x86_target

# (leading dimensions, K, N)
PRODUCTS = (
    ((1,), 64, 64), ((64,), 33, 48), ((77,), 16, 16), ((2, 3), 20, 37), ((2, 1, 8), 17, 130),
    ((1, 128), 40, 24),
)  # fmt: skip


def bfloat16_target() -> CpuTarget:
    try:
        return x86_target(precision="bfloat16")
    except TargetError:
        pytest.skip("this CPU has no AVX512-BF16")


def rounded(array: Array) -> Array:
    return array.astype(ml_dtypes.bfloat16).astype("float32")


def test_products_are_those_of_rounded_operands_summed_in_float32() -> None:
    def products(*xs: relax.Var) -> list[relax.Expr]:
        return [
            op.nn.relu(op.add(op.matmul(x, constant((k, n))), constant((n,), 1)))
            for x, (_lead, k, n) in zip(xs, PRODUCTS, strict=True)
        ]

    arrays = [random((*lead, k)) for lead, k, _n in PRODUCTS]
    source = module(products, *((array.shape, "float32") for array in arrays))
    for (_lead, k, n), x, got in zip(PRODUCTS, arrays, run(source, arrays, bfloat16_target()), strict=True):
        weight, bias = constant((k, n)).value.numpy(), constant((n,), 1).value.numpy()
        expected = np.maximum(rounded(x) @ rounded(weight) + bias, 0)
        np.testing.assert_allclose(got, expected, atol=2e-6, err_msg=f"{x.shape} {n}")


@dataclass(frozen=True)
class Layer:
    """A convolution of an image that is rounded exactly; its size and the weight's."""

    data: tuple[int, int, int, int]
    weight: tuple[int, int, int, int]
    stride: int = 1
    padding: int = 0
    dilation: int = 1


LAYERS = (
    Layer((1, 16, 14, 14), (64, 16, 3, 3), 2, 1), Layer((2, 20, 9, 11), (40, 20, 3, 3), 2, 1),
    Layer((1, 64, 7, 7), (32, 64, 1, 1)), Layer((1, 17, 13, 5), (16, 17, 1, 1), 2),
    Layer((1, 32, 12, 10), (16, 32, 3, 3), 1, 2, 2), Layer((3, 16, 6, 6), (48, 16, 1, 5), 1, 0),
)  # fmt: skip


def test_convolutions_are_those_of_rounded_operands() -> None:
    def build(*xs: relax.Var) -> list[relax.Expr]:
        return [
            op.nn.relu(
                op.nn.conv2d(
                    x, constant(e.weight), strides=e.stride, padding=e.padding, dilation=(e.dilation,) * 2
                )
            )
            for x, e in zip(xs, LAYERS, strict=True)
        ]

    arrays = [random(layer.data) for layer in LAYERS]
    source = module(build, *((array.shape, "float32") for array in arrays))
    for e, x, got in zip(LAYERS, arrays, run(source, arrays, bfloat16_target()), strict=True):
        weight = torch.from_numpy(rounded(constant(e.weight).value.numpy()))
        expected = torch.conv2d(torch.from_numpy(rounded(x)), weight, None, e.stride, e.padding, e.dilation)
        np.testing.assert_allclose(got, expected.relu().numpy(), atol=3e-6, err_msg=str(e))


def test_batch_and_rows_may_be_free() -> None:
    n = tirx.Var("n", "int64")
    source = module(
        lambda x, image: [
            op.matmul(x, constant((32, 20))),
            op.nn.conv2d(image, constant((16, 16, 1, 1))),
        ],
        ((n, 32), "float32"),
        ((n, 16, 5, 5), "float32"),
    )
    x, image = random((5, 32)), random((5, 16, 5, 5))
    product, convolved = run(source, [x, image], bfloat16_target())
    np.testing.assert_allclose(product, rounded(x) @ rounded(constant((32, 20)).value.numpy()), atol=2e-6)
    weight = rounded(constant((16, 16, 1, 1)).value.numpy())[:, :, 0, 0]
    np.testing.assert_allclose(convolved, np.einsum("oi,nihw->nohw", weight, rounded(image)), atol=2e-6)


def test_not_a_number_and_infinities_stay_what_they_are() -> None:
    x = np.zeros((4, 16), "float32")
    x[0, 0], x[1, 0], x[2, 0], x[3, 0] = np.nan, np.inf, -np.inf, 3.4e38
    source = module(lambda v: [op.matmul(v, relax.const(np.eye(16, dtype="float32")))], (x.shape, "float32"))
    [got] = run(source, [x], bfloat16_target())
    assert np.isnan(got[0, 0])
    assert list(got[1:, 0]) == [np.inf, -np.inf, np.inf]  # the last is beyond bfloat16's largest number


def test_what_has_no_narrow_kernel_keeps_its_digits() -> None:
    """Few channels, a product of computed values, groups: float32, as without the option."""
    source = module(
        lambda x, y: [op.matmul(x, y), op.matmul(x, constant((24, 8)))],
        ((24, 24), "float32"),
        ((24, 24), "float32"),
    )
    x, y = random((24, 24)), random((24, 24), 1)
    product, narrow = run(source, [x, y], bfloat16_target())
    np.testing.assert_allclose(product, x @ y, atol=1e-5)
    np.testing.assert_allclose(narrow, x @ constant((24, 8)).value.numpy(), atol=1e-5)


def test_every_layer_takes_the_instruction_and_the_share_says_so() -> None:
    from neo_magics.compiler.pipeline import optimize

    target = bfloat16_target()
    source = module(lambda x: [op.nn.relu(op.matmul(x, constant((64, 64))))], ((16, 64), "float32"))
    lowered = optimize(source, target, lambda _event: None)
    said = describe_precision(target.precision, lowered.kernels)
    assert said["dtype"] == "bfloat16"
    assert said["share"] > 0.9
    assert not kernels(source, target)[1]  # no rule refused


@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
def test_a_cpu_without_the_instruction_is_refused(precision: str) -> None:
    options = CompilerOptions(mcpu="x86-64-v3", precision=precision)
    with pytest.raises(TargetError, match="no instructions for"):
        resolve_target(devices.resolve({"TargetPlatform": {"Os": "LINUX", "Arch": "X86_64"}}), options)


def test_the_instruction_is_in_the_library() -> None:
    import tvm

    from neo_magics.compiler.pipeline import optimize

    target = bfloat16_target()
    source = module(lambda x: [op.matmul(x, constant((64, 64)))], ((16, 64), "float32"))
    lowered = optimize(source, target, lambda _event: None)
    functions = {
        var: func for var, func in lowered.module.functions_items() if isinstance(func, tirx.PrimFunc)
    }
    code = tvm.tirx.build(tvm.IRModule(functions), target.tvm).inspect_source("asm")
    assert "vdpbf16ps" in code
    assert "neo_dot" not in code  # no call is left
