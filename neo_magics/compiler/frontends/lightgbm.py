"""LightGBM's text format as a forest, and what its objective does with the sums."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
from neo_magics.compiler.frontends.lightgbm_linear import (
    emit_linear_sums,
    is_linear,
    numbers_of_a_leaf,
    with_linear_leaves,
)
from neo_magics.compiler.frontends.tabular import Graph, build, input_graph
from neo_magics.compiler.frontends.unsupported import unsupported
from neo_magics.errors import InputError

KEY = "float64"
_CATEGORICAL, _DEFAULT_LEFT = 1, 2  # bits of decision_type; the next two say what is missing
_NONE, _ZERO = 0, 1
_ZERO_SIZE = np.float32(1e-35)  # what counts as zero where zeros are missing: LightGBM's kZeroThreshold
_SOFTMAX, _SIGMOID, _EXP, _SOFTPLUS = (
    ("multiclass",),
    ("binary", "multiclassova", "cross_entropy"),
    ("poisson", "gamma", "tweedie"),
    ("cross_entropy_lambda",),
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
    _check(head)
    features, columns = int(head["max_feature_idx"]) + 1, int(head["num_tree_per_iteration"])
    view = _View(features, any(_takes_zeros(tree).any() for tree in sections), is_linear(sections))
    forest = _forest(columns, sections, view)
    classes = lightgbm_classes(folder)
    graph = input_graph(folder, input_config, features, KEY)

    def outputs(graph: Graph) -> Mapping[str, Any]:
        sums = emit_forest(graph, forest, view.emit(graph))
        if view.linear:
            sums = emit_linear_sums(graph, sums, features, columns)
        value = _transformed(graph, sums, head, len(sections))
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


def _check(head: Mapping[str, str]) -> None:
    objective = (head.get("objective", "").split() or [""])[0]
    if objective not in (*_SOFTMAX, *_SIGMOID, *_EXP, *_SOFTPLUS, *_IDENTITY):
        raise unsupported("LightGBM", {f"objective {objective}": [""]})


def _takes_zeros(tree: Mapping[str, str]) -> np.ndarray[Any, Any]:
    """Which inner nodes take zeros for missing."""
    kinds = _numbers(tree.get("decision_type", ""), np.int64)[: len(tree["leaf_value"].split()) - 1]
    return np.asarray((((kinds >> 2) & 3) == _ZERO) & ~(kinds & _CATEGORICAL).astype(bool))


@dataclass(frozen=True)
class _View:
    """What nodes ask about: the features, those with NaN in place of zeros, and which of them are NaN."""

    features: int
    has_zeros: bool
    linear: bool

    @property
    def zeros(self) -> int:
        """The first of the features whose zeros are missing."""
        return self.features

    @property
    def missing(self) -> int:
        """The first of the columns that are 1 for a missing value."""
        return self.features * (1 + self.has_zeros)

    @property
    def width(self) -> int:
        """The number of columns."""
        return self.features * (1 + self.has_zeros + self.linear)

    def emit(self, graph: Graph) -> Any:
        """The columns, as [rows, width]."""
        x, parts = graph.x, [graph.x]
        dtype = graph.dtype(x)
        if self.has_zeros:
            size = graph.emit(relax.op.abs(x))
            zero = graph.emit(relax.op.less_equal(size, graph.const(_ZERO_SIZE, dtype)))
            parts.append(graph.emit(relax.op.where(zero, graph.const(np.nan, dtype), x)))
        if self.linear:
            parts.append(graph.cast(graph.emit(relax.op.isnan(x)), dtype))
        return graph.emit(relax.op.concat(parts, 1)) if len(parts) > 1 else x


def _forest(columns: int, sections: list[dict[str, str]], view: _View) -> Forest:
    categories = Categories(view.width)
    trees = [_tree(tree, number % columns, categories, view) for number, tree in enumerate(sections)]
    numbers = columns
    if view.linear:
        numbers = numbers_of_a_leaf(view.features, columns)
        pairs = zip(trees, sections, strict=True)
        trees = [with_linear_leaves(tree, own, view.features, columns, view.missing) for tree, own in pairs]
    return Forest(
        trees=trees,
        features=categories.features,
        base=np.zeros(numbers),
        key=KEY,
        value="float64",
        sets=list(categories.numbers),
    )


def _numbers(text: str, dtype: Any) -> np.ndarray[Any, Any]:
    return np.array(text.split(), dtype)


def _tree(tree: Mapping[str, str], column: int, categories: Categories, view: _View) -> Tree:
    """Inner nodes keep their numbers and leaves follow them; LightGBM writes leaf i as the child -i - 1."""
    values = _numbers(tree["leaf_value"], np.float64)
    inner, leaves = len(values) - 1, len(values)
    kinds = _numbers(tree.get("decision_type", ""), np.int64)[:inner]
    ends = np.full(leaves, LEAF)

    def children(name: str) -> np.ndarray[Any, Any]:
        given = _numbers(tree.get(name, ""), np.int64)[:inner]
        return np.concatenate([np.where(given < 0, inner - given - 1, given), ends])

    zeros = _takes_zeros(tree)
    sides = np.where(kinds & _DEFAULT_LEFT, MISSING_LEFT, MISSING_RIGHT)
    missing = np.where(((kinds >> 2) & 3) == _NONE, 0.0, sides)  # without a class of their own, NaN are zeros
    thresholds = _numbers(tree.get("threshold", ""), np.float64)[:inner]
    limits = at_most(thresholds, KEY)
    feature = _numbers(tree.get("split_feature", ""), np.int64)[:inner]
    feature = np.where(zeros, feature + view.zeros, feature)
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
    if words[0] in _SOFTPLUS:
        grown = graph.emit(relax.op.exp(sums))
        return graph.emit(relax.op.log(graph.emit(relax.op.add(graph.const(1.0, KEY), grown))))
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
