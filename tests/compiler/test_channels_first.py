"""Graphs with channels last around convolutions with channels first: the transposes between them go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tvm
from tvm import relax
from tvm.relax import op

from neo_magics.compiler import phases
from neo_magics.compiler.passes import calls
from neo_magics.compiler.passes.channels_first import FIRST, LAST, ChannelsFirst
from tests.compiler.models import constant, module, random, run, x86_target

SHAPE = (1, 9, 10, 24)  # N H W C
Build = Callable[[Any], Any]


def convolution(x: Any, seed: int = 0) -> Any:
    """As it is imported: 3×3, 24 channels, between two transposes, and a bias along the last axis."""
    data = op.permute_dims(x, FIRST)
    made = op.nn.conv2d(data, constant((24, 24, 3, 3), seed), padding=(1, 1), data_layout="NCHW")
    return op.add(op.permute_dims(made, LAST), relax.const(random((24,), seed), "float32"))


def border(x: Any) -> Any:
    return op.nn.pad(x, [0, 0, 1, 2, 0, 1, 0, 0], "constant", 0.5)


def more_channels(x: Any) -> Any:
    return op.nn.pad(x, [0, 0, 0, 0, 0, 0, 0, 8], "constant", 0.0)


def resized(x: Any) -> Any:
    method = {"method": "linear", "coordinate_transformation_mode": "half_pixel"}
    return op.image.resize2d(x, relax.ShapeExpr([18, 20]), layout="NHWC", **method)


# What may lie between a convolution and the next; each takes and gives channels last.
BETWEEN: dict[str, Build] = {
    "activation": op.nn.relu,
    "clipped": lambda x: op.clip(x, -0.5, 0.5),
    "residual": lambda x: op.nn.relu(op.add(x, convolution(op.nn.relu(x), 3))),
    "gate": lambda x: op.multiply(x, op.sigmoid(op.mean(x, [1, 2], keepdims=True))),
    "slope per channel": lambda x: op.maximum(x, op.multiply(x, relax.const(random((1, 1, 24)), "float32"))),
    "chosen": lambda x: op.where(op.greater(x, relax.const(0.0, "float32")), x, relax.const(-1.0, "float32")),
    "joined": lambda x: op.strided_slice(op.concat([x, op.nn.relu(x)], 3), [3], [0], [24]),
    "joined rows": lambda x: op.concat([x, op.nn.relu(x)], 1),
    "border": border,
    "more channels": lambda x: op.strided_slice(more_channels(x), [3], [8], [32]),
    "largest of windows": lambda x: op.nn.max_pool2d(x, (2, 2), (2, 2), layout="NHWC"),
    "mean of windows": lambda x: op.nn.avg_pool2d(x, (3, 3), (2, 2), (1, 1), layout="NHWC"),
    "resized": resized,
}


# What sees the order of the axes, and so keeps its transpose.
ORDERED: list[Build] = [
    lambda x: op.reshape(convolution(x), (1, 9 * 10, 24)),
    lambda x: op.nn.softmax(convolution(x), -1),
    lambda x: op.sum(convolution(x), [3]),
]


def network(between: Build) -> Callable[[Any], list[Any]]:
    return lambda x: [op.nn.relu(convolution(between(convolution(x)), 1))]


def transposes(lowered: tvm.IRModule) -> int:
    found: list[Any] = []
    relax.analysis.post_order_visit(lowered["main"], found.append)
    return sum(calls.name_of(each) == "relax.permute_dims" for each in found)


def simplified(source: tvm.IRModule) -> tvm.IRModule:
    steps = [ChannelsFirst(), relax.transform.CanonicalizeBindings(), relax.transform.DeadCodeElimination()]
    return tvm.transform.Sequential(steps)(source)


@pytest.mark.parametrize("name", [name for name in BETWEEN if name not in ("joined", "more channels")])
def test_only_the_ends_are_transposed(name: str) -> None:
    source = module(network(BETWEEN[name]), (SHAPE, "float32"))
    assert transposes(source) > 2
    assert transposes(simplified(source)) == 2


@pytest.mark.slow
def test_the_results_stay_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    x = random(SHAPE)
    builds = [network(between) for between in BETWEEN.values()] + [lambda v, f=f: [f(v)] for f in ORDERED]
    source = module(lambda v: [build(v)[0] for build in builds], (SHAPE, "float32"))
    results = run(source, [x], x86_target())
    monkeypatch.setattr(phases, "ChannelsFirst", lambda: tvm.transform.Sequential([]))
    expected = run(source, [x], x86_target())
    names = [*BETWEEN, *map(str, range(len(ORDERED)))]
    for name, ours, theirs in zip(names, results, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4, err_msg=name)


def test_a_mean_of_the_image_needs_no_transpose() -> None:
    source = module(lambda x: [op.mean(convolution(x), [1, 2])], (SHAPE, "float32"))
    assert transposes(simplified(source)) == 1
