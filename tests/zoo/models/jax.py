"""Jitted functions of JAX, which travel as ONNX."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.zoo.entry import Entry, Given

_NEEDS = ("jax",)


def _weights(*shape: int) -> Any:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype("float32") / shape[0] ** 0.5


def _layers(_folder: Path) -> Given:
    import jax

    first, second = _weights(64, 128), _weights(128, 10)
    function = jax.jit(lambda x: jax.nn.softmax(jax.nn.relu(x @ first) @ second))
    return Given(function, {"inputs": _weights(32, 64)})


def _attention(_folder: Path) -> Given:
    import jax
    import jax.numpy as jnp

    query, key, value = (_weights(64, 64 + number)[:, :64] for number in range(3))

    def attend(x: Any) -> Any:
        scores = jax.nn.softmax(jnp.einsum("bik,bjk->bij", x @ query, x @ key) / 8)
        return x + scores @ (x @ value)

    return Given(jax.jit(attend), {"inputs": _weights(2, 48, 64)})


ENTRIES = [
    Entry("JAX", "layers", _layers, _NEEDS, quick=True),
    Entry("JAX", "attention", _attention, _NEEDS),
]
