"""A JAX function in JAX: the exported program that travels beside the graph, compiled by XLA for the CPU."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from neo_magics.capture.request import TensorInfo
from neo_magics.errors import UntrustedPickleError

FILE = "model.jax"
_OWN = re.compile(r"(lapack|blas)_\w+|shape_assertion|(stablehlo|mhlo)\.[\w.]+")
Array = np.ndarray[Any, Any]


class JaxSource:
    """The program under jax.jit. XLA uses the cores that the process may use."""

    def __init__(self, path: Path, specs: tuple[TensorInfo, ...], outputs: list[str], trust: bool) -> None:
        import jax

        exported = jax.export.deserialize(bytearray(path.read_bytes()))
        foreign = set() if trust else foreign_calls(exported.mlir_module())
        if foreign:
            raise UntrustedPickleError(
                f"{path.name} calls code outside of the program ({', '.join(sorted(foreign))}).",
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


def foreign_calls(program: str) -> set[str]:
    """The targets of custom calls other than JAX's own, for linear algebra and checks of free sizes."""
    called = re.findall(r"custom_call\s+@\"?([\w.$]+)", program)
    others = {"a custom_call"} if program.count("custom_call") > len(called) else set()
    return others | {name for name in called if not _OWN.fullmatch(name)}


def is_jax(folder: Path) -> bool:
    """Whether the archive holds a JAX function that can be run here."""
    return (folder / FILE).is_file() and importlib.util.find_spec("jax") is not None
