"""Layers with weights, pooling and normalisation."""

from __future__ import annotations

from typing import Any

import numpy as np

from neo_magics.capture.mxnet_operators.layer import DTYPES, Check, Converter, Layer, kinds, several, unset


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


def _layer_norm(x: Layer) -> str:
    return x.add(
        "LayerNormalization", *x.inputs[:3], axis=x.axis(-1), epsilon=float(x.node.value("eps", 1e-5))
    )


def _lrn(x: Layer) -> str:
    numbers = {key: float(x.node.value(key, default)) for key, default in (("alpha", 1e-4), ("beta", 0.75))}
    return x.add(
        "LRN", x.inputs[0], size=int(x.node.value("nsize")), bias=float(x.node.value("knorm", 2)), **numbers
    )


def _embedding(x: Layer) -> str:
    """MXNet's indices are floats as a rule, and are cut at the ends."""
    last = int(x.node.value("input_dim")) - 1
    whole = x.add("Cast", x.inputs[0], to=DTYPES["int64"])
    ends = [x.maker.constant(np.int64(0)), x.maker.constant(np.int64(last))]
    return x.add("Gather", x.inputs[1], x.add("Min", x.add("Max", whole, ends[0]), ends[1]), axis=0)


def _upsampling(x: Layer) -> str:
    scale = float(x.node.value("scale"))
    return x.add(
        "Resize", x.inputs[0], "", x.maker.constant([1.0, 1.0, scale, scale]), mode="nearest",
        coordinate_transformation_mode="asymmetric", nearest_mode="floor",
    )  # fmt: skip


def _l2_normalization(x: Layer) -> str:
    mode, least = str(x.node.value("mode", "instance")), x.real(float(x.node.value("eps", 1e-10)))
    if mode == "instance":  # everything but the batch, of any number of dimensions
        flat = x.add("Flatten", x.inputs[0])
        total = x.add("ReduceSum", x.add("Mul", flat, flat), x.whole(1))
        made = x.add("Div", flat, x.add("Sqrt", x.add("Add", total, least)))
        return x.add("Reshape", made, x.add("Shape", x.inputs[0]))
    squares = x.add("Mul", x.inputs[0], x.inputs[0])
    total = x.add("ReduceSum", squares, x.whole(*([1] if mode == "channel" else [2, 3])))
    return x.add("Div", x.inputs[0], x.add("Sqrt", x.add("Add", total, least)))


def _resized(x: Layer) -> str:
    """The corners of the image stay where they are, unless said otherwise."""
    sizes = x.whole(int(x.node.value("height")), int(x.node.value("width")))
    first = x.add("Slice", x.add("Shape", x.inputs[0]), x.whole(0), x.whole(2), x.whole(0))
    corners = x.node.flag("align_corners", True)
    return x.add(
        "Resize", x.inputs[0], "", "", x.add("Concat", first, sizes, axis=0), mode="linear",
        coordinate_transformation_mode="align_corners" if corners else "half_pixel",
    )  # fmt: skip


OPERATORS: dict[str, Converter] = {
    **dict.fromkeys(("Convolution", "Convolution_v1"), _convolution),
    "Deconvolution": _deconvolution,
    "FullyConnected": _fully_connected,
    **dict.fromkeys(("BatchNorm", "BatchNorm_v1", "CuDNNBatchNorm"), _batch_norm),
    **dict.fromkeys(("Pooling", "Pooling_v1"), _pooling),
    "_contrib_AdaptiveAvgPooling2D": lambda x: x.add("GlobalAveragePool", x.inputs[0]),
    "_contrib_BilinearResize2D": _resized,
    **dict.fromkeys(("LayerNorm", "_npx_layer_norm"), _layer_norm),
    "InstanceNorm": lambda x: x.add(
        "InstanceNormalization", *x.inputs, epsilon=float(x.node.value("eps", 1e-3))
    ),
    "L2Normalization": _l2_normalization,
    "LRN": _lrn,
    "Embedding": _embedding,
    "UpSampling": _upsampling,
}

_LAYOUT = kinds("layout", "None", ("None", "NCHW", "NCW", "NCDHW"))
_pooled = several(
    kinds("pool_type", "max", ("max", "avg")),
    kinds("pooling_convention", "valid", ("valid", "full")),
    _LAYOUT,
)
_ONE = ("1", "(1,)", "(1, 1)", "()", "None")
CHECKS: dict[str, Check] = {
    **dict.fromkeys(("Pooling", "Pooling_v1"), _pooled),
    "UpSampling": kinds("sample_type", "", ("nearest",)),
    **dict.fromkeys(("Convolution", "Convolution_v1"), _LAYOUT),
    "Deconvolution": several(_LAYOUT, unset("target_shape")),
    "BatchNorm": kinds("axis", "1", ("1",)),
    "_contrib_AdaptiveAvgPooling2D": kinds("output_size", "()", _ONE),
    "_contrib_BilinearResize2D": several(
        kinds("mode", "size", ("size",)), unset("scale_height", "scale_width")
    ),
}
