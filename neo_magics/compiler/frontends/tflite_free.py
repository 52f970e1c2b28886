"""A TFLite model with a free number of rows: what its graphs for three numbers of rows have in common.

A TFLite file holds the sizes of all its tensors, and TVM's converters reckon with them, so that a graph is of
one size. Converted for three numbers of rows, the same operators come out, and the numbers that differ are
those that follow from the rows: p · rows + q, found from two graphs and confirmed by the third.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from tvm import ir, relax, tirx
from tvm_ffi import structural_equal

from neo_magics.errors import InputError

ROWS = (3, 5, 8)  # none is the sum or a multiple of the others, which a chance agreement would need
NAME = "batch"


def with_free_rows(modules: Sequence[Any], free: Sequence[str]) -> Any:
    """One module out of those that were imported for each of `ROWS`, in which the rows of the inputs named
    in `free` are the variable `batch`. `InputError` where the graphs have more than sizes between them."""
    return _Merged([module["main"] for module in modules], free).module()


class _Merged:
    """Rebuilds the first function with sizes that hold for all of them."""

    def __init__(self, functions: Sequence[Any], free: Sequence[str]) -> None:
        self.functions = functions
        self.rows = tirx.Var(NAME, "int64")
        self.builder = relax.BlockBuilder()
        self.known: dict[Any, Any] = {}  # a variable of the first function → ours
        self.free = free

    def module(self) -> Any:
        params = [self._param(*each) for each in zip(*(f.params for f in self.functions), strict=True)]
        blocks = [[block.bindings for block in f.body.blocks] for f in self.functions]
        bindings = [[each for block in found for each in block] for found in blocks]
        if len({len(found) for found in bindings}) != 1:
            raise _fixed("the number of its operators depends on it")
        with self.builder.function("main", params):
            with self.builder.dataflow():
                for same in zip(*bindings, strict=True):
                    self.known[same[0].var] = self.builder.emit(self._value([each.value for each in same]))
                result = self.builder.emit_output(self._value([f.body.body for f in self.functions]))
            self.builder.emit_func_output(result)
        return self.builder.finalize()

    def _param(self, *params: Any) -> Any:
        name = str(params[0].name)
        shape = [int(size) for size in params[0].ty.shape]
        sizes = [self.rows, *shape[1:]] if name in self.free else shape
        self.known[params[0]] = relax.Var(name, relax.TensorType(sizes, params[0].ty.dtype.dtype))
        return self.known[params[0]]

    def _value(self, same: Sequence[Any]) -> Any:
        kinds: list[tuple[Any, Callable[[Sequence[Any]], Any]]] = [
            (relax.Var, lambda same: self.known[same[0]]),
            (ir.GenericConst, self._constant),
            (relax.ShapeExpr, lambda same: relax.ShapeExpr(self._each([each.values for each in same]))),
            (relax.Tuple, lambda same: relax.Tuple(self._each([each.fields for each in same]))),
            (relax.TupleGetItem, self._part),
            (ir.Call, self._call),
            ((tirx.IntImm, tirx.FloatImm), self._number),
        ]
        return next((made(same) for kind, made in kinds if isinstance(same[0], kind)), same[0])

    def _part(self, same: Sequence[Any]) -> Any:
        return relax.TupleGetItem(self._value([each.tuple_value for each in same]), same[0].index)

    def _each(self, rows: Sequence[Any]) -> list[Any]:
        if len({len(row) for row in rows}) != 1:
            raise _fixed("the number of its sizes or operands depends on it")
        return [self._value(values) for values in zip(*rows, strict=True)]

    def _call(self, same: Sequence[Any]) -> Any:
        first = same[0]
        name = getattr(first.op, "name", str(first.op))
        if any(not structural_equal(each.op, first.op) for each in same) or any(
            not structural_equal(each.attrs, first.attrs) for each in same
        ):
            raise _fixed(f"what {name} does depends on it")
        return relax.Call(first.op, self._each([call.args for call in same]), first.attrs, first.ty_args)

    def _constant(self, same: Sequence[Any]) -> Any:
        """The same in all graphs, or repeated as often as there are rows."""
        arrays = [constant.value.numpy() for constant in same]
        if all(np.array_equal(arrays[0], each, equal_nan=arrays[0].dtype.kind == "f") for each in arrays):
            return same[0]
        if len({array.ndim for array in arrays}) != 1:
            raise _fixed("a constant in it is for one number of rows")
        sizes = list(zip(*(array.shape for array in arrays), strict=True))
        kept = tuple(slice(None) if len(set(each)) == 1 else slice(0, 1) for each in sizes)
        if any(not np.array_equal(np.broadcast_to(arrays[0][kept], a.shape), a) for a in arrays):
            raise _fixed("a constant in it is for one number of rows")
        one = self.builder.emit(relax.const(arrays[0][kept], str(arrays[0].dtype)))
        return relax.op.broadcast_to(one, relax.ShapeExpr([self._number(each) for each in sizes]))

    def _number(self, same: Sequence[Any]) -> Any:
        """A number that all graphs have, or p · rows + q."""
        values = [getattr(each, "value", each) for each in same]
        if len(set(values)) == 1:
            return same[0]
        rise, span = values[1] - values[0], ROWS[1] - ROWS[0]
        slope = rise // span
        rest = values[0] - slope * ROWS[0]
        if any(value != slope * rows + rest for value, rows in zip(values, ROWS, strict=True)):
            raise _fixed(
                f"a size in it is {', '.join(map(str, values))} for {', '.join(map(str, ROWS))} rows"
            )
        return slope * self.rows + rest


def free_rows(shapes: Mapping[str, Sequence[int | None]]) -> list[str]:
    """The inputs whose first dimension is free; `InputError` where another one is."""
    for name, shape in shapes.items():
        if None in shape[1:]:
            raise InputError(
                f"Input {name!r}: in a TFLite model only the first dimension can be free, DataInputConfig "
                f"has {['null' if size is None else size for size in shape]}.",
                hint="Give a number in place of the others.",
                input=name,
            )
    return [name for name, shape in shapes.items() if shape and shape[0] is None]


def _fixed(why: str) -> InputError:
    return InputError(
        f"The model is for one number of rows: {why}.",
        hint="Give a number in place of null, or convert the model with a free batch.",
    )
