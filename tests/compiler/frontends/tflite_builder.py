"""TFLite models built operator by operator."""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

KINDS = {"float32": 0, "int32": 2, "int8": 9, "resource": 13}
SCALE, ZERO = 0.1, 3  # of every int8 tensor


class GraphBuilder:
    """One model: its main graph, and graphs that CALL_ONCE runs. Tensors are named by their number."""

    def __init__(self) -> None:
        self.model = schema.ModelT()
        self.model.version, self.model.description = 3, b"built"
        self.model.operatorCodes, self.model.subgraphs = [], []
        self.model.buffers = [schema.BufferT()]
        self.main = self.graph()

    def graph(self) -> Any:
        """A further graph."""
        graph = schema.SubGraphT()
        graph.tensors, graph.operators, graph.inputs, graph.outputs = [], [], [], []
        self.model.subgraphs.append(graph)
        return graph

    def tensor(self, shape: list[int], dtype: str = "float32", name: str = "", graph: Any = None) -> int:
        """The number of a new tensor; int8 ones are quantised."""
        graph = graph or self.main
        tensor = schema.TensorT()
        tensor.shape, tensor.type, tensor.buffer = shape, KINDS[dtype], 0
        tensor.name = (name or f"t{len(graph.tensors)}").encode()
        if dtype == "int8":
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale, tensor.quantization.zeroPoint = [SCALE], [ZERO]
        graph.tensors.append(tensor)
        return len(graph.tensors) - 1

    def constant(self, value: np.ndarray, graph: Any = None) -> int:
        """The number of a tensor with a value."""
        number = self.tensor(list(value.shape), str(value.dtype), graph=graph)
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(value.tobytes(), "uint8")
        self.model.buffers.append(buffer)
        (graph or self.main).tensors[number].buffer = len(self.model.buffers) - 1
        return number

    def add(
        self, kind: str, inputs: list[int], outputs: list[int], graph: Any = None, **options: Any
    ) -> None:
        """An operator; `options` is the table's name and its fields."""
        code = schema.OperatorCodeT()
        number = getattr(schema.BuiltinOperator, kind)
        code.builtinCode, code.deprecatedBuiltinCode, code.version = number, min(number, 127), 1
        code.customCode = options.pop("custom", None)
        self.model.operatorCodes.append(code)
        operator = schema.OperatorT()
        operator.opcodeIndex = len(self.model.operatorCodes) - 1
        operator.inputs, operator.outputs = inputs, outputs
        if table := options.pop("table", ""):
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, table)
            operator.builtinOptions = getattr(schema, f"{table}T")()
            for field, value in options.items():
                setattr(operator.builtinOptions, field, value)
        (graph or self.main).operators.append(operator)

    def content(self, inputs: list[int], outputs: list[int]) -> bytes:
        """The bytes of the model."""
        self.main.inputs, self.main.outputs = inputs, outputs
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())
