"""Numbers to be sorted, packed with their places: one int64 each, so that no two are equal.

The key (kernels.order) is the upper half and the place the lower one; a sorted number gives its place back.
Equal keys stay in the order of their places.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tvm import tirx
from tvm.script.ir_builder import tirx as T

from neo_magics.compiler.kernels.order import key_of

KEYED = ("float32", "int32")  # dtypes whose key has 32 bits


@dataclass(frozen=True)
class Sort:
    """The first `kept` of each of `rows` rows of `width` numbers in order: of equal ones the earlier first.

    `rows` may be free. NaN is above infinity.
    """

    rows: Any
    width: int
    kept: int
    dtype: str
    descending: bool
    places: str = "int64"

    def declare(self) -> tuple[Any, Any, Any]:
        """The kernel's arguments: x [rows, width], values [rows, kept], places [rows, kept]."""
        shape = (self.rows, self.kept)
        x = T.arg("x", T.buffer((self.rows, self.width), self.dtype))
        values, places = (
            T.arg("values", T.buffer(shape, self.dtype)),
            T.arg("places", T.buffer(shape, self.places)),
        )
        return x, values, places

    def key(self, value: Any) -> Any:
        """int32, in ascending order as asked for."""
        key = key_of(value)
        return ~key if self.descending else key

    def packed(self, value: Any, place: Any) -> Any:
        """int64 of a number and its place."""
        upper = tirx.Cast("int64", self.key(value)) << tirx.const(32, "int64")
        return tirx.bitwise_or(upper, tirx.Cast("int64", place))

    def store(self, item: Any, x: Any, outputs: tuple[Any, Any], row: Any, to: Any) -> None:
        """The number that `item` stands for, and its place, as the row's result `to`."""
        values, places = outputs
        place = item & tirx.const(0xFFFFFFFF, "int64")
        T.buffer_store(places, tirx.Cast(self.places, place), [row, to])
        T.buffer_store(values, x[row, place], [row, to])


LAST = tirx.max_value("int64")  # behind every packed number
