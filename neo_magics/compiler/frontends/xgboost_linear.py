"""XGBoost's gblinear: a weighted sum of the features, in float32, with missing values left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from tvm import relax

from neo_magics.compiler.frontends.tabular import Graph
from neo_magics.compiler.frontends.xgboost_objectives import KEY
from neo_magics.errors import InputError


def emit_linear(graph: Graph, weights: Sequence[float], base: np.ndarray[Any, Any]) -> Any:
    """The sums [rows, columns]; `weights` is [features + 1, columns] in rows, the last one the bias.

    Raises `InputError` where a weight is not finite.
    """
    table = np.array(weights, KEY).reshape(-1, len(base))
    if not np.isfinite(table).all():
        raise InputError("Weights of the linear booster are not finite.", hint="Train the model again.")
    x = graph.cast(graph.x, KEY)
    known = graph.emit(relax.op.where(graph.emit(relax.op.isnan(x)), graph.const(0.0, KEY), x))
    product = graph.emit(relax.op.matmul(known, graph.const(table[:-1], KEY)))
    return graph.emit(relax.op.add(product, graph.const(table[-1] + base, KEY)))
