"""Element by element: activations, arithmetic, comparisons; and soft-max."""

from __future__ import annotations

from neo_magics.capture.mxnet_operators.layer import DTYPES, Check, Converter, Layer, kinds, unset


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


def _softmax(x: Layer) -> str:
    data, temperature = x.inputs[0], float(x.node.value("temperature", 1.0) or 1.0)
    data = data if temperature == 1.0 else x.add("Div", data, x.real(temperature))
    return x.add("LogSoftmax" if x.node.operator == "log_softmax" else "Softmax", data, axis=x.axis(-1))


def _softmax_output(x: Layer) -> str:
    several = x.node.flag("multi_output") or x.node.value("mode") == "channel"
    return x.add("Softmax", x.inputs[0], axis=1 if several else -1)


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


def _compared(operator: str, negated: bool = False) -> Converter:
    """1.0 where it holds and 0.0 elsewhere, with a tensor or a number."""

    def convert(x: Layer) -> str:
        other = x.inputs[1] if len(x.inputs) > 1 else x.real(float(x.node.value("scalar", 0.0)))
        made = x.add(operator, x.inputs[0], other)
        return x.add("Cast", x.add("Not", made) if negated else made, to=1)

    return convert


def _where(x: Layer) -> str:
    return x.add("Where", x.add("Cast", x.inputs[0], to=9), *x.inputs[1:3])


def _like(value: float) -> Converter:
    def convert(x: Layer) -> str:
        shape = x.add("Shape", x.inputs[0])
        return x.add("Expand", x.real(value), shape)

    return convert


def _hard_sigmoid(x: Layer) -> str:
    return x.add(
        "HardSigmoid",
        x.inputs[0],
        alpha=float(x.node.value("alpha", 0.2)),
        beta=float(x.node.value("beta", 0.5)),
    )


def _after(operator: str, then: str) -> Converter:
    return lambda x: x.add(then, x.add(operator, x.inputs[0]))


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
_COMPARED = {"equal": ("Equal", False), "not_equal": ("Equal", True), "greater": ("Greater", False),
             "greater_equal": ("GreaterOrEqual", False), "lesser": ("Less", False),
             "lesser_equal": ("LessOrEqual", False)}  # fmt: skip
OPERATORS: dict[str, Converter] = {
    **{name: _plain(operator, 2) for operator, names in _BINARY.items() for name in names},
    **{name: _plain(operator) for name, operator in _UNARY.items()},
    **{name: _scalar(*how) for name, how in _SCALARS.items()},
    **{f"broadcast_{name}": _compared(*how) for name, how in _COMPARED.items()},
    **{f"_{name}_scalar": _compared(*how) for name, how in _COMPARED.items()},
    **{f"_{name}": _compared(*how) for name, how in _COMPARED.items()},
    **dict.fromkeys(("add_n", "ElementWiseSum", "_sum"), lambda x: x.add("Sum", *x.inputs)),
    **dict.fromkeys(_COPIES, _copy),
    "Activation": _activation,
    "LeakyReLU": _leaky,
    **dict.fromkeys(("softmax", "log_softmax"), _softmax),
    **dict.fromkeys(("SoftmaxOutput", "Softmax", "SoftmaxActivation"), _softmax_output),
    "LogisticRegressionOutput": _plain("Sigmoid"),
    "clip": _clip,
    "hard_sigmoid": _hard_sigmoid,
    "square": lambda x: x.add("Mul", x.inputs[0], x.inputs[0]),
    "rsqrt": _after("Sqrt", "Reciprocal"),
    "log_sigmoid": _after("Sigmoid", "Log"),
    "where": _where,
    "zeros_like": _like(0.0),
    "ones_like": _like(1.0),
    **dict.fromkeys(
        ("Cast", "cast"), lambda x: x.add("Cast", x.inputs[0], to=DTYPES[str(x.node.value("dtype"))])
    ),
}

CHECKS: dict[str, Check] = {
    "Activation": kinds("act_type", "", tuple(_ACTIVATIONS)),
    "LeakyReLU": kinds("act_type", "leaky", ("leaky", "prelu", "elu", "selu", "gelu")),
    "softmax": unset("use_length"),
    **dict.fromkeys(("Cast", "cast"), kinds("dtype", "float32", tuple(DTYPES))),
}
