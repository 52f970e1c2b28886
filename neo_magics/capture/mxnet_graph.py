"""An MXNet symbol with its parameters as an ONNX graph."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from neo_magics.capture.mxnet_file import Node, Symbol, read_params, read_symbol
from neo_magics.capture.mxnet_operators import LABELLED, OPERATORS, Layer, refused
from neo_magics.capture.onnx_build import GraphMaker, refuse_unknown
from neo_magics.errors import CaptureError, InputError, NeoMagicsError

Shapes = dict[str, tuple[int | None, ...]]


class Network:
    """The files of a model. `inputs` are the variables that no parameter fills and that are not labels."""

    def __init__(self, symbol: Path, params: Path) -> None:
        self.symbol: Symbol = read_symbol(symbol)
        self.params = read_params(params)
        labels = self._labels()
        variables = [node.name for node in self.symbol.nodes if node.operator == "null"]
        self.inputs = [name for name in variables if name not in self.params and name not in labels]
        self.version = self.symbol.version
        self.outputs = [self._output(place, index) for place, index in self.symbol.heads]

    def check(self) -> None:
        """All operators and options at once that are not known, with the nodes they are in."""
        missing: dict[str, list[str]] = {}
        for node in self.symbol.nodes:
            if node.operator != "null" and (what := refused(node)):
                missing.setdefault(what, []).append(node.name)
        refuse_unknown(
            "MXNET", missing, "Export the model to ONNX (mxnet.onnx.export_model), or replace them."
        )

    def graph(self, shapes: Shapes, dtypes: dict[str, str] | None = None) -> Any:
        """The network as an onnx.ModelProto for inputs of `shapes` (None: free)."""
        self.check()
        known = dtypes or {}
        maker = GraphMaker()
        values: list[Sequence[str]] = []
        for node in self.symbol.nodes:
            values.append(self._made(maker, node, values))
        for name, (place, index) in zip(self.outputs, self.symbol.heads, strict=True):
            maker.rename(values[place][index], name)
        inputs = {
            name: (
                known.get(name, "float32"),
                [_free(size, axis, name) for axis, size in enumerate(shapes[name])],
            )
            for name in self.inputs
        }
        return maker.finish(inputs, self.outputs)

    def _made(self, maker: GraphMaker, node: Node, values: list[Sequence[str]]) -> Sequence[str]:
        maker.layer = node.name
        if node.operator == "null":
            return [maker.constant(self.params[node.name]) if node.name in self.params else node.name]
        sources = [self.symbol.nodes[place] for place, _ in node.inputs]
        arrays = [self.params.get(source.name) if source.operator == "null" else None for source in sources]
        layer = Layer(maker, node, [values[place][index] for place, index in node.inputs], arrays)
        try:
            made = OPERATORS[node.operator](layer)
        except NeoMagicsError:
            raise
        except (IndexError, ValueError, TypeError, AttributeError) as error:
            raise InputError(
                f"The operator {node.operator} ({node.name}) has options or inputs that do not fit: {error}.",
                hint="Save the symbol and the parameters again, from the same model.",
            ) from error
        return [made] if isinstance(made, str) else made

    def _labels(self) -> set[str]:
        """Second inputs of losses, which prediction does not read."""
        nodes = self.symbol.nodes
        found = [
            nodes[node.inputs[1][0]] for node in nodes if node.operator in LABELLED and len(node.inputs) > 1
        ]
        return {node.name for node in found if node.operator == "null"}

    def _output(self, place: int, index: int) -> str:
        node = self.symbol.nodes[place]
        several = len({i for p, i in self.symbol.heads if p == place}) > 1
        return (
            f"{node.name}_output{index if several else ''}"
            if node.operator != "null"
            else f"{node.name}_copy"
        )


def input_shapes(network: Network, given: Shapes) -> Shapes:
    """`given` for every input; `CaptureError` names those that are missing."""
    missing = [name for name in network.inputs if name not in given]
    if missing:
        listed = ", ".join(repr(name) for name in missing)
        raise CaptureError(
            f"The shape of the model's input {listed} is not known: MXNet's files do not say it.",
            hint=f'Give example inputs, or DataInputConfig, as {{"{missing[0]}": [1, 3, 224, 224]}}.',
        )
    return {name: given[name] for name in network.inputs}


def _free(size: int | None, axis: int, name: str) -> int | str:
    return size if size is not None else "batch" if axis == 0 else f"{name}_dim{axis}"


def as_arrays(given: Any) -> dict[str, np.ndarray[Any, Any]]:
    """MXNet's NDArrays by name as NumPy's."""
    return {str(name): np.asarray(value.asnumpy()) for name, value in dict(given or {}).items()}
