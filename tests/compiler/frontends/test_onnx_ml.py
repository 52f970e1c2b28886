"""Operators of ai.onnx.ml, as skl2onnx writes them, against ONNX Runtime. TVM's importer has none of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from onnx.helper import make_node

from neo_magics.errors import CompilationError
from tests.capture.onnx_models import model
from tests.compiler.frontends.oracle import agrees, slow

RNG = np.random.default_rng(0)
ROWS = np.round(RNG.standard_normal((40, 4)), 1).astype("float32")
MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GT", "BRANCH_GTE")


def trees(count: int, *modes: str, depth: int = 3) -> dict[str, list[Any]]:
    """The nodes of full trees; thresholds are values that occur."""
    nodes: dict[str, list[Any]] = {}
    inner, total = 2**depth - 1, 2 ** (depth + 1) - 1
    for tree in range(count):
        for number in range(total):
            leaf = number >= inner
            row = {
                "treeids": tree, "nodeids": number, "featureids": 0 if leaf else int(RNG.integers(4)),
                "values": 0.0 if leaf else float(RNG.choice(ROWS.ravel())),
                "modes": "LEAF" if leaf else modes[tree % len(modes)],
                "truenodeids": 0 if leaf else 2 * number + 1, "falsenodeids": 0 if leaf else 2 * number + 2,
                "missing_value_tracks_true": 0 if leaf else int(RNG.integers(2)),
            }  # fmt: skip
            for name, value in row.items():
                nodes.setdefault(f"nodes_{name}", []).append(value)
    return nodes


def leaves(nodes: dict[str, list[Any]], kind: str, ids: list[int], low: float = -1.0) -> dict[str, list[Any]]:
    """A weight of each of `ids` for every leaf."""
    found: dict[str, list[Any]] = {f"{kind}_{name}": [] for name in ("treeids", "nodeids", "ids", "weights")}
    for tree, node, mode in zip(*(nodes[f"nodes_{n}"] for n in ("treeids", "nodeids", "modes")), strict=True):
        for each in ids if mode == "LEAF" else []:
            values = (tree, node, each, float(RNG.uniform(low, 1)))
            for name, value in zip(found, values, strict=True):
                found[name].append(value)
    return found


def hold(operator: str, outputs: list[str], x: np.ndarray = ROWS, **attributes: Any) -> None:
    node = make_node(operator, ["x"], outputs, domain="ai.onnx.ml", **attributes)
    proto = model([node], {"x": ["n", 4]}, outputs, dtypes={"label": TensorProto.INT64})
    proto.opset_import.append(onnx.helper.make_opsetid("ai.onnx.ml", 3))
    agrees(proto, x, input_shape='{"x": [null, 4]}', tolerance=1e-5)


def test_sums_of_trees() -> None:
    """Rows lie on the thresholds, and some values are missing."""
    nodes = trees(6, *MODES)
    weights = leaves(nodes, "target", [0, 1])
    holes = np.where(RNG.random(ROWS.shape) < 0.2, np.nan, ROWS).astype("float32")
    hold("TreeEnsembleRegressor", ["y"], holes, n_targets=2, base_values=[0.5, -1.0], **nodes, **weights)


def test_means_of_trees() -> None:
    nodes = trees(4, "BRANCH_LEQ")
    more = {"n_targets": 1, "aggregate_function": "AVERAGE"}
    hold("TreeEnsembleRegressor", ["y"], **nodes, **leaves(nodes, "target", [0]), **more)


@pytest.mark.parametrize("transform", ["NONE", "SOFTMAX", "LOGISTIC"])
def test_trees_of_several_classes(transform: str) -> None:
    nodes = trees(3, "BRANCH_LEQ")
    more = {"classlabels_int64s": [-3, 5, 9], "post_transform": transform}
    hold("TreeEnsembleClassifier", ["label", "y"], **nodes, **leaves(nodes, "class", [0, 1, 2]), **more)


@pytest.mark.parametrize(
    ("low", "transform", "of"),
    [slow(-1.0, "LOGISTIC", 0), (-1.0, "NONE", 0), slow(0.0, "NONE", 0), (0.0, "NONE", 1)],
)
def test_trees_of_two_classes_with_one_score(low: float, transform: str, of: int) -> None:
    nodes = trees(1 if low == 0 else 3, "BRANCH_LEQ")
    more = {"classlabels_int64s": [0, 1], "post_transform": transform}
    hold("TreeEnsembleClassifier", ["label", "y"], **nodes, **leaves(nodes, "class", [of], low), **more)


def test_labels_that_are_text_are_refused_by_name() -> None:
    nodes = trees(1, "BRANCH_LEQ")
    weights = leaves(nodes, "class", [0, 1])
    node = make_node(
        "TreeEnsembleClassifier", ["x"], ["", "y"], domain="ai.onnx.ml",
        classlabels_strings=["no", "yes"], **nodes, **weights,
    )  # fmt: skip
    proto = model([node], {"x": [2, 4]}, ["y"])
    proto.opset_import.append(onnx.helper.make_opsetid("ai.onnx.ml", 3))
    with pytest.raises(CompilationError, match=r"TreeEnsembleClassifier .* labels that are text"):
        agrees(proto, ROWS[:2])


@pytest.mark.parametrize("norm", ["MAX", "L1", "L2"])
def test_rows_over_their_norm(norm: str) -> None:
    hold("Normalizer", ["y"], np.abs(ROWS), norm=norm)


def test_scalers_and_imputers() -> None:
    hold("Scaler", ["y"], offset=[0.5, 1.0, -1.0, 0.0], scale=[1.0, 2.0, 0.1, 3.0])
    holes = np.where(RNG.random(ROWS.shape) < 0.2, np.nan, ROWS).astype("float32")
    values = [1.0, 2.0, 3.0, 4.0]
    hold("Imputer", ["y"], holes, imputed_value_floats=values, replaced_value_float=float("nan"))


@pytest.mark.parametrize("transform", ["SOFTMAX", "LOGISTIC"])
def test_linear_classes(transform: str) -> None:
    numbers = {"coefficients": RNG.standard_normal(12).tolist(), "intercepts": [0.1, -0.2, 0.3]}
    more = {"classlabels_ints": [7, -1, 2], "post_transform": transform}
    hold("LinearClassifier", ["label", "y"], **numbers, **more)


def test_linear_sums() -> None:
    numbers = {"coefficients": RNG.standard_normal(8).tolist(), "intercepts": [0.1, -0.2], "targets": 2}
    hold("LinearRegressor", ["y"], **numbers)
