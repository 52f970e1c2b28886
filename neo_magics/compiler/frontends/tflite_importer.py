"""A TFLite graph as a Relax module: TVM's converters, ours over them, and errors that say where."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from tvm import relax
from tvm.relax.frontend.tflite import tflite_frontend

from neo_magics.capture.tflite_file import TfliteFile
from neo_magics.capture.tflite_hybrid import hybrid_weights
from neo_magics.compiler.frontends.relax_tools import always_tuple, prelu
from neo_magics.compiler.frontends.tflite_sparse import dense
from neo_magics.compiler.frontends.unsupported import reason_of, unsupported
from neo_magics.errors import CompilationError, NeoMagicsError

# TVM leaves convolutions in TFLite's channels-last order, for which transposed ones have no kernel.
_CHANNELS_FIRST = {
    "relax.nn.conv2d": ["NCHW", "OIHW"],
    "relax.nn.conv2d_transpose": ["NCHW", "IOHW"],
}
# They only move numbers, so bytes as well as floats; TVM refuses bytes. PAD fills up with the zero point.
_MOVERS = frozenset(
    ("STRIDED_SLICE", "SLICE", "SPLIT", "SPLIT_V", "TRANSPOSE", "GATHER", "TILE", "EXPAND_DIMS", "SQUEEZE")
) | frozenset(("PACK", "UNPACK", "REVERSE_V2", "DEPTH_TO_SPACE", "SPACE_TO_DEPTH", "BROADCAST_TO", "PAD"))
_CUSTOM = 32


class GraphConverter(tflite_frontend.OperatorConverter):  # type: ignore[misc]
    """TVM's converter of one graph: all unknown operators at once, and where each of them is."""

    convert_map: dict[str, Callable[..., Any]]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.hybrid = hybrid_weights(self.model, self.subgraph)
        ours = {
            "BATCH_MATMUL": self._batch_matmul,
            "DENSIFY": self._densify,
            "EXPAND_DIMS": self._expand_dims,
            "PRELU": self._prelu,
            "SQUEEZE": self._squeeze,
        }
        known: dict[str, Callable[..., Any]] = {**self.convert_map, **ours}
        self.convert_map = {name: self._named(name, made) for name, made in known.items()}

    def check_unsupported_ops(self) -> None:
        """Operators without a converter, without one for quantised numbers, or half quantised."""
        missing: dict[str, list[str]] = {}
        for index in range(self.subgraph.OperatorsLength()):
            operator = self.subgraph.Operators(index)
            if name := self._missing(operator):
                missing.setdefault(name, []).append(self._place(operator))
        if missing:
            raise unsupported("TFLite", missing)

    def _missing(self, operator: Any) -> str:
        code = self.model.OperatorCodes(operator.OpcodeIndex())
        if code.BuiltinCode() == _CUSTOM and code.CustomCode() != b"TFLite_Detection_PostProcess":
            return f"custom operator {code.CustomCode().decode(errors='replace')}"
        name = str(self.get_op_code_str(operator))
        if name not in self.convert_map:
            return name
        inputs, outputs = self.get_input_tensors(operator), self.get_output_tensors(operator)
        quantised = [tensor.qnn_params is not None for tensor in (*inputs, *outputs)]
        if any(quantised) and name not in self._SUPPORTED_QUANTIZED_OPS:
            scaled = [tensor for tensor in (*inputs, *outputs) if tensor.qnn_params is not None]
            moved = name in _MOVERS and any(quantised[: len(inputs)]) and quantised[len(inputs)]
            if not moved or not all(self.has_same_qnn_params(scaled[0], each) for each in scaled):
                return f"{name} of quantised numbers"
        weights = [tensor.qnn_params is not None for tensor in inputs[1:]]
        if any(weights) and not quantised[0] and not quantised[len(inputs)]:
            return f"{name} with quantised weights and floating-point inputs (dynamic range)"
        return ""

    def _place(self, operator: Any) -> str:
        outputs = self.get_output_tensors(operator)
        return str(outputs[0].tensor.Name().decode()) if outputs else ""

    def _named(self, name: str, convert: Callable[..., Any]) -> Callable[..., Any]:
        def converted(op: Any) -> Any:
            try:
                return convert(op=op)  # some of TVM's take it by name only
            except NeoMagicsError:
                raise
            except Exception as error:
                raise CompilationError(
                    f"TVM cannot convert the operator {name} ({self._place(op)}): {reason_of(error)}",
                    hint="Convert the model again without it, or cut that part off.",
                    operator=name,
                ) from error

        return converted

    def get_tensors(self, tensors_idx_list: Any) -> list[Any]:
        """The tensors of these indices; weights that are bytes among floats appear as floats."""
        found = super().get_tensors(tensors_idx_list)
        return [self._as_floats(each) if each.tensor_idx in self.hybrid else each for each in found]

    def _as_floats(self, wrapper: Any) -> Any:
        if not self.is_prefetched(wrapper.tensor_idx):
            raw = np.asarray(tflite_frontend.OperatorConverter.get_tensor_value(self, wrapper))
            scales = wrapper.tensor.Quantization().ScaleAsNumpy()
            shape = [1] * raw.ndim
            shape[wrapper.tensor.Quantization().QuantizedDimension()] = -1
            zeros = wrapper.tensor.Quantization().ZeroPointAsNumpy()
            zeros = zeros.reshape(shape) if isinstance(zeros, np.ndarray) and zeros.size else 0
            values = (raw.astype(np.float32) - zeros) * scales.reshape(shape)
            self.set_prefetched_node(wrapper.tensor_idx, values.astype(np.float32))
        return tflite_frontend.TensorWrapper(wrapper.tensor_idx, _FloatTensor(wrapper.tensor), wrapper.buffer)

    def get_tensor_value(self, tensor_wrapper: Any, is_sparse: bool = False) -> Any:
        """The constant in a tensor; one that was sparse has no buffer of its own, which TVM's reads as 0."""
        if self.is_prefetched(tensor_wrapper.tensor_idx):
            return self.get_prefetched_node(tensor_wrapper.tensor_idx)
        return super().get_tensor_value(tensor_wrapper, is_sparse)

    def convert_fully_connected(self, op: Any) -> Any:
        """TVM: multiplies a tensor of more than two dimensions as it is, which TFLite makes rows of first."""
        data, weight = self.get_input_tensors(op)[:2]
        x = self.get_tensor_expr(data)
        options = tflite_options(op, "FullyConnectedOptions")
        if len(self._infer_shape(x)) == 2 or options.KeepNumDims():
            return super().convert_fully_connected(op)
        rows = self.bb.normalize(relax.op.reshape(x, [-1, weight.tensor.Shape(1)]))
        name = tflite_frontend.get_tensor_name(self.subgraph, data.tensor_idx)
        self.exp_tab.set_expr(name, rows, force_override=True)
        try:
            return super().convert_fully_connected(op)
        finally:
            self.exp_tab.set_expr(name, x, force_override=True)

    def _batch_matmul(self, op: Any) -> Any:
        """TVM: fails for a constant, and loses the batches that only the second operand has."""
        if self.is_quantized(op):
            raise NotImplementedError("quantised numbers")
        options = tflite_options(op, "BatchMatMulOptions")
        turned = (options.AdjX(), options.AdjY())
        operands = [self.get_tensor_expr(tensor) for tensor in self.get_input_tensors(op)]
        for place, turn in enumerate(turned):
            if turn:
                axes = list(range(len(self._infer_shape(operands[place]))))
                axes[-2:] = axes[:-3:-1]
                operands[place] = self.bb.normalize(relax.op.permute_dims(operands[place], axes))
        return relax.op.matmul(*operands)

    def _expand_dims(self, op: Any) -> Any:
        """TVM: calls its operator with an argument too many."""
        data, axis = self.get_input_tensors(op)
        return relax.op.expand_dims(self.get_tensor_expr(data), int(self.get_tensor_value(axis).item()))

    def _prelu(self, op: Any) -> Any:
        """TVM: in one dimension, with a slope for each element, which keeps the layout that it has."""
        x, slope = (self.get_tensor_expr(tensor) for tensor in self.get_input_tensors(op))
        return prelu(self.bb.normalize, x, slope)

    def _squeeze(self, op: Any) -> Any:
        """TVM: keeps axes that count from the end, of which its layout conversion runs out of memory."""
        data = self.get_input_tensors(op)[0]
        x = self.get_tensor_expr(data)
        axes = np.atleast_1d(tflite_options(op, "SqueezeOptions").SqueezeDimsAsNumpy())
        has_axes = tflite_options(op, "SqueezeOptions").SqueezeDimsLength() > 0
        rank = len(self._infer_shape(x))
        return relax.op.squeeze(x, sorted(int(axis) % rank for axis in axes) if has_axes else None)

    def _densify(self, op: Any) -> None:
        """Sparse weights become dense ones here; TVM's reader fails on them."""
        source, result = self.get_input_tensors(op)[0], self.get_output_tensors(op)[0]
        values = np.frombuffer(source.buffer.DataAsNumpy(), self.get_tensor_type_as_numpy(source))
        self.set_prefetched_node(result.tensor_idx, dense(source.tensor, values))


def tflite_options(op: Any, kind: str) -> Any:
    """The options of an operator, read as the table `kind` of the tflite package."""
    import tflite

    options = getattr(tflite, kind)()
    table = op.BuiltinOptions()
    options.Init(table.Bytes, table.Pos)
    return options


class _FloatTensor:
    """A tensor of the file that says it is of floats."""

    def __init__(self, tensor: Any) -> None:
        self._tensor = tensor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tensor, name)

    def Type(self) -> int:
        """FLOAT32."""
        return 0

    def Quantization(self) -> None:
        """It has none."""


def file_to_module(file: TfliteFile) -> Any:
    """`file` as an IRModule whose "main" returns a tuple, with its weights as constants."""
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = tflite_frontend.from_tflite(file.model, op_converter=GraphConverter)
            module["main"] = module["main"].without_attr("params").without_attr("num_input")
            module = relax.transform.ConvertLayout(_CHANNELS_FIRST)(module)
    except NeoMagicsError:
        raise
    except Exception as error:
        raise CompilationError(
            f"TVM cannot convert the TFLite model: {reason_of(error)}",
            hint="Convert the model again with other operators, or cut that part off.",
        ) from error
    return always_tuple(relax.transform.Normalize()(module))
