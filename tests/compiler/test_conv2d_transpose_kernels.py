"""Transposed convolutions equal PyTorch's, for any stride, window and padding, and multiply no zeros."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tvm import relax, tirx

from neo_magics.compiler.kernels.conv2d_phases import Transposed, out_first
from tests.compiler.models import WIDTHS, agrees, constant, kernels, module, random, run, x86_target


@dataclass(frozen=True)
class Case:
    """Data (n, c, h, w), output channels, window, stride, padding and output padding."""

    data: tuple[int, int, int, int]
    out: int
    kernel: tuple[int, int] = (2, 2)
    stride: tuple[int, int] = (2, 2)
    padding: tuple[int, int] = (0, 0)
    extra: tuple[int, int] = (0, 0)
    groups: int = 1
    dilation: tuple[int, int] = (1, 1)

    def weight(self) -> np.ndarray:
        return constant((self.data[1], self.out // self.groups, *self.kernel)).value.numpy()

    def node(self, x: relax.Var, weight: relax.Expr) -> relax.Expr:
        return relax.op.nn.conv2d_transpose(
            x, weight, self.stride, self.padding, self.extra, self.dilation, self.groups
        )

    def relax(self, x: relax.Var) -> relax.Expr:
        bias = constant((1, self.out, 1, 1), 1)
        return relax.op.nn.relu(relax.op.add(self.node(x, relax.const(self.weight())), bias))

    def torch(self, x: np.ndarray) -> np.ndarray:
        weight = torch.from_numpy(self.weight())
        bias = torch.from_numpy(constant((1, self.out, 1, 1), 1).value.numpy().reshape(-1))
        y = torch.conv_transpose2d(
            torch.from_numpy(x),
            weight,
            bias,
            self.stride,
            self.padding,
            self.extra,
            self.groups,
            self.dilation,
        )
        return torch.relu(y).numpy()


GRID = (
    Case((1, 32, 7, 7), 16),
    Case((2, 20, 5, 9), 33, kernel=(4, 4), padding=(1, 1)),
    Case((1, 16, 6, 13), 8, kernel=(3, 3), padding=(1, 1), extra=(1, 1)),
    Case((1, 5, 4, 5), 3, kernel=(3, 5), stride=(3, 2), padding=(0, 2)),
    Case((1, 16, 5, 5), 16, kernel=(3, 3), stride=(1, 1), padding=(1, 1)),
    Case((1, 8, 3, 4), 20, kernel=(2, 1), stride=(4, 3), extra=(1, 0)),
    Case((2, 30, 1, 1), 20, kernel=(4, 4), stride=(1, 1)),
    Case((1, 16, 1, 1), 32, kernel=(4, 3), stride=(3, 2), padding=(1, 0), extra=(2, 1)),
    Case((1, 5, 1, 1), 3, kernel=(2, 5), padding=(0, 2)),
    Case((1, 40, 7, 9), 40, kernel=(4, 4), padding=(1, 1), groups=40),  # a bilinear enlargement
    Case((1, 64, 5, 5), 32, kernel=(3, 3), padding=(1, 1), extra=(1, 1), groups=4),
    Case((2, 12, 5, 6), 18, kernel=(3, 2), stride=(2, 1), groups=3),
    Case((1, 20, 9, 8), 24, kernel=(3, 3), stride=(1, 1), padding=(2, 1), dilation=(2, 3)),
    Case((1, 16, 6, 5), 16, kernel=(3, 2), stride=(2, 1), dilation=(2, 2), padding=(1, 0)),
    Case((1, 32, 1, 1), 32, kernel=(3, 3), groups=2),
)


@pytest.mark.parametrize("mcpu", WIDTHS)
def test_a_grid_of_odd_shapes(mcpu: str) -> None:
    agrees(GRID, mcpu)


@st.composite
def convolutions(draw: st.DrawFn) -> Case:
    stride = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    kernel = draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    padding = tuple(draw(st.integers(0, k - 1)) for k in kernel)
    size = [draw(st.integers(1 + p, 9 + p)) for p in padding]  # the result is never empty
    extra = tuple(draw(st.integers(0, s - 1)) for s in stride)
    groups, inner, outer = draw(st.integers(1, 3)), draw(st.integers(1, 20)), draw(st.integers(1, 20))
    data = (draw(st.integers(1, 2)), inner * groups, size[0], size[1])
    dilation = draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
    return Case(data, outer * groups, kernel, stride, padding, extra, groups, dilation)


@settings(max_examples=3, deadline=None, derandomize=True)
@given(st.lists(convolutions(), min_size=4, max_size=4))
def test_any_window_and_any_padding(cases: list[Case]) -> None:
    agrees(tuple(cases), "native")


@pytest.mark.parametrize("number", [1, 3, 9, 11, 12])
def test_weights_that_are_inputs(number: int) -> None:
    """A style's weights; those of several images in groups."""
    case = GRID[number]
    weight, x = case.weight(), random(case.data)
    source = module(
        lambda x, w: [relax.op.nn.relu(relax.op.add(case.node(x, w), constant((1, case.out, 1, 1), 1)))],
        (case.data, "float32"),
        (weight.shape, "float32"),
    )
    [got] = run(source, [x, weight], x86_target())
    np.testing.assert_allclose(got, case.torch(x), atol=1e-5)


def test_a_free_batch_takes_any_number() -> None:
    case = Case((3, 20, 7, 9), 20)
    source = module(lambda x: [case.relax(x)], ((tirx.Var("n", "int64"), *case.data[1:]), "float32"))
    [got] = run(source, [random(case.data)], x86_target())
    np.testing.assert_allclose(got, case.torch(random(case.data)), atol=1e-5)


def test_the_phases_hold_each_weight_once() -> None:
    weight = random((3, 5, 4, 4))
    parts = Transposed((4, 4), (2, 2), (1, 1)).weights(out_first(weight, 1))
    assert parts.shape == (2, 2, 5, 3, 2, 2)
    np.testing.assert_array_equal(np.sort(parts.ravel()), np.sort(weight.ravel()))


def test_the_result_stays_packed_and_no_rule_refuses() -> None:
    case = Case((1, 32, 8, 8), 16)
    lowered, refusals = kernels(
        module(lambda x: [case.relax(x)], (case.data, "float32")), x86_target("x86-64-v3")
    )
    names = [var.name_hint for var in lowered.get_global_vars()]
    assert not refusals
    assert any("conv2d_tiles" in name for name in names)
    assert not any("transpose" in name for name in names)
