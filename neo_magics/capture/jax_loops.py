"""How often a JAX loop runs, where its counter says so before any input is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

MOST = 1024  # steps of a loop that is written out


def trips(equation: Any, known: Sequence[Any]) -> int | None:
    """The steps of a while equation; None where they depend on inputs, or are more than `MOST`.

    `known` are the arrays of its operands, None for those that only the run decides. Only that part of the
    carried values is computed which the condition depends on.
    """
    from jax.core import eval_jaxpr
    from jax.interpreters.partial_eval import dce_jaxpr

    params = equation.params
    cond, body = params["cond_jaxpr"], params["body_jaxpr"]
    tests, steps = int(params["cond_nconsts"]), int(params["body_nconsts"])
    _cond, asked = dce_jaxpr(cond.jaxpr, [True])
    needed, inner, used = list(asked[tests:]), body.jaxpr, [False] * (steps + len(asked) - tests)
    while True:  # what decides the counter, what decides that, …
        inner, used = dce_jaxpr(body.jaxpr, needed)
        wider = [one or other for one, other in zip(needed, used[steps:], strict=True)]
        if wider == needed:
            break
        needed = wider
    fixed, turns, carried = known[:tests], known[tests : tests + steps], list(known[tests + steps :])
    decisive = [*_taken(fixed, asked[:tests]), *_taken(turns, used[:steps]), *_taken(carried, needed)]
    if any(value is None for value in decisive):
        return None
    state = [0 if value is None else value for value in carried]
    tested = [0 if value is None else value for value in fixed]
    for count in range(MOST + 1):
        if not np.asarray(eval_jaxpr(cond.jaxpr, cond.consts, *tested, *state)[0]):
            return count
        operands = _taken([*turns, *state], used)
        results = iter(eval_jaxpr(inner, body.consts, *operands))
        state = [next(results) if need else old for need, old in zip(needed, state, strict=True)]
    return None


def _taken(values: Sequence[Any], chosen: Sequence[bool]) -> list[Any]:
    return [value for value, wanted in zip(values, chosen, strict=True) if wanted]
