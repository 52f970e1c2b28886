"""Linear models and scalers of ai.onnx.ml, as skl2onnx writes them. TVM: has none of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from tvm import relax

from neo_magics.compiler.frontends.onnx_fixes.node import Node, cast, constant

Array = np.ndarray[Any, Any]
_FLOAT = "float32"


def _scaler(node: Node) -> Any:
    """(x - offset) · scale."""
    x = _rows(node)
    for name, operator in (("offset", relax.op.subtract), ("scale", relax.op.multiply)):
        if name in node.attributes:
            x = node.emit(operator(x, constant(np.array(node.attributes[name], _FLOAT))))
    return x


def _normalizer(node: Node) -> Any:
    """Rows over their norm; those of norm 0 stay."""
    x, norm = _rows(node), node.attribute("norm", "MAX")
    if norm == "MAX":
        size = node.emit(relax.op.max(x, [1], keepdims=True))
    elif norm == "L1":
        size = node.emit(relax.op.sum(node.emit(relax.op.abs(x)), [1], keepdims=True))
    else:
        squares = node.emit(relax.op.multiply(x, x))
        size = node.emit(relax.op.sqrt(node.emit(relax.op.sum(squares, [1], keepdims=True))))
    zero, one = relax.const(0.0, _FLOAT), relax.const(1.0, _FLOAT)
    return relax.op.divide(x, node.emit(relax.op.where(node.emit(relax.op.equal(size, zero)), one, size)))


def _imputer(node: Node) -> Any:
    """The value of its column in place of NaN, or of another number."""
    x, replaced = _rows(node), float(node.attribute("replaced_value_float", 0.0))
    if "imputed_value_floats" not in node.attributes:
        raise node.unsupported("of whole numbers")
    marked = relax.op.isnan(x) if np.isnan(replaced) else relax.op.equal(x, relax.const(replaced, _FLOAT))
    filled = constant(np.array(node.attributes["imputed_value_floats"], _FLOAT))
    return relax.op.where(node.emit(marked), filled, x)


def _regressor(node: Node) -> Any:
    if node.attribute("post_transform", "NONE") != "NONE":
        raise node.unsupported("with a transformation of its results")
    return _affine(node, int(node.attribute("targets", 1)))


def _classifier(node: Node) -> Any:
    """Scores, one for each class, and the label of the largest."""
    labels = node.attributes.get("classlabels_ints")
    if labels is None or len(node.attribute("intercepts", ())) != len(labels):
        raise node.unsupported("with labels that are text, or one score for two of them")
    scores = node.emit(_affine(node, len(labels)))
    place = node.emit(relax.op.argmax(scores, 1))
    label = node.emit(relax.op.take(constant(np.array(labels, "int64")), place, 0))
    transform = node.attribute("post_transform", "NONE")
    if transform not in ("NONE", "SOFTMAX", "LOGISTIC"):
        raise node.unsupported(f"with the transformation {transform}")
    if transform == "SOFTMAX":
        scores = node.emit(relax.op.nn.softmax(scores, 1))
    elif transform == "LOGISTIC":
        scores = node.emit(relax.op.sigmoid(scores))
    return relax.Tuple([label, scores])


def _affine(node: Node, columns: int) -> Any:
    weight = np.array(node.attributes["coefficients"], _FLOAT).reshape(columns, -1)
    product = relax.op.matmul(_rows(node), constant(np.ascontiguousarray(weight.T)))
    if "intercepts" not in node.attributes:
        return product
    return relax.op.add(node.emit(product), constant(np.array(node.attributes["intercepts"], _FLOAT)))


def _rows(node: Node) -> Any:
    if node.input_types[0] == "float64":
        raise node.unsupported("in double precision")
    return cast(node, node.tensor(0), _FLOAT)


CONVERTERS = {
    f"ai.onnx.ml.{name}": convert
    for name, convert in {
        "Scaler": _scaler,
        "Normalizer": _normalizer,
        "Imputer": _imputer,
        "LinearRegressor": _regressor,
        "LinearClassifier": _classifier,
    }.items()
}
