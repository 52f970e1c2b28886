"""Models of TensorFlow for the tests: `python tensorflow_models.py FOLDER`, in a Python that has TensorFlow.

Nothing of neo_magics is imported, so that this environment needs TensorFlow alone.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

v1 = tf.compat.v1


class Net(tf.Module):
    """A convolution, a pooling and two named outputs."""

    def __init__(self) -> None:
        super().__init__()
        random = tf.random.Generator.from_seed(1)
        self.w = tf.Variable(random.normal((3, 3, 3, 4)))
        self.cell = tf.Variable(random.normal((4, 4)))

    @tf.function(input_signature=[tf.TensorSpec((None, 8, 8, 3), tf.float32, name="image")])
    def __call__(self, image: Any) -> dict[str, Any]:
        x = tf.nn.max_pool2d(tf.nn.relu(tf.nn.conv2d(image, self.w, 2, "SAME")), 2, 2, "VALID")
        y = tf.reduce_mean(x, [1, 2]) @ self.cell
        return {"scores": tf.nn.softmax(y), "features": tf.concat([y, tf.nn.sigmoid(y)], -1)}


class Reader(tf.Module):
    """Reads a file, which a model must not."""

    @tf.function(input_signature=[tf.TensorSpec((2,), tf.float32, name="x")])
    def __call__(self, x: Any) -> dict[str, Any]:
        return {"y": x + tf.cast(tf.strings.length(tf.io.read_file("/etc/hostname")), tf.float32)}


class Odd(tf.Module):
    """Two operators that ONNX does not have."""

    @tf.function(input_signature=[tf.TensorSpec((3, 3), tf.float32, name="x")])
    def __call__(self, x: Any) -> dict[str, Any]:
        return {"y": tf.math.igamma(tf.abs(x), 1.0) + tf.math.bessel_i0(x)}


def awake(model: Any) -> Any:
    """`model` with weights as large as training leaves them: fresh ones of Keras let no signal through."""
    random = np.random.default_rng(2)
    for weight in model.weights:
        shape, deep = tuple(weight.shape), "depthwise" in weight.path
        numbers = random.standard_normal(shape)
        if len(shape) > 1:
            numbers *= (2 / np.prod(shape[:2] if deep else shape[:-1])) ** 0.5
        elif "gamma" in weight.path or "variance" in weight.path:
            numbers = np.abs(1 + 0.2 * numbers)
        else:
            numbers *= 0.1
        weight.assign(numbers.astype("float32"))
    return model


def recurrent() -> Any:
    """Token ids through an LSTM and both directions of a GRU."""
    return keras.Sequential(
        [
            keras.Input((6,), dtype="int32", name="tokens"),
            keras.layers.Embedding(20, 8),
            keras.layers.LSTM(5, return_sequences=True),
            keras.layers.Bidirectional(keras.layers.GRU(4)),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )


def image_classifier() -> Any:
    """A small MobileNetV2, random weights."""
    image = keras.Input((32, 32, 3), name="image")
    return keras.applications.MobileNetV2(input_tensor=image, alpha=0.35, weights=None, classes=10)


def of_tensorflow_1(folder: Path) -> None:
    """The same graph as TF1 stored graphs: frozen (.pb, .pbtxt), and a SavedModel of a session."""
    graph = v1.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, (None, 8, 8, 3), "image")
        w = v1.get_variable("w", (3, 3, 3, 4), initializer=v1.random_normal_initializer(seed=1))
        pooled = tf.reduce_max(tf.nn.relu(tf.nn.conv2d(x, w, 2, "SAME")), [1, 2])

        def step(count: Any, value: Any) -> tuple[Any, Any]:
            return count + 1, tf.tanh(value * 1.5)

        _count, looped = v1.while_loop(lambda count, _value: count < 3, step, (0, pooled))
        y = tf.identity(looped, "scores")
        with v1.Session(graph=graph) as session:
            session.run(v1.global_variables_initializer())
            frozen = v1.graph_util.convert_variables_to_constants(session, graph.as_graph_def(), ["scores"])
            v1.saved_model.simple_save(session, str(folder / "session"), {"image": x}, {"scores": y})
    for kind in ("pb", "pbtxt"):
        (folder / kind).mkdir()
        tf.io.write_graph(frozen, str(folder / kind), f"frozen.{kind}", as_text=kind == "pbtxt")


def main(folder: Path) -> None:
    """All models below `folder`."""
    keras.utils.set_random_seed(0)
    for name, module in (("net", Net()), ("reader", Reader()), ("odd", Odd())):
        tf.saved_model.save(module, str(folder / name), signatures=module.__call__)
    for name, model in (("recurrent", recurrent()), ("classifier", image_classifier())):
        awake(model).export(str(folder / name), format="tf_saved_model", verbose=False)
    of_tensorflow_1(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
