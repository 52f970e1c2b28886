"""An ONNX graph as a Relax module: TVM's importer, with our converters where TVM has none or is wrong."""

from __future__ import annotations

import contextlib
import io
import warnings
from typing import Any

import tvm
from tvm import relax
from tvm.relax.frontend.onnx import onnx_frontend

from neo_magics.artifact.kernels import Source
from neo_magics.compiler.frontends.onnx_recurrent import CONVERTERS as RECURRENT
from neo_magics.compiler.frontends.relax_tools import always_tuple
from neo_magics.compiler.frontends.sources import with_sources
from neo_magics.errors import CompilationError, NeoMagicsError

CONVERTERS = {**RECURRENT}
BUILT_IN = frozenset({"If", "Constant"})  # handled by the importer itself


class GraphImporter(onnx_frontend.ONNXGraphImporter):  # type: ignore[misc]
    """TVM's importer with our converters, errors that name the operator and its node, and sources."""

    def __init__(self) -> None:
        super().__init__({}, None, keep_params_in_input=False, sanitize=True)
        self._names: dict[str, str] = {}  # TVM's word for a node → its name
        self._made: dict[Any, Source] = {}  # what a node became

    def sources(self, module: Any) -> dict[str, Source]:
        """The node that each variable of `main` came from, by the variable's name."""
        bindings = [binding for block in module["main"].body.blocks for binding in block.bindings]
        found = [
            (b.var, self._made.get(b.var) or self._made.get(getattr(b, "value", None))) for b in bindings
        ]
        return {str(var.name): source for var, source in found if source is not None}

    def _check_for_unsupported_ops(self, graph: Any) -> None:
        """Done before, over the whole model at once (onnx_checks)."""

    def _parse_value_proto(self, value_proto: Any) -> Any:
        name = super()._parse_value_proto(value_proto)
        self._names[name] = value_proto.name
        return name

    def _convert_operator(self, op_name: str, inputs: Any, attrs: dict[str, Any], opset: int) -> Any:
        node = self._names.get(attrs.get("tvm_custom", {}).get("name", ""), "")
        result = self._converted(op_name, inputs, attrs, opset, node)
        if isinstance(result, relax.Expr) and not isinstance(result, relax.Tuple | tvm.ir.GenericConst):
            self._made.setdefault(result, Source(node, "", op_name))
        return result

    def _converted(self, op_name: str, inputs: Any, attrs: dict[str, Any], opset: int, node: str) -> Any:
        try:
            if op_name in CONVERTERS:
                return self.bb.normalize(CONVERTERS[op_name](self.bb, inputs, attrs))
            return super()._convert_operator(op_name, inputs, attrs, opset)
        except NeoMagicsError:
            raise
        except Exception as error:
            raise CompilationError(
                f"TVM cannot convert the operator {op_name} (node {node or 'without a name'}): "
                f"{_first_line(error)}",
                hint="Fix all shapes in DataInputConfig, or rewrite that part of the model.",
                operator=op_name,
            ) from error


def known_operators() -> frozenset[str]:
    """The standard operators that can be converted."""
    return frozenset(onnx_frontend._get_convert_map()) | frozenset(CONVERTERS) | BUILT_IN


def graph_to_module(proto: Any) -> Any:
    """`proto` (shapes fixed) as an IRModule whose "main" returns a tuple."""
    opset = next((int(o.version) for o in proto.opset_import if o.domain in ("", "ai.onnx")), 1)
    importer = GraphImporter()
    try:
        # The importer prints the inputs of an operator that fails; the compile child's stdout is its log.
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = importer.from_onnx(proto.graph, opset)
    except NeoMagicsError:
        raise
    except Exception as error:
        raise CompilationError(
            f"TVM cannot convert the ONNX model: {_first_line(error)}",
            hint="Fix all shapes in DataInputConfig, or save the model again with a newer exporter.",
        ) from error
    return with_sources(always_tuple(module), importer.sources(module))


def _first_line(error: BaseException) -> str:
    lines = [line for line in str(error).strip().splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[-1].strip()[:200]}" if lines else type(error).__name__
