"""Darknet: the paths of a `.cfg` and its `.weights` as a model archive."""

from __future__ import annotations

from typing import Any

from neo_magics.api.input_config import Shape, render
from neo_magics.capture.archive import ModelArchive
from neo_magics.capture.darknet_graph import INPUT, Network
from neo_magics.capture.inputs import bind_inputs
from neo_magics.capture.pairs import pair_of
from neo_magics.capture.request import CaptureRequest
from neo_magics.errors import CaptureError

SUFFIXES = (".cfg", ".weights")
VERSION = "weights"


def capture_model(model: Any, request: CaptureRequest) -> ModelArchive:
    """A `ModelArchive` of framework DARKNET; `model` is one of the two paths, or both as a tuple.

    The whole network is read here, so that files that do not belong together are told at once.
    """
    cfg, weights = pair_of(model, SUFFIXES)
    network = Network(cfg, weights)
    proto = network.graph()
    examples = bind_inputs(request.inputs, [INPUT], [INPUT]) if request.inputs is not None else {}
    examples = {name: array.astype("float32", copy=False) for name, array in examples.items()}
    given = request.shapes([INPUT]).get(INPUT)
    shape: Shape = given or (
        tuple(examples[INPUT].shape) if examples else (1, network.channels, *network.size)
    )
    if len(shape) != 4 or shape[1] != network.channels:
        raise CaptureError(
            f"Input {INPUT!r} of the model has shape [batch, {network.channels}, height, width], got "
            f"{list(shape)}.",
            hint="Give images in NCHW.",
        )
    return ModelArchive(
        framework="DARKNET",
        framework_version=VERSION,
        data_input_config=render({INPUT: shape}),
        files={"model.cfg": cfg, "model.weights": weights},
        inputs=examples,
        input_names=(INPUT,),
        output_names=tuple(value.name for value in proto.graph.output),
        input_dtypes={INPUT: "float32"},
    )
