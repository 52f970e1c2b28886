"""TensorFlow's part, in a process and, if need be, an environment of its own: nothing else is imported here.

    python tensorflow_child.py describe FOLDER TRUST          what the model takes and gives, as JSON
    python tensorflow_child.py convert FOLDER TRUST OUT       the same, and the model as OUT, an ONNX file
    python tensorflow_child.py run FOLDER TRUST IN OUT        the outputs for the arrays in IN (.npz) in OUT

FOLDER holds a SavedModel, or a frozen graph as one .pb or .pbtxt.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

OPSET = 17
# Operators that read or write files, or run Python: a model is data and needs none of them.
UNSAFE = frozenset({"ReadFile", "WriteFile", "MatchingFiles", "PyFunc", "PyFuncStateless", "EagerPyFunc"})


class Refused(Exception):
    """An error for the user: message, hint, kind."""


class Model:
    """A function with variables frozen in: names, specs and a call. `version` is TensorFlow's."""

    def __init__(self, folder: Path, trust: bool) -> None:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        import tensorflow as tf

        self.tf, self.version = tf, str(tf.__version__)
        saved = (folder / "saved_model.pb").is_file() or (folder / "saved_model.pbtxt").is_file()
        self.function, self.inputs, self.outputs = (self._saved if saved else self._graph)(folder, trust)

    def describe(self) -> dict[str, Any]:
        """Names, shapes (None: free) and dtypes."""
        pairs = zip(self.inputs, self.function.inputs, strict=True)
        named = [
            {"name": name, "shape": _shape(tensor), "dtype": tensor.dtype.as_numpy_dtype.__name__}
            for name, tensor in pairs
        ]
        return {"inputs": named, "outputs": self.outputs, "version": self.version}

    def run(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """The outputs by name, as NumPy arrays."""
        values = [
            self.tf.constant(inputs[name], tensor.dtype)
            for name, tensor in zip(self.inputs, self.function.inputs, strict=True)
        ]
        found = self.tf.nest.flatten(self.function(*values))
        return {name: value.numpy() for name, value in zip(self.outputs, found, strict=True)}

    def convert(self, out: Path) -> None:
        """Write the model as ONNX, inputs and outputs under the names of the signature."""
        import tf2onnx

        ins, outs = (
            [tensor.name for tensor in part] for part in (self.function.inputs, self.function.outputs)
        )
        proto, _ = tf2onnx.convert.from_graph_def(
            self.function.graph.as_graph_def(), input_names=ins, output_names=outs, opset=OPSET
        )
        renamed = dict(zip(ins + outs, self.inputs + self.outputs, strict=True))
        _rename(proto.graph, renamed)
        out.write_bytes(proto.SerializeToString())

    def _saved(self, folder: Path, trust: bool) -> Any:
        if not trust:
            self._check(self._parsed(folder))
        loaded = self.tf.saved_model.load(str(folder))
        signatures = dict(loaded.signatures)
        chosen = signatures.get("serving_default") or (
            next(iter(signatures.values())) if len(signatures) == 1 else None
        )
        if chosen is None:
            raise Refused(
                f"The SavedModel has the signatures {sorted(signatures) or 'none'}, and no serving_default.",
                "Save it with signatures=module.function.get_concrete_function(…).",
            )
        names = [str(name) for name in chosen._arg_keywords]
        outputs = sorted(chosen.structured_outputs)
        return self._frozen(chosen), names, outputs

    def _graph(self, folder: Path, trust: bool) -> Any:
        path = next(p for p in sorted(folder.iterdir()) if p.suffix in (".pb", ".pbtxt"))
        definition = self.tf.compat.v1.GraphDef()
        self._parse(path, definition)
        if not trust:
            self._check([definition])
        inner = {name.split(":")[0].lstrip("^") for node in definition.node for name in node.input}
        inputs = [node.name for node in definition.node if node.op == "Placeholder"]
        ignored = ("Const", "NoOp", "Placeholder", "Assert")
        outputs = [n.name for n in definition.node if n.name not in inner and n.op not in ignored]
        if not inputs or not outputs:
            raise Refused(
                f"{path.name} has no inputs or no outputs: it is not a frozen graph.", "Give a SavedModel."
            )
        wrapped = self.tf.compat.v1.wrap_function(lambda: self.tf.import_graph_def(definition, name=""), [])
        ends = [[f"{name}:0" for name in names] for names in (inputs, outputs)]
        pruned = wrapped.prune(*ends)
        return self._frozen(pruned), inputs, outputs

    def _frozen(self, function: Any) -> Any:
        from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

        return convert_variables_to_constants_v2(function, lower_control_flow=False)

    def _parsed(self, folder: Path) -> list[Any]:
        from tensorflow.core.protobuf import saved_model_pb2

        message = saved_model_pb2.SavedModel()
        binary = folder / "saved_model.pb"
        self._parse(binary if binary.is_file() else folder / "saved_model.pbtxt", message)
        return [graph.graph_def for graph in message.meta_graphs]

    def _parse(self, path: Path, message: Any) -> None:
        from google.protobuf import text_format  # type: ignore[import-untyped]

        try:
            if path.suffix == ".pbtxt":
                text_format.Parse(path.read_text(encoding="utf-8"), message)
            else:
                message.ParseFromString(path.read_bytes())
        except Exception as error:
            raise Refused(
                f"{path.name} is not a graph of TensorFlow that can be read: {str(error)[:200]}",
                "It may be cut short. Save the model again.",
            ) from error

    def _check(self, graphs: list[Any]) -> None:
        found: dict[str, list[str]] = {}
        for graph in graphs:
            nodes = [(node, "") for node in graph.node]
            nodes += [(node, f.signature.name) for f in graph.library.function for node in f.node_def]
            for node, where in nodes:
                if node.op in UNSAFE:
                    found.setdefault(node.op, []).append(f"{where}/{node.name}".lstrip("/"))
        if found:
            listed = "; ".join(f"{op} in {', '.join(places[:3])}" for op, places in sorted(found.items()))
            raise Refused(
                f"The model has operators that read or write files, or run Python: {listed}.",
                "If you trust where it comes from, say --trust-pickle.",
                "untrusted",
            )


def _shape(tensor: Any) -> list[int | None] | None:
    return (
        None if tensor.shape.rank is None else [None if size is None else int(size) for size in tensor.shape]
    )


def _rename(graph: Any, names: dict[str, str]) -> None:
    for value in (*graph.input, *graph.output, *graph.value_info, *graph.initializer):
        value.name = names.get(value.name, value.name)
    for node in graph.node:
        for part in (node.input, node.output):
            part[:] = [names.get(name, name) for name in part]
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _rename(attribute.g, names)
            for inner in attribute.graphs:
                _rename(inner, names)


def main(words: list[str]) -> dict[str, Any]:
    """One command; what it prints."""
    import numpy as np

    model = Model(Path(words[1]), words[2] == "1")
    if words[0] == "convert":
        model.convert(Path(words[3]))
    if words[0] == "run":
        with np.load(words[3], allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        np.savez(words[4], **model.run(arrays))
    return model.describe()


if __name__ == "__main__":
    sys.path[:] = [place for place in sys.path if Path(place).resolve() != Path(__file__).resolve().parent]
    pipe = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print goes to standard error
    try:
        answer = main(sys.argv[1:])
    except Refused as refused:
        answer = {"error": refused.args[0], "hint": refused.args[1], "kind": (*refused.args, "")[2]}
    except ModuleNotFoundError as error:
        answer = {"error": "", "missing": error.name}
    except OSError as error:
        answer = {"error": str(error), "hint": "", "errno": error.errno, "file": str(error.filename or "")}
    except Exception as error:  # noqa: BLE001  whatever TensorFlow raises is the parent's to tell
        answer = {"error": f"{type(error).__name__}: {' '.join(str(error).split())[:400]}", "hint": ""}
    print(json.dumps(answer), file=pipe, flush=True)
    os._exit(0)
