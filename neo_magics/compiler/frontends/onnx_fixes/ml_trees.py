"""Tree ensembles of ai.onnx.ml (version 1 and 3), as skl2onnx and onnxmltools write them.

TVM: has none of them. They run on our own kernels for forests; how scores become labels is ONNX Runtime's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from tvm import relax

from neo_magics.compiler.frontends.forest import (
    LEAF,
    MISSING_LEFT,
    MISSING_RIGHT,
    Forest,
    Tree,
    at_most,
    strictly_below,
)
from neo_magics.compiler.frontends.forest_kernels import emit_forest
from neo_magics.compiler.frontends.onnx_fixes.node import Node, cast, constant, shape_of
from neo_magics.compiler.frontends.tabular import Graph

Array = np.ndarray[Any, Any]
KEY = "float32"
_TRUE_LEFT = {"BRANCH_LEQ": True, "BRANCH_LT": True, "BRANCH_GT": False, "BRANCH_GTE": False}
_STRICT = ("BRANCH_LT", "BRANCH_GTE")  # their thresholds lie on the other side of a number


class _Rows(Graph):
    """The graph of an ONNX model, for a kernel that takes the rows of `x`."""

    def __init__(self, node: Node, x: Any) -> None:
        self.builder, self.x, self.rows = node.builder, x, x.ty.shape.values[0]


def _regressor(node: Node) -> Any:
    if node.attribute("aggregate_function", "SUM") not in ("SUM", "AVERAGE"):
        raise node.unsupported(f"that takes the {node.attributes['aggregate_function']}")
    count = int(node.attribute("n_targets", 1))
    base = np.array(node.attribute("base_values", [0.0] * count), KEY)
    average = node.attribute("aggregate_function", "SUM") == "AVERAGE"
    sums, trees = _sums(node, "target", count, base * 0 if average else base)
    if average:
        sums = node.emit(relax.op.divide(sums, relax.const(float(trees), KEY)))
        sums = node.emit(relax.op.add(sums, constant(base)))
    return _transformed(node, sums)


def _classifier(node: Node) -> Any:
    labels = node.attributes.get("classlabels_int64s")
    if labels is None:
        raise node.unsupported("with labels that are text")
    if len(labels) == 2 and len(set(node.attributes["class_ids"])) == 1:
        return _of_one_score(node, labels)
    base = np.array(node.attribute("base_values", [0.0] * len(labels)), KEY)
    scores, _trees = _sums(node, "class", len(labels), base)
    place = node.emit(relax.op.argmax(scores, 1))
    return relax.Tuple([_label(node, labels, place), node.emit(_transformed(node, scores))])


def _of_one_score(node: Node, labels: list[int]) -> Any:
    """Two classes and weights for one of them, which say how probable the second class is.

    Where they are the first one's, ONNX Runtime makes two scores of them, else the other one's are 0.
    """
    base = np.array(node.attribute("base_values", [0.0]), KEY)
    positive = all(weight >= 0 for weight in node.attributes["class_weights"])
    is_first, transform = node.attributes["class_ids"][0] == 0, node.attribute("post_transform", "NONE")
    plain = transform in ("NONE", "LOGISTIC") and not (positive and is_first and transform != "NONE")
    if len(base) != 1 or not plain or ("base_values" in node.attributes and not is_first):
        raise node.unsupported("with scores in that form")
    score, _trees = _sums(node, "class", 1, base)
    limit = relax.const(0.5 if positive else 0.0, KEY)
    place = node.emit(relax.op.squeeze(cast(node, node.emit(relax.op.greater(score, limit)), "int64"), [1]))
    other = node.emit(relax.op.multiply(score, relax.const(-1.0 if is_first else 0.0, KEY)))
    if positive and is_first:
        other = node.emit(relax.op.add(other, relax.const(1.0, KEY)))
    both = node.emit(relax.op.concat([other, score], 1))
    return relax.Tuple([_label(node, labels, place), node.emit(_transformed(node, both))])


def _label(node: Node, labels: list[int], place: Any) -> Any:
    return node.emit(relax.op.take(constant(np.array(labels, "int64")), place, 0))


def _transformed(node: Node, scores: Any) -> Any:
    transform = node.attribute("post_transform", "NONE")
    if transform == "SOFTMAX":
        return relax.op.nn.softmax(scores, 1)
    if transform == "LOGISTIC":
        return relax.op.sigmoid(scores)
    if transform != "NONE":
        raise node.unsupported(f"with the transformation {transform}")
    return scores


def _sums(node: Node, kind: str, columns: int, base: Array) -> tuple[Any, int]:
    """The sums of leaves [rows, columns], and how many trees there are."""
    x = node.tensor(0)
    if len(shape_of(x)) != 2 or node.input_types[0] == "float64" or "nodes_values" not in node.attributes:
        raise node.unsupported("in double precision, or of other than rows")
    x = cast(node, x, KEY)
    weights = [node.attributes[f"{kind}_{name}"] for name in ("treeids", "nodeids", "ids", "weights")]
    places: dict[int, list[int]] = {}
    for row, number in enumerate(node.attributes["nodes_treeids"]):
        places.setdefault(number, []).append(row)
    leaves: dict[tuple[int, int], list[tuple[int, float]]] = {}
    for tree, leaf, column, weight in zip(*weights, strict=True):
        leaves.setdefault((tree, leaf), []).append((0 if columns == 1 else column, weight))
    trees = [_tree(node, number, rows, leaves, columns) for number, rows in places.items()]
    forest = Forest(trees, int(shape_of(x)[1]), base.astype(KEY), KEY, KEY)
    return emit_forest(_Rows(node, x), forest, x), len(trees)


def _tree(
    node: Node,
    number: int,
    rows: list[int],
    leaves: dict[tuple[int, int], list[tuple[int, float]]],
    columns: int,
) -> Tree:
    said = {name: [node.attributes[f"nodes_{name}"][row] for row in rows] for name in _FIELDS}
    tracks = node.attributes.get("nodes_missing_value_tracks_true")
    missing_true = [bool(tracks[row]) for row in rows] if tracks else [False] * len(rows)
    inner = [mode != "LEAF" for mode in said["modes"]]
    unknown = {mode for mode in said["modes"] if mode not in (*_TRUE_LEFT, "LEAF")}
    if unknown:
        raise node.unsupported(f"with nodes of the mode {unknown.pop()}")
    place = {each: row for row, each in enumerate(said["nodeids"])}
    left, right = np.full(len(rows), LEAF), np.full(len(rows), LEAF)
    missing, value = np.full(len(rows), MISSING_RIGHT), np.zeros((len(rows), columns), KEY)
    threshold = np.zeros(len(rows), KEY)
    for row, mode in enumerate(said["modes"]):
        for column, weight in leaves.get((number, said["nodeids"][row]), []) if not inner[row] else []:
            value[row, column] += weight
        if inner[row]:
            true_left = _TRUE_LEFT[mode]
            children = [place[said[name][row]] for name in ("truenodeids", "falsenodeids")]
            left[row], right[row] = children if true_left else children[::-1]
            missing[row] = MISSING_LEFT if missing_true[row] == true_left else MISSING_RIGHT
            bound = np.array(said["values"][row], KEY)
            threshold[row] = strictly_below(bound, KEY) if mode in _STRICT else at_most(bound, KEY)
    feature = np.where(inner, said["featureids"], 0)
    if 0 in left or 0 in right:  # ONNX Runtime begins at the node that is listed first
        raise node.unsupported("with a tree whose root is not its first node")
    return Tree(left, right, feature, threshold, missing, value[:, 0] if columns == 1 else value)


_FIELDS = ("nodeids", "featureids", "values", "modes", "truenodeids", "falsenodeids")


CONVERTERS = {
    "ai.onnx.ml.TreeEnsembleClassifier": _classifier,
    "ai.onnx.ml.TreeEnsembleRegressor": _regressor,
}
