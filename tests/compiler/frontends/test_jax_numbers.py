"""JAX functions of complex and narrow numbers, of small matrices, of free sizes, held against JAX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

jax = pytest.importorskip("jax")
import jax.numpy as jnp  # noqa: E402
from jax import lax  # noqa: E402

from neo_magics.capture import capture  # noqa: E402
from neo_magics.capture.source_jax import foreign_calls  # noqa: E402
from neo_magics.errors import CaptureError, UnsupportedOperatorsError  # noqa: E402
from tests.compiler.frontends.oracle import agrees  # noqa: E402

pytestmark = pytest.mark.slow
Cases = dict[str, tuple[Callable[[Any], Any], np.ndarray]]


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype("float32")


ROWS, SIGNAL, MATRICES, SIDES = numbers(4, 6), numbers(3, 8), numbers(2, 5, 5), numbers(2, 5, 3)
WINDOW = np.hanning(4).astype("float32")


def parts(x: Any) -> tuple[Any, Any]:
    return jnp.real(x), jnp.imag(x)


FOURIER: Cases = {
    "of real numbers": (lambda x: parts(jnp.fft.rfft(x)), SIGNAL),
    "along the first axis": (lambda x: parts(jnp.fft.fft(x, axis=0)), SIGNAL),
    "padded, and back": (lambda x: parts(jnp.fft.ifft(jnp.fft.fft(x, n=12) / (1 + 2j))), SIGNAL),
    "to an odd length": (lambda x: jnp.fft.irfft(jnp.fft.rfft(x[:, :7]), n=7), SIGNAL),
    "a shift in time": (lambda x: jnp.fft.irfft(jnp.fft.rfft(x) * jnp.exp(0.7j * jnp.arange(5))), SIGNAL),
    "of images": (lambda x: jnp.fft.irfft2(jnp.fft.rfft2(x) * 2) + jnp.abs(jnp.fft.fft2(x)), SIGNAL),
    "a convolution": (lambda x: jnp.fft.irfft(jnp.fft.rfft(x, 16) * jnp.fft.rfft(jnp.ones(3), 16)), SIGNAL),
    "a spectrogram": (
        lambda x: jnp.abs(jnp.fft.rfft(jnp.stack([x[0, k : k + 4] for k in range(5)]) * WINDOW)),
        SIGNAL,
    ),
}
COMPLEX: Cases = {
    "products": (lambda x: parts((x + 1j * x[:, ::-1]) @ (x.T - 2j * x.T)), SIGNAL),
    "powers and sums": (lambda x: (jnp.abs(jnp.sum((x + 1j) ** 3, 1)), jnp.angle(x + 1j)), SIGNAL),
    "conjugates": (lambda x: parts(jnp.conj(lax.complex(x, x)) * lax.complex(x, -x)), SIGNAL),
    "one of two": (lambda x: parts(jnp.where(x > 0, jnp.fft.fft(x), 0)), SIGNAL),
    "compared": (lambda x: lax.complex(x, x) == lax.complex(x, jnp.abs(x)), SIGNAL),
}
ALGEBRA: Cases = {
    "inverse": (jnp.linalg.inv, MATRICES),
    "equations": (lambda a: jnp.linalg.solve(a, SIDES), MATRICES),
    "one right side": (lambda a: jnp.linalg.solve(a[0].T @ a[0] + jnp.eye(5), a[1, 0]), MATRICES),
    "determinant": (jnp.linalg.det, MATRICES),
    "logarithm of it": (jnp.linalg.slogdet, MATRICES),
    "factors": (lax.linalg.lu, MATRICES),
    "root": (lambda a: jnp.linalg.cholesky(a @ a.swapaxes(1, 2) + jnp.eye(5)), MATRICES),
    "positive matrices": (
        lambda a: jax.scipy.linalg.solve(a[0] @ a[0].T + jnp.eye(5), SIDES[0], assume_a="pos"),
        MATRICES,
    ),
    "triangles": (
        lambda a: [
            lax.linalg.triangular_solve(
                a + 3 * jnp.eye(5),
                SIDES if left else SIDES.swapaxes(1, 2),
                left_side=left,
                lower=lower,
                transpose_a=turned,
                unit_diagonal=lower,
            )
            for left in (False, True)
            for lower in (False, True)
            for turned in (False, True)
        ],
        MATRICES,
    ),
    "a diagonal": (jnp.corrcoef, SIGNAL),
}
OTHERS: Cases = {
    "one of three": (lambda x: lax.select_n(jnp.abs(x * 1.2).astype("int32") % 3, x, x * 2, x * 3), ROWS),
    "pieces": (lambda x: jnp.piecewise(x, [x < 0, x >= 0], [lambda v: -v, lambda v: v * 3]), ROWS),
    "sorted by several keys": (lambda x: lax.sort((jnp.round(x), x), num_keys=2), ROWS),
    "padded with the edge": (lambda x: jnp.pad(x, ((0, 0), (1, 2)), mode="edge"), ROWS),
    "truths": (
        lambda x: ((x > 0).max(1), jnp.argmax(x > 0, 1), (x > 0) < (x > 1), jnp.cumsum(x > 0, 1)),
        ROWS,
    ),
    "truths at a position": (
        lambda x: lax.dynamic_update_slice(x > 0, jnp.ones((1, 2), bool), (jnp.argmax(x[:, 0]), 1)),
        ROWS,
    ),
    "sums of bytes": (lambda x: jnp.sum((jnp.abs(x) * 90).astype("uint8"), 1, dtype="uint8"), ROWS),
    "shifts": (
        lambda i: (i << 30, lax.shift_right_logical(i, jnp.int32(3)), i.astype("uint8") >> 2, i**3),
        np.arange(-6, 6),
    ),
}
CASES = {**FOURIER, **COMPLEX, **ALGEBRA, **OTHERS}


@pytest.mark.parametrize("name", CASES)
def test_a_function(name: str) -> None:
    function, example = CASES[name]
    agrees(jax.jit(function), example, tolerance=1e-4)


ODD = np.array([0, -0.0, 1, -2.5, 1e-30, 100, -100, np.inf, -np.inf, np.nan], "float32")
EDGES: dict[str, Callable[[Any, Any], Any]] = {
    "larger and smaller": lambda x, y: (jnp.maximum(x, y), jnp.minimum(x, y)),
    "with a number": lambda x, y: (jnp.minimum(x, 1.0), jnp.maximum(2.0, y), jnp.maximum(x, -jnp.inf)),
    "angle": jnp.arctan2,
    "sign": lambda x, y: (jnp.sign(x), jnp.hypot(x, y)),
    "logarithm": lambda x, y: jnp.log1p(x),
}


@pytest.mark.parametrize("name", EDGES)
def test_numbers_at_the_edge(name: str) -> None:
    x, y = np.repeat(ODD, len(ODD)), np.tile(ODD, len(ODD))
    agrees(jax.jit(EDGES[name]), (x, y))


@pytest.mark.parametrize("first", ["weights", "inputs"])
def test_bfloat16_within(first: str) -> None:
    """XLA keeps more digits of inner values than the dtype has; weights alone are exact."""
    weights = jnp.asarray(numbers(6, 5), jnp.bfloat16)

    def network(x: Any) -> Any:
        narrow = x if first == "weights" else x.astype(jnp.bfloat16)
        return jnp.tanh(narrow @ weights).astype(jnp.float32)

    agrees(jax.jit(network), ROWS, tolerance=2e-5 if first == "weights" else 2e-2)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (jnp.fft.fft, "returns complex64, which only inner values can be"),
        (lambda x: x.astype(jnp.bfloat16), "returns bfloat16, which only inner values can be"),
    ],
)
def test_results_that_compiled_models_do_not_have(function: Any, message: str) -> None:
    with pytest.raises(CaptureError, match=message):
        capture(jax.jit(function), inputs=ROWS)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: jnp.real(jnp.sin(x + 1j)), "sin of complex numbers"),
        (lambda x: jnp.linalg.inv(jnp.eye(40) * x[0, 0]), "lu of matrices of more than 32 rows"),
        (lambda x: jnp.abs(jnp.fft.fft(jnp.tile(x, (1, 1000)))), "which is too much for a matrix"),
    ],
)
def test_what_is_not_converted_is_said(function: Any, message: str) -> None:
    with pytest.raises(UnsupportedOperatorsError, match=message):
        capture(jax.jit(function), inputs=ROWS)


def network(parameters: Any) -> Any:
    """Closed-over parameters, as Flax and Equinox hand on."""

    def apply(x: Any, scale: Any) -> Any:
        for layer in parameters:
            x = jax.nn.gelu(x @ layer["w"] + layer["b"])
        attention = jax.nn.softmax(x @ x.T / jnp.sqrt(x.shape[-1]))
        return {"scores": attention @ x * scale, "mean": jnp.mean(x, 0), "part": x[:, 1:3].reshape(-1)}

    return apply


def test_a_free_batch() -> None:
    apply = network([{"w": numbers(6, 5), "b": numbers(5)}, {"w": numbers(5, 4), "b": numbers(4)}])
    scale = numbers(4, 1)
    free = {"x": [None, 6], "scale": [None, 1]}
    feeds = {"x": numbers(9, 6), "scale": numbers(9, 1)}
    model = agrees(jax.jit(apply), (ROWS, scale), input_shape=free, feeds=feeds)
    assert [str(spec) for spec in model.inputs] == ["x: float32[batch, 6]", "scale: float32[batch, 1]"]
    agrees(jax.jit(apply), input_shape=free, feeds=feeds)  # with examples of its own


def convolutional(x: Any) -> Any:
    kernel = jnp.asarray(numbers(3, 3, 3, 4))
    y = lax.conv_general_dilated(x, kernel, (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
    y = lax.reduce_window(jax.nn.relu(y), -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    return jax.nn.log_softmax(y.mean((1, 2)) @ numbers(4, 3))


def sequence(x: Any) -> Any:
    """[batch, length, 6]: heads, a causal mask, positions."""
    heads = x.reshape(*x.shape[:2], 2, 3)
    scores = jnp.einsum("bqhd,bkhd->bhqk", heads, heads)
    place = jnp.arange(x.shape[1])
    scores = jnp.where(place[:, None] >= place[None, :], scores, -1e9)
    mixed = jnp.einsum("bhqk,bkhd->bqhd", jax.nn.softmax(scores), heads)
    padded = jnp.pad(mixed.reshape(x.shape), ((0, 0), (1, 0), (0, 0)))[:, :-1]
    return jnp.concatenate([padded, x], -1), jnp.cumsum(x, 1)[:, -1]


@pytest.mark.parametrize(
    ("function", "example", "free", "other"),
    [
        (convolutional, numbers(2, 8, 8, 3), [None, 8, 8, 3], numbers(5, 8, 8, 3)),
        (sequence, numbers(2, 4, 6), [None, 4, 6], numbers(5, 4, 6)),
        (sequence, numbers(2, 4, 6), [None, None, 6], numbers(3, 9, 6)),
        (sequence, numbers(2, 4, 6), [2, None, 6], numbers(2, 3, 6)),
        (lambda x: jnp.abs(jnp.fft.rfft(x)), SIGNAL, [None, 8], numbers(5, 8)),
        (lambda x: (jnp.sort(x, 1), jnp.argmax(x, 1), x[:, 0], x[1:], x.T), ROWS, [None, 6], numbers(9, 6)),
    ],
    ids=["images", "sequences", "both", "a length", "fourier", "moves"],
)
def test_free_sizes(function: Any, example: np.ndarray, free: Any, other: np.ndarray) -> None:
    agrees(jax.jit(function), example, input_shape=[free], feeds={_only(function): other})


def _only(function: Any) -> str:
    return str(function.__code__.co_varnames[0])


def test_a_free_size_that_an_operator_cannot_have_is_said() -> None:
    def steps(x: Any) -> Any:
        return lax.scan(lambda state, row: (state + row, state), jnp.zeros(6), x)[0]

    with pytest.raises(UnsupportedOperatorsError, match="scan over a length of batch"):
        capture(jax.jit(steps), inputs=ROWS, input_shape=[[None, 6]])


def test_code_outside_of_the_program_is_found() -> None:
    inverse = str(jax.export.export(jax.jit(jnp.linalg.inv))(MATRICES).mlir_module())
    assert "custom_call" in inverse
    assert not foreign_calls(inverse)
    assert foreign_calls(inverse.replace("lapack_sgetrf_ffi", "xla_python_cpu_callback")) == {
        "xla_python_cpu_callback"
    }
    assert foreign_calls('"stablehlo.custom_call"(%0) {call_target_name = "lapack_x"}') == {"a custom_call"}
