"""A Darknet network as an ONNX graph, YOLO heads decoded to boxes.

Each YOLO or region layer is an output [batch, cells · anchors, 5 + classes]: centre and size of the box as
shares of the image, how sure there is an object, and that times each class's probability; as OpenCV gives
them. Batch norms are folded with OpenCV's and Darknet's epsilon of 1e-6.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neo_magics.capture.darknet_cfg import Section, Weights, read_cfg
from neo_magics.capture.darknet_heads import region_boxes, yolo_boxes
from neo_magics.capture.darknet_local import local_sums
from neo_magics.capture.darknet_more_heads import cell_boxes, gaussian_boxes
from neo_magics.capture.onnx_build import GraphMaker, refuse_unknown
from neo_magics.errors import InputError

INPUT = "data"
EPSILON = 1e-6
_LEAKY = 0.1
_IGNORED = ("dropout", "cost")
_PLAIN = {"relu": "Relu", "logistic": "Sigmoid", "tanh": "Tanh", "elu": "Elu", "selu": "Selu"}
# Options that change what a layer computes, and their values that do not.
_PLAIN_OPTIONS = {
    **dict.fromkeys(
        ("tree", "weights_type", "antialiasing", "binary", "xnor", "reverse", "flatten", "maxpool_depth"),
        ("0", "none"),
    ),
    "yolo_point": ("center",),
    "alpha": ("1", "1.0"),
    "beta": ("1", "1.0"),
}
ACTIVATIONS = frozenset({"linear", "leaky", "relu6", "mish", "swish", *_PLAIN})


@dataclass(frozen=True)
class Value:
    """What a layer gave: its name in the graph, channels, height and width."""

    name: str
    channels: int
    height: int = 1
    width: int = 1


class Network:
    """The files of a model. `size` replaces the height and width of the .cfg."""

    def __init__(self, cfg: Path, weights: Path) -> None:
        self.text = cfg.read_text(encoding="utf-8", errors="replace")
        self.net, self.layers = read_cfg(self.text, cfg.name)
        self.weights = weights
        self.channels = self.net.whole("channels", 3)
        self.size = (self.net.whole("height", 416), self.net.whole("width", 416))
        if min(self.channels, *self.size) < 1:
            raise InputError(f"{cfg.name} gives no height, width and channels.", hint="Correct [net].")

    def check(self) -> None:
        """All layers and activations at once that are not known, with the layers they are in."""
        missing: dict[str, list[str]] = {}
        for layer in self.layers:
            for what in _unknown(layer):
                missing.setdefault(what, []).append(layer.name)
        refuse_unknown("DARKNET", missing, "Replace them in the .cfg, or cut the network before them.")

    def graph(self, height: int = 0, width: int = 0, batch: int | str = "batch") -> Any:
        """The network as an onnx.ModelProto for images of `height` and `width`."""
        self.check()
        return _Builder(self, height or self.size[0], width or self.size[1]).build(batch)


def _unknown(layer: Section) -> list[str]:
    found = [] if layer.kind in LAYERS or layer.kind in _IGNORED else [layer.kind]
    activation = layer.options.get("activation", "linear")
    if activation not in ACTIVATIONS:
        found.append(f"activation {activation}")
    found += [
        f"{layer.kind} with {option}"
        for option, plain in _PLAIN_OPTIONS.items()
        if layer.options.get(option, plain[0]) not in plain
    ]
    if layer.kind in ("maxpool", "max"):  # OpenCV, which a job's result is checked against, reads over them
        found += [
            f"{layer.kind} with {option}" for option in ("stride_x", "stride_y") if option in layer.options
        ]
    return found


def default_activation(layer: Section) -> str:
    """What Darknet takes where a section names none; layers with weights are logistic."""
    return "logistic" if layer.kind.startswith(("conv", "conn", "local")) else "linear"


class _Builder:
    def __init__(self, network: Network, height: int, width: int) -> None:
        self.network, self.height, self.width = network, height, width
        self.maker, self.weights = GraphMaker(), Weights(network.weights)
        self.done: list[Value] = []
        self.heads: list[str] = []

    def build(self, batch: int | str) -> Any:
        value = Value(INPUT, self.network.channels, self.height, self.width)
        for layer in self.network.layers:
            self.maker.layer = layer.name
            if layer.kind not in _IGNORED:
                value = LAYERS[layer.kind](self, layer, value)
            if min(value.height, value.width) < 1:
                raise InputError(
                    f"Nothing is left of the image after layer {layer.name}.", hint="Give larger sizes."
                )
            self.done.append(value)
        self.weights.check_all_taken()
        outputs = self.heads or [self.maker.rename(value.name, self.network.layers[-1].name)]
        shape = (batch, self.network.channels, self.height, self.width)
        return self.maker.finish({INPUT: ("float32", shape)}, outputs)

    def at(self, layer: Section, number: float) -> Value:
        """The result of another layer: from the beginning, or counted back where negative."""
        place = int(number) if number >= 0 else layer.index + int(number)
        if not 0 <= place < len(self.done):
            raise InputError(f"Layer {layer.name} reads layer {int(number)}, which does not come before it.")
        return self.done[place]

    def activated(self, layer: Section, name: str) -> str:
        add, kind = self.maker.add, layer.options.get("activation", default_activation(layer))
        if kind == "linear":
            return name
        if kind == "leaky":
            return str(add("LeakyRelu", name, alpha=_LEAKY))
        if kind == "relu6":
            return str(add("Clip", name, self.maker.constant(0.0), self.maker.constant(6.0)))
        if kind == "swish":
            return str(add("Mul", name, add("Sigmoid", name)))
        if kind == "mish":
            return str(add("Mul", name, add("Tanh", add("Softplus", name))))
        return str(add(_PLAIN[kind], name))

    def convolutional(self, layer: Section, x: Value) -> Value:
        filters, size = layer.whole("filters", 1), layer.whole("size", 1)
        groups, dilation = layer.whole("groups", 1), layer.whole("dilation", 1)
        strides = _strides(layer)
        pad = (size // 2 if layer.whole("pad", 0) else layer.whole("padding", 0)) * dilation
        bias = self.weights.take(layer.name, filters)
        norm = self._norm(layer, filters)
        weight = self.weights.take(layer.name, filters, x.channels // groups, size, size)
        weight, bias = _folded(weight, bias, norm)
        made = self.maker.add(
            "Conv",
            x.name,
            self.maker.constant(weight),
            self.maker.constant(bias),
            kernel_shape=[size, size],
            strides=strides,
            pads=[pad] * 4,
            group=groups,
            dilations=[dilation, dilation],
        )
        reach = dilation * (size - 1) + 1
        height, width = (
            (n + 2 * pad - reach) // s + 1 for n, s in zip((x.height, x.width), strides, strict=True)
        )
        return Value(self.activated(layer, made), filters, height, width)

    def connected(self, layer: Section, x: Value) -> Value:
        outputs, inputs = layer.whole("output", 1), x.channels * x.height * x.width
        bias = self.weights.take(layer.name, outputs)
        if self.weights.transposed:
            weight = self.weights.take(layer.name, inputs, outputs).T
        else:
            weight = self.weights.take(layer.name, outputs, inputs)
        weight, bias = _folded(weight, bias, self._norm(layer, outputs))
        flat = self.maker.add("Flatten", x.name)
        made = self.maker.add("Gemm", flat, self.maker.constant(weight), self.maker.constant(bias), transB=1)
        return Value(self.activated(layer, made), outputs)

    def local(self, layer: Section, x: Value) -> Value:
        made, sizes = local_sums(self.maker, self.weights, layer, x)
        return Value(self.activated(layer, made), *sizes)

    def _norm(self, layer: Section, count: int) -> list[Any]:
        """Scales, means, variances; empty without batch norm."""
        wanted = layer.whole("batch_normalize", 0)
        return [self.weights.take(layer.name, count) for _ in range(3)] if wanted else []

    def maxpool(self, layer: Section, x: Value) -> Value:
        strides = _strides(layer)
        size = layer.whole("size", strides[1])
        padding = layer.whole("padding", size - 1)
        begin, end = padding // 2, padding - padding // 2
        made = self.maker.add(
            "MaxPool",
            x.name,
            kernel_shape=[size, size],
            strides=strides,
            pads=[begin, begin, end, end],
        )
        sizes = zip((x.height, x.width), strides, strict=True)
        height, width = ((n + padding - size) // stride + 1 for n, stride in sizes)
        return Value(made, x.channels, height, width)

    def avgpool(self, _layer: Section, x: Value) -> Value:
        return Value(self.maker.add("GlobalAveragePool", x.name), x.channels)

    def upsample(self, layer: Section, x: Value) -> Value:
        stride, scale = layer.whole("stride", 2), layer.real("scale", 1.0)
        if stride < 1:
            raise InputError(f"Layer {layer.name} has stride={stride}.", hint="Give a positive stride.")
        made = self.maker.add(
            "Resize",
            x.name,
            "",
            self.maker.constant([1.0, 1.0, stride, stride]),
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )
        made = made if scale == 1.0 else self.maker.add("Mul", made, self.maker.constant(scale))
        return Value(made, x.channels, x.height * stride, x.width * stride)

    def route(self, layer: Section, _x: Value) -> Value:
        parts = [self.at(layer, number) for number in layer.several("layers")]
        if not parts or len({(part.height, part.width) for part in parts}) != 1:
            raise InputError(f"Layer {layer.name} joins layers of different sizes, or none.")
        names, channels = [part.name for part in parts], sum(part.channels for part in parts)
        made = self.maker.add("Concat", *names, axis=1) if len(parts) > 1 else names[0]
        groups = layer.whole("groups", 1)
        if groups > 1:
            channels //= groups
            first = layer.whole("group_id", 0) * channels
            ends = [self.maker.constant([number]) for number in (first, first + channels, 1)]
            made = self.maker.add("Slice", made, *ends)
        return Value(made, channels, parts[0].height, parts[0].width)

    def shortcut(self, layer: Section, x: Value) -> Value:
        made = x.name
        for number in layer.several("from"):
            other = self.at(layer, number)
            if (other.channels, other.height, other.width) != (x.channels, x.height, x.width):
                raise InputError(
                    f"Layer {layer.name} adds layers of different sizes, which is not supported."
                )
            made = self.maker.add("Add", made, other.name)
        return Value(self.activated(layer, made), x.channels, x.height, x.width)

    def scale_channels(self, layer: Section, x: Value) -> Value:
        """[batch, channels, 1, 1] times the image of an earlier layer; `sam` is the same for equal sizes."""
        other = self.at(layer, layer.several("from")[0])
        made = self.maker.add("Mul", x.name, other.name)
        return Value(self.activated(layer, made), other.channels, other.height, other.width)

    def activation(self, layer: Section, x: Value) -> Value:
        return Value(self.activated(layer, x.name), x.channels, x.height, x.width)

    def softmax(self, layer: Section, x: Value) -> Value:
        if layer.whole("groups", 1) != 1:
            raise InputError(f"Layer {layer.name} has softmax groups, which are not supported.")
        flat = self.maker.add("Flatten", x.name)
        flat = self.maker.add("Div", flat, self.maker.constant(layer.real("temperature", 1.0)))
        return Value(self.maker.add("Softmax", flat, axis=1), x.channels * x.height * x.width)

    def reorg(self, layer: Section, x: Value) -> Value:
        """Darknet's own order, in which channels and places are read as if they were laid out otherwise."""
        step = layer.whole("stride", 2)
        if x.channels % (step * step) or x.height % step or x.width % step:
            raise InputError(f"Layer {layer.name} cannot rearrange {x.channels}×{x.height}×{x.width}.")
        inner = [0, x.channels // (step * step), x.height, step, x.width, step]
        folded = self.maker.add("Reshape", x.name, self.maker.constant(inner))
        moved = self.maker.add("Transpose", folded, perm=[0, 3, 5, 1, 2, 4])
        shape = [0, x.channels * step * step, x.height // step, x.width // step]
        return Value(self.maker.add("Reshape", moved, self.maker.constant(shape)), *shape[1:])

    def yolo(self, layer: Section, x: Value) -> Value:
        return self._head(layer, x, yolo_boxes(self.maker, layer, x, (self.height, self.width)))

    def region(self, layer: Section, x: Value) -> Value:
        return self._head(layer, x, region_boxes(self.maker, layer, x))

    def gaussian_yolo(self, layer: Section, x: Value) -> Value:
        return self._head(layer, x, gaussian_boxes(self.maker, layer, x, (self.height, self.width)))

    def detection(self, layer: Section, x: Value) -> Value:
        return self._head(layer, x, cell_boxes(self.maker, layer, x))

    def _head(self, layer: Section, x: Value, boxes: str) -> Value:
        self.heads.append(self.maker.rename(boxes, layer.name))
        return x


def _strides(layer: Section) -> list[int]:
    """Downwards and sideways."""
    found = [layer.whole(f"stride_{axis}", layer.whole("stride", 1)) for axis in "yx"]
    if min(found) < 1:
        raise InputError(f"Layer {layer.name} has a stride of {min(found)}.", hint="Give a positive stride.")
    return found


def _folded(weight: Any, bias: Any, norm: list[Any]) -> tuple[Any, Any]:
    if not norm:
        return weight, bias
    scale, mean, variance = (np.asarray(part, np.float64) for part in norm)
    factor = scale / np.sqrt(variance + EPSILON)
    wide = factor.reshape(-1, *[1] * (weight.ndim - 1))
    return (weight * wide).astype(np.float32), (bias - mean * factor).astype(np.float32)


LAYERS: dict[str, Callable[[_Builder, Section, Value], Value]] = {
    "convolutional": _Builder.convolutional,
    "conv": _Builder.convolutional,
    "connected": _Builder.connected,
    "conn": _Builder.connected,
    "maxpool": _Builder.maxpool,
    "max": _Builder.maxpool,
    "avgpool": _Builder.avgpool,
    "avg": _Builder.avgpool,
    "upsample": _Builder.upsample,
    "route": _Builder.route,
    "shortcut": _Builder.shortcut,
    "scale_channels": _Builder.scale_channels,
    "sam": _Builder.scale_channels,
    "activation": _Builder.activation,
    "softmax": _Builder.softmax,
    "soft": _Builder.softmax,
    "reorg": _Builder.reorg,
    "yolo": _Builder.yolo,
    "region": _Builder.region,
    "gaussian_yolo": _Builder.gaussian_yolo,
    "detection": _Builder.detection,
    "local": _Builder.local,
}
