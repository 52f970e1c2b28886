"""LightGBM's text format as a forest, and what its objective does with the sums."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from tvm import relax

from neo_magics.api.input_config import InputConfig
from neo_magics.capture.classes import class_names, class_numbers
from neo_magics.capture.lightgbm import FILE
from neo_magics.capture.source_lightgbm import lightgbm_classes
from neo_magics.capture.tabular import LABEL, PREDICTION, PROBABILITY
from neo_magics.compiler.frontends.forest import (
    LEAF,
    MISSING_LEFT,
    MISSING_RIGHT,
    Categories,
    Forest,
    Tree,
    at_most,
)
from neo_magics.compiler.frontends.forest_kernels import emit_forest
from neo_magics.compiler.frontends.imported import ImportedModel
from neo_magics.compiler.frontends.tabular import Graph, build, input_graph
from neo_magics.compiler.frontends.unsupported import unsupported
from neo_magics.errors import InputError

KEY = "float64"
_CATEGORICAL, _DEFAULT_LEFT = 1, 2  # bits of decision_type; the next two say what is missing
_NONE, _ZERO = 0, 1
_INSTEAD = {  # what to do about what is refused
    "zero_as_missing": "Train with zero_as_missing=False, and give NaN for what is missing.",
    "linear trees": "Train with linear_tree=False.",
}
_SOFTMAX, _SIGMOID, _EXP = (
    ("multiclass",),
    ("binary", "multiclassova", "cross_entropy"),
    ("poisson", "gamma", "tweedie"),
)
_IDENTITY = (
    "regression",
    "regression_l1",
    "huber",
    "fair",
    "quantile",
    "mape",
    "lambdarank",
    "rank_xendcg",
    "",
)


def import_folder(folder: Path, input_config: InputConfig | None) -> ImportedModel:
    """The model in `folder`: label and probability for a classifier, else the prediction."""
    head, sections = _read((folder / FILE).read_text(encoding="utf-8"))
    _check(head, sections)
    forest = _forest(head, sections)
    classes = lightgbm_classes(folder)
    graph = input_graph(folder, input_config, forest.features, KEY)

    def outputs(graph: Graph) -> Mapping[str, Any]:
        value = _transformed(graph, emit_forest(graph, forest, graph.x), head, len(sections))
        if classes is not None:
            return _classified(graph, value, classes)
        return {PREDICTION: value if graph.width(value) > 1 else graph.flat(value)}

    names = {LABEL: class_names(classes)} if classes is not None and class_names(classes) else None
    return build(graph, outputs, f"lightgbm {head['version']}", names)


def _read(text: str) -> tuple[dict[str, str], list[dict[str, str]]]:
    """The model's own fields and those of each tree."""
    parts = [part for part in text.partition("end of trees")[0].split("\nTree=") if part]
    fields = [dict(line.partition("=")[::2] for line in part.splitlines() if "=" in line) for part in parts]
    if not fields or "max_feature_idx" not in fields[0]:
        raise InputError(f"{FILE} is not a model of LightGBM.", hint="Write it with booster.save_model.")
    if "end of trees" not in text or len(fields[0].get("tree_sizes", "").split()) != len(fields) - 1:
        raise InputError(f"{FILE} is cut short.", hint="Write it again with booster.save_model.")
    if "average_output" in parts[0].splitlines():
        fields[0]["average_output"] = "1"
    return fields[0], fields[1:]


def _check(head: Mapping[str, str], sections: list[dict[str, str]]) -> None:
    missing: dict[str, list[str]] = {}
    objective = (head.get("objective", "").split() or [""])[0]
    if objective not in (*_SOFTMAX, *_SIGMOID, *_EXP, *_IDENTITY):
        missing[f"objective {objective}"] = [""]
    for number, tree in enumerate(sections):
        kinds = _numbers(tree.get("decision_type", ""), np.int64)
        found = {
            "zero_as_missing": np.any((((kinds >> 2) & 3) == _ZERO) & ~(kinds & _CATEGORICAL).astype(bool)),
            "linear trees": tree.get("is_linear", "0").strip() == "1",
        }
        for what in (name for name, here in found.items() if here):
            missing.setdefault(what, []).append(f"tree {number}")
    if missing:
        raise unsupported(
            "LightGBM", missing, " ".join(_INSTEAD[each] for each in missing if each in _INSTEAD)
        )


def _forest(head: Mapping[str, str], sections: list[dict[str, str]]) -> Forest:
    columns = int(head["num_tree_per_iteration"])
    categories = Categories(int(head["max_feature_idx"]) + 1)
    return Forest(
        trees=[_tree(tree, number % columns, categories) for number, tree in enumerate(sections)],
        features=categories.features,
        base=np.zeros(columns),
        key=KEY,
        value="float64",
        sets=list(categories.numbers),
    )


def _numbers(text: str, dtype: Any) -> np.ndarray[Any, Any]:
    return np.array(text.split(), dtype)


def _tree(tree: Mapping[str, str], column: int, categories: Categories) -> Tree:
    """Inner nodes keep their numbers and leaves follow them; LightGBM writes leaf i as the child -i - 1."""
    values = _numbers(tree["leaf_value"], np.float64)
    inner, leaves = len(values) - 1, len(values)
    kinds = _numbers(tree.get("decision_type", ""), np.int64)[:inner]
    ends = np.full(leaves, LEAF)

    def children(name: str) -> np.ndarray[Any, Any]:
        given = _numbers(tree.get(name, ""), np.int64)[:inner]
        return np.concatenate([np.where(given < 0, inner - given - 1, given), ends])

    sides = np.where(kinds & _DEFAULT_LEFT, MISSING_LEFT, MISSING_RIGHT)
    missing = np.where(((kinds >> 2) & 3) == _NONE, 0.0, sides)  # without a class of their own, NaN are zeros
    thresholds = _numbers(tree.get("threshold", ""), np.float64)[:inner]
    limits = at_most(thresholds, KEY)
    feature = _numbers(tree.get("split_feature", ""), np.int64)[:inner]
    left, right = children("left_child"), children("right_child")
    for node in np.flatnonzero(kinds & _CATEGORICAL):  # the set goes left, everything else right: exchanged
        feature[node] = categories.column(feature[node], _members(tree, int(thresholds[node])))
        left[node], right[node] = right[node], left[node]
        limits[node], missing[node] = 0.0, MISSING_LEFT
    return Tree(
        left=left,
        right=right,
        feature=_padded(feature, leaves),
        threshold=_padded(limits, leaves),
        missing=_padded(missing, leaves),
        value=np.concatenate([np.zeros(inner), values]),
        column=column,
    )


def _members(tree: Mapping[str, str], number: int) -> list[int]:
    """The categories of a tree's set `number`, which LightGBM writes as bits in words of 32."""
    begin, end = _numbers(tree["cat_boundaries"], np.int64)[number : number + 2]
    words = _numbers(tree["cat_threshold"], np.uint32)[begin:end]
    bits = np.unpackbits(words.view(np.uint8), bitorder="little")
    return [int(place) for place in np.flatnonzero(bits)]


def _padded(array: np.ndarray[Any, Any], leaves: int) -> np.ndarray[Any, Any]:
    return np.concatenate([array, np.zeros(leaves, array.dtype)])


def _transformed(graph: Graph, sums: Any, head: Mapping[str, str], trees: int) -> Any:
    words = head.get("objective", "").split() or [""]
    if "average_output" in head:
        rounds = max(trees // int(head["num_tree_per_iteration"]), 1)
        sums = graph.emit(relax.op.divide(sums, graph.const(float(rounds), KEY)))
    if words[0] in _SOFTMAX:
        return graph.emit(relax.op.nn.softmax(sums, 1))
    if words[0] in _EXP:
        return graph.emit(relax.op.exp(sums))
    if words[0] in _SIGMOID:
        steep = next((float(w.partition(":")[2]) for w in words if w.startswith("sigmoid:")), 1.0)
        return graph.emit(relax.op.sigmoid(graph.emit(relax.op.multiply(sums, graph.const(steep, KEY)))))
    if "sqrt" in words:
        return graph.emit(relax.op.multiply(sums, graph.emit(relax.op.abs(sums))))
    return sums


def _classified(graph: Graph, value: Any, classes: np.ndarray[Any, Any]) -> dict[str, Any]:
    if graph.width(value) == 1:
        first = graph.emit(relax.op.subtract(graph.const(1.0, KEY), value))
        value = graph.emit(relax.op.concat([first, value], 1))
    place = graph.emit(relax.op.argmax(value, 1))
    return {
        LABEL: graph.emit(relax.op.take(graph.const(class_numbers(classes)), place, 0)),
        PROBABILITY: value,
    }
