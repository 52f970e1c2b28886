"""Keras models without TensorFlow: captured, imported, equal to Keras itself; unsafe files are refused."""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras")
layers = keras.layers

from neo_magics.capture import capture  # noqa: E402
from neo_magics.capture.layouts import in_model_order  # noqa: E402
from neo_magics.errors import CaptureError, InputError, UnsafeArchiveError, UntrustedPickleError  # noqa: E402
from tests.compiler.frontends.oracle import agrees, imported  # noqa: E402

# Keras' own, on NumPy 2 with PyTorch.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype("float32")


def convolutional() -> Any:
    return keras.Sequential(
        [
            keras.Input((9, 8, 3), name="image"),
            layers.Conv2D(4, 3, strides=2, padding="same", activation="relu"),
            layers.BatchNormalization(),
            layers.DepthwiseConv2D(3, padding="same"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(5, activation="softmax", name="probabilities"),
        ]
    )


def two_inputs() -> Any:
    words, image = keras.Input((6,), dtype="int32", name="words"), keras.Input((4, 4, 3), name="image")
    x = layers.Embedding(20, 8)(words)
    x = layers.LayerNormalization()(layers.MultiHeadAttention(2, 4)(x, x) + x)
    x = layers.Concatenate()([layers.GlobalAveragePooling1D()(x), layers.Flatten()(image)])
    return keras.Model([words, image], [layers.Dense(3, name="label")(x), layers.Dense(1, name="score")(x)])


def recurrent() -> Any:
    x = keras.Input((7, 5), name="steps")
    y = layers.LSTM(6, return_sequences=True)(x)
    y = layers.Bidirectional(layers.GRU(4, return_sequences=True))(y)
    return keras.Model(x, {"last": layers.LSTM(3, go_backwards=True)(y), "first": layers.GRU(2)(y)})


def test_a_convolutional_network_with_a_free_batch() -> None:
    result = agrees(
        convolutional(), numbers(2, 9, 8, 3), feeds={"image": numbers(3, 9, 8, 3)},
        input_shape='{"image": [null, 9, 8, 3]}',
    )  # fmt: skip
    assert result.inputs[0].shape == ("batch", 9, 8, 3)
    assert [spec.name for spec in result.outputs] == ["probabilities"]
    assert result.framework_version == f"keras {keras.__version__}"


@pytest.mark.slow
def test_two_inputs_and_outputs_keep_their_names() -> None:
    words = np.random.default_rng(0).integers(0, 20, (2, 6))
    result = agrees(two_inputs(), (words, numbers(2, 4, 4, 3)))
    assert [str(spec) for spec in result.inputs] == ["words: int32[2, 6]", "image: float32[2, 4, 4, 3]"]
    assert [spec.name for spec in result.outputs] == ["label", "score"]


def test_recurrent_layers_become_one_call_each() -> None:
    result = agrees(recurrent(), numbers(2, 7, 5))
    assert result.module.script().count("neo_magics.recurrent") == 5


def test_a_subclassed_model_is_exported_where_its_code_is() -> None:
    class Residual(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = layers.Dense(4)

        def call(self, x: Any) -> Any:
            return keras.ops.relu(self.dense(x)) + x

    model = Residual()
    with pytest.raises(CaptureError, match="Residual has no weights yet"):
        capture(model, inputs=numbers(2, 4))
    model(numbers(2, 4))
    archive = capture(model, inputs=numbers(2, 4))
    assert archive.framework == "KERAS"
    assert list(archive.files) == ["model.pt2"]
    agrees(model, numbers(2, 4))


class TestFiles:
    @pytest.fixture
    def folder(self) -> Any:
        with tempfile.TemporaryDirectory() as name:
            yield Path(name)

    @pytest.mark.filterwarnings("ignore")
    def test_h5_as_neo_takes_it_with_shapes_in_nchw(self, folder: Path) -> None:
        convolutional().save(folder / "net.h5")
        result = imported(folder, "KERAS", '{"input_1": [1, 3, 9, 8]}')
        assert [str(spec) for spec in result.inputs] == ["image: float32[1, 9, 8, 3]"]
        agrees(folder / "net.h5", numbers(1, 9, 8, 3))

    def test_without_shapes_the_batch_is_free(self, folder: Path) -> None:
        convolutional().save(folder / "net.keras")
        assert imported(folder, "KERAS").derived_input_config == '{"image":[null,9,8,3]}'

    def test_a_shape_that_does_not_fit_names_the_input(self, folder: Path) -> None:
        convolutional().save(folder / "net.keras")
        with pytest.raises(InputError, match=r"'image': the model expects shape \[batch, 9, 8, 3\].*1, 9, 9"):
            imported(folder, "KERAS", '{"image": [1, 9, 9, 3]}')

    def test_the_same_model_is_the_same_archive(self, folder: Path) -> None:
        model = convolutional()
        first, second = (capture(model).files["model.keras"] for _ in range(2))
        assert first == second

    def test_code_in_a_lambda_needs_trust(self, folder: Path) -> None:
        x = keras.Input((3,))
        model = keras.Model(x, layers.Lambda(lambda v: v * 2, name="twice")(x))
        model.save(folder / "net.keras")
        with pytest.raises(UntrustedPickleError, match=r"Lambda in twice"):
            imported(folder, "KERAS")
        with pytest.raises(UntrustedPickleError, match=r"Lambda in twice"):
            capture(folder / "net.keras")
        assert imported(folder, "KERAS", trust_pickle=True).outputs

    def test_layers_of_others_are_named_at_once(self, folder: Path) -> None:
        convolutional().save(folder / "net.keras")
        rewrite(folder / "net.keras", '"class_name": "Flatten"', '"class_name": "Sneaky"', '"keras.layers"')
        with pytest.raises(InputError, match="not Keras' own: Sneaky in flatten"):
            imported(folder, "KERAS")

    def test_weights_in_another_file_are_refused(self, folder: Path) -> None:
        import h5py

        convolutional().save(folder / "net.keras")
        with zipfile.ZipFile(folder / "net.keras") as archive:
            archive.extractall(folder / "parts")
        with h5py.File(folder / "parts" / "model.weights.h5", "a") as file:
            file["outside"] = h5py.ExternalLink("/etc/passwd", "x")
        with zipfile.ZipFile(folder / "net.keras", "w") as archive:
            for part in (folder / "parts").iterdir():
                archive.write(part, part.name)
        with pytest.raises(UnsafeArchiveError, match="reads weights from other files: outside"):
            imported(folder, "KERAS")

    @pytest.mark.parametrize("name", ["net.keras", "net.h5"])
    @pytest.mark.parametrize("content", [b"", b"PK\x05\x06" + bytes(18), b"\x89HDF\r\n\x1a\n" + bytes(40)])
    def test_a_file_that_is_no_model(self, folder: Path, name: str, content: bytes) -> None:
        (folder / name).write_bytes(content)
        with pytest.raises(InputError, match="not a model of Keras that can be read"):
            imported(folder, "KERAS")

    def test_an_archive_without_a_model_has_neo_s_wording(self, folder: Path) -> None:
        with pytest.raises(InputError, match=r"No h5 file found for Keras model\. Please make sure"):
            imported(folder, "KERAS")

    @pytest.mark.filterwarnings("ignore")
    def test_weights_alone_are_told_from_a_model(self, folder: Path) -> None:
        import h5py

        with h5py.File(folder / "net.h5", "w") as file:
            file["w"] = 1.0
        with pytest.raises(InputError, match="weights without the layers"):
            imported(folder, "KERAS")


def test_a_wrong_example_names_the_input() -> None:
    with pytest.raises(CaptureError, match="'image' of the model has shape"):
        capture(convolutional(), inputs=numbers(1, 9, 9, 3))


def test_portable_archives_hold_h5() -> None:
    archive = capture(convolutional(), inputs=numbers(1, 9, 8, 3), portable=True)
    assert list(archive.files) == ["model.h5"]
    assert json.loads(archive.data_input_config) == {"image": [1, 9, 8, 3]}


@pytest.mark.parametrize(
    ("given", "declared", "expected"),
    [
        ((1, 3, 9, 8), ("batch", 9, 8, 3), (1, 9, 8, 3)),
        ((1, 9, 8, 3), ("batch", 9, 8, 3), (1, 9, 8, 3)),
        ((None, 3, 9, 8), ("batch", "h", "w", 3), (None, 9, 8, 3)),
        ((1, 9, 8, 4), ("batch", 9, 8, 3), None),
        ((1, 9), ("batch", 9, 3), None),
    ],
)
def test_shapes_in_neo_s_order(given: Any, declared: Any, expected: Any) -> None:
    assert in_model_order(given, declared) == expected


def rewrite(path: Path, old: str, new: str, module: str) -> None:
    """Change the configuration in a .keras file; the changed layer comes from a module of its own."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = members["config.json"].decode().replace(f'"module": {module}, {old}', f'"module": "x.y", {new}')
    members["config.json"] = config.encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
