"""Models in 16-bit floats are computed in float32: their inputs and results stay what they are."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
import torch
import tvm
from torch import nn
from tvm import relax
from tvm.script import tirx as T

from neo_magics.compiler.frontends.torch_program import program_to_module
from neo_magics.compiler.passes.widen_halves import WidenHalves
from tests.compiler.models import kernels, module, random, run, x86_target

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning")
NUMPY = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16}
CLOSE = {"float16": 2e-3, "bfloat16": 2e-2}


class Network(nn.Module):
    """Convolutions, a norm, products, attention's scores, and a class beside the numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.image = nn.Sequential(
            nn.Conv2d(3, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 32, 3)
        )
        self.norm, self.scores = nn.LayerNorm(32), nn.Linear(32, 5)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        rows = self.norm(self.image(x).flatten(2).transpose(1, 2))
        mixed = (rows @ rows.transpose(1, 2) / 6).softmax(-1) @ rows
        scores = self.scores(mixed.mean(1))
        return scores, scores.argmax(-1), mixed.float()


@pytest.mark.parametrize("dtype", NUMPY)
def test_a_network(dtype: str) -> None:
    torch.manual_seed(0)
    network, x = Network().eval(), torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        expected = network(x)
    halves = network.to(getattr(torch, dtype))
    source = program_to_module(torch.export.export(halves, (x.to(getattr(torch, dtype)),)))
    lowered, refused = kernels(source, x86_target())
    names = " ".join(var.name_hint for var in lowered.get_global_vars())
    assert not refused
    assert all(kernel in names for kernel in ("conv2d", "packed_matmul"))
    assert "conv2d_add_relu" in names  # the batch norm is folded: no cast stands between
    scores, classes, mixed = run(source, [x.numpy().astype(NUMPY[dtype])], x86_target())
    assert [str(array.dtype) for array in (scores, classes, mixed)] == [dtype, "int64", "float32"]
    np.testing.assert_allclose(scores.astype("f4"), expected[0], atol=CLOSE[dtype] * 3)
    np.testing.assert_allclose(mixed, expected[2], atol=CLOSE[dtype] * 5)
    np.testing.assert_array_equal(classes, expected[1])


def test_inputs_results_and_parts_of_tuples() -> None:
    """A result that is an input, joined and split ones, comparisons, integers, and infinity."""

    def build(x: relax.Var, n: relax.Var) -> list[relax.Expr]:
        joined = relax.op.concat([x, relax.op.multiply(x, relax.const(4.0, "float16"))], 0)
        parts = relax.op.split(joined, 2, 1)
        filled = relax.op.full([3], relax.const(2.0, "float16"), "float16")
        return [
            parts[1],
            relax.op.less(parts[0], relax.const(1.0, "float16")),
            relax.op.add(relax.op.astype(n, "float16"), filled),
            relax.op.exp(x),
            relax.op.astype(x, "int32"),
        ]

    x, n = (random((2, 4)) * 9).astype("float16"), np.arange(3)
    x[0, 0] = 12  # whose exponential is no float16
    source = module(build, (x.shape, "float16"), (n.shape, "int64"))
    got = run(source, [x, n], x86_target())
    joined = np.concatenate([x, x * np.float16(4)])
    with np.errstate(over="ignore"):
        expected = [joined[:, 2:], joined[:, :2] < 1, (n + 2).astype("float16"), np.exp(x), x.astype("int32")]
    for have, want in zip(got, expected, strict=True):
        assert have.dtype == want.dtype
        np.testing.assert_allclose(have, want, rtol=2e-3)


def test_a_kernel_keeps_its_dtypes() -> None:
    @T.prim_func(s_tir=True, private=True)
    def doubled(x: T.Buffer((4,), "float16"), y: T.Buffer((4,), "float16")) -> None:
        for i in range(4):
            with T.sblock("doubled"):
                k = T.axis.spatial(4, i)
                y[k] = x[k] + x[k]

    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType((4,), "float16"))
    with builder.function("main", [x]):
        with builder.dataflow():
            one = builder.emit(relax.op.add(x, relax.const(1.0, "float16")))
            var = builder.add_func(doubled, "doubled")
            made = builder.emit(relax.call_tir(var, [one], relax.TensorType((4,), "float16")))
            out = builder.emit_output(relax.op.negative(made))
        builder.emit_func_output(out)
    array = np.array([0, 1, -2, 3], "float16")
    lowered = relax.transform.DeadCodeElimination(["main"])(WidenHalves()(builder.get()))
    assert str(lowered["main"].ret_ty.dtype) == "float16"
    [got] = [run_one(lowered, array)]
    np.testing.assert_array_equal(got, -2 * (array + 1))


def run_one(source: tvm.IRModule, array: np.ndarray) -> np.ndarray:
    """A module whose result is no tuple."""
    machine = relax.VirtualMachine(tvm.compile(source, "llvm"), tvm.cpu())
    return machine["main"](tvm.runtime.tensor(array)).numpy()


def test_float32_stays_as_it_is() -> None:
    source = module(lambda x: [relax.op.exp(x)], ((3,), "float32"))
    assert WidenHalves()(source).same_as(source)
