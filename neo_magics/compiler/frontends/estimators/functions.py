"""NumPy's functions of one number where scikit-learn takes a function, and what undoes a transformer."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from tvm import relax

from neo_magics.compiler.frontends.estimators.common import WIDE, binary
from neo_magics.compiler.frontends.estimators.ensembles import inner
from neo_magics.compiler.frontends.tabular import Graph

Function = Callable[[Graph, Any], Any]


def _log1p(graph: Graph, x: Any) -> Any:
    """log(1 + x) without the digits that the sum loses: x · log(u) / (u − 1), u = 1 + x (Kahan)."""
    one = graph.const(1.0, WIDE)
    sum_ = graph.emit(relax.op.add(x, one))
    logarithm, less = graph.emit(relax.op.log(sum_)), graph.emit(relax.op.subtract(sum_, one))
    exact = graph.emit(relax.op.logical_or(_is(graph, less, 0.0), _is(graph, sum_, math.inf)))
    plain = graph.emit(relax.op.where(_is(graph, less, 0.0), x, logarithm))
    safe = graph.emit(relax.op.where(exact, one, less))
    better = graph.emit(relax.op.divide(graph.emit(relax.op.multiply(x, logarithm)), safe))
    return graph.emit(relax.op.where(exact, plain, better))


def _expm1(graph: Graph, x: Any) -> Any:
    """exp(x) − 1 likewise: (u − 1) · x / log(u), u = exp(x)."""
    one = graph.const(1.0, WIDE)
    power = graph.emit(relax.op.exp(x))
    less = graph.emit(relax.op.subtract(power, one))
    large = graph.emit(relax.op.greater(graph.emit(relax.op.abs(x)), graph.const(1.0, WIDE)))
    exact = graph.emit(relax.op.logical_or(_is(graph, less, 0.0), large))
    plain = graph.emit(relax.op.where(_is(graph, less, 0.0), x, less))
    safe = graph.emit(relax.op.where(exact, one, graph.emit(relax.op.log(power))))
    better = graph.emit(relax.op.divide(graph.emit(relax.op.multiply(less, x)), safe))
    return graph.emit(relax.op.where(exact, plain, better))


def _is(graph: Graph, x: Any, number: float) -> Any:
    return graph.emit(relax.op.equal(x, graph.const(number, WIDE)))


def _by(operator: Any) -> Function:
    return lambda graph, x: graph.emit(operator(x))


def _scaled_log(base: float) -> Function:
    def made(graph: Graph, x: Any) -> Any:
        logarithm = graph.emit(relax.op.log(x))
        return graph.emit(relax.op.divide(logarithm, graph.const(math.log(base), WIDE)))

    return made


def _reciprocal(graph: Graph, x: Any) -> Any:
    return graph.emit(relax.op.divide(graph.const(1.0, WIDE), x))


_NAMED: dict[str, Function] = {
    **{name: _by(getattr(relax.op, name)) for name in ("log", "exp", "sqrt", "square", "negative", "tanh")},
    "absolute": _by(relax.op.abs),
    "log1p": _log1p,
    "expm1": _expm1,
    "log2": _scaled_log(2.0),
    "log10": _scaled_log(10.0),
    "reciprocal": _reciprocal,
}


def apply(graph: Graph, model: Any, x: Any) -> Any:
    """FunctionTransformer: one of NumPy's functions above, or none, as ColumnTransformer's "passthrough"."""
    return _applied(graph, model.func, x)


def function_problems(model: Any) -> list[str]:
    """Code of the user's own cannot be compiled."""
    found = [] if _known(model.func) else [f"a function of your own ({_name(model.func)})"]
    return found + (["kw_args"] if model.kw_args else [])


def _applied(graph: Graph, function: Any, x: Any) -> Any:
    if function is None:
        return x
    return graph.cast(_NAMED[_name(function)](graph, graph.cast(x, WIDE)), graph.dtype(x))


def _known(function: Any) -> bool:
    return function is None or (_name(function) in _NAMED and getattr(np, _name(function), None) is function)


def _name(function: Any) -> str:
    return str(getattr(function, "__name__", type(function).__name__))


def regress_target(graph: Graph, model: Any, x: Any) -> Any:
    """TransformedTargetRegressor: what the regressor says, with the transformation of the target undone."""
    found = graph.cast(inner(graph, model, x), WIDE)
    return _UNDOING[type(model.transformer_).__name__](graph, model.transformer_, found)


def target_problems(model: Any) -> list[str]:
    """Transformations of the target that cannot be undone here."""
    transformer = model.transformer_
    name = type(transformer).__name__
    if name not in _UNDOING:
        return [f"a target transformed by {name}"]
    if name == "FunctionTransformer" and not _known(transformer.inverse_func):
        return [f"a function of your own ({_name(transformer.inverse_func)})"]
    return []


def _unscaled(graph: Graph, x: Any, scale: Any, shift: Any) -> Any:
    x = x if scale is None else binary(graph, relax.op.multiply, x, scale)
    return x if shift is None else binary(graph, relax.op.add, x, shift)


_UNDOING: dict[str, Callable[[Graph, Any, Any], Any]] = {
    "FunctionTransformer": lambda graph, model, x: _applied(graph, model.inverse_func, x),
    "StandardScaler": lambda graph, model, x: _unscaled(graph, x, model.scale_, model.mean_),
    "RobustScaler": lambda graph, model, x: _unscaled(graph, x, model.scale_, model.center_),
    "MaxAbsScaler": lambda graph, model, x: _unscaled(graph, x, model.scale_, None),
    "MinMaxScaler": lambda graph, model, x: binary(
        graph, relax.op.divide, binary(graph, relax.op.subtract, x, model.min_), model.scale_
    ),
}
CONVERTERS: dict[str, Any] = {"FunctionTransformer": apply, "TransformedTargetRegressor": regress_target}
PROBLEMS: dict[str, Any] = {
    "FunctionTransformer": function_problems,
    "TransformedTargetRegressor": target_problems,
}
