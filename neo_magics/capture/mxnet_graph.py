"""An MXNet symbol with its parameters as an ONNX graph."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from neo_magics.capture.mxnet_file import Array, Node, Symbol, read_params, read_symbol
from neo_magics.capture.mxnet_operators import JOINED, LABELLED, OPERATORS, ZEROS, Layer, refused
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
        for index, node in enumerate(self.symbol.nodes):
            if node.operator != "null" and (what := refused(node)):
                missing.setdefault(what, []).append(node.name)
            readers = [n for n in self.symbol.nodes if any(place == index for place, _ in n.inputs)]
            if node.operator in ZEROS and any(reader.operator != "RNN" for reader in readers):
                missing.setdefault(node.operator, []).append(node.name)
        refuse_unknown(
            "MXNET", missing, "Export the model to ONNX (mxnet.onnx.export_model), or replace them."
        )

    def graph(self, shapes: Shapes, dtypes: dict[str, str] | None = None) -> Any:
        """The network as an onnx.ModelProto for inputs of `shapes` (None: free)."""
        self.check()
        known = dtypes or {}
        maker = GraphMaker()
        values: list[Sequence[str]] = []
        arrays: list[Array | None] = []
        for node in self.symbol.nodes:
            arrays.append(self._array(node, arrays))
            values.append(self._made(maker, node, values, arrays))
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

    def _array(self, node: Node, known: Sequence[Array | None]) -> Array | None:
        """What `node` is where parameters decide it: Gluon joins those of a recurrent layer."""
        if node.operator == "null":
            return self.params.get(node.name)
        parts = [known[place] for place, _ in node.inputs]
        found = [part for part in parts if part is not None]
        if not found or len(found) < len(parts):
            return None
        if node.operator in ("Reshape", "reshape") and node.sizes("shape") == [-1]:
            return found[0].ravel()
        if node.operator in JOINED and all(part.ndim == 1 for part in found):
            return np.concatenate(found)
        return None

    def _made(
        self, maker: GraphMaker, node: Node, values: list[Sequence[str]], known: Sequence[Array | None]
    ) -> Sequence[str]:
        maker.layer = node.name
        if node.operator in ZEROS:
            return [""]
        array = known[len(values)]
        if array is not None and node.operator != "null":
            return [maker.constant(array)]
        if node.operator == "null":
            return [maker.constant(self.params[node.name]) if node.name in self.params else node.name]
        arrays = [known[place] for place, _ in node.inputs]
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
