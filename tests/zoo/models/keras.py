"""Keras models, with PyTorch in TensorFlow's place."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tests.zoo.entry import Entry, Given

_NEEDS = ("keras", "torch")


def _keras() -> Any:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras

    return keras


def _images(_folder: Path) -> Given:
    keras = _keras()
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((16, 16, 3), name="image"),
            layers.Conv2D(8, 3, activation="relu"),
            layers.DepthwiseConv2D(3, padding="same"),
            layers.BatchNormalization(),
            layers.GlobalAveragePooling2D(),
            layers.Dense(4, activation="softmax"),
        ]
    )
    return Given(model, {"input_shape": {"image": [None, 16, 16, 3]}})


def _recurrent(_folder: Path) -> Given:
    keras = _keras()
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((12, 5), name="x"),
            layers.LSTM(8, return_sequences=True),
            layers.GRU(6),
            layers.Dense(2),
        ]
    )
    return Given(model, {"input_shape": {"x": [2, 12, 5]}})


def _file(folder: Path) -> Given:
    given = _images(folder)
    given.model.save(folder / "model.keras")
    return Given(folder / "model.keras", given.options)


ENTRIES = [
    Entry("KERAS", "images", _images, _NEEDS, quick=True),
    Entry("KERAS", "recurrent", _recurrent, _NEEDS),
    Entry("KERAS", "file", _file, _NEEDS),
]
