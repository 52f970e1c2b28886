"""What the converters share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from tvm import relax

from neo_magics.compiler.frontends.tabular import Graph
from neo_magics.errors import InputError

WIDE = "float64"


@dataclass(frozen=True)
class Classes:
    """A classifier's result: the place of the class [rows], and probabilities [rows, classes] or None."""

    place: Any
    probability: Any | None


def binary(graph: Graph, operator: Any, value: Any, row: Any) -> Any:
    """`operator` between `value` and a row of constants, in float64, rounded back to the dtype of `value`.

    NumPy's in-place operators, which scikit-learn's transformers use, round in the same way.
    """
    dtype = graph.dtype(value)
    wide = graph.emit(operator(graph.cast(value, WIDE), graph.const(np.asarray(row), WIDE)))
    return graph.cast(wide, dtype)


def affine(graph: Graph, value: Any, weight: Any, bias: Any) -> Any:
    """value · weight + bias in float64; `weight` is [features, outputs].

    Raises `InputError` where a weight is not finite.
    """
    if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
        raise InputError("Weights of the estimator are not finite.", hint="Train the model again.")
    product = graph.emit(relax.op.matmul(graph.cast(value, WIDE), graph.const(weight, WIDE)))
    return graph.emit(relax.op.add(product, graph.const(np.atleast_1d(bias), WIDE)))


def most_probable(graph: Graph, probability: Any) -> Classes:
    """The first of the largest."""
    return Classes(graph.emit(relax.op.argmax(probability, 1)), probability)


def two_columns(graph: Graph, second: Any) -> Any:
    """[rows, 1] of the second class → [rows, 2]."""
    first = graph.emit(relax.op.subtract(graph.const(1.0, WIDE), second))
    return graph.emit(relax.op.concat([first, second], 1))


def positive_place(graph: Graph, score: Any, *, inclusive: bool = False) -> Any:
    """The place 1 where the only column of `score` is above zero."""
    compare = relax.op.greater_equal if inclusive else relax.op.greater
    return graph.flat(graph.cast(graph.emit(compare(score, graph.const(0.0, WIDE))), "int64"))


def normalised(graph: Graph, value: Any) -> Any:
    """Rows divided by their sums."""
    return graph.emit(relax.op.divide(value, graph.emit(relax.op.sum(value, 1, keepdims=True))))
