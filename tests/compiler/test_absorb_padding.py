"""Borders of zeros become the padding of the convolutions that read them; other borders stay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from tvm import relax

from neo_magics.compiler.passes import calls
from neo_magics.compiler.passes.absorb_padding import AbsorbPadding
from tests.compiler.models import constant, module, random, run, x86_target

WIDTHS = [0, 0, 0, 0, 1, 2, 3, 4]  # top 1, bottom 2, left 3, right 4
Network = Callable[[Any], Any]


def _operators(source: Any) -> list[str]:
    cleaned = relax.transform.DeadCodeElimination(["main"])(AbsorbPadding()(source))
    return [calls.name_of(b.value) for block in cleaned["main"].body.blocks for b in block.bindings]


def _padded(x: Any, weight: Any, widths: list[int] = WIDTHS, **options: Any) -> Any:
    builder = relax.BlockBuilder.current()
    return relax.op.nn.conv2d(builder.emit(relax.op.nn.pad(x, widths)), weight, **options)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"padding": (2, 1)},
        {"strides": (2, 3), "padding": (0, 1, 2, 3)},
        {"dilation": (2, 2)},
        {"groups": 6},
    ],
    ids=str,
)
def test_the_convolution_pads(options: dict[str, Any]) -> None:
    weight = constant((12, 6 // options.get("groups", 1), 3, 3))
    source = module(lambda x: [_padded(x, weight, **options)], ((2, 6, 7, 9), "float32"))
    assert "relax.nn.pad" not in _operators(source)
    x = random((2, 6, 7, 9))
    own = options.get("padding", (0, 0))
    top, left, bottom, right = own if len(own) == 4 else (*own, *own)
    bordered = F.pad(torch.from_numpy(x), (3 + left, 4 + right, 1 + top, 2 + bottom))
    plain = {"stride": options.get("strides", 1), "dilation": options.get("dilation", 1)}
    expected = F.conv2d(
        bordered, torch.from_numpy(weight.value.numpy()), groups=options.get("groups", 1), **plain
    )
    [got] = run(source, [x], x86_target())
    np.testing.assert_allclose(got, expected.numpy(), atol=1e-5)


@pytest.mark.parametrize(
    "pad",
    [
        lambda x: relax.op.nn.pad(x, WIDTHS, "constant", 1.0),
        lambda x: relax.op.nn.pad(x, WIDTHS, "reflect"),
        lambda x: relax.op.nn.pad(x, [0, 0, 1, 1, 1, 1, 1, 1]),
        lambda x: relax.op.nn.pad(x, [0, 0, 0, 0, 1, -1, 1, 1]),
    ],
    ids=["ones", "reflected", "channels", "cut"],
)
def test_other_borders_stay(pad: Network) -> None:
    def network(x: Any) -> list[Any]:
        made = relax.BlockBuilder.current().emit(pad(x))
        return [relax.op.nn.conv2d(made, constant((4, int(made.ty.shape.values[1]), 3, 3)))]

    assert "relax.nn.pad" in _operators(module(network, ((1, 6, 7, 9), "float32")))
