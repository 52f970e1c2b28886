"""Window rows outside the image are left out where there are many; the values are tested with the kernels."""

from __future__ import annotations

from typing import Any

import pytest
import tvm_ffi
from tvm import relax, tirx

from tests.compiler.models import constant, kernels, module, x86_target


def bounded(size: int, dilation: int, groups: int = 1) -> bool:
    """Whether a loop of the 3 × 3 convolution's kernel is cut to the image, or asks for it."""
    weight = constant((32, 32 // groups, 3, 3))

    def build(x: Any) -> list[Any]:
        return [relax.op.nn.conv2d(x, weight, 1, dilation, dilation, groups)]

    lowered, _refused = kernels(module(build, ((1, 32, size, size), "float32")), x86_target("x86-64-v3"))
    found: list[Any] = []
    for _var, func in lowered.functions_items():
        if isinstance(func, tirx.PrimFunc):
            tvm_ffi.structural_walk(func.body, [((tirx.For, tirx.IfThenElse), found.append)])
    return any(
        isinstance(each, tirx.IfThenElse) or not isinstance(each.extent, tirx.IntImm) for each in found
    )


@pytest.mark.parametrize(("size", "dilation", "groups"), [(7, 2, 1), (14, 6, 1), (7, 1, 2), (7, 1, 32)])
def test_rows_outside_are_left_out(size: int, dilation: int, groups: int) -> None:
    assert bounded(size, dilation, groups)


@pytest.mark.parametrize(("size", "groups"), [(56, 2), (56, 32)])
def test_a_few_rows_are_not_worth_a_question(size: int, groups: int) -> None:
    assert not bounded(size, 1, groups)
