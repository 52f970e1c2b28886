"""MXNet's operators in terms of ONNX's, one function each, under all names that MXNet gave them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neo_magics.capture.mxnet_file import Node
from neo_magics.capture.onnx_build import GraphMaker

LABELLED = frozenset(
    {"SoftmaxOutput", "Softmax", "LinearRegressionOutput", "LogisticRegressionOutput", "MAERegressionOutput"}
)
_DTYPES = {
    "float32": 1,
    "float64": 11,
    "float16": 10,
    "uint8": 2,
    "int8": 3,
    "int32": 6,
    "int64": 7,
    "bool": 9,
}
_LARGE = 2**31 - 1


@dataclass(frozen=True)
class Layer:
    """A node at work: its inputs by name, and by value where they are parameters."""

    maker: GraphMaker
    node: Node
    inputs: list[str]
    arrays: list[np.ndarray[Any, Any] | None]

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        return str(self.maker.add(operator, *inputs, **attributes))

    def whole(self, *numbers: int) -> str:
        """Whole numbers as a constant of one dimension."""
        return self.maker.constant(np.array(numbers, np.int64))

    def real(self, number: float) -> str:
        return self.maker.constant(np.float32(number))

    def axis(self, default: int) -> int:
        found = self.node.value("axis", default)
        return int(found[0] if isinstance(found, tuple | list) else found)


Converter = Callable[[Layer], "str | Sequence[str]"]


def refused(node: Node) -> str:
    """What of `node` is not known: the operator, or an option of it; "" if nothing."""
    if node.operator not in OPERATORS:
        return node.operator
    check = _REFUSED.get(node.operator)
    reason = check(node) if check else ""
    return f"{node.operator} with {reason}" if reason else ""


def _convolution(x: Layer) -> str:
    kernel = x.node.sizes("kernel")
    count = len(kernel)
    pads = x.node.sizes("pad", (0,) * count)
    inputs = x.inputs[:2] if x.node.flag("no_bias") else x.inputs[:3]
    return x.add(
        "Conv", *inputs, kernel_shape=kernel, strides=x.node.sizes("stride", (1,) * count), pads=pads + pads,
        dilations=x.node.sizes("dilate", (1,) * count), group=int(x.node.value("num_group", 1)),
    )  # fmt: skip


def _deconvolution(x: Layer) -> str:
    kernel = x.node.sizes("kernel")
    count = len(kernel)
    pads = x.node.sizes("pad", (0,) * count)
    inputs = x.inputs[:2] if x.node.flag("no_bias", True) else x.inputs[:3]
    return x.add(
        "ConvTranspose", *inputs, kernel_shape=kernel, strides=x.node.sizes("stride", (1,) * count),
        pads=pads + pads, output_padding=x.node.sizes("adj", (0,) * count),
        dilations=x.node.sizes("dilate", (1,) * count), group=int(x.node.value("num_group", 1)),
    )  # fmt: skip


def _fully_connected(x: Layer) -> str:
    data, weight = x.inputs[:2]
    if x.node.flag("flatten", True):
        inputs = [x.add("Flatten", data), weight]
        return x.add("Gemm", *inputs, *([] if x.node.flag("no_bias") else x.inputs[2:3]), transB=1)
    made = x.add("MatMul", data, x.add("Transpose", weight, perm=[1, 0]))
    return made if x.node.flag("no_bias") else x.add("Add", made, x.inputs[2])


def _activation(x: Layer) -> str:
    return x.add(_ACTIVATIONS[str(x.node.value("act_type"))], x.inputs[0])


def _leaky(x: Layer) -> str:
    kind, slope = x.node.value("act_type", "leaky"), float(x.node.value("slope", 0.25))
    data = x.inputs[0]
    if kind == "prelu":
        width = x.arrays[1].size if x.arrays[1] is not None else 1
        shape = x.whole(width, 1, 1) if width > 1 else x.whole(1)
        return x.add("PRelu", data, x.add("Reshape", x.inputs[1], shape))
    if kind == "gelu":
        half = x.add("Mul", data, x.real(0.5))
        inner = x.add("Erf", x.add("Mul", data, x.real(0.5**0.5)))
        return x.add("Mul", half, x.add("Add", inner, x.real(1.0)))
    if kind == "selu":
        return x.add("Selu", data)
    return x.add("Elu" if kind == "elu" else "LeakyRelu", data, alpha=slope)


def _batch_norm(x: Layer) -> str:
    data, gamma, *rest = x.inputs[:5]
    if x.node.flag("fix_gamma", True) and x.arrays[1] is not None:
        gamma = x.maker.constant(np.ones_like(x.arrays[1]))
    return x.add("BatchNormalization", data, gamma, *rest, epsilon=float(x.node.value("eps", 1e-3)))


def _pooling(x: Layer) -> str:
    kind = str(x.node.value("pool_type", "max"))
    if x.node.flag("global_pool"):
        return x.add("GlobalMaxPool" if kind == "max" else "GlobalAveragePool", x.inputs[0])
    kernel = x.node.sizes("kernel")
    count = len(kernel)
    pads = x.node.sizes("pad", (0,) * count)
    options: dict[str, Any] = {"kernel_shape": kernel, "pads": pads + pads}
    options["strides"] = x.node.sizes("stride", (1,) * count)
    options["ceil_mode"] = int(x.node.value("pooling_convention", "valid") == "full")
    if kind == "max":
        return x.add("MaxPool", x.inputs[0], **options)
    return x.add(
        "AveragePool", x.inputs[0], count_include_pad=int(x.node.flag("count_include_pad", True)), **options
    )


def _softmax(x: Layer) -> str:
    data, temperature = x.inputs[0], float(x.node.value("temperature", 1.0) or 1.0)
    data = data if temperature == 1.0 else x.add("Div", data, x.real(temperature))
    return x.add("LogSoftmax" if x.node.operator == "log_softmax" else "Softmax", data, axis=x.axis(-1))


def _softmax_output(x: Layer) -> str:
    several = x.node.flag("multi_output") or x.node.value("mode") == "channel"
    return x.add("Softmax", x.inputs[0], axis=1 if several else -1)


def _layer_norm(x: Layer) -> str:
    return x.add(
        "LayerNormalization", *x.inputs[:3], axis=x.axis(-1), epsilon=float(x.node.value("eps", 1e-5))
    )


def _l2_normalization(x: Layer) -> str:
    axes = {"channel": [1], "instance": [1, 2, 3], "spatial": [2, 3]}[str(x.node.value("mode", "instance"))]
    squares = x.add("Mul", x.inputs[0], x.inputs[0])
    total = x.add(
        "Add", x.add("ReduceSum", squares, x.whole(*axes)), x.real(float(x.node.value("eps", 1e-10)))
    )
    return x.add("Div", x.inputs[0], x.add("Sqrt", total))


def _lrn(x: Layer) -> str:
    numbers = {key: float(x.node.value(key, default)) for key, default in (("alpha", 1e-4), ("beta", 0.75))}
    return x.add(
        "LRN", x.inputs[0], size=int(x.node.value("nsize")), bias=float(x.node.value("knorm", 2)), **numbers
    )


def _embedding(x: Layer) -> str:
    """MXNet's indices are floats as a rule, and are cut at the ends."""
    last = int(x.node.value("input_dim")) - 1
    whole = x.add("Cast", x.inputs[0], to=_DTYPES["int64"])
    ends = [x.maker.constant(np.int64(0)), x.maker.constant(np.int64(last))]
    return x.add("Gather", x.inputs[1], x.add("Min", x.add("Max", whole, ends[0]), ends[1]), axis=0)


def _upsampling(x: Layer) -> str:
    scale = float(x.node.value("scale"))
    return x.add(
        "Resize", x.inputs[0], "", x.maker.constant([1.0, 1.0, scale, scale]), mode="nearest",
        coordinate_transformation_mode="asymmetric", nearest_mode="floor",
    )  # fmt: skip


def _reduce(operator: str) -> Converter:
    def convert(x: Layer) -> str:
        axes, keep = x.node.value("axis"), int(x.node.flag("keepdims"))
        if axes is None or axes in ((), []):
            return x.add(operator, x.inputs[0], keepdims=keep)
        listed = [int(a) for a in (axes if isinstance(axes, tuple | list) else (axes,))]
        if operator == "ReduceSum":
            return x.add(operator, x.inputs[0], x.whole(*listed), keepdims=keep)
        return x.add(operator, x.inputs[0], axes=listed, keepdims=keep)

    return convert


def _batch_dot(x: Layer) -> str:
    def side(index: int, flag: str) -> str:
        turned = x.node.flag(flag)
        perm = [0, 2, 1] if x.node.operator == "batch_dot" else [1, 0]
        return x.add("Transpose", x.inputs[index], perm=perm) if turned else x.inputs[index]

    return x.add("MatMul", side(0, "transpose_a"), side(1, "transpose_b"))


def _transpose(x: Layer) -> str:
    axes = x.node.sizes("axes")
    return x.add("Transpose", x.inputs[0], **({"perm": axes} if axes else {}))


def _slice_axis(x: Layer) -> str:
    begin, end = x.node.value("begin", 0), x.node.value("end")
    bounds = (x.whole(int(begin or 0)), x.whole(_LARGE if end is None else int(end)))
    return x.add("Slice", x.inputs[0], *bounds, x.whole(x.axis(0)))


def _slice(x: Layer) -> str:
    begins, ends = (list(x.node.value(key)) for key in ("begin", "end"))
    first = x.whole(*[int(b or 0) for b in begins])
    last = x.whole(*[_LARGE if e is None else int(e) for e in ends])
    return x.add("Slice", x.inputs[0], first, last, x.whole(*range(len(begins))))


def _split(x: Layer) -> Sequence[str]:
    count, axis = int(x.node.value("num_outputs")), x.axis(1)
    made = x.maker.add("Split", x.inputs[0], outputs=count, axis=axis)
    parts = [made] if isinstance(made, str) else list(made)
    return [x.add("Squeeze", part, x.whole(axis)) for part in parts] if x.node.flag("squeeze_axis") else parts


def _stack(x: Layer) -> str:
    axis = x.axis(0)
    return x.add("Concat", *[x.add("Unsqueeze", each, x.whole(axis)) for each in x.inputs], axis=axis)


def _squeeze(x: Layer) -> str:
    axes = x.node.sizes("axis") if x.node.value("axis") is not None else []
    return x.add("Squeeze", x.inputs[0], *([x.whole(*axes)] if axes else []))


def _pad(x: Layer) -> str:
    widths, mode = x.node.sizes("pad_width"), str(x.node.value("mode", "constant"))
    pads = x.whole(*widths[::2], *widths[1::2])
    if mode != "constant":
        return x.add("Pad", x.inputs[0], pads, mode=mode)
    return x.add("Pad", x.inputs[0], pads, x.real(float(x.node.value("constant_value", 0.0))))


def _clip(x: Layer) -> str:
    return x.add(
        "Clip", x.inputs[0], x.real(float(x.node.value("a_min"))), x.real(float(x.node.value("a_max")))
    )


def _plain(operator: str, count: int = 1) -> Converter:
    return lambda x: x.add(operator, *x.inputs[:count])


def _scalar(operator: str, reverse: bool = False) -> Converter:
    def convert(x: Layer) -> str:
        pair = [x.inputs[0], x.real(float(x.node.value("scalar", 0.0)))]
        return x.add(operator, *(reversed(pair) if reverse else pair))

    return convert


def _copy(x: Layer) -> str:
    return x.inputs[0]


_ACTIVATIONS = {
    "relu": "Relu",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "softrelu": "Softplus",
    "softsign": "Softsign",
}
_BINARY = {"Add": ("elemwise_add", "_plus", "_Plus", "broadcast_add", "broadcast_plus", "_add"),
           "Sub": ("elemwise_sub", "_minus", "_Minus", "broadcast_sub", "broadcast_minus", "_sub"),
           "Mul": ("elemwise_mul", "_mul", "_Mul", "broadcast_mul"),
           "Div": ("elemwise_div", "_div", "_Div", "broadcast_div"),
           "Max": ("broadcast_maximum", "_maximum"), "Min": ("broadcast_minimum", "_minimum"),
           "Pow": ("broadcast_power", "_power")}  # fmt: skip
_UNARY = {"relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh", "exp": "Exp", "log": "Log", "sqrt": "Sqrt",
          "negative": "Neg", "abs": "Abs", "floor": "Floor", "ceil": "Ceil", "erf": "Erf",
          "softsign": "Softsign", "reciprocal": "Reciprocal", "sin": "Sin", "cos": "Cos",
          "sign": "Sign"}  # fmt: skip
_COPIES = ("Dropout", "identity", "_copy", "BlockGrad", "stop_gradient", "LinearRegressionOutput",
           "MAERegressionOutput", "make_loss", "MakeLoss")  # fmt: skip
_SCALARS = {"_plus_scalar": ("Add", False), "_PlusScalar": ("Add", False), "_minus_scalar": ("Sub", False),
            "_MinusScalar": ("Sub", False), "_rminus_scalar": ("Sub", True), "_RMinusScalar": ("Sub", True),
            "_mul_scalar": ("Mul", False), "_MulScalar": ("Mul", False), "_div_scalar": ("Div", False),
            "_DivScalar": ("Div", False), "_rdiv_scalar": ("Div", True), "_RDivScalar": ("Div", True),
            "_power_scalar": ("Pow", False), "_maximum_scalar": ("Max", False),
            "_minimum_scalar": ("Min", False)}  # fmt: skip
OPERATORS: dict[str, Converter] = {
    **{name: _plain(operator, 2) for operator, names in _BINARY.items() for name in names},
    **{name: _plain(operator) for name, operator in _UNARY.items()},
    **{name: _scalar(*how) for name, how in _SCALARS.items()},
    **dict.fromkeys(_COPIES, _copy),
    **dict.fromkeys(("Convolution", "Convolution_v1"), _convolution),
    "Deconvolution": _deconvolution,
    "FullyConnected": _fully_connected,
    "Activation": _activation,
    "LeakyReLU": _leaky,
    **dict.fromkeys(("BatchNorm", "BatchNorm_v1", "CuDNNBatchNorm"), _batch_norm),
    **dict.fromkeys(("Pooling", "Pooling_v1"), _pooling),
    **dict.fromkeys(("softmax", "log_softmax"), _softmax),
    **dict.fromkeys(("SoftmaxOutput", "Softmax", "SoftmaxActivation"), _softmax_output),
    "LogisticRegressionOutput": _plain("Sigmoid"),
    **dict.fromkeys(("LayerNorm", "_npx_layer_norm"), _layer_norm),
    "InstanceNorm": lambda x: x.add(
        "InstanceNormalization", *x.inputs, epsilon=float(x.node.value("eps", 1e-3))
    ),
    "L2Normalization": _l2_normalization,
    "LRN": _lrn,
    "Embedding": _embedding,
    "UpSampling": _upsampling,
    **dict.fromkeys(("Flatten", "flatten"), _plain("Flatten")),
    **dict.fromkeys(
        ("Reshape", "reshape"), lambda x: x.add("Reshape", x.inputs[0], x.whole(*x.node.sizes("shape")))
    ),
    **dict.fromkeys(
        ("Concat", "concat"), lambda x: x.add("Concat", *x.inputs, axis=int(x.node.value("dim", 1)))
    ),
    "mean": _reduce("ReduceMean"),
    **dict.fromkeys(("sum", "sum_axis"), _reduce("ReduceSum")),
    **dict.fromkeys(("max", "max_axis"), _reduce("ReduceMax")),
    **dict.fromkeys(("min", "min_axis"), _reduce("ReduceMin")),
    **dict.fromkeys(("batch_dot", "dot"), _batch_dot),
    "transpose": _transpose,
    "slice_axis": _slice_axis,
    **dict.fromkeys(("slice", "crop"), _slice),
    **dict.fromkeys(("SliceChannel", "split"), _split),
    "stack": _stack,
    "squeeze": _squeeze,
    "expand_dims": lambda x: x.add("Unsqueeze", x.inputs[0], x.whole(x.axis(0))),
    **dict.fromkeys(("Pad", "pad"), _pad),
    "clip": _clip,
    "square": lambda x: x.add("Mul", x.inputs[0], x.inputs[0]),
    **dict.fromkeys(
        ("Cast", "cast"), lambda x: x.add("Cast", x.inputs[0], to=_DTYPES[str(x.node.value("dtype"))])
    ),
}


def _reshape_codes(node: Node) -> str:
    codes = [size for size in node.sizes("shape") if size < -1]
    return f"the codes {codes}" if codes else "reverse" if node.flag("reverse") else ""


def _kinds(key: str, default: str, known: Sequence[str]) -> Callable[[Node], str]:
    def check(node: Node) -> str:
        kind = str(node.value(key, default))
        return "" if kind in known else f"{key}={kind}"

    return check


_REFUSED: dict[str, Callable[[Node], str]] = {
    "Reshape": _reshape_codes,
    "reshape": _reshape_codes,
    "Activation": _kinds("act_type", "", tuple(_ACTIVATIONS)),
    "LeakyReLU": _kinds("act_type", "leaky", ("leaky", "prelu", "elu", "selu", "gelu")),
    "Pooling": _kinds("pool_type", "max", ("max", "avg")),
    "UpSampling": _kinds("sample_type", "", ("nearest",)),
    "Convolution": _kinds("layout", "None", ("None", "NCHW", "NCW", "NCDHW")),
    "BatchNorm": _kinds("axis", "1", ("1",)),
    "slice": lambda node: "steps" if any(s not in (None, 1) for s in node.value("step", ()) or ()) else "",
    "Cast": _kinds("dtype", "float32", tuple(_DTYPES)),
}
