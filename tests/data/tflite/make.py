"""Makes the models of this folder with TensorFlow 2.21 (`pip install tensorflow-cpu`): python make.py."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

os.environ["KERAS_BACKEND"] = "tensorflow"
import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

layers = keras.layers


def network() -> Any:
    """Each kind of layer that image models of TFLite have."""
    x = keras.Input((12, 12, 3), batch_size=1)
    y = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(x)
    y = layers.BatchNormalization()(layers.DepthwiseConv2D(3, padding="same")(y))
    y = layers.ReLU(6.0)(y)
    y = layers.AveragePooling2D(2)(layers.Add()([y, layers.Conv2D(8, 1)(y)]))
    y = layers.Conv2DTranspose(4, 3, strides=2, padding="same")(y)
    y = layers.UpSampling2D(2, interpolation="bilinear")(y)
    return keras.Model(x, layers.Dense(5, activation="softmax")(layers.GlobalAveragePooling2D()(y)))


def recurrent() -> Any:
    x = keras.Input((6, 5), batch_size=1)
    return keras.Model(x, layers.Dense(3)(layers.LSTM(4)(x)))


def sloped() -> Any:
    """PReLU between convolutions: a slope per channel, and one for each element."""
    x = keras.Input((12, 12, 3), batch_size=1)
    slopes = keras.initializers.RandomUniform(-0.5, 0.5)
    y = layers.PReLU(slopes, shared_axes=(1, 2))(layers.Conv2D(8, 3, padding="same")(x))
    y = layers.Add()([y, layers.PReLU(slopes)(layers.Conv2D(8, 3, padding="same")(y))])
    return keras.Model(x, layers.Conv2D(4, 1)(y))


def converted(model: Any, kind: str) -> bytes:
    shape = model.inputs[0].shape
    function = tf.function(lambda x: model(x, training=False))
    frozen = convert_variables_to_constants_v2(
        function.get_concrete_function(tf.TensorSpec(shape, tf.float32))
    )
    converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen])
    if kind:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind in ("int8", "float_io"):
        samples = [np.random.default_rng(i).standard_normal(shape).astype("float32") for i in range(8)]
        converter.representative_dataset = lambda: ([sample] for sample in samples)
    if kind == "int8":
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    if kind == "fp16":
        converter.target_spec.supported_types = [tf.float16]
    return bytes(converter.convert())


if __name__ == "__main__":
    keras.utils.set_random_seed(0)
    folder, image = Path(__file__).parent, network()
    for kind in ("", "int8", "float_io", "fp16"):
        name = f"cnn_{kind}" if kind else "cnn"
        (folder / f"{name}.tflite").write_bytes(converted(image, kind))
    (folder / "lstm.tflite").write_bytes(converted(recurrent(), ""))
    (folder / "prelu.tflite").write_bytes(converted(sloped(), ""))
