"""A JAX function in JAX: the exported program that travels beside the graph, compiled by XLA for the CPU."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from neo_magics.capture.request import TensorInfo
from neo_magics.errors import UntrustedPickleError

FILE = "model.jax"
Array = np.ndarray[Any, Any]


class JaxSource:
    """The program under jax.jit. XLA uses the cores that the process may use."""

    def __init__(self, path: Path, specs: tuple[TensorInfo, ...], outputs: list[str], trust: bool) -> None:
        import jax

        exported = jax.export.deserialize(bytearray(path.read_bytes()))
        if not trust and "custom_call" in exported.mlir_module():
            raise UntrustedPickleError(
                f"{path.name} calls code outside of the program (custom_call).",
                hint="If you trust where it comes from, say --trust-pickle.",
            )
        self._call = jax.jit(exported.call)
        self._outputs = outputs
        self.input_specs = specs
        self.versions = {"jax": str(jax.__version__)}

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs by name."""
        import jax

        found = jax.tree_util.tree_leaves(self._call(*(inputs[spec.name] for spec in self.input_specs)))
        return dict(zip(self._outputs, map(np.asarray, found), strict=True))


def is_jax(folder: Path) -> bool:
    """Whether the archive holds a JAX function that can be run here."""
    return (folder / FILE).is_file() and importlib.util.find_spec("jax") is not None
