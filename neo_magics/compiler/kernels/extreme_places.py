"""Where the extreme of each row is: each lane keeps its best so far, and the lanes agree at the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from neo_magics.compiler.kernels.normalisation import WORTH_THREADS
from neo_magics.compiler.kernels.order import key_of
from neo_magics.compiler.kernels.row_kernels import ATTRIBUTES, each_vector
from neo_magics.compiler.machine import Machine


@dataclass(frozen=True)
class Extreme:
    """The first of the largest (or smallest) of each of `rows` rows of `width` float32 or int32."""

    rows: Any
    width: Any
    dtype: str
    largest: bool
    places: str = "int64"


def extreme_places(e: Extreme, machine: Machine) -> tirx.PrimFunc:
    """The kernel (x [rows, width], places [rows]). A row's first NaN counts as both extremes."""
    with IRBuilder() as builder, T.prim_func(is_private=True, s_tir=True):
        T.func_name("extreme_places")
        T.func_attr(ATTRIBUTES)
        x = T.arg("x", T.buffer((e.rows, e.width), e.dtype))
        places = T.arg("places", T.buffer((e.rows,), e.places))
        known = isinstance(e.rows, int) and isinstance(e.width, int)
        threads = T.serial if known and e.rows * e.width < WORTH_THREADS else T.parallel
        with T.sblock("root"), threads(0, e.rows) as row:
            T.buffer_store(places, _place(e, x, row, machine.lanes).astype(e.places), [row])
    return builder.get()


def _place(e: Extreme, x: Any, row: Any, lanes: int) -> Any:
    """The place of the row's extreme, as int32. Keys are turned round where the largest is wanted."""
    best, place = (T.alloc_buffer((lanes,), "int32", scope="local") for _ in range(2))
    with T.vectorized(0, lanes) as v:
        T.buffer_store(best, tirx.max_value("int32"), [v])
    with T.vectorized(0, lanes) as v:
        T.buffer_store(place, tirx.Cast("int32", v), [v])

    def take(j: Any, lane: Any) -> None:
        key = key_of(x[row, j], nan_first=not e.largest)
        key = ~key if e.largest else key
        _keep(best, place, lane, key < best[lane], key, tirx.Cast("int32", j))  # places grow: the first stays

    each_vector(e.width, lanes, take)
    half = lanes
    while half > 1:
        half //= 2
        with T.vectorized(0, half) as v:
            key, where = best[half + v], place[half + v]
            better = tirx.any(key < best[v], tirx.all(key == best[v], where < place[v]))
            _keep(best, place, v, better, key, where)
    return place[0]


def _keep(best: Any, place: Any, lane: Any, better: Any, key: Any, where: Any) -> None:
    T.buffer_store(place, tirx.Select(better, where, place[lane]), [lane])
    T.buffer_store(best, tirx.min(key, best[lane]), [lane])
