"""Models of other frameworks as whole jobs: from the object in a cell to the measured comparison."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import neo_magics
from neo_magics.capture.tensorflow_process import PYTHON, environment
from neo_magics.client import Backend
from tests.compiler.frontends.darknet_models import YOLO_V3, files

MAKE = Path(__file__).parent / "compiler" / "frontends" / "tensorflow_models.py"
has_tensorflow = bool(os.environ.get(PYTHON)) or importlib.util.find_spec("tensorflow") is not None


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_keras_from_the_cell_to_the_comparison(settings):
    os.environ.setdefault("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3), name="image"),
            keras.layers.Conv2D(8, 3, activation="relu"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(4, activation="softmax", name="probabilities"),
        ]
    )
    job = neo_magics.compile(
        model, input_shape={"image": [None, 8, 8, 3]}, backend=Backend(settings), wait=True
    )
    assert job.report["framework"] == "KERAS"
    assert job.report["verification"]["reference"].startswith("keras")
    x = np.random.default_rng(0).standard_normal((3, 8, 8, 3)).astype("float32")
    np.testing.assert_allclose(job.load()(x), model.predict_on_batch(x), atol=1e-6)
    comparison = job.compare(x, seconds=0.3)
    assert comparison.before.label == "Keras"


@pytest.mark.slow
@pytest.mark.skipif(not has_tensorflow, reason="TensorFlow is not installed")
def test_tensorflow_from_the_saved_model_to_the_comparison(settings, tmp_path, monkeypatch):
    python = os.environ.get(PYTHON) or sys.executable
    monkeypatch.setenv("KERAS_BACKEND", "torch")  # as where Keras models were compiled before
    subprocess.run([python, str(MAKE), str(tmp_path)], check=True, capture_output=True, env=environment())
    image = np.random.default_rng(0).random((3, 8, 8, 3), dtype="float32")
    job = neo_magics.compile(
        tmp_path / "net", input_shape={"image": [None, 8, 8, 3]}, backend=Backend(settings), wait=True
    )
    assert job.status == "COMPLETED"
    assert job.report["framework_version"].startswith("tensorflow 2")
    assert job.report["verification"]["reference"].startswith("tensorflow 2")
    scores = job.load().run({"image": image})["scores"]
    np.testing.assert_allclose(scores.sum(1), 1, atol=1e-6)
    comparison = job.compare(image, seconds=0.3)
    assert comparison.before.label == "TensorFlow"
    assert comparison.difference["within_tolerance"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_jax_from_the_function_to_the_comparison(settings):
    jax = pytest.importorskip("jax")
    weights = np.random.default_rng(0).standard_normal((16, 4)).astype("float32")
    x = np.random.default_rng(1).standard_normal((3, 16)).astype("float32")
    job = neo_magics.compile(
        jax.jit(lambda x: jax.nn.softmax(x @ weights)), inputs=x, backend=Backend(settings), wait=True
    )
    assert job.report["verification"]["reference"].startswith("jax")
    comparison = job.compare(x, seconds=0.3)
    assert comparison.before.label == "JAX"
    assert comparison.difference["within_tolerance"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cnn", "cnn_int8"])
def test_tflite_from_the_file_to_the_comparison(settings, name):
    pytest.importorskip("ai_edge_litert")
    path = Path(__file__).parent / "data" / "tflite" / f"{name}.tflite"
    job = neo_magics.compile(path, backend=Backend(settings), wait=True)
    assert job.report["verification"]["reference"].startswith("ai-edge-litert")
    assert job.report["verification"].get("rounding", {}) == ({"Identity": 2.0} if "int8" in name else {})
    comparison = job.compare(seconds=0.3)
    assert comparison.before.label == "LiteRT"
    assert comparison.difference["within_tolerance"]


@pytest.mark.slow
def test_darknet_from_the_files_to_the_boxes(settings, tmp_path):
    path = files(tmp_path, YOLO_V3)
    job = neo_magics.compile(path, backend=Backend(settings), wait=True)
    assert job.report["derived_input_config"] == '{"data":[1,3,32,64]}'
    assert job.report["verification"]["reference"].startswith(("opencv", "onnxruntime"))
    boxes = job.load()(np.random.default_rng(0).random((1, 3, 32, 64)).astype("float32"))
    assert [each.shape for each in boxes] == [(1, 384, 7), (1, 1536, 7)]


@pytest.mark.slow
def test_mxnet_from_the_files_to_the_comparison(settings):
    path = Path(__file__).parent / "data" / "mxnet" / "cnn-symbol.json"
    job = neo_magics.compile(path, input_shape={"data": [2, 3, 16, 16]}, backend=Backend(settings), wait=True)
    assert job.report["framework_version"] == "1.9.1"
    with np.load(path.parent / "cnn.npz") as arrays:
        got = job.load()(arrays["in_data"])
        np.testing.assert_allclose(got, arrays["out_softmax_output"], atol=1e-6)
    assert job.compare(seconds=0.3).difference["within_tolerance"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["Bert", "DistilBert"])
def test_an_encoder_with_a_free_batch_and_length(settings, name):
    import torch

    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    sizes = (
        {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 96}
        if name == "Bert"
        else {"dim": 64, "n_layers": 2, "n_heads": 4, "hidden_dim": 96}
    )
    config = getattr(transformers, f"{name}Config")(vocab_size=300, max_position_embeddings=40, **sizes)
    model = getattr(transformers, f"{name}Model")(config).eval()

    def tokens(batch, length):
        ids = torch.randint(0, 300, (batch, length), generator=torch.Generator().manual_seed(length))
        mask = torch.ones_like(ids)
        mask[-1, length // 2 :] = 0
        return {"input_ids": ids, "attention_mask": mask}

    free = {"input_ids": [None, None], "attention_mask": [None, None]}
    job = neo_magics.compile(
        model, inputs=tokens(2, 11), input_shape=free, backend=Backend(settings), wait=True
    )
    for batch, length in ((1, 7), (3, 29)):
        given = tokens(batch, length)
        with torch.no_grad():
            expected = model(**given).last_hidden_state.numpy()
        result = job.load().run({key: value.numpy() for key, value in given.items()})["last_hidden_state"]
        np.testing.assert_allclose(result, expected, atol=2e-5)
