"""Jitted JAX functions through capture and import, held against JAX itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

jax = pytest.importorskip("jax")
import jax.numpy as jnp  # noqa: E402
from jax import lax  # noqa: E402

from neo_magics.capture import capture  # noqa: E402
from neo_magics.errors import CaptureError, UnsupportedOperatorsError  # noqa: E402
from tests.compiler.frontends.oracle import agrees  # noqa: E402

pytestmark = pytest.mark.slow


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype("float32")


ROWS, IMAGE, SQUARE = numbers(4, 6), numbers(2, 8, 8, 3), numbers(3, 3)
W, KERNEL = numbers(6, 5), numbers(3, 3, 3, 4)
LAYOUT = ("NHWC", "HWIO", "NHWC")


def perceptron(x: Any) -> Any:
    return jax.nn.softmax(jax.nn.gelu(x @ W) @ W.T)


def convolution(x: Any) -> Any:
    y = jax.nn.relu(lax.conv_general_dilated(x, KERNEL, (2, 2), "SAME", dimension_numbers=LAYOUT))
    top = lax.reduce_window(y, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    mean = lax.reduce_window(y, 0.0, lax.add, (1, 3, 3, 1), (1, 1, 1, 1), "SAME") / 9
    return top, mean


def attention(x: Any) -> Any:
    q, k, v = (x.reshape(4, 2, 3) * scale for scale in (1.0, 0.5, 2.0))
    scores = jnp.einsum("qhd,khd->hqk", q, k)
    causal = jnp.where(jnp.tril(jnp.ones((4, 4), bool)), scores, -jnp.inf)
    return jnp.einsum("hqk,khd->qhd", jax.nn.softmax(causal), v).reshape(4, 6)


def recurrent(x: Any) -> Any:
    def step(state: Any, row: Any) -> tuple[Any, Any]:
        state = jnp.tanh(row @ W + state)
        return state, state.sum()

    return {
        "last": lax.scan(step, jnp.zeros(5), x)[0],
        "back": lax.scan(step, jnp.ones(5), x, reverse=True)[1],
    }


def rotated(x: Any) -> Any:
    return jnp.concatenate(
        [x[:, ::-1], jnp.roll(x, 1, 0), jnp.pad(x, ((0, 0), (1, 2)), constant_values=3)], 1
    )


PLACES, FAR = np.array([2, 0, 2], "int32"), np.array([-1, 3, 4, 40], "int32")
WRITES: dict[str, tuple[Callable[[Any], Any], np.ndarray]] = {
    "a row": (lambda x: x.at[1].set(0.0), ROWS),
    "a column": (lambda x: x.at[:, 2].set(x[:, 0]), ROWS),
    "a part": (lambda x: x.at[1:3, 2:].set(5.0), ROWS),
    "single numbers": (lambda x: x.at[np.array([0, 3]), np.array([5, 1])].set(x[0, :2]), ROWS),
    "rows added": (lambda x: x.at[PLACES].add(x[1:] * 2), ROWS),
    "rows multiplied": (lambda x: x.at[PLACES].multiply(x[:3]), ROWS),
    "smaller and larger rows": (lambda x: (x.at[PLACES].min(x[1:]), x.at[PLACES].max(x[1:] * 2)), ROWS),
    "extremes of segments": (
        lambda x: (jax.ops.segment_max(x, PLACES, 3), jax.ops.segment_min(x, PLACES, 5)),
        ROWS[:3],
    ),
    "places that are computed": (lambda x: x.at[jnp.argmax(x, 0)].add(1.0), ROWS),
    "places beyond the end": (lambda x: x.at[FAR].set(7.0) + x.at[FAR].add(1.0, mode="clip"), ROWS),
    "places of each row": (lambda x: x.at[jnp.arange(4)[:, None], jnp.argsort(x, 1)[:, :2]].set(9.0), ROWS),
    "taken along an axis": (lambda x: jnp.take_along_axis(x, jnp.argsort(x, 1), 1), ROWS),
    "taken one by one": (lambda x: x[np.array([0, 3]), np.array([2, 5])] + x[0, FAR[:2]], ROWS),
    "taken beyond the end": (
        lambda x: jnp.take(x, FAR, axis=1) + jnp.take(x, FAR, axis=1, mode="clip"),
        ROWS,
    ),
    "a window for each row": (
        lambda x: jax.vmap(lambda row, start: lax.dynamic_slice(row, (start,), (2,)))(x, jnp.argmax(x, 1)),
        ROWS,
    ),
    "sums of segments": (lambda x: jax.ops.segment_sum(x, np.array([0, 2, 2, 1]), 4), ROWS),
    "sorted places": (lambda x: jnp.searchsorted(jnp.sort(x[0]), x[1:]), ROWS),
    "classes of numbers": (lambda x: jnp.digitize(x, np.array([-1.0, 0.0, 0.5])), ROWS),
    "different numbers": (lambda x: jnp.unique(jnp.round(x), size=5), ROWS),
}

CASES: dict[str, tuple[Callable[[Any], Any], np.ndarray]] = {
    **WRITES,
    "perceptron": (perceptron, ROWS),
    "convolution": (convolution, IMAGE),
    "transposed convolution": (lambda x: lax.conv_transpose(x, KERNEL, (2, 2), "SAME"), IMAGE),
    "grouped convolution": (
        lambda x: lax.conv_general_dilated(
            x,
            numbers(3, 3, 1, 6),
            (1, 1),
            [(1, 0), (0, 2)],
            rhs_dilation=(2, 1),
            dimension_numbers=LAYOUT,
            feature_group_count=3,
        ),
        IMAGE,
    ),
    "attention": (attention, ROWS),
    "recurrent": (recurrent, ROWS),
    "layer normalisation": (
        lambda x: (x - x.mean(-1, keepdims=True)) * lax.rsqrt(x.var(-1) + 1e-5)[:, None],
        ROWS,
    ),
    "rotated": (rotated, ROWS),
    "near zero": (lambda x: (jnp.log1p(x * 1e-4), jnp.expm1(x * 1e-4), jnp.expm1(x * 5)), ROWS),
    "whole numbers": (
        lambda x: (x // 2, x % 3, lax.rem(x, 3), x.astype(bool), jnp.sign(x)),
        np.arange(-6, 6),
    ),
    "embedding": (
        lambda i: (jnp.asarray(W)[i], jnp.take(W, i, axis=1), jnp.take(W, i, axis=0, mode="clip")),
        np.array([[0, 4], [-1, 2]]),
    ),
    "out of bounds": (lambda i: jnp.take(W, i, axis=0), np.array([0, 77, -1, -9])),
    "rounding": (lambda x: (jnp.round(x * 2), lax.round(x * 2), jnp.floor(x), jnp.clip(x, -0.5, 0.5)), ROWS),
    "sorted": (lambda x: (jnp.sort(x, 1), lax.top_k(x, 3), jnp.argmax(x, 0), jnp.argmin(x, 1)), ROWS),
    "sums": (
        lambda x: (jnp.cumsum(x, 1), x.prod(0), (x > 0).any(1), (x > 0).all(0), x.max(), x.min(1)),
        ROWS,
    ),
    "loop": (lambda x: lax.fori_loop(0, 5, lambda k, v: jnp.tanh(v @ v) + k, x), SQUARE),
    "a loop with its own counter": (
        lambda x: lax.while_loop(lambda s: s[0] < 7, lambda s: (s[0] + s[2], jnp.sin(s[1]), s[2]), (0, x, 3)),
        SQUARE,
    ),
    "a loop that never runs": (
        lambda x: lax.while_loop(lambda s: s[0] < 0, lambda s: (s[0] + 1, -s[1]), (0, x)),
        SQUARE,
    ),
    "sums so far, in a tree": (lambda x: lax.associative_scan(jnp.add, x), numbers(7, 3)),
    "spread apart": (lambda x: lax.pad(x, 1.5, ((1, 2, 1), (-1, 0, 2))), ROWS),
    "bits of whole numbers": (lambda x: (x & 3, x | 4, x ^ 5, ~x), np.arange(-6, 6)),
    "slice at a position": (lambda x: lax.dynamic_slice(x, (x.shape[0] - 1, jnp.argmax(x[0])), (2, 3)), ROWS),
    "not a number": (
        lambda x: (jnp.isnan(jnp.sqrt(x)), jnp.isfinite(jnp.log(x)), jnp.maximum(x, jnp.nan)),
        ROWS,
    ),
    "stacked and tiled": (lambda x: (jnp.stack([x, x * 2], -1), jnp.tile(x, (2, 1))), ROWS),
    "ordered places": (lambda x: (jnp.argsort(x, 1), jnp.argsort(-x, 0), jnp.median(x)), ROWS),
    "one of two": (lambda x: lax.cond(x[0, 0] > 9, lambda a: a * 2, lambda a: -a, x), ROWS),
    "one of several": (
        lambda i: lax.switch(
            i[0], [lambda a: (a, a > 0), lambda a: (a * 2, a > 1), lambda a: (-a, a < 0)], i
        ),
        np.array([2, 7, 1]),
    ),
    "beyond the last one": (
        lambda i: lax.switch(i[0], [lambda a: a, lambda a: a * 2, lambda a: -a], i),
        np.array([5, 7, 1]),
    ),
    "a part replaced at a position": (
        lambda x: lax.dynamic_update_slice(x, x[:2, :3] + 9, (jnp.argmax(x[:, 0]), jnp.argmax(x[0]))),
        ROWS,
    ),
    "running products and maxima": (
        lambda x: (jnp.cumprod(x, 0), lax.cummax(x, 1), lax.cummin(x, 1, reverse=True)),
        ROWS,
    ),
    "angles and cube roots": (
        lambda x: (jnp.arctan2(x, x[::-1]), jnp.arctan2(x, x * 0), jnp.cbrt(x)),
        ROWS,
    ),
    "shifts": (lambda x: (x << 2, x >> 1), np.arange(-6, 6)),
    "half precision": (lambda x: x.astype(jnp.float16) @ W.astype(jnp.float16), ROWS),
    "gradient": (jax.grad(lambda x: jnp.sum(jnp.sin(x) * jax.nn.sigmoid(x))), ROWS),
}


@pytest.mark.parametrize("name", CASES)
def test_a_function(name: str) -> None:
    function, example = CASES[name]
    agrees(jax.jit(function), example, tolerance=2e-3 if "half" in name else 2e-5)


def test_names_are_the_function_s_own() -> None:
    def scores(image: Any, scale: Any) -> dict[str, Any]:
        return {"b": image * scale, "a": [image.sum(), scale]}

    model = agrees(jax.jit(scores), {"image": ROWS, "scale": np.float32(2)})
    assert [str(spec) for spec in model.inputs] == ["image: float32[4, 6]", "scale: float32[]"]
    assert [spec.name for spec in model.outputs] == ["a.0", "a.1", "b"]


def test_arguments_that_are_trees() -> None:
    """Parameters and batches as libraries for networks hand them on."""

    def scores(parameters: Any, batch: Any) -> Any:
        (x, scale), layers = batch, parameters["layers"]
        for layer in layers:
            x = jnp.tanh(x @ layer["w"] + layer["b"])
        return {"scores": x * scale["s"]}

    layers = [{"w": numbers(6, 5), "b": numbers(5)}, {"w": numbers(5, 3), "b": numbers(3)}]
    model = agrees(jax.jit(scores), ({"layers": layers}, (ROWS, {"s": np.float32(2)})))
    assert [spec.name for spec in model.inputs] == [
        *(f"parameters.layers.{layer}.{name}" for layer in (0, 1) for name in ("b", "w")),
        "batch.0",
        "batch.1.s",
    ]


def test_the_one_argument_is_a_dict() -> None:
    model = agrees(jax.jit(lambda batch: batch["x"] * batch["m"]), {"x": ROWS, "m": ROWS + 1})
    assert [spec.name for spec in model.inputs] == ["batch.m", "batch.x"]


def test_loops_whose_length_the_data_decide() -> None:
    def doubled(x: Any) -> Any:
        return lax.while_loop(lambda v: v.sum() < 100, lambda v: v * 2, x)

    with pytest.raises(UnsupportedOperatorsError, match="while, as often as only the run decides"):
        capture(jax.jit(doubled), inputs=np.abs(ROWS))


def test_an_output_with_the_name_of_an_input() -> None:
    """The input's name was changed then, and nobody could give it."""
    model = agrees(jax.jit(lambda x: {"x": x * 2, "y": x}), ROWS)
    assert [spec.name for spec in model.inputs] == ["x"]
    assert [spec.name for spec in model.outputs] == ["x_out", "y"]


def test_all_unknown_primitives_come_at_once_with_their_places() -> None:
    @jax.jit
    def inner(x: Any) -> Any:
        return jnp.linalg.eigvalsh(x @ x.T) + jax.random.normal(jax.random.key(0), x.shape)

    with pytest.raises(UnsupportedOperatorsError) as caught:
        capture(jax.jit(lambda x: inner(x) + lax.lgamma(x)), inputs=SQUARE)
    assert {"eigh", "lgamma"} <= set(caught.value.fields["operators"])
    assert "eigh in <lambda>/inner/eigvalsh/eigh" in caught.value.message


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "needs an example"),
        ({"inputs": numbers(2, 5)}, "cannot trace"),
        ({"inputs": ROWS, "input_shape": {"x": [None, 7]}}, r"has shape \[4, 6\], not \[None, 7\]"),
        ({"inputs": ROWS, "input_shape": {"x": [4, None]}}, "cannot trace"),
        ({"inputs": ROWS.astype(jnp.bfloat16)}, "takes bfloat16"),
        ({"inputs": (ROWS, ROWS)}, "2 example inputs were given; the model takes 1"),
    ],
)
def test_mistakes(given: dict[str, Any], message: str) -> None:
    with pytest.raises(CaptureError, match=message):
        capture(jax.jit(perceptron, inline=True), **given)


def test_a_factorisation_names_what_does_instead() -> None:
    with pytest.raises(UnsupportedOperatorsError, match="svd") as caught:
        capture(jax.jit(lambda x: jnp.linalg.svd(x)[1]), inputs=ROWS)
    assert "close over the factors" in str(caught.value.hint)


def test_a_plain_function_is_named() -> None:
    with pytest.raises(CaptureError, match=r"jax\.jit"):
        capture(jnp.ones(3), inputs=ROWS)
