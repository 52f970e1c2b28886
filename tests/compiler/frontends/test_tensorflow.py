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
from neo_magics.capture.tensorflow_process import PYTHON
from neo_magics.errors import ExecutionError, InputError, UntrustedPickleError
from tests.compiler.frontends.oracle import agrees, imported

has_tensorflow = bool(os.environ.get(PYTHON)) or importlib.util.find_spec("tensorflow") is not None
needs_tensorflow = pytest.mark.skipif(
    not has_tensorflow, reason=f"TensorFlow is not installed; {PYTHON} names a Python that has it"
)
MAKE = """
import sys
import tensorflow as tf
rng = tf.random.Generator.from_seed(1)
class Net(tf.Module):
    def __init__(self):
        self.w = tf.Variable(rng.normal((3, 3, 3, 4)))
        self.cell = tf.Variable(rng.normal((4, 4)))
    @tf.function(input_signature=[tf.TensorSpec((None, 8, 8, 3), tf.float32, name="image")])
    def __call__(self, image):
        x = tf.nn.max_pool2d(tf.nn.relu(tf.nn.conv2d(image, self.w, 2, "SAME")), 2, 2, "VALID")
        y = tf.reduce_mean(x, [1, 2]) @ self.cell
        return {"scores": tf.nn.softmax(y), "features": tf.concat([y, tf.nn.sigmoid(y)], -1)}
class Reader(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec((2,), tf.float32, name="x")])
    def __call__(self, x):
        return {"y": x + tf.cast(tf.strings.length(tf.io.read_file("/etc/hostname")), tf.float32)}
net, reader = Net(), Reader()
tf.saved_model.save(net, sys.argv[1] + "/net", signatures=net.__call__)
tf.saved_model.save(reader, sys.argv[1] + "/reader", signatures=reader.__call__)
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tensorflow")
    python = os.environ.get(PYTHON) or sys.executable
    subprocess.run([python, "-c", MAKE, str(folder)], check=True, capture_output=True)
    return folder


@needs_tensorflow
@pytest.mark.slow
def test_a_saved_model_with_a_free_batch(models: Path) -> None:
    image = np.random.default_rng(0).standard_normal((3, 8, 8, 3)).astype("float32")
    result = agrees(models / "net", input_shape={"image": [None, 8, 8, 3]}, feeds={"image": image})
    assert result.inputs[0].shape == ("batch", 8, 8, 3)
    assert [spec.name for spec in result.outputs] == ["features", "scores"]
    assert result.framework_version.startswith("tensorflow 2")


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
