"""Scalers, imputers, encoders, selections and projections of numbers in a table.

Scalers keep the dtype of their input, as scikit-learn's do: a float32 table is scaled in float32, so that a
tree behind the scaler sees the same bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from tvm import relax

from neo_magics.compiler.frontends.estimators.common import WIDE, affine, binary
from neo_magics.compiler.frontends.tabular import Graph


def scale_standard(graph: Graph, model: Any, x: Any) -> Any:
    """StandardScaler: minus the mean, then divided by the deviation."""
    if model.with_mean:
        x = binary(graph, relax.op.subtract, x, model.mean_)
    return binary(graph, relax.op.divide, x, model.scale_) if model.with_std else x


def scale_robust(graph: Graph, model: Any, x: Any) -> Any:
    """RobustScaler."""
    if model.with_centering:
        x = binary(graph, relax.op.subtract, x, model.center_)
    return binary(graph, relax.op.divide, x, model.scale_) if model.with_scaling else x


def scale_min_max(graph: Graph, model: Any, x: Any) -> Any:
    """MinMaxScaler."""
    x = binary(graph, relax.op.add, binary(graph, relax.op.multiply, x, model.scale_), model.min_)
    if not model.clip:
        return x
    low, high = model.feature_range
    x = binary(graph, relax.op.maximum, x, low)
    return binary(graph, relax.op.minimum, x, high)


def scale_max_abs(graph: Graph, model: Any, x: Any) -> Any:
    """MaxAbsScaler."""
    return binary(graph, relax.op.divide, x, model.scale_)


def normalise(graph: Graph, model: Any, x: Any) -> Any:
    """Normalizer: rows divided by their norm, zeros left alone."""
    size = graph.emit(relax.op.abs(x))
    if model.norm == "max":
        length = graph.emit(relax.op.max(size, 1, keepdims=True))
    elif model.norm == "l1":
        length = graph.emit(relax.op.sum(size, 1, keepdims=True))
    else:
        squares = graph.emit(relax.op.sum(graph.emit(relax.op.multiply(x, x)), 1, keepdims=True))
        length = graph.emit(relax.op.sqrt(squares))
    empty = graph.emit(relax.op.equal(length, graph.const(0.0, graph.dtype(x))))
    length = graph.emit(relax.op.where(empty, graph.const(1.0, graph.dtype(x)), length))
    return graph.emit(relax.op.divide(x, length))


def binarise(graph: Graph, model: Any, x: Any) -> Any:
    """Binarizer."""
    above = graph.emit(relax.op.greater(x, graph.const(model.threshold, graph.dtype(x))))
    return graph.cast(above, graph.dtype(x))


def impute(graph: Graph, model: Any, x: Any) -> Any:
    """SimpleImputer for NaN; columns that were all missing are dropped, as it does.

    Its indicator has a column for each feature of which values were missing.
    """
    row = np.asarray(model.statistics_, np.float64)
    kept = np.flatnonzero(~np.isnan(row))
    missing = graph.emit(relax.op.isnan(x))
    filled = graph.emit(relax.op.where(missing, graph.const(np.nan_to_num(row)[None], graph.dtype(x)), x))
    filled = filled if len(kept) == len(row) else select(graph, kept, filled)
    if not model.add_indicator:
        return filled
    marks = graph.cast(select(graph, model.indicator_.features_, missing), graph.dtype(x))
    return graph.emit(relax.op.concat([filled, marks], 1))


def impute_problems(model: Any) -> list[str]:
    """Only NaN is taken as missing."""
    found = (
        []
        if isinstance(model.missing_values, float) and np.isnan(model.missing_values)
        else ["missing_values"]
    )
    if model.keep_empty_features:
        found.append("keep_empty_features=True")
    return found


def select(graph: Graph, columns: Any, x: Any) -> Any:
    """The columns with these numbers, in this order."""
    return graph.emit(relax.op.take(x, graph.const(np.asarray(columns), "int64"), 1))


def select_supported(graph: Graph, model: Any, x: Any) -> Any:
    """SelectKBest, VarianceThreshold and their like."""
    return select(graph, model.get_support(indices=True), x)


def project(graph: Graph, model: Any, x: Any) -> Any:
    """PCA: X · components − mean · components, in the order in which scikit-learn rounds."""
    components = np.asarray(model.components_, np.float64)
    offset = np.asarray(model.mean_, np.float64)[None] @ components.T
    value = affine(graph, x, components.T, -offset[0])
    if model.whiten:
        deviation = np.sqrt(np.maximum(model.explained_variance_, np.finfo(np.float64).eps))
        value = binary(graph, relax.op.divide, value, deviation)
    return graph.cast(value, graph.dtype(x))


def project_linear(graph: Graph, model: Any, x: Any) -> Any:
    """TruncatedSVD."""
    value = affine(graph, x, np.asarray(model.components_, np.float64).T, 0.0)
    return graph.cast(value, graph.dtype(x))


def expand_polynomial(graph: Graph, model: Any, x: Any) -> Any:
    """PolynomialFeatures: each column is a product of columns."""
    columns = []
    for powers in np.asarray(model.powers_):
        factors = [int(f) for f, power in enumerate(powers) for _ in range(int(power))]
        if not factors:
            ones = np.ones(1, graph.dtype(x))
            columns.append(graph.repeat_rows(ones))
            continue
        value = graph.columns(x, factors[0], factors[0] + 1)
        for factor in factors[1:]:
            value = graph.emit(relax.op.multiply(value, graph.columns(x, factor, factor + 1)))
        columns.append(value)
    return graph.emit(relax.op.concat(columns, 1))


def polynomial_problems(model: Any) -> list[str]:
    """A kernel a column is too many beyond a few hundred."""
    return ["more than 500 output features"] if model.n_output_features_ > 500 else []


def encode_one_hot(graph: Graph, model: Any, x: Any) -> Any:
    """OneHotEncoder over numbers; a category that is not known gives zeros."""
    parts = []
    for number, (categories, dropped) in enumerate(zip(model.categories_, _dropped(model), strict=True)):
        kept = np.delete(np.asarray(categories, np.float64), dropped) if dropped is not None else categories
        column = graph.cast(graph.columns(x, number, number + 1), WIDE)
        same = graph.emit(relax.op.equal(column, graph.const(np.asarray(kept)[None], WIDE)))
        parts.append(graph.cast(same, WIDE))
    return graph.emit(relax.op.concat(parts, 1))


def _dropped(model: Any) -> list[Any]:
    return [None] * len(model.categories_) if model.drop_idx_ is None else list(model.drop_idx_)


def one_hot_problems(model: Any) -> list[str]:
    """Texts cannot be given to a compiled model, and what is unknown must have a meaning."""
    found = [] if all(_is_number(c) for c in model.categories_) else ["categories that are no numbers"]
    if model.handle_unknown not in ("ignore", "error"):
        found.append(f"handle_unknown={model.handle_unknown!r}")
    if getattr(model, "infrequent_categories_", None) and any(
        c is not None for c in model.infrequent_categories_
    ):
        found.append("infrequent categories")
    return found


def _is_number(categories: Any) -> bool:
    listed = np.asarray(categories)
    return listed.dtype.kind in "iuf" and not np.isnan(listed.astype(np.float64)).any()


def encode_ordinal(graph: Graph, model: Any, x: Any) -> Any:
    """OrdinalEncoder over numbers: the place among the sorted categories, or what an unknown or a missing
    value is encoded as."""
    unknown = model.unknown_value if model.handle_unknown == "use_encoded_value" else 0.0
    parts = []
    for number, categories in enumerate(model.categories_):
        column = graph.cast(graph.columns(x, number, number + 1), WIDE)
        found = np.asarray(categories, np.float64)
        known = found[~np.isnan(found)]
        same = graph.cast(graph.emit(relax.op.equal(column, graph.const(known[None], WIDE))), WIDE)
        place = graph.emit(relax.op.matmul(same, graph.const(np.arange(len(known))[:, None], WIDE)))
        any_same = graph.emit(relax.op.sum(same, 1, keepdims=True))
        place = _where(graph, graph.emit(relax.op.greater(any_same, graph.const(0.5, WIDE))), place, unknown)
        if len(known) < len(found):
            lacking = graph.emit(relax.op.isnan(column))
            place = graph.emit(relax.op.where(lacking, graph.const(model.encoded_missing_value, WIDE), place))
        parts.append(place)
    return graph.emit(relax.op.concat(parts, 1))


def _where(graph: Graph, condition: Any, value: Any, other: float) -> Any:
    return graph.emit(relax.op.where(condition, value, graph.const(other, WIDE)))


def ordinal_problems(model: Any) -> list[str]:
    """Texts cannot be given to a compiled model; rare categories have places of their own."""
    numbers = all(np.asarray(categories).dtype.kind in "iuf" for categories in model.categories_)
    found = [] if numbers else ["categories that are no numbers"]
    rare = getattr(model, "infrequent_categories_", None) if model._infrequent_enabled else None
    return found + (["infrequent categories"] if rare and any(c is not None for c in rare) else [])


def discretise(graph: Graph, model: Any, x: Any) -> Any:
    """KBinsDiscretizer: how many inner edges a value reaches, or a column for each bin."""
    parts = []
    for number, edges in enumerate(model.bin_edges_):
        column = graph.cast(graph.columns(x, number, number + 1), WIDE)
        if len(edges) > 2:
            reached = graph.emit(relax.op.greater_equal(column, graph.const(edges[1:-1][None], WIDE)))
            place = graph.emit(relax.op.sum(graph.cast(reached, WIDE), 1, keepdims=True))
        else:
            place = graph.emit(relax.op.zeros_like(column))
        if model.encode != "ordinal":
            bins = graph.const(np.arange(len(edges) - 1)[None], WIDE)
            place = graph.cast(graph.emit(relax.op.equal(place, bins)), WIDE)
        parts.append(place)
    return graph.emit(relax.op.concat(parts, 1))


def raise_to_powers(graph: Graph, model: Any, x: Any) -> Any:
    """PowerTransformer: Yeo and Johnson's powers of each column, then the scaler."""
    value, powers = graph.cast(x, WIDE), np.asarray(model.lambdas_, np.float64)
    zero, one = graph.const(0.0, WIDE), graph.const(1.0, WIDE)
    above = graph.emit(relax.op.add(graph.emit(relax.op.maximum(value, zero)), one))
    lowered = graph.emit(relax.op.minimum(value, zero))
    below = graph.emit(relax.op.subtract(one, lowered))
    positive = _power(graph, above, powers)
    negative = graph.emit(relax.op.negative(_power(graph, below, 2 - powers)))
    kept = graph.emit(relax.op.greater_equal(value, zero))
    found = graph.emit(relax.op.where(kept, positive, negative))
    return scale_standard(graph, model._scaler, found) if model.standardize else found


def _power(graph: Graph, base: Any, powers: Any) -> Any:
    """(base ** power - 1) / power for each column; the logarithm where the power is 0."""
    none = np.abs(powers) < np.spacing(1.0)
    safe = np.where(none, 1.0, powers)[None]
    raised = graph.emit(relax.op.power(base, graph.const(safe, WIDE)))
    less = graph.emit(relax.op.subtract(raised, graph.const(1.0, WIDE)))
    scaled = graph.emit(relax.op.divide(less, graph.const(safe, WIDE)))
    if not none.any():
        return scaled
    return graph.emit(relax.op.where(graph.const(none[None]), graph.emit(relax.op.log(base)), scaled))


def power_problems(model: Any) -> list[str]:
    """Box and Cox's powers are not supported."""
    return [] if model.method == "yeo-johnson" else [f"method={model.method!r}"]


_SELECTORS = (
    *("SelectKBest", "SelectPercentile", "SelectFpr", "SelectFdr", "SelectFwe", "GenericUnivariateSelect"),
    *("VarianceThreshold", "SelectFromModel", "SequentialFeatureSelector"),
)
TRANSFORMERS: dict[str, Any] = dict.fromkeys(("RFE", "RFECV"), select_supported)
CONVERTERS: dict[str, Any] = {
    "StandardScaler": scale_standard,
    "RobustScaler": scale_robust,
    "MinMaxScaler": scale_min_max,
    "MaxAbsScaler": scale_max_abs,
    "Normalizer": normalise,
    "Binarizer": binarise,
    "SimpleImputer": impute,
    **dict.fromkeys(_SELECTORS, select_supported),
    "PCA": project,
    "IncrementalPCA": project,
    "KBinsDiscretizer": discretise,
    "PowerTransformer": raise_to_powers,
    "TruncatedSVD": project_linear,
    "PolynomialFeatures": expand_polynomial,
    "OneHotEncoder": encode_one_hot,
    "OrdinalEncoder": encode_ordinal,
}
PROBLEMS: dict[str, Any] = {
    "SimpleImputer": impute_problems,
    "PolynomialFeatures": polynomial_problems,
    "PowerTransformer": power_problems,
    "OneHotEncoder": one_hot_problems,
    "OrdinalEncoder": ordinal_problems,
}
