"""XGBoost's own model format as a forest, or as a linear model."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from neo_magics.api.compiler_options import CompilerOptions
from neo_magics.api.input_config import InputConfig
from neo_magics.capture.files import model_file
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
from neo_magics.compiler.frontends.xgboost_linear import emit_linear
from neo_magics.compiler.frontends.xgboost_objectives import (
    KEY,
    OBJECTIVES,
    base_margins,
    classified,
    predicted,
)


def import_folder(folder: Path, input_config: InputConfig | None, options: CompilerOptions) -> ImportedModel:
    """The model file in `folder`: label and probability for a classifier, else the prediction."""
    booster = read_booster(model_file(folder, "XGBOOST"), trust_pickle=options.trust_pickle)
    body = json.loads(booster.save_raw("json"))
    learner = body["learner"]
    _check(learner)
    rounds, objective = used_rounds(booster), learner["objective"]["name"]
    graph = input_graph(folder, input_config, int(learner["learner_model_param"]["num_feature"]), KEY)

    def outputs(graph: Graph) -> Mapping[str, Any]:
        sums = _sums(graph, learner, rounds)
        return (classified if is_classifier(booster) else predicted)(graph, sums, objective)

    return build(graph, outputs, ".".join(map(str, body["version"])))


def _check(learner: Mapping[str, Any]) -> None:
    """Refuse what cannot be compiled."""
    objective = learner["objective"]["name"]
    if objective not in OBJECTIVES:
        raise unsupported("XGBOOST", {f"objective {objective}": [""]})


def _sums(graph: Graph, learner: Mapping[str, Any], rounds: int) -> Any:
    parameters = learner["learner_model_param"]
    columns = max(int(parameters["num_class"]), int(parameters.get("num_target", "1")), 1)
    base = base_margins(parameters["base_score"], learner["objective"]["name"], columns)
    booster = learner["gradient_booster"]
    if booster["name"] == "gblinear":
        return emit_linear(graph, booster["model"]["weights"], base)
    return emit_forest(graph, _forest(booster, rounds, int(parameters["num_feature"]), base), graph.x)


def _model(booster: Mapping[str, Any]) -> Mapping[str, Any]:
    """The trees; a DART model keeps them one level deeper."""
    inner: Mapping[str, Any] = booster.get("gbtree", booster)["model"]
    return inner


def _forest(booster: Mapping[str, Any], rounds: int, features: int, base: np.ndarray[Any, Any]) -> Forest:
    model = _model(booster)
    used = int(model["iteration_indptr"][rounds]) if "iteration_indptr" in model else len(model["trees"])
    weights = booster.get("weight_drop", [1.0] * used)
    triples = list(zip(model["trees"], model["tree_info"], weights, strict=False))[:used]
    categories = Categories(features)
    return Forest(
        trees=[_tree(tree, int(column), weight, categories) for tree, column, weight in triples],
        features=features,
        base=base,
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
