"""Darknet: our own reader of `.cfg` and `.weights`, boxes included, then the ONNX route."""

from __future__ import annotations

from pathlib import Path

from neo_magics.api.compiler_options import CompilerOptions
from neo_magics.api.input_config import InputConfig, Shape
from neo_magics.capture.darknet import SUFFIXES, VERSION
from neo_magics.capture.darknet_graph import INPUT, Network
from neo_magics.capture.pairs import pair_in
from neo_magics.compiler.frontends.imported import ImportedModel
from neo_magics.compiler.frontends.proto import import_proto
from neo_magics.compiler.frontends.shapes import by_name, check_shape
from neo_magics.errors import InputError


def import_folder(folder: Path, input_config: InputConfig | None, options: CompilerOptions) -> ImportedModel:
    """The two files in `folder`, for images of the size in `input_config` (NCHW), or in the .cfg."""
    network = Network(*pair_in(folder, SUFFIXES, "Darknet"))
    shape: Shape = (1, network.channels, *network.size)
    if input_config is not None:
        shape = by_name(input_config, [INPUT], by_position=True)[INPUT]
        check_shape(INPUT, shape, ("batch", network.channels, "height", "width"))
    batch, _channels, height, width = shape
    if height is None or width is None:
        raise InputError(
            f"Input {INPUT!r}: a Darknet network is compiled for one size; only the batch may be free.",
            hint=f'Give {{"{INPUT}": [null, {network.channels}, {network.size[0]}, {network.size[1]}]}}.',
            input=INPUT,
        )
    proto = network.graph(height, width, batch or "batch")
    return import_proto(proto, {INPUT: shape}, options, "DARKNET", VERSION)
