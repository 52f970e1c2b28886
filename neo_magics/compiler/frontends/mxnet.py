"""MXNet: our own reader of `-symbol.json` and `.params`, then the ONNX route."""

from __future__ import annotations

from pathlib import Path

from neo_magics.api.compiler_options import CompilerOptions
from neo_magics.api.input_config import InputConfig
from neo_magics.capture.mxnet import SUFFIXES
from neo_magics.capture.mxnet_graph import Network, input_shapes
from neo_magics.capture.pairs import pair_in
from neo_magics.compiler.frontends.imported import ImportedModel
from neo_magics.compiler.frontends.proto import import_proto
from neo_magics.compiler.frontends.shapes import by_name


def import_folder(folder: Path, input_config: InputConfig | None, options: CompilerOptions) -> ImportedModel:
    """The two files in `folder`; `input_config` (NCHW) is needed, for the files have no shapes."""
    network = Network(*pair_in(folder, SUFFIXES, "MXNet"))
    given = by_name(input_config, network.inputs, by_position=True) if input_config is not None else {}
    shapes = input_shapes(network, given)
    return import_proto(network.graph(shapes), shapes, options, "MXNET", network.version)
