"""Depthwise convolution, alone and in one kernel with the 1×1 convolution before it, equals PyTorch's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
import tvm_ffi
from hypothesis import given, settings
from hypothesis import strategies as st
from tvm import relax, tirx
from tvm.s_tir import SBlock

from tests.compiler.models import WIDTHS, Array, constant, kernels, module, random, run, x86_target


@dataclass(frozen=True)
class Case:
    """An inverted residual's first half: 1×1 to `channels`, ReLU6, then one filter of `size` per channel."""

    data: tuple[int, int, int, int]
    channels: int
    size: int = 3
    stride: int = 1
    padding: int = 1
    dilation: int = 1

    def weights(self) -> tuple[Array, Array]:
        shapes = (self.channels, self.data[1], 1, 1), (self.channels, 1, self.size, self.size)
        first, second = (constant(shape, seed).value.numpy() for seed, shape in enumerate(shapes))
        return first, second

    def relax(self, x: relax.Var, *, clipped: bool = True) -> relax.Expr:
        first, second = map(relax.const, self.weights())
        expanded = relax.op.add(relax.op.nn.conv2d(x, first), constant((1, self.channels, 1, 1), 2))
        options = (self.stride, self.padding, self.dilation, self.channels)
        filtered = relax.op.nn.conv2d(
            relax.op.clip(expanded, 0, 6) if clipped else expanded, second, *options
        )
        return relax.op.nn.silu(relax.op.add(filtered, constant((1, self.channels, 1, 1), 3)))

    def torch(self, x: Array, *, clipped: bool = True) -> Array:
        first, second = map(torch.from_numpy, self.weights())
        expanded = torch.conv2d(torch.from_numpy(x), first)
        expanded += torch.from_numpy(constant((1, self.channels, 1, 1), 2).value.numpy())
        expanded = expanded.clamp(0, 6) if clipped else expanded
        filtered = torch.conv2d(
            expanded, second, None, self.stride, self.padding, self.dilation, self.channels
        )
        filtered += torch.from_numpy(constant((1, self.channels, 1, 1), 3).value.numpy())
        return torch.nn.functional.silu(filtered).numpy()


GRID = (
    Case((1, 16, 14, 14), 96),
    Case((1, 20, 7, 7), 190, size=5, padding=2),
    Case((2, 24, 15, 13), 72, stride=2),
    Case((1, 8, 29, 31), 144, size=5, stride=2, padding=2),
    Case((1, 8, 9, 9), 64, size=7, padding=3),
    Case((1, 8, 9, 11), 80, padding=2, dilation=2),
    Case((1, 8, 5, 5), 128, padding=0),
    Case((1, 3, 225, 225), 33, stride=2),
    Case((1, 8, 64, 40), 20, stride=2),
    Case((1, 8, 12, 14), 96, size=3, padding=3),
    Case((2, 8, 28, 28), 64, size=5, stride=3, padding=1),
)


def agrees(cases: tuple[Case, ...], mcpu: str) -> None:
    source = module(
        lambda *xs: [case.relax(x) for case, x in zip(cases, xs, strict=True)],
        *((case.data, "float32") for case in cases),
    )
    arrays = [random(case.data) for case in cases]
    for case, array, got in zip(cases, arrays, run(source, arrays, x86_target(mcpu)), strict=True):
        np.testing.assert_allclose(got, case.torch(array), atol=1e-5, rtol=1e-5, err_msg=str(case))


@pytest.mark.parametrize("mcpu", WIDTHS)
def test_a_grid_of_windows(mcpu: str) -> None:
    agrees(GRID, mcpu)


@settings(max_examples=3, deadline=None, derandomize=True)
@given(st.data())
def test_any_window(data: st.DataObject) -> None:
    def draw(low: int, high: int) -> int:
        return data.draw(st.integers(low, high))

    cases = [
        Case(
            (draw(1, 2), draw(1, 20), draw(7, 20), draw(7, 20)),
            draw(1, 150), draw(1, 4), draw(1, 3), draw(0, 3), draw(1, 2),
        )
        for _ in range(4)
    ]  # fmt: skip
    agrees(tuple(cases), "native")


def test_a_free_batch() -> None:
    case = Case((3, 16, 14, 14), 96)
    source = module(
        lambda x: [case.relax(x, clipped=False)], ((tirx.Var("n", "int64"), *case.data[1:]), "float32")
    )
    x = random(case.data)
    [got] = run(source, [x], x86_target())
    np.testing.assert_allclose(got, case.torch(x, clipped=False), atol=1e-5, rtol=1e-5)


def names(build: Any, shape: tuple[int, ...]) -> list[str]:
    lowered, refused = kernels(module(build, (shape, "float32")), x86_target("x86-64-v3"))
    assert refused == []
    return [str(var.name_hint) for var, func in lowered.functions_items() if isinstance(func, tirx.PrimFunc)]


def test_the_expanded_data_never_leaves_the_kernel() -> None:
    case = Case((1, 16, 12, 12), 96)  # a width that tiles divide: kernels with a tail stay apart
    found = names(lambda x: [case.relax(x)], case.data)
    assert any("conv2d" in name.split("depthwise")[0] for name in found if "depthwise" in name)


@pytest.mark.parametrize("stride", [1, 2])
def test_the_expanded_data_is_written_between_the_zeros_at_once(stride: int) -> None:
    case = Case((1, 16, 12, 12), 96, stride=stride)
    lowered, _refused = kernels(
        module(lambda x: [case.relax(x)], (case.data, "float32")), x86_target("x86-64-v3")
    )
    padding: list[SBlock] = []
    for _var, func in lowered.functions_items():
        if isinstance(func, tirx.PrimFunc):
            tvm_ffi.structural_walk(func.body, [(SBlock, padding.append)])
    padding = [block for block in padding if str(block.name_hint).startswith("pad")]
    assert padding
    assert not any(block.reads for block in padding)


@pytest.mark.parametrize(("rows", "joined"), [(64, True), (61, False)])
def test_few_channels_are_expanded_in_strips(rows: int, joined: bool) -> None:
    """Two blocks of channels are too few for threads to share, strips of rows are not."""
    case = Case((1, 8, rows, 60), 16)
    [name] = [name for name in names(lambda x: [case.relax(x)], case.data) if "depthwise" in name]
    assert ("conv2d" in name.split("depthwise")[0]) == joined


def test_what_others_read_too() -> None:
    first, second = constant((64, 16, 1, 1)), constant((64, 1, 3, 3))

    def residual(x: relax.Var) -> list[Any]:
        y = relax.BlockBuilder.current().emit(relax.op.nn.conv2d(x, first))
        return [relax.op.add(y, relax.op.nn.conv2d(y, second, padding=1, groups=64))]

    def both(x: relax.Var) -> list[Any]:
        y = relax.BlockBuilder.current().emit(relax.op.nn.conv2d(x, first))
        return [y, relax.op.nn.conv2d(y, second, padding=1, groups=64)]

    x = random((1, 16, 14, 14))
    y = torch.conv2d(torch.from_numpy(x), torch.from_numpy(first.value.numpy()))
    z = torch.conv2d(y, torch.from_numpy(second.value.numpy()), None, 1, 1, 1, 64)
    [got] = run(module(residual, (x.shape, "float32")), [x], x86_target())
    np.testing.assert_allclose(got, (y + z).numpy(), atol=1e-5, rtol=1e-5)
    got_y, got_z = run(module(both, (x.shape, "float32")), [x], x86_target())
    np.testing.assert_allclose(got_y, y.numpy(), atol=1e-5, rtol=1e-5)
    np.testing.assert_allclose(got_z, z.numpy(), atol=1e-5, rtol=1e-5)
    assert not any("conv2d" in name.split("depthwise")[0] for name in names(both, x.shape) if "depth" in name)
