"""Artifacts that the tests of this folder share, each built once."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neo_magics.artifact.manifest import TensorSpec
from neo_magics.runtime import CompiledModel, load
from tests.runtime.build import build, constant

W, B, V = constant(1, 8, 16), constant(2, 16), constant(3, 16, 4)
HELD = constant(4, 2, 2)
ASSETS = Path(__file__).parents[2] / "neo_magics" / "demo" / "assets"


def mlp_reference(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """What the `mlp` artifact computes."""
    return np.maximum(x @ W + B, 0) @ V


@pytest.fixture(scope="session")
def mlp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """float32 x (n, 8) → y (n, 4), n free; two layers with weights."""
    from tvm import relax

    folder = tmp_path_factory.mktemp("mlp")

    def body(builder: Any, x: Any) -> Any:
        hidden = builder.emit(relax.op.add(relax.op.matmul(x, relax.const(W)), relax.const(B)))
        return builder.emit(relax.op.matmul(relax.op.nn.relu(hidden), relax.const(V)))

    build(folder, [TensorSpec("x", ("n", 8), "float32")], [TensorSpec("y", ("n", 4), "float32")], body)
    return folder


@pytest.fixture(scope="session")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """int64 a (n, 3), bool keep (n, 3), float32 scale → a + keep, and a × scale as float32. No weights."""
    from tvm import relax

    folder = tmp_path_factory.mktemp("mixed")

    def body(builder: Any, a: Any, keep: Any, scale: Any) -> list[Any]:
        total = builder.emit(relax.op.add(a, relax.op.astype(keep, "int64")))
        return [total, builder.emit(relax.op.multiply(relax.op.astype(a, "float32"), scale))]

    build(
        folder,
        [
            TensorSpec("a", ("n", 3), "int64"),
            TensorSpec("keep", ("n", 3), "bool"),
            TensorSpec("scale", (), "float32"),
        ],
        [TensorSpec("total", ("n", 3), "int64"), TensorSpec("scaled", ("n", 3), "float32")],
        body,
    )
    return folder


@pytest.fixture(scope="session")
def handed_through(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """float32 x (2, 2) → x itself, a weight itself, and x + x."""
    from tvm import relax

    folder = tmp_path_factory.mktemp("handed_through")
    build(
        folder,
        [TensorSpec("x", (2, 2), "float32")],
        [TensorSpec(name, (2, 2), "float32") for name in ("same", "weight", "twice")],
        lambda builder, x: [x, relax.const(HELD), builder.emit(relax.op.add(x, x))],
    )
    return folder


@pytest.fixture
def model(mlp: Path) -> CompiledModel:
    """The `mlp` artifact, loaded."""
    return load(mlp)


@pytest.fixture
def artifact(mlp: Path, tmp_path: Path) -> Path:
    """A copy of the `mlp` artifact that a test may damage."""
    return Path(shutil.copytree(mlp, tmp_path / "artifact"))


@pytest.fixture(scope="session")
def digits_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked archive of the shipped ONNX network."""
    folder = tmp_path_factory.mktemp("digits_source")
    shutil.copy(ASSETS / "digits.onnx", folder / "model.onnx")
    return folder


@pytest.fixture(scope="session")
def digits(digits_source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped ONNX network, compiled for a generic x86-64."""
    from neo_magics.api.compiler_options import parse
    from neo_magics.api.devices import resolve
    from neo_magics.compiler.pipeline import CompileRequest, compile_model
    from tests.runtime.build import HERE

    folder = tmp_path_factory.mktemp("digits")
    request = CompileRequest(digits_source, "ONNX", None, resolve(HERE), parse(None), folder, name="digits")
    compile_model(request, lambda _event: None)
    return folder


def run_source(source: Path, inputs: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, np.ndarray[Any, Any]]:
    """The source model's outputs."""
    from neo_magics.capture.source import open_source

    return open_source(source, "ONNX", threads=1).run(inputs)
