"""What is known when the model is compiled is computed then: weights, batch normalisation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tvm
from tvm import relax

from neo_magics.compiler.passes import calls
from neo_magics.compiler.passes.evaluators import EVALUATORS
from neo_magics.compiler.passes.fold_batch_norm import FoldBatchNorm
from neo_magics.compiler.passes.fold_constants import FoldConstants
from neo_magics.compiler.passes.lift_constants import WEIGHTS, LiftConstants
from tests.compiler.models import constant, module, random, run, x86_target


def _remainders(numbers: Any) -> Any:
    """Of positive and negative numbers, each way."""
    seven = relax.const(7, "int64")
    found = [relax.op.mod, relax.op.floor_mod, relax.op.floor_divide]
    return relax.op.concat([operator(numbers, seven) for operator in found], 0)


EXPRESSIONS: dict[str, Callable[[Any], Any]] = {
    "transposed": lambda w: relax.op.permute_dims(w, [1, 0]),
    "reversed dimensions": relax.op.permute_dims,
    "a small network": lambda w: relax.op.sigmoid(
        relax.op.nn.relu(relax.op.matmul(relax.op.sin(w), relax.op.permute_dims(relax.op.cos(w))))
    ),
    "reshaped": lambda w: relax.op.reshape(w, [3, -1]),
    "new dimension": lambda w: relax.op.expand_dims(w, [0, 2]),
    "broadcast": lambda w: relax.op.broadcast_to(w, [2, 4, 6]),
    "joined": lambda w: relax.op.concat([w, w], 1),
    "cast to integers": lambda w: relax.op.astype(w, "int64"),
    "chain": lambda w: relax.op.divide(relax.op.sqrt(relax.op.abs(w)), relax.op.exp(w)),
    "compared with a scalar": lambda w: relax.op.maximum(w, relax.const(0.5, "float32")),
    "reduced": lambda w: relax.op.add(
        relax.op.multiply(relax.op.sum(w, 1, keepdims=True), relax.op.max(w, 0)),
        relax.op.subtract(relax.op.mean(w), relax.op.min(w, [-1], keepdims=True)),
    ),
    "power": lambda w: relax.op.power(relax.op.square(w), relax.const(0.5, "float32")),
    "compared": lambda w: relax.op.where(
        relax.op.less(w, relax.const(0.1, "float32")), w, relax.op.full([4, 6], relax.const(2.0, "float32"))
    ),
    "logic": lambda w: relax.op.logical_and(
        relax.op.greater_equal(w, relax.const(0.0, "float32")), relax.op.not_equal(w, w)
    ),
    "sliced": lambda w: relax.op.strided_slice(w, [0, 1], [-3, 1], [99, -1], [1, 2]),
    "split": lambda w: relax.op.split(w, 2, 0)[1],
    "split at edges": lambda w: relax.op.split(w, [1, 3], 1)[1],
    "a slice replaced": lambda w: relax.op.slice_scatter(w, relax.op.zeros([4, 2], "float32"), 1, 5, 2, 1),
    "rows taken": lambda w: relax.op.take(w, relax.const([[3, 0], [1, 1]], "int64"), axis=0),
    "all taken": lambda w: relax.op.take(relax.op.reshape(w, [24]), relax.const([23, 0], "int64")),
    "remainders": lambda w: _remainders(relax.op.astype(relax.op.multiply(w, relax.const(9.0)), "int64")),
    "reciprocal root": lambda w: relax.op.rsqrt(
        relax.op.add(relax.op.square(w), relax.const(1.0, "float32"))
    ),
}


def operators(folded: tvm.IRModule) -> list[str]:
    values = [binding.value for block in folded["main"].body.blocks for binding in block.bindings]
    return [calls.name_of(value) for value in values if calls.name_of(value)]


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_numpy_gives_what_tvm_would_compute(name: str) -> None:
    weight = random((4, 6))
    as_weight = module(
        lambda x: [relax.op.add(x, x), EXPRESSIONS[name](relax.const(weight))], ((1,), "float32")
    )
    folded = relax.transform.CanonicalizeBindings()(FoldConstants()(as_weight))
    folded = relax.transform.DeadCodeElimination(["main"])(folded)
    assert operators(folded) == ["relax.add"]
    as_input = module(lambda x: [EXPRESSIONS[name](x)], (weight.shape, "float32"))
    [computed] = run(as_input, [weight], x86_target())
    _, got = run(folded, [random((1,))], x86_target())
    assert got.dtype == computed.dtype
    np.testing.assert_allclose(got, computed, rtol=1e-6)


def test_what_is_made_of_nothing_is_folded_while_it_is_small() -> None:
    """A mask that begins with zeros; a megabyte of zeros stays what a kernel makes."""

    def made(size: int) -> list[str]:
        build = module(lambda x: [relax.op.add(x, relax.op.zeros([size], "float32"))], ((size,), "float32"))
        return operators(FoldConstants()(build))

    assert made(1000) == ["relax.add"]
    assert made(1 << 18) == ["relax.zeros", "relax.add"]


def test_counting_up() -> None:
    found = FoldConstants()(
        module(lambda x: [relax.op.add(x, relax.op.arange(3, 9, 2, "int64"))], ((3,), "int64"))
    )
    [got] = run(found, [np.zeros(3, "int64")], x86_target())
    assert operators(found) == ["relax.add"]
    np.testing.assert_array_equal(got, [3, 5, 7])


@pytest.mark.parametrize("places", [[0, 4], [-1, 2]])
def test_places_that_there_are_not_are_left_to_tvm(places: list[int]) -> None:
    taking = module(
        lambda x: [relax.op.add(x, relax.op.take(relax.const(random((4,))), relax.const(places, "int64")))],
        ((2,), "float32"),
    )
    assert "relax.take" in operators(FoldConstants()(taking))


def test_every_evaluator_is_a_relax_operator() -> None:
    assert all(tvm.ir.Op.get(name) is not None for name in EVALUATORS)


def test_integers_are_not_divided_as_floats() -> None:
    seven = relax.const(np.array([7, -7], "int32"))
    source = module(
        lambda x: [relax.op.add(x, relax.op.divide(seven, relax.const(2, "int32")))], ((2,), "int32")
    )
    assert "relax.divide" in operators(FoldConstants()(source))


def test_a_large_broadcast_stays_in_the_program() -> None:
    source = module(
        lambda x: [relax.op.broadcast_to(relax.const(np.ones(1, "f4")), [2048, 1024])], ((1,), "float32")
    )
    assert operators(FoldConstants()(source)) == ["relax.broadcast_to"]


def norm(x: Any, channels: int) -> Any:
    statistics = [np.abs(random((channels,), seed)) + 0.5 for seed in range(4)]
    return relax.TupleGetItem(
        relax.op.nn.batch_norm(x, *map(relax.const, statistics), axis=1, training=False), 0
    )


NETWORKS: dict[str, Callable[[Any], Any]] = {
    "alone": lambda x: norm(x, 3),
    "after a convolution": lambda x: norm(relax.op.nn.conv2d(x, constant((5, 3, 3, 3))), 5),
    "after a biased convolution": lambda x: norm(
        relax.op.add(relax.op.nn.conv2d(x, constant((5, 3, 3, 3))), constant((1, 5, 1, 1), 1)), 5
    ),
    "after a transposed convolution": lambda x: norm(
        relax.op.add(relax.op.nn.conv2d_transpose(x, constant((3, 5, 2, 2))), constant((1, 5, 1, 1), 1)), 5
    ),
    "after a grouped convolution": lambda x: norm(relax.op.nn.conv2d(x, constant((6, 1, 3, 3)), groups=3), 6),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_batch_normalisation_vanishes(name: str) -> None:
    source = module(lambda x: [NETWORKS[name](x)], ((2, 3, 6, 6), "float32"))
    folded = relax.transform.DeadCodeElimination(["main"])(FoldBatchNorm()(source))
    assert "relax.nn.batch_norm" not in operators(folded)
    if name != "alone":
        assert "relax.multiply" not in operators(folded)
    x = random((2, 3, 6, 6))
    plain = relax.VirtualMachine(tvm.compile(source, "llvm"), tvm.cpu())["main"](tvm.runtime.tensor(x))
    [got] = run(source, [x], x86_target())
    np.testing.assert_allclose(got, plain[0].numpy(), atol=1e-5)


def test_a_convolution_that_is_needed_otherwise_is_kept() -> None:
    def shared(x: Any) -> list[Any]:
        builder = relax.BlockBuilder.current()
        y = builder.emit(relax.op.nn.conv2d(x, constant((5, 3, 3, 3))))
        return [norm(y, 5), relax.op.nn.relu(y)]

    x = random((1, 3, 5, 5))
    source = module(shared, (x.shape, "float32"))
    assert "relax.multiply" in operators(FoldBatchNorm()(source))
    plain = relax.VirtualMachine(tvm.compile(source, "llvm"), tvm.cpu())["main"](tvm.runtime.tensor(x))
    for got, expected in zip(run(source, [x], x86_target()), plain, strict=True):
        np.testing.assert_allclose(got, expected.numpy(), atol=1e-5)


def test_a_weight_that_is_used_twice_is_stored_once() -> None:
    weight = constant((4, 4))
    source = module(lambda x: [relax.op.add(x, weight), relax.op.multiply(x, weight)], ((4, 4), "float32"))
    lifted = LiftConstants()(source)
    assert len(lifted.attrs[WEIGHTS]) == 1
    assert len(lifted["main"].params) == 2
