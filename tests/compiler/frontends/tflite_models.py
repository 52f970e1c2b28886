"""TFLite files made of others."""

from __future__ import annotations

import numpy as np

_LAYERS = ("FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D")


def hybrid(content: bytes, per_channel: bool) -> bytes:
    """The float model with the weights of its layers as int8, as the converter's dynamic range makes them."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    kinds = {number: name for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)}
    graph = model.subgraphs[0]
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex]
        kind = kinds[max(code.builtinCode, code.deprecatedBuiltinCode)]
        if kind in _LAYERS:
            tensor = graph.tensors[operator.inputs[1]]
            axis = 3 if kind == "DEPTHWISE_CONV_2D" else 0
            alone = kind == "FULLY_CONNECTED" or (kind == "CONV_2D" and not per_channel)
            _quantise(schema, tensor, model.buffers[tensor.buffer], None if alone else axis)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _quantise(schema: object, tensor: object, buffer: object, axis: int | None) -> None:
    weights = np.frombuffer(bytes(bytearray(buffer.data)), "<f4").reshape(tensor.shape)
    others = tuple(k for k in range(weights.ndim) if k != axis)
    scales = np.atleast_1d(np.abs(weights).max(others) / 127).astype("f4")
    shape = [-1 if k == axis else 1 for k in range(weights.ndim)]
    steps = np.round(weights / scales.reshape(shape)).astype("int8")
    buffer.data = np.frombuffer(steps.tobytes(), "uint8")
    tensor.type = schema.TensorType.INT8
    tensor.quantization = schema.QuantizationParametersT()
    tensor.quantization.scale = scales
    tensor.quantization.zeroPoint = np.zeros(len(scales), "int64")
    tensor.quantization.quantizedDimension = axis or 0
