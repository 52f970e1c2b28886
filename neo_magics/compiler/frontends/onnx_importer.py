"""An ONNX graph as a Relax module: TVM's importer, with our converters where TVM has none or is wrong."""

from __future__ import annotations

import contextlib
import io
import warnings
from typing import Any

from tvm.relax.frontend.onnx import onnx_frontend

from neo_magics.compiler.frontends.onnx_recurrent import CONVERTERS as RECURRENT
from neo_magics.compiler.frontends.relax_tools import always_tuple
from neo_magics.errors import CompilationError, NeoMagicsError

CONVERTERS = {**RECURRENT}
BUILT_IN = frozenset({"If", "Constant"})  # handled by the importer itself


class GraphImporter(onnx_frontend.ONNXGraphImporter):  # type: ignore[misc]
    """TVM's importer with our converters, and errors that name the operator and its node."""

    def _check_for_unsupported_ops(self, graph: Any) -> None:
        """Done before, over the whole model at once (onnx_checks)."""

    def _convert_operator(self, op_name: str, inputs: Any, attrs: dict[str, Any], opset: int) -> Any:
        try:
            if op_name in CONVERTERS:
                return self.bb.normalize(CONVERTERS[op_name](self.bb, inputs, attrs))
            return super()._convert_operator(op_name, inputs, attrs, opset)
        except NeoMagicsError:
            raise
        except Exception as error:
            node = attrs.get("tvm_custom", {}).get("name") or "without a name"
            raise CompilationError(
                f"TVM cannot convert the operator {op_name} (node {node}): {_first_line(error)}",
                hint="Fix all shapes in DataInputConfig, or rewrite that part of the model.",
                operator=op_name,
            ) from error


def known_operators() -> frozenset[str]:
    """The standard operators that can be converted."""
    return frozenset(onnx_frontend._get_convert_map()) | frozenset(CONVERTERS) | BUILT_IN


def graph_to_module(proto: Any) -> Any:
    """`proto` (shapes fixed) as an IRModule whose "main" returns a tuple."""
    opset = next((int(o.version) for o in proto.opset_import if o.domain in ("", "ai.onnx")), 1)
    importer = GraphImporter({}, None, keep_params_in_input=False, sanitize=True)
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
    return always_tuple(module)


def _first_line(error: BaseException) -> str:
    lines = [line for line in str(error).strip().splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[-1].strip()[:200]}" if lines else type(error).__name__
