"""A jaxpr as an ONNX graph: what JAX itself would hand to XLA, one equation after the other.

Calls within calls (jit, custom derivatives, checkpoints) are inlined; a scan, whose length is known, and a
loop whose counter says how often it runs are written out. Constants that are computed from constants are
folded later, with the graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from neo_magics.capture.jax_loops import MOST, trips
from neo_magics.capture.jax_operators import CONVERTERS
from neo_magics.capture.jax_step import Step
from neo_magics.capture.onnx_build import GraphMaker, refuse_unknown

_CALLS = frozenset(
    {"jit", "pjit", "closed_call", "core_call", "custom_jvp_call", "custom_vjp_call", "custom_vjp_call_jaxpr",
     "remat", "checkpoint", "remat2", "custom_lin"}
)  # fmt: skip
_HINT = "Replace them in the function, or run those parts outside of it."
_OPSET = 18  # from where ONNX scatters minima and maxima


class JaxGraph:
    """Writes a closed jaxpr into a `GraphMaker`."""

    def __init__(self) -> None:
        self.maker = GraphMaker(_OPSET)
        self._arrays: dict[str, Any] = {}  # what constants hold, by name
        self._refused: dict[str, list[str]] = {}

    def convert(self, closed: Any, inputs: Sequence[str]) -> list[str]:
        """The names of the results of `closed` for inputs of these names.

        Raises `UnsupportedOperatorsError` with every primitive that has no converter, and where it stands.
        """
        self._survey(closed.jaxpr, "")
        refuse_unknown("JAX", self._refused, _HINT)
        return self._closed(closed, inputs)

    def _survey(self, jaxpr: Any, place: str) -> None:
        for equation in jaxpr.eqns:
            name = equation.primitive.name
            inner = _inner(equation)
            if name == "cond":
                for branch in equation.params["branches"]:
                    self._survey(branch.jaxpr, f"{place}/cond".lstrip("/"))
            elif name == "while":
                self._survey(equation.params["body_jaxpr"].jaxpr, f"{place}/while".lstrip("/"))
            elif inner is not None:
                self._survey(inner.jaxpr, f"{place}/{equation.params.get('name', name)}".lstrip("/"))
            elif name not in CONVERTERS:
                self._refuse(name, place)

    def _refuse(self, what: str, place: str) -> None:
        self._refused.setdefault(what, []).append(place or "the function")

    def _closed(self, closed: Any, inputs: Sequence[str]) -> list[str]:
        constants = [self._constant(np.asarray(value)) for value in closed.consts]
        return self._run(closed.jaxpr, constants, inputs)

    def _constant(self, array: Any) -> str:
        name = self.maker.constant(array)
        self._arrays[name] = array
        return name

    def _run(self, jaxpr: Any, constants: Sequence[str], inputs: Sequence[str]) -> list[str]:
        names: dict[Any, str] = dict(zip(jaxpr.constvars, constants, strict=True))
        names.update(zip(jaxpr.invars, inputs, strict=True))

        def read(atom: Any) -> str:
            return self._constant(np.asarray(atom.val, atom.aval.dtype)) if _literal(atom) else names[atom]

        for equation in jaxpr.eqns:
            results = self._equation(equation, [read(atom) for atom in equation.invars])
            names.update(zip(equation.outvars, results, strict=True))
        return [read(atom) for atom in jaxpr.outvars]

    def _equation(self, equation: Any, inputs: Sequence[str]) -> Sequence[str]:
        if equation.primitive.name == "cond":
            return self._chosen(equation, inputs)
        if equation.primitive.name == "while":
            return self._loop(equation, inputs)
        inner, outer = _inner(equation), self.maker.layer
        if inner is None:
            return self._operator(equation, inputs)
        self.maker.layer = f"{outer}/{equation.params.get('name', equation.primitive.name)}"
        try:
            return self._scan(equation, inputs) if _is_scan(equation) else self._closed(inner, inputs)
        finally:
            self.maker.layer = outer

    def _operator(self, equation: Any, inputs: Sequence[str]) -> Sequence[str]:
        name = equation.primitive.name
        given, made = [atom.aval for atom in equation.invars], equation.outvars[0].aval
        step = Step(
            maker=self.maker,
            params=dict(equation.params),
            inputs=inputs,
            shapes=[tuple(aval.shape) for aval in given],
            dtypes=[np.dtype(aval.dtype) for aval in given],
            result=tuple(made.shape),
            result_dtype=np.dtype(made.dtype),
        )
        try:
            found = CONVERTERS[name](step)
        except NotImplementedError as error:
            refuse_unknown("JAX", {f"{name} {error}": [self.maker.layer]}, _HINT)
            raise
        return [found] if isinstance(found, str) else found

    def _scan(self, equation: Any, inputs: Sequence[str]) -> list[str]:
        """The body once for each step; what it stacks is concatenated."""
        params, length = equation.params, int(equation.params["length"])
        if not 0 < length <= MOST:
            refuse_unknown("JAX", {f"scan over a length of {length}": [self.maker.layer]}, _HINT)
        fixed, carried = int(params["num_consts"]), int(params["num_carry"])
        constants, state = list(inputs[:fixed]), list(inputs[fixed : fixed + carried])
        rows: list[list[str]] = [[] for _ in equation.outvars[carried:]]
        order = reversed(range(length)) if params["reverse"] else range(length)
        for step in order:
            parts = [self._row(sequence, step) for sequence in inputs[fixed + carried :]]
            results = self._closed(params["jaxpr"], [*constants, *state, *parts])
            state = results[:carried]
            for into, result in zip(rows, results[carried:], strict=True):
                into.append(result)
        stacked = [self._stacked(each[::-1] if params["reverse"] else each) for each in rows]
        return [*state, *stacked]

    def _loop(self, equation: Any, inputs: Sequence[str]) -> list[str]:
        """The body as often as the counter says."""
        count = trips(equation, [self._arrays.get(name) for name in inputs])
        if count is None:
            what = f"while, as often as only the run decides or more than {MOST} times"
            refuse_unknown("JAX", {what: [self.maker.layer]}, _HINT)
        fixed, first = int(equation.params["cond_nconsts"]), int(equation.params["body_nconsts"])
        constants, state = list(inputs[fixed : fixed + first]), list(inputs[fixed + first :])
        for _step in range(count or 0):
            state = self._closed(equation.params["body_jaxpr"], [*constants, *state])
        return state

    def _chosen(self, equation: Any, inputs: Sequence[str]) -> list[str]:
        """All branches are computed, and the results of one are taken: they are functions without effects."""
        add = self.maker.add
        which = add("Cast", inputs[0], to=7)
        results = [self._closed(branch, inputs[1:]) for branch in equation.params["branches"]]
        found = results[0]
        for number, others in enumerate(results[1:], 1):
            here = add("Equal", which, self.maker.constant(np.int64(number)))
            if number == len(results) - 1:  # numbers beyond the branches mean the last one
                here = add("GreaterOrEqual", which, self.maker.constant(np.int64(number)))
            kinds = [variable.aval.dtype == np.bool_ for variable in equation.outvars]
            pairs = zip(others, found, kinds, strict=True)
            found = [self._picked(here, *pair) for pair in pairs]
        return found

    def _picked(self, here: str, new: str, old: str, truths: bool) -> str:
        """ONNX Runtime has no Where of booleans."""
        add = self.maker.add
        if not truths:
            return str(add("Where", here, new, old))
        return str(add("Or", add("And", here, new), add("And", add("Not", here), old)))

    def _row(self, sequence: str, step: int) -> str:
        return str(self.maker.add("Gather", sequence, self.maker.constant(np.int64(step)), axis=0))

    def _stacked(self, rows: Sequence[str]) -> str:
        first = self.maker.constant(np.array([0], np.int64))
        apart = [str(self.maker.add("Unsqueeze", row, first)) for row in rows]
        return str(self.maker.add("Concat", *apart, axis=0))


def _literal(atom: Any) -> bool:
    return hasattr(atom, "val")


def _is_scan(equation: Any) -> bool:
    return bool(equation.primitive.name == "scan")


def _inner(equation: Any) -> Any:
    """The closed jaxpr that a call or a scan holds, None for an operator."""
    if equation.primitive.name not in _CALLS and not _is_scan(equation):
        return None
    params = equation.params
    inner = next(
        (params[key] for key in ("jaxpr", "call_jaxpr", "fun_jaxpr") if params.get(key) is not None), None
    )
    if inner is None or hasattr(inner, "jaxpr"):
        return inner
    from jax.extend.core import ClosedJaxpr

    return ClosedJaxpr(inner, ())
