"""TensorFlow models against TensorFlow, in an environment that NEO_MAGICS_TENSORFLOW_PYTHON names."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from neo_magics.capture import capture
from neo_magics.capture.tensorflow_process import PYTHON, environment
from neo_magics.errors import ExecutionError, InputError, UnsupportedOperatorsError, UntrustedPickleError
from tests.compiler.frontends.oracle import agrees, imported

has_tensorflow = bool(os.environ.get(PYTHON)) or importlib.util.find_spec("tensorflow") is not None
needs_tensorflow = pytest.mark.skipif(
    not has_tensorflow, reason=f"TensorFlow is not installed; {PYTHON} names a Python that has it"
)
MAKE = Path(__file__).with_name("tensorflow_models.py")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tensorflow")
    python = os.environ.get(PYTHON) or sys.executable
    subprocess.run([python, str(MAKE), str(folder)], check=True, capture_output=True, env=environment())
    return folder


@needs_tensorflow
@pytest.mark.slow
def test_a_saved_model_with_a_free_batch(models: Path) -> None:
    image = np.random.default_rng(0).standard_normal((3, 8, 8, 3)).astype("float32")
    result = agrees(models / "net", input_shape={"image": [None, 8, 8, 3]}, feeds={"image": image})
    assert result.inputs[0].shape == ("batch", 8, 8, 3)
    assert [spec.name for spec in result.outputs] == ["features", "scores"]
    assert result.framework_version.startswith("tensorflow 2")


def image(rows: int) -> dict[str, np.ndarray]:
    return {"image": np.random.default_rng(rows).standard_normal((rows, 8, 8, 3)).astype("float32")}


@needs_tensorflow
@pytest.mark.slow
@pytest.mark.parametrize("name", ["pb/frozen.pb", "pbtxt/frozen.pbtxt", "session"])
def test_graphs_of_tensorflow_1_with_a_loop(models: Path, name: str) -> None:
    result = agrees(models / name, feeds=image(3))
    assert [str(spec) for spec in result.inputs] == ["image: float32[batch, 8, 8, 3]"]
    assert [spec.name for spec in result.outputs] == ["scores"]


@needs_tensorflow
@pytest.mark.slow
def test_recurrent_layers_of_keras(models: Path) -> None:
    tokens = {"tokens": np.random.default_rng(0).integers(0, 20, (2, 6)).astype("int32")}
    agrees(models / "recurrent", input_shape={"tokens": [2, 6]}, feeds=tokens)


@needs_tensorflow
@pytest.mark.slow
def test_a_mobilenet(models: Path) -> None:
    pixels = np.random.default_rng(0).standard_normal((2, 32, 32, 3)).astype("float32")
    agrees(models / "classifier", feeds={"image": pixels})


@needs_tensorflow
@pytest.mark.slow
def test_operators_that_onnx_lacks_are_named_at_once(models: Path) -> None:
    with pytest.raises(UnsupportedOperatorsError, match=r"convert TENSORFLOW model.*\{BesselI0, Igamma\}"):
        agrees(models / "odd", feeds={"x": np.ones((3, 3), np.float32)})


@needs_tensorflow
@pytest.mark.slow
def test_operators_that_read_files_need_trust(models: Path) -> None:
    with pytest.raises(UntrustedPickleError, match="ReadFile in"):
        capture(models / "reader")


@needs_tensorflow
@pytest.mark.slow
def test_a_file_that_is_no_graph(tmp_path: Path) -> None:
    (tmp_path / "net.pb").write_bytes(b"\xffjunk")
    with pytest.raises(InputError, match=r"net\.pb is not a graph of TensorFlow|no inputs or no outputs"):
        imported(tmp_path, "TENSORFLOW")


def test_an_archive_without_a_model_has_neo_s_wording(tmp_path: Path) -> None:
    (tmp_path / "fingerprint.pb").write_bytes(b"x")
    with pytest.raises(InputError, match=r"No pb file found for TensorFlow model\. Please make sure"):
        imported(tmp_path, "TENSORFLOW")


def test_without_tensorflow_the_command_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "net.pb").write_bytes(b"")
    fake = tmp_path / "python"
    fake.write_text('#!/bin/sh\necho \'{"missing": "tensorflow"}\'\n')
    fake.chmod(0o755)
    monkeypatch.setenv(PYTHON, str(fake))
    with pytest.raises(InputError, match="need the package tensorflow") as caught:
        capture(tmp_path / "net.pb")
    assert "neo-magics[tensorflow]" in caught.value.hint
    fake.write_text("#!/bin/sh\nexit 3\n")
    with pytest.raises(ExecutionError, match="ended without an answer"):
        capture(tmp_path / "net.pb")
