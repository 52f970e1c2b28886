"""Packed convolutions equal PyTorch's, for odd shapes, every vector width and any window."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tvm import relax, tirx

from neo_magics.compiler.kernels.conv2d_candidates import Convolution
from neo_magics.compiler.machine import Machine
from tests.compiler.models import WIDTHS, agrees, constant, module, random, run, x86_target


@dataclass(frozen=True)
class Case:
    """One convolution: data (n, c, h, w), output channels, kernel, stride, padding, dilation, groups."""

    data: tuple[int, int, int, int]
    out: int
    kernel: tuple[int, int] = (3, 3)
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    def weight(self) -> np.ndarray:
        return constant((self.out, self.data[1] // self.groups, *self.kernel)).value.numpy()

    def relax(self, x: relax.Var) -> relax.Expr:
        return relax.op.nn.conv2d(
            x, relax.const(self.weight()), self.stride, self.padding, self.dilation, self.groups
        )

    def torch(self, x: np.ndarray) -> np.ndarray:
        return torch.conv2d(
            torch.from_numpy(x), torch.from_numpy(self.weight()), None, self.stride, self.padding,
            self.dilation, self.groups,
        ).numpy()  # fmt: skip


GRID = (
    Case((1, 3, 17, 19), 20, stride=(2, 2)),
    Case((2, 5, 13, 23), 33, kernel=(3, 5), padding=(2, 1), dilation=(1, 2)),
    Case((1, 16, 11, 11), 16, kernel=(1, 1), padding=(0, 0)),
    Case((1, 32, 7, 7), 7, kernel=(1, 1), padding=(0, 0), stride=(2, 2)),
    Case((1, 1, 8, 8), 16),
    Case((3, 8, 5, 37), 8, kernel=(1, 7), padding=(0, 3)),
    Case((1, 24, 14, 14), 24, groups=24),
    Case((1, 10, 9, 9), 10, groups=10, stride=(2, 1), kernel=(5, 5), padding=(2, 2)),
    Case((1, 64, 9, 9), 64, groups=2),
    Case((1, 12, 9, 9), 18, groups=3),
    Case((1, 6, 4, 4), 12, groups=6),
    Case((1, 64, 9, 9), 64, groups=16),
    Case((2, 20, 5, 29), 30, groups=5, stride=(2, 1)),
    Case((1, 104, 7, 9), 104, groups=13, stride=(2, 2)),
    Case((1, 72, 5, 31), 72, groups=3),
    Case((2, 36, 6, 14), 60, groups=12, kernel=(1, 1), padding=(0, 0)),
    Case((1, 20, 3, 29), 40, kernel=(1, 1), padding=(0, 0)),
    Case((1, 3, 9, 75), 16, kernel=(7, 7), stride=(2, 2), padding=(3, 3)),
    Case((1, 33, 6, 73), 17, kernel=(2, 3), padding=(0, 1), dilation=(2, 3)),
    Case((1, 4, 3, 3), 4, kernel=(3, 3), padding=(0, 0)),
    Case((1, 48, 1, 1), 5, kernel=(1, 1), padding=(0, 0)),
    Case((1, 24, 4, 22), 64, kernel=(1, 1), padding=(0, 0)),
    Case((1, 32, 7, 7), 32, padding=(6, 6), dilation=(6, 6)),
    Case((2, 20, 9, 22), 48, stride=(2, 1), padding=(5, 3), dilation=(5, 3)),
    Case((1, 64, 6, 7), 64, groups=2, kernel=(5, 5), padding=(4, 2)),
)


@pytest.mark.parametrize("mcpu", WIDTHS)
def test_a_grid_of_odd_shapes(mcpu: str) -> None:
    agrees(GRID, mcpu)


@pytest.mark.parametrize("mcpu", WIDTHS)
def test_the_other_order_of_loops(mcpu: str) -> None:
    turns = count()

    def across(work: Convolution, machine: Machine) -> Any:
        found = [way for way in work.candidates(machine) if "across" in way.label]
        return found[next(turns) % len(found)]

    agrees([case for case in GRID if case.groups in (1, 2)][::2], mcpu, across)


@st.composite
def convolutions(draw: st.DrawFn) -> Case:
    groups = draw(st.sampled_from([1, 1, 2, 4]))
    kernel = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    dilation = draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
    size = [(k - 1) * d + 1 + draw(st.integers(0, 9)) for k, d in zip(kernel, dilation, strict=True)]
    return Case(
        (draw(st.integers(1, 2)), groups * draw(st.integers(1, 20)), size[0], size[1]),
        groups * draw(st.integers(1, 20)),
        kernel,
        draw(st.tuples(st.integers(1, 3), st.integers(1, 3))),
        draw(st.tuples(st.integers(0, 2), st.integers(0, 2))),
        dilation,
        groups,
    )


@pytest.mark.slow
@settings(max_examples=5, deadline=None, derandomize=True)
@given(st.lists(convolutions(), min_size=4, max_size=4))
def test_any_window_and_any_channels(cases: list[Case]) -> None:
    agrees(tuple(cases), "native")


def test_a_free_batch_takes_any_number() -> None:
    case = Case((3, 5, 7, 9), 20)
    source = module(
        lambda x: [relax.op.nn.relu(case.relax(x))], ((tirx.Var("n", "int64"), *case.data[1:]), "float32")
    )
    x = random(case.data)
    [got] = run(source, [x], x86_target())
    np.testing.assert_allclose(got, np.maximum(case.torch(x), 0), atol=1e-5)


def test_bias_residual_and_activation_join_the_convolution() -> None:
    case = Case((1, 32, 10, 10), 32)

    def block(x: relax.Var) -> list[relax.Expr]:
        biased = relax.op.add(case.relax(x), constant((1, 32, 1, 1), 1))
        return [relax.op.nn.relu(relax.op.add(case.relax(relax.op.nn.relu(biased)), biased))]

    x = random(case.data)
    [got] = run(module(block, (case.data, "float32")), [x], x86_target())
    biased = case.torch(x) + constant((1, 32, 1, 1), 1).value.numpy()
    expected = np.maximum(case.torch(np.maximum(biased, 0)) + biased, 0)
    np.testing.assert_allclose(got, expected, atol=2e-5)
