"""Which converter takes which estimator."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from neo_magics.compiler.frontends.estimators import (
    composites,
    discriminants,
    ensembles,
    functions,
    histograms,
    linear,
    neighbours,
    outliers,
    preprocessing,
    trees,
)
from neo_magics.compiler.frontends.tabular import Graph
from neo_magics.compiler.frontends.unsupported import unsupported

_FAMILIES = (
    trees,
    histograms,
    linear,
    discriminants,
    neighbours,
    outliers,
    preprocessing,
    composites,
    ensembles,
    functions,
)


def convert(graph: Graph, model: Any, x: Any) -> Any:
    """The converter's result for `model`; it was checked with `problems` before."""
    return _table("CONVERTERS")[type(model).__name__](graph, model, x)


def transform(graph: Graph, model: Any, x: Any) -> Any:
    """What `model` hands on to a later step: its `transform`, also where it could predict.

    Raises `UnsupportedOperatorsError` where only the prediction is supported.
    """
    name = type(model).__name__
    if name in (table := _table("TRANSFORMERS")):
        return table[name](graph, model, x)
    if hasattr(model, "predict"):
        raise unsupported("SKLEARN", {f"transform of {name}": [""]})
    return convert(graph, model, x)


def problems(model: Any) -> list[str]:
    """What of `model` itself (not of its parts) is not supported."""
    name = type(model).__name__
    if name not in _table("CONVERTERS") or not type(model).__module__.startswith("sklearn."):
        return [f"{type(model).__module__.partition('.')[0]}'s {name}"]
    check = _table("PROBLEMS").get(name)
    return [f"{name} with {problem}" for problem in check(model)] if check else []


def parts(model: Any) -> Iterator[tuple[str, Any]]:
    """The estimators inside of `model` by name, as far as converters convert them one by one."""
    of = _table("PARTS").get(type(model).__name__)
    yield from of(model) if of else ()


def _table(name: str) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for family in _FAMILIES:
        merged.update(getattr(family, name, {}))
    return merged
