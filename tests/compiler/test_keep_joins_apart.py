"""A detector's boxes: parts that are computed differently are vectors before they are joined."""

from __future__ import annotations

import numpy as np
from tvm import relax
from tvm.relax import op

from tests.compiler.models import kernels, module, random, run, x86_target

WIDTH = 85


def boxes(x: relax.Var) -> list[relax.Expr]:
    """Places, sizes and scores of YOLO's head (Redmon and Farhadi, 2018)."""
    parts = op.split(x, [2, 4], axis=-1)
    return [op.concat([op.sigmoid(parts[0]), op.exp(parts[1]), op.sigmoid(parts[2])], axis=-1)]


def joins(build, *shapes: tuple[int, ...]) -> list[str]:
    lowered, refused = kernels(module(build, *((shape, "float32") for shape in shapes)), x86_target())
    assert not refused
    return [var.name_hint for var in lowered.get_global_vars() if "concatenate" in var.name_hint]


def test_the_parts_have_kernels_of_their_own() -> None:
    assert joins(boxes, (3, 50, WIDTH)) == ["concatenate"]
    x = random((3, 50, WIDTH))
    [got] = run(module(boxes, (x.shape, "float32")), [x], x86_target())
    sigmoid = 1 / (1 + np.exp(-x))
    expected = np.concatenate([sigmoid[..., :2], np.exp(x[..., 2:4]), sigmoid[..., 4:]], -1)
    np.testing.assert_allclose(got, expected, rtol=1e-5)


def test_whole_vectors_and_cheap_parts_stay_together() -> None:
    def angles(x: relax.Var) -> list[relax.Expr]:
        return [op.concat([op.sin(x), op.cos(x)], axis=-1)]

    def turned(x: relax.Var) -> list[relax.Expr]:
        halves = op.split(x, 2, axis=-1)
        return [op.concat([op.negative(halves[1]), halves[0]], axis=-1)]

    def rows(x: relax.Var, y: relax.Var) -> list[relax.Expr]:
        return [op.concat([op.exp(x), op.tanh(y)], axis=0)]

    assert joins(angles, (5, 64))[0].startswith("fused_")
    assert joins(turned, (5, 20))[0].startswith("fused_")
    assert joins(rows, (5, 20), (3, 20))[0].startswith("fused_")
