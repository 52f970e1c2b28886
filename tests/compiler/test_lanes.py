"""Choices that differ from lane to lane: what LLVM makes of loops with them is not always right."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tvm import relax

from neo_magics.compiler.passes.fold_constants import FoldConstants
from neo_magics.compiler.schedules import lanes
from tests.compiler.models import WIDTHS, module, run, x86_target

RNG = np.random.default_rng(0)
SHAPES = ((2, 3, 32), (2, 3, 4), (2, 3, 4))


def rotary(x: Any, cosine: Any, sine: Any) -> list[Any]:
    """Rotary embeddings of heads with eight numbers, two heads to a vector of sixteen lanes."""
    heads = relax.op.reshape(x, (2, 3, 4, 8))
    first, second = (relax.op.strided_slice(heads, [3], [k], [k + 4]) for k in (0, 4))
    c, s = (relax.op.expand_dims(table, [2]) for table in (cosine, sine))
    left = relax.op.subtract(relax.op.multiply(c, first), relax.op.multiply(s, second))
    right = relax.op.add(relax.op.multiply(s, first), relax.op.multiply(c, second))
    return [relax.op.reshape(relax.op.concat([left, right], 3), (2, 3, 32))]


@pytest.mark.parametrize("mcpu", WIDTHS)
def test_small_rotary_embeddings(mcpu: str) -> None:
    """LLVM 22 on registers of 512 bits: every second head was made of numbers beyond the tables."""
    x, cosine, sine = (RNG.standard_normal(shape).astype("float32") for shape in SHAPES)
    source = module(rotary, *((shape, "float32") for shape in SHAPES))
    (got,) = run(source, [x, cosine, sine], x86_target(mcpu))
    heads, c, s = x.reshape(2, 3, 4, 8), cosine[:, :, None], sine[:, :, None]
    first, second = heads[..., :4], heads[..., 4:]
    expected = np.concatenate([c * first - s * second, s * first + c * second], -1).reshape(2, 3, 32)
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_llvm_makes_no_vectors_of_loops_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same where the schedule leaves TVM to write a plain loop."""
    monkeypatch.setattr(lanes, "_differ", lambda *_: False)
    test_small_rotary_embeddings("native")


@pytest.mark.parametrize(("sizes", "place"), [((3, 5), 1), ((8, 8), 0), ((1, 2, 1), 3)])
def test_parts_of_a_vector_joined_with_an_empty_one(sizes: tuple[int, ...], place: int) -> None:
    """A part of no width may be a constant or be computed."""
    parts = [RNG.standard_normal((6, size)).astype("float32") for size in sizes]

    def joined(*values: Any) -> list[Any]:
        whole = [relax.op.multiply(value, value) for value in values]
        nothing = relax.op.zeros((6, 0), "float32")
        computed = relax.op.strided_slice(values[0], [1], [1], [1])
        return [relax.op.concat([*whole[:place], empty, *whole[place:]], 1) for empty in (nothing, computed)]

    source = module(joined, *(((6, size), "float32") for size in sizes))
    expected = np.concatenate([part * part for part in parts], 1)
    for got in run(source, parts, x86_target()):
        np.testing.assert_allclose(got, expected, rtol=1e-6)


def test_what_is_joined_with_nothing_is_itself() -> None:
    source = module(
        lambda x: [relax.op.concat([x, relax.op.zeros((6, 0), "float32")], -1)], ((6, 4), "float32")
    )
    assert "concat" not in FoldConstants()(source)["main"].script()
