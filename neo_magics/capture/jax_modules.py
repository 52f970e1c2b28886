"""Modules of flax and equinox, which hold their parameters, as functions of their inputs."""

from __future__ import annotations

import inspect
from typing import Any

from neo_magics.errors import CaptureError


def function_of(model: Any, given: int) -> tuple[Any, list[str]]:
    """(jitted function of arrays, names of its arguments) of a jitted function or a module.

    Of any number of arguments it takes as many as are `given`: `args0`, `args1`, … of `*args`.
    A module of flax.linen must be bound to its variables. CaptureError for what is no function of inputs.
    """
    if callable(model) and hasattr(model, "lower") and not _is_module(model):
        return model, _names(model, given)
    if not callable(model):
        raise _no_model(model, "jax.jit(lambda x: apply(parameters, x))")
    if getattr(model, "scope", True) is None:  # flax.linen; its variables are apart until it is bound
        raise _no_model(model, "jax.jit(lambda x: model.apply(variables, x)), or model.bind(variables)")
    return _jitted(model), _names(model, given)


def _jitted(model: Any) -> Any:
    """What flax.nnx counts while it runs changes its module: each trace gets one of its own."""
    import jax

    counts = _framework(model) == "flax" and hasattr(model, "_pytree__state")

    def run(*values: Any) -> Any:
        if not counts:
            return model(*values)
        from flax import nnx

        return nnx.clone(model)(*values)

    return jax.jit(run)


def _names(model: Any, given: int) -> list[str]:
    """The arguments that are given by place."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = inspect.signature(model).parameters.items()
    names = [name for name, one in parameters if one.kind in kinds]
    several = [name for name, one in parameters if one.kind is inspect.Parameter.VAR_POSITIONAL]
    return [*names, *(f"{name}{k}" for name in several for k in range(given - len(names)))]


def _is_module(model: Any) -> bool:
    return _framework(model) in ("flax", "equinox")


def _framework(model: Any) -> str:
    roots = {base.__module__.partition(".")[0] for base in type(model).__mro__}
    return next((name for name in ("flax", "equinox") if name in roots), "jax")


def _no_model(model: Any, instead: str) -> CaptureError:
    return CaptureError(
        f"A {type(model).__name__} of {_framework(model)} is not a function of inputs alone.",
        hint=f"Give a jitted function of arrays: {instead}, with example inputs.",
    )
