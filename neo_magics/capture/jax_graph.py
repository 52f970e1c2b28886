"""A jaxpr as an ONNX graph: what JAX itself would hand to XLA, one equation after the other.

Calls within calls (jit, custom derivatives, checkpoints) are inlined; a scan, whose length is known, and a
loop whose counter says how often it runs are written out. Constants that are computed from constants are
folded later, with the graph. Complex numbers are pairs of real ones; bfloat16 is float32, rounded after each
operator.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from neo_magics.capture.jax_complex import COMPLEX, Complex, ComplexStep, Value, is_complex, real_dtype
from neo_magics.capture.jax_loops import MOST, trips
from neo_magics.capture.jax_operators import CONVERTERS
from neo_magics.capture.jax_shapes import CONVERTERS as MOVES
from neo_magics.capture.jax_sizes import Sizes, is_known
from neo_magics.capture.jax_step import Step
from neo_magics.capture.onnx_build import GraphMaker, refuse_unknown

_CALLS = frozenset(
    {"jit", "pjit", "closed_call", "core_call", "custom_jvp_call", "custom_vjp_call", "custom_vjp_call_jaxpr",
     "remat", "checkpoint", "remat2", "custom_lin"}
)  # fmt: skip
_HINT = "Replace them in the function, or run those parts outside of it."
_NARROW = "bfloat16"
_MOST_KNOWN = 1024  # elements of results that are computed while the function is read
_OPSET = 18  # from where ONNX scatters minima and maxima


# What stands in for a factorisation that is not written out.
_INSTEAD = {
    "svd": "Factor constant matrices before the function and close over the factors; for the largest "
    "singular value a few products x.T @ (x @ v) will do.",
    "eigh": "Factor constant matrices before the function and close over the factors; jnp.linalg.cholesky "
    "and solve of up to 32 rows compile.",
    "qr": "Where it solves equations, use jnp.linalg.solve or cholesky (up to 32 rows); factor constant "
    "matrices before the function.",
}


def _next_step(refused: Iterable[str]) -> str:
    """What to do where these primitives have no converter."""
    known = [_INSTEAD[name] for name in refused if name in _INSTEAD]
    return known[0] if known else _HINT


def _without_unused(closed: Any) -> Any:
    """`closed` without what no result needs: keys that a network's first state does not read."""
    from jax.interpreters import partial_eval

    wanted = [True] * len(closed.jaxpr.outvars)
    jaxpr, _used = partial_eval.dce_jaxpr(closed.jaxpr, wanted, instantiate=True)
    return closed.replace(jaxpr=jaxpr)


def _read(jaxpr: Any) -> set[Any]:
    """The variables that an equation or a result reads."""
    atoms = [atom for equation in jaxpr.eqns for atom in equation.invars] + list(jaxpr.outvars)
    return {atom for atom in atoms if not _literal(atom)}


class JaxGraph:
    """Writes a closed jaxpr into a `GraphMaker`."""

    def __init__(self) -> None:
        self.maker = GraphMaker(_OPSET)
        self._arrays: dict[str, Any] = {}  # what constants hold, by name
        self._refused: dict[str, list[str]] = {}
        self._sizes = Sizes(self.maker, {})

    def convert(self, closed: Any, inputs: Sequence[str]) -> list[str]:
        """The names of the results of `closed` for inputs of these names.

        Raises `UnsupportedOperatorsError` with every primitive that has no converter, and where it stands.
        """
        closed = _without_unused(closed)
        self._survey(closed.jaxpr, "")
        refuse_unknown("JAX", self._refused, _next_step(self._refused))
        shapes = {name: tuple(aval.shape) for name, aval in zip(inputs, closed.in_avals, strict=True)}
        self._sizes = Sizes(self.maker, shapes)
        return [str(name) for name in self._closed(closed, inputs)]

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
            elif name not in CONVERTERS and name not in COMPLEX and name != "platform_index":
                self._refuse(name, place)

    def _refuse(self, what: str, place: str) -> None:
        self._refused.setdefault(what, []).append(place or "the function")

    def _closed(self, closed: Any, inputs: Sequence[Value]) -> list[Any]:
        read = _read(closed.jaxpr)
        constants = [
            self._constant(np.asarray(value)) if variable in read else ""
            for variable, value in zip(closed.jaxpr.constvars, closed.consts, strict=True)
        ]
        return self._run(closed.jaxpr, constants, inputs)

    def _constant(self, array: Any) -> Value:
        if is_complex(array.dtype):
            return Complex(*(self.maker.constant(part) for part in (array.real, array.imag)))
        name = self.maker.constant(array.astype(_carried(array.dtype)))
        self._arrays[name] = array
        return name

    def _run(self, jaxpr: Any, constants: Sequence[Value], inputs: Sequence[Value]) -> list[Any]:
        names: dict[Any, Value] = dict(zip(jaxpr.constvars, constants, strict=True))
        names.update(zip(jaxpr.invars, inputs, strict=True))

        def read(atom: Any) -> Value:
            return self._constant(np.asarray(atom.val, atom.aval.dtype)) if _literal(atom) else names[atom]

        for equation in jaxpr.eqns:
            results = self._equation(equation, [read(atom) for atom in equation.invars])
            names.update(zip(equation.outvars, results, strict=True))
        return [read(atom) for atom in jaxpr.outvars]

    def _equation(self, equation: Any, inputs: Sequence[Any]) -> Sequence[Value]:
        name = equation.primitive.name
        if name in ("cond", "while", "scan") and any(isinstance(each, Complex) for each in inputs):
            refuse_unknown("JAX", {f"{name} with complex numbers": [self.maker.layer]}, _HINT)
        if name == "cond":
            return self._chosen(equation, inputs)
        if name == "while":
            return self._loop(equation, inputs)
        if name == "platform_index":
            return [self._constant(np.int32(_for_cpu(equation.params["platforms"])))]
        if name == "custom_linear_solve":
            inputs = _solved_for(equation, inputs)
        inner, outer = _inner(equation), self.maker.layer
        if inner is None:
            return self._operator(equation, inputs)
        self.maker.layer = f"{outer}/{equation.params.get('name', equation.primitive.name)}"
        try:
            return self._scan(equation, inputs) if _is_scan(equation) else self._closed(inner, inputs)
        finally:
            self.maker.layer = outer

    def _operator(self, equation: Any, inputs: Sequence[Value]) -> Sequence[Value]:
        name = equation.primitive.name
        if any(
            is_known(size) and size == 0 for size in equation.outvars[0].aval.shape
        ) and not _has_free_sizes(equation):  # ONNX Runtime has no answer for some of them
            return [self._constant(np.zeros(out.aval.shape, out.aval.dtype)) for out in equation.outvars]
        known = self._folded(equation, inputs)
        if known is not None:
            return known
        given, made = [atom.aval for atom in equation.invars], equation.outvars[0].aval
        step = Step(
            maker=self.maker,
            params=dict(equation.params),
            inputs=[each if isinstance(each, str) else each.real for each in inputs],
            shapes=[tuple(aval.shape) for aval in given],
            dtypes=[_carried(aval.dtype) for aval in given],
            result=tuple(made.shape),
            result_dtype=_carried(made.dtype),
            sizes=self._sizes,
            known=[self._arrays.get(each) if isinstance(each, str) else None for each in inputs],
        )
        numbers = any(is_complex(aval.dtype) for aval in (*given, made))
        try:
            found = self._in_pairs(name, step, inputs) if numbers else CONVERTERS[name](step)
        except NotImplementedError as error:
            refuse_unknown("JAX", {f"{name} {error}": [self.maker.layer]}, _HINT)
            raise
        except Exception as error:
            if not _has_free_sizes(equation):
                raise
            refuse_unknown("JAX", {f"{name} with a free dimension": [self.maker.layer]}, _HINT)
            raise AssertionError from error
        results = [found] if isinstance(found, str | Complex) else list(found)
        return [self._rounded(step, name, *pair) for pair in zip(results, equation.outvars, strict=True)]

    def _folded(self, equation: Any, inputs: Sequence[Value]) -> Sequence[Value] | None:
        """The results where JAX can compute them now: of places and conditions that are known."""
        known = [self._arrays.get(each) for each in inputs if isinstance(each, str)]
        made = [out.aval for out in equation.outvars]
        if not known or len(known) < len(inputs) or any(array is None for array in known):
            return None
        if _has_free_sizes(equation) or any(np.dtype(aval.dtype).kind not in "iub" for aval in made):
            return None
        if sum(math.prod(aval.shape) for aval in made) > _MOST_KNOWN:
            return None
        found = equation.primitive.bind(*known, **equation.params)
        return [self._constant(np.asarray(each)) for each in (found if len(made) > 1 else [found])]

    def _in_pairs(self, name: str, step: Step, inputs: Sequence[Value]) -> Value | Sequence[Value]:
        if name not in COMPLEX:
            raise NotImplementedError("of complex numbers")
        return COMPLEX[name](ComplexStep(name, step, inputs, CONVERTERS))

    def _rounded(self, step: Step, name: str, value: Value, variable: Any) -> Value:
        """A bfloat16 has eight bits less than what the graph computes with; moves do not need them."""
        if str(variable.aval.dtype) != _NARROW or name in MOVES or not isinstance(value, str):
            return value
        return step.cast(step.cast(value, variable.aval.dtype), np.float32)

    def _scan(self, equation: Any, inputs: Sequence[str]) -> list[str]:
        """The body once for each step; what it stacks is concatenated."""
        params, length = equation.params, equation.params["length"]
        if not is_known(length) or not 0 < length <= MOST:
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
        if inputs[0] in self._arrays:
            place = np.clip(int(self._arrays[inputs[0]]), 0, len(equation.params["branches"]) - 1)
            return self._closed(equation.params["branches"][place], inputs[1:])
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


def _carried(dtype: Any) -> np.dtype[Any]:
    """The dtype that the graph computes with: it has neither bfloat16 nor complex numbers."""
    return np.dtype(np.float32) if str(dtype) == _NARROW else real_dtype(dtype)


def _has_free_sizes(equation: Any) -> bool:
    sizes = (size for atom in (*equation.invars, *equation.outvars) for size in atom.aval.shape)
    return not all(map(is_known, sizes))


def _for_cpu(platforms: Sequence[Any]) -> int:
    """Which of the cases of a function that differs by platform is meant; the last one has no name."""
    return next(k for k, names in enumerate(platforms) if names is None or "cpu" in names)


def _solved_for(equation: Any, inputs: Sequence[Value]) -> list[Value]:
    """What the function gets that solves a linear system: its own constants and the right sides."""
    counts = equation.params["const_lengths"]
    first = counts.matvec + counts.vecmat
    return [*inputs[first : first + counts.solve], *inputs[sum(counts) :]]


def _literal(atom: Any) -> bool:
    return hasattr(atom, "val")


def _is_scan(equation: Any) -> bool:
    return bool(equation.primitive.name == "scan")


def _inner(equation: Any) -> Any:
    """The closed jaxpr that a call or a scan holds, None for an operator."""
    params = equation.params
    if equation.primitive.name == "custom_linear_solve":
        return params["jaxprs"].solve
    if equation.primitive.name not in _CALLS and not _is_scan(equation):
        return None
    inner = next(
        (params[key] for key in ("jaxpr", "call_jaxpr", "fun_jaxpr") if params.get(key) is not None), None
    )
    if inner is None or hasattr(inner, "jaxpr"):
        return inner
    from jax.extend.core import ClosedJaxpr

    return ClosedJaxpr(inner, ())
