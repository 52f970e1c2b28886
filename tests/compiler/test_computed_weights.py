"""Convolutions whose weights are inputs equal PyTorch's, and take the kernels of constant weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
import torch
import tvm
from hypothesis import given, settings
from hypothesis import strategies as st
from tvm import relax

from tests.compiler.models import WIDTHS, Array, kernels, module, random, run, x86_target


@dataclass(frozen=True)
class Case:
    """Data (n, c, h, w) and weights (o, c / groups, kh, kw)."""

    data: tuple[int, ...]
    weight: tuple[int, ...]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    def relax(self, x: relax.Var, w: relax.Var) -> relax.Expr:
        options = self.stride, self.padding, self.dilation, self.groups
        return relax.op.nn.relu(relax.op.nn.conv2d(x, w, *options))

    def arrays(self) -> tuple[Array, Array]:
        size = np.prod(self.weight[1:], dtype="float32") ** 0.5
        return random(self.data), random(self.weight, 1) / size

    def torch(self, x: Array, w: Array) -> Array:
        options = self.stride, self.padding, self.dilation, self.groups
        return torch.conv2d(torch.from_numpy(x), torch.from_numpy(w), None, *options).relu().numpy()


def whole(cases: Sequence[Case]) -> tvm.IRModule:
    """All cases as one module, of data and weights in turns."""
    shapes = [(shape, "float32") for case in cases for shape in (case.data, case.weight)]
    return module(
        lambda *xs: [case.relax(*pair) for case, *pair in zip(cases, xs[::2], xs[1::2], strict=True)], *shapes
    )


def agree(cases: Sequence[Case], mcpu: str) -> None:
    pairs = [case.arrays() for case in cases]
    arrays = [array for pair in pairs for array in pair]
    for case, pair, got in zip(cases, pairs, run(whole(cases), arrays, x86_target(mcpu)), strict=True):
        np.testing.assert_allclose(got, case.torch(*pair), atol=1e-5, rtol=1e-5, err_msg=str(case))


GRID = (
    Case((1, 32, 14, 14), (64, 32, 3, 3)),
    Case((2, 20, 9, 11), (33, 20, 3, 5), padding=(0, 2)),
    Case((1, 64, 16, 16), (64, 32, 3, 3), groups=2),  # modulated weights of two images
    Case((1, 36, 9, 9), (60, 12, 1, 1), padding=(0, 0), groups=3),
    Case((1, 40, 13, 13), (40, 1, 5, 5), padding=(0, 0), groups=40),  # a tracker's cross-correlation
    Case((1, 3, 17, 17), (24, 3, 7, 7), stride=(2, 2), padding=(3, 3)),
    Case((1, 32, 18, 18), (1, 32, 6, 6), padding=(0, 0)),  # an exemplar: lanes are filled with pixels
    Case((1, 32, 6, 6), (3, 32, 6, 6), padding=(0, 0)),  # lanes would stay empty
    Case((3, 16, 10, 10), (16, 16, 3, 3), dilation=(2, 2), padding=(2, 2)),
)


@pytest.mark.parametrize("mcpu", WIDTHS)
def test_a_grid_of_odd_shapes(mcpu: str) -> None:
    agree(GRID, mcpu)


@st.composite
def _cases(draw: st.DrawFn) -> Case:
    groups = draw(st.sampled_from([1, 1, 1, 2, 3]))
    inner, outer = (draw(st.integers(1, 40)) for _ in range(2))
    taps = [draw(st.integers(1, 4)) for _ in range(2)]
    size = [draw(st.integers(k, k + 12)) for k in taps]
    stride, padding = (tuple(draw(st.integers(least, 2)) for _ in range(2)) for least in (1, 0))
    data = (draw(st.integers(1, 3)), inner * groups, *size)
    return Case(data, (outer * groups, inner, *taps), stride, padding, groups=groups)


@given(st.lists(_cases(), min_size=4, max_size=4))
@settings(max_examples=2, deadline=None)
def test_any_shape(cases: list[Case]) -> None:
    agree(cases, "native")


def test_they_are_packed_and_so_is_what_follows() -> None:
    lowered, refused = kernels(whole(GRID[:1]), x86_target())
    names = " ".join(var.name_hint for var in lowered.get_global_vars())
    assert not refused
    assert "arrange_weights" in names
    assert "conv2d_relu" in names
