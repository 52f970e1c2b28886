"""Modules of flax and equinox, and their functions, numerically equal to JAX."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

from neo_magics.errors import CaptureError
from tests.compiler.frontends.oracle import agrees

jax = pytest.importorskip("jax")
KEY = jax.random.PRNGKey(0)


def rows(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype("float32")


def test_keys_that_no_result_reads_are_left_out() -> None:
    """As every recurrent layer of flax makes them: they were refused."""
    keys = jax.jit(lambda x: (jax.random.split(jax.random.PRNGKey(0)), jax.numpy.tanh(x))[1])
    agrees(keys, rows(2, 3))


def test_as_many_arguments_as_are_given() -> None:
    result = agrees(jax.jit(lambda x, *more: x + more[0] * 2), (rows(2, 3), rows(2, 3)))
    assert [spec.name for spec in result.inputs] == ["x", "more0"]


class TestFlax:
    @pytest.fixture
    def linen(self) -> Any:
        return pytest.importorskip("flax.linen")

    @pytest.fixture
    def nnx(self) -> Any:
        return pytest.importorskip("flax.nnx")

    @pytest.mark.slow
    @pytest.mark.parametrize("cell", ["OptimizedLSTMCell", "GRUCell"])
    def test_a_recurrent_layer_of_linen(self, linen: Any, cell: str) -> None:
        model = linen.RNN(getattr(linen, cell)(4))
        variables = model.init(KEY, rows(2, 3, 5))
        agrees(jax.jit(functools.partial(model.apply, variables)), rows(2, 3, 5))

    @pytest.mark.slow
    def test_a_bound_module_of_linen(self, linen: Any) -> None:
        model = linen.Sequential([linen.Conv(4, (3, 3)), linen.GroupNorm(2), linen.gelu])
        agrees(model.bind(model.init(KEY, rows(1, 5, 5, 3))), rows(1, 5, 5, 3))

    def test_one_that_is_not_bound_says_how(self, linen: Any) -> None:
        with pytest.raises(CaptureError, match="Dense of flax is not a function of inputs") as caught:
            agrees(linen.Dense(3), rows(2, 4))
        assert "model.bind(variables)" in str(caught.value.hint)

    @pytest.mark.slow
    def test_modules_of_nnx(self, nnx: Any) -> None:
        seeds = nnx.Rngs(0)
        model = nnx.Sequential(nnx.Linear(4, 8, rngs=seeds), nnx.BatchNorm(8, rngs=seeds), nnx.relu)
        model.eval()
        agrees(model, rows(2, 4))
        agrees(nnx.RNN(nnx.LSTMCell(3, 4, rngs=seeds)), rows(2, 3, 3))
        agrees(nnx.jit(lambda x: model(x) * 2), rows(2, 4))


@pytest.mark.slow
def test_modules_of_equinox() -> None:
    equinox = pytest.importorskip("equinox")
    model = equinox.nn.MLP(4, 3, 8, 2, key=KEY)
    agrees(model, rows(4))
    agrees(equinox.filter_jit(lambda x: jax.vmap(model)(x) * 2), rows(2, 4))
