"""XGBoost's own model format as a forest and what its objective does with the sums."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tvm import relax

from neo_magics.api.compiler_options import CompilerOptions
from neo_magics.api.input_config import InputConfig
from neo_magics.capture.files import model_file
from neo_magics.capture.tabular import LABEL, PREDICTION, PROBABILITY
from neo_magics.capture.xgboost_file import is_classifier, read_booster, used_rounds
from neo_magics.compiler.frontends.forest import (
    MISSING_LEFT,
    MISSING_RIGHT,
    Categories,
    Forest,
    Tree,
    strictly_below,
)
from neo_magics.compiler.frontends.forest_kernels import emit_forest
from neo_magics.compiler.frontends.imported import ImportedModel
from neo_magics.compiler.frontends.tabular import Graph, build, input_graph
from neo_magics.compiler.frontends.unsupported import unsupported

KEY = "float32"  # XGBoost stores and compares float32, whatever it is given
_MULTI = ("multi:softprob", "multi:softmax")
_LOGISTIC = ("binary:logistic", "reg:logistic")
_EXPONENTIAL = ("count:poisson", "reg:gamma", "reg:tweedie", "survival:cox", "survival:aft")
_IDENTITY = (
    "reg:squarederror",
    "reg:squaredlogerror",
    "reg:pseudohubererror",
    "reg:absoluteerror",
    "reg:quantileerror",
    "binary:logitraw",
    "rank:pairwise",
    "rank:ndcg",
    "rank:map",
)
_OBJECTIVES = (*_MULTI, *_LOGISTIC, *_EXPONENTIAL, *_IDENTITY, "binary:hinge")


def import_folder(folder: Path, input_config: InputConfig | None, options: CompilerOptions) -> ImportedModel:
    """The model file in `folder`: label and probability for a classifier, else the prediction."""
    booster = read_booster(model_file(folder, "XGBOOST"), trust_pickle=options.trust_pickle)
    body = json.loads(booster.save_raw("json"))
    learner = body["learner"]
    _check(learner)
    forest = _forest(learner, used_rounds(booster))
    objective = learner["objective"]["name"]
    graph = input_graph(folder, input_config, forest.features, KEY)

    def outputs(graph: Graph) -> Mapping[str, Any]:
        sums = emit_forest(graph, forest, graph.x)
        return (
            _classified(graph, sums, objective)
            if is_classifier(booster)
            else _predicted(graph, sums, objective)
        )

    return build(graph, outputs, ".".join(map(str, body["version"])))


def _check(learner: Mapping[str, Any]) -> None:
    """Refuse everything that cannot be compiled, all at once."""
    missing: dict[str, list[str]] = {}
    booster = learner["gradient_booster"]
    if booster["name"] == "gblinear":
        missing["booster gblinear"] = [""]
    objective = learner["objective"]["name"]
    if objective not in _OBJECTIVES:
        missing[f"objective {objective}"] = [""]
    if missing:
        raise unsupported("XGBOOST", missing)


def _model(booster: Mapping[str, Any]) -> Mapping[str, Any]:
    """The trees; a DART model keeps them one level deeper."""
    inner: Mapping[str, Any] = booster.get("gbtree", booster)["model"]
    return inner


def _forest(learner: Mapping[str, Any], rounds: int) -> Forest:
    booster, parameters = learner["gradient_booster"], learner["learner_model_param"]
    model = _model(booster)
    columns = max(int(parameters["num_class"]), int(parameters.get("num_target", "1")), 1)
    used = int(model["iteration_indptr"][rounds]) if "iteration_indptr" in model else len(model["trees"])
    weights = booster.get("weight_drop", [1.0] * used)
    triples = list(zip(model["trees"], model["tree_info"], weights, strict=False))[:used]
    categories = Categories(int(parameters["num_feature"]))
    return Forest(
        trees=[_tree(tree, int(column), weight, categories) for tree, column, weight in triples],
        features=categories.features,
        base=_base(parameters["base_score"], learner["objective"]["name"], columns),
        key=KEY,
        value="float32",
        sets=list(categories.numbers),
    )


def _tree(tree: Mapping[str, Any], column: int, weight: float, categories: Categories) -> Tree:
    left = np.array(tree["left_children"], np.int64)
    leaf = left < 0
    conditions = np.array(tree["split_conditions"], np.float32)
    missing = np.where(np.array(tree["default_left"], bool), MISSING_LEFT, MISSING_RIGHT)
    feature = np.array(tree["split_indices"], np.int64)
    threshold = strictly_below(np.where(leaf, 0, conditions), KEY)
    for node, members in _sets(tree):  # a category of the set goes right
        feature[node], threshold[node] = categories.column(feature[node], members), 0
    return Tree(
        left=left,
        right=np.array(tree["right_children"], np.int64),
        feature=feature,
        threshold=threshold,
        missing=missing,
        value=_values(tree, conditions) * np.float32(weight),
        column=column,
    )


def _sets(tree: Mapping[str, Any]) -> Iterator[tuple[int, Sequence[int]]]:
    """The nodes that split by category, each with its set."""
    parts = (tree.get(f"categories_{part}", []) for part in ("nodes", "segments", "sizes"))
    for node, begin, size in zip(*parts, strict=True):
        yield int(node), tree["categories"][int(begin) : int(begin) + int(size)]


def _values(tree: Mapping[str, Any], conditions: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    width = int(tree["tree_param"]["size_leaf_vector"])
    if width <= 1:
        return conditions
    values = np.zeros((len(conditions), width), np.float32)
    leaves = np.array(tree["left_children"]) < 0
    vectors = np.array(tree["leaf_weights"], np.float32).reshape(-1, width)
    values[leaves] = vectors[np.array(tree["right_children"])[leaves]]
    return values


def _base(text: str, objective: str, columns: int) -> np.ndarray[Any, Any]:
    """The sums before any tree: the base score, mapped back through the objective's transformation."""
    listed = json.loads(text) if text.startswith("[") else [float(text)]
    score = np.broadcast_to(np.array(listed, np.float32), (columns,))
    if objective in _LOGISTIC:
        return np.asarray(-np.log(np.float32(1) / score - np.float32(1)))
    return np.asarray(np.log(score)) if objective in _EXPONENTIAL else score


def _predicted(graph: Graph, sums: Any, objective: str) -> dict[str, Any]:
    """What `Booster.predict` returns: [rows], or [rows, columns] where there are several."""
    if objective == "multi:softmax":
        return {PREDICTION: graph.cast(graph.emit(relax.op.argmax(sums, 1)), "float32")}
    value = _transformed(graph, sums, objective)
    return {PREDICTION: value if graph.width(value) > 1 else graph.flat(value)}


def _classified(graph: Graph, sums: Any, objective: str) -> dict[str, Any]:
    """What XGBClassifier's predict and predict_proba return."""
    if objective in _MULTI:
        label = graph.emit(relax.op.argmax(sums, 1))
        return {LABEL: label, PROBABILITY: graph.emit(relax.op.nn.softmax(sums, 1))}
    second = _transformed(graph, sums, objective)
    cut = 0.5 if objective not in _LOGISTIC else 0.0
    above = graph.emit(relax.op.greater(second if cut else sums, graph.const(cut, KEY)))
    first = graph.emit(relax.op.subtract(graph.const(1.0, KEY), second))
    return {
        LABEL: graph.flat(graph.cast(above, "int64")),
        PROBABILITY: graph.emit(relax.op.concat([first, second], 1)),
    }


def _transformed(graph: Graph, sums: Any, objective: str) -> Any:
    change: Callable[[Any], Any] | None = None
    if objective in _LOGISTIC:
        change = relax.op.sigmoid
    elif objective in _EXPONENTIAL:
        change = relax.op.exp
    elif objective in _MULTI:
        return graph.emit(relax.op.nn.softmax(sums, 1))
    elif objective == "binary:hinge":
        return graph.cast(graph.emit(relax.op.greater(sums, graph.const(0.0, KEY))), KEY)
    return graph.emit(change(sums)) if change else sums
