"""A whole recurrent layer in one kernel: all its steps, each one parallel over units.

The products with the input are computed before, for all steps at once. What is left of a step is the product
of the state with the recurrent weights, whose columns are interleaved so that one tile holds every gate of a
few units: the cell is finished in registers (the idea of persistent recurrent kernels, Diamos et al. 2016).
Each thread meets the same weights in every step, and finds them in its own cache.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T  # noqa: N812  TVM's own name for it

from neo_magics.compiler.kernels import OPAQUE
from neo_magics.compiler.machine import Machine

WORTH_THREADS = 64 * 1024  # multiply-adds of a step; below, one thread is faster
FREE_BATCH = 4  # rows of a tile where the batch is not known


@dataclass(frozen=True)
class Recurrent:
    """One direction of a layer. `gates`: "ifgo" and "iofg" are LSTMs, "rzn" and "zrn" GRUs, "h" is tanh.

    With `batch_first`, inputs and outputs are (batch, step, …), else (step, batch, …).
    """

    gates: str
    steps: Any
    batch: Any
    hidden: int
    reverse: bool = False
    batch_first: bool = False

    @property
    def has_cell(self) -> bool:
        """Whether the state has a second part, the LSTM's cell."""
        return len(self.gates) == 4

    def place(self, step: Any, row: Any, column: Any) -> list[Any]:
        """Where (step, row, column) of inputs and outputs lies."""
        step = self.steps - 1 - step if self.reverse else step
        return [row, step, column] if self.batch_first else [step, row, column]

    def shape(self, width: int) -> tuple[Any, ...]:
        """The shape of a sequence of vectors."""
        return (self.batch, self.steps, width) if self.batch_first else (self.steps, self.batch, width)


def unit_tile(layer: Recurrent, machine: Machine) -> tuple[int, int]:
    """(rows of the batch, units) of which all gates are held in registers at once."""
    gates, lanes = len(layer.gates), machine.lanes
    known = int(layer.batch) if isinstance(layer.batch, int) else FREE_BATCH
    wide = 2 if known == 1 and layer.hidden >= 4 * lanes and 2 * gates <= machine.accumulators else 1
    most = max(1, machine.accumulators // (gates * wide))
    tiles = -(-known // most)
    return -(-known // tiles), wide * lanes


def recurrent(layer: Recurrent, machine: Machine) -> tirx.PrimFunc:
    """The kernel (x, w, b, h0[, c0], y, h[, c]).

    x holds the products with the input, gate by gate; w is [hidden / units, hidden, gates, units]; b is added
    to the product of a GRU's last gate with the state, and to nothing else.
    """
    rows, units = unit_tile(layer, machine)
    gates, hidden = len(layer.gates), layer.hidden
    state = (layer.batch, hidden)
    blocks = -(-hidden // units)
    shapes = [layer.shape(gates * hidden), (blocks, hidden, gates, units), (hidden,), state]
    shapes += [state] * layer.has_cell + [layer.shape(hidden), state] + [state] * layer.has_cell
    with IRBuilder() as builder:
        with T.prim_func(is_private=False, s_tir=True):
            T.func_name("recurrent")
            T.func_attr({"tirx.noalias": True, "op_pattern": OPAQUE, "tirx.is_scheduled": True})
            buffers = [T.arg(f"a{n}", T.buffer(shape, "float32")) for n, shape in enumerate(shapes)]
            _Layer(layer, machine, buffers, (rows, units)).run()
    return builder.get()


class _Layer:
    """The kernel's body."""

    def __init__(
        self, layer: Recurrent, machine: Machine, buffers: Sequence[Any], tile: tuple[int, int]
    ) -> None:
        self.layer, self.lanes = layer, machine.lanes
        self.rows, self.units = tile
        self.gates = len(layer.gates)
        self.blocks = -(-layer.hidden // self.units)
        self.row_tiles = tirx.floordiv(layer.batch + self.rows - 1, self.rows)
        self.x, self.w, self.b, self.h0, *rest = buffers
        self.c0 = rest.pop(0) if layer.has_cell else None
        self.y, self.h, *cells = rest
        self.c = cells[0] if cells else None

    def run(self) -> None:
        """All steps; the state alternates between two buffers, so that no thread overwrites what others read."""
        layer = self.layer
        states = T.alloc_buffer((2, layer.batch, layer.hidden), "float32")
        self._copy(lambda r, u: self.h0[r, u], lambda value, r, u: T.buffer_store(states, value, [0, r, u]))
        if self.c is not None:
            self._copy(lambda r, u: self.c0[r, u], lambda value, r, u: T.buffer_store(self.c, value, [r, u]))
        work = layer.hidden * layer.hidden * self.gates
        threads = T.parallel if work >= WORTH_THREADS else T.serial
        with T.serial(0, layer.steps) as step:
            with threads(0, self.blocks) as block, T.serial(0, self.row_tiles) as tile:
                self._tile(states, step, block, tile)
        last = layer.steps % 2
        self._copy(lambda r, u: states[last, r, u], lambda value, r, u: T.buffer_store(self.h, value, [r, u]))

    def _copy(self, read: Callable[..., Any], write: Callable[..., Any]) -> None:
        with T.serial(0, self.layer.batch) as r, T.serial(0, self.layer.hidden) as u:
            write(read(r, u), r, u)

    def _tile(self, states: Any, step: Any, block: Any, tile: Any) -> None:
        """Every gate of `rows` × `units`, then the cell."""
        sums = T.alloc_buffer((self.rows, self.gates, self.units), "float32", scope="local")
        vectors = self.units // self.lanes
        with (
            T.unroll(0, self.rows) as r,
            T.unroll(0, self.gates) as g,
            T.unroll(0, vectors) as c,
            T.vectorized(0, self.lanes) as v,
        ):
            T.buffer_store(sums, _float(0), [r, g, c * self.lanes + v])
        with (
            T.serial(0, self.layer.hidden) as k,
            T.unroll(0, self.rows) as r,
            T.unroll(0, self.gates) as g,
            T.unroll(0, vectors) as c,
            T.vectorized(0, self.lanes) as v,
        ):
            at = [r, g, c * self.lanes + v]
            weight = self.w[block, k, g, at[2]]
            state = states[step % 2, self._row(tile, r), k]
            T.buffer_store(sums, sums[r, g, at[2]] + state * weight, at)
        with T.unroll(0, self.rows) as r, T.unroll(0, vectors) as c, T.vectorized(0, self.lanes) as v:
            offset = c * self.lanes + v
            self._cell(states, sums, (step, self._row(tile, r), self._unit(block, offset)), r, offset)

    def _row(self, tile: Any, r: Any) -> Any:
        """A row of the batch; beyond the last one, the last one again, which does no harm."""
        row = tile * self.rows + r
        whole = isinstance(self.layer.batch, int) and self.layer.batch % self.rows == 0
        return row if whole else tirx.min(row, self.layer.batch - 1)

    def _unit(self, block: Any, offset: Any) -> Any:
        unit = block * self.units + offset
        return unit if self.layer.hidden % self.units == 0 else tirx.min(unit, self.layer.hidden - 1)

    def _cell(self, states: Any, sums: Any, place: tuple[Any, Any, Any], r: Any, offset: Any) -> None:
        step, row, unit = place

        def given(gate: int) -> Any:
            return self.x[tuple(self.layer.place(step, row, gate * self.layer.hidden + unit))]

        def gate(name: str) -> Any:
            number = self.layer.gates.index(name)
            return given(number) + sums[r, number, offset]

        if self.layer.has_cell:
            kept = T.sigmoid(gate("f")) * self.c[row, unit]
            T.buffer_store(self.c, kept + T.sigmoid(gate("i")) * T.tanh(gate("g")), [row, unit])
            new = T.sigmoid(gate("o")) * T.tanh(self.c[row, unit])
        elif len(self.layer.gates) == 3:
            past = sums[r, 2, offset] + self.b[unit]
            fresh = T.tanh(given(2) + T.sigmoid(gate("r")) * past)
            new = fresh + T.sigmoid(gate("z")) * (states[step % 2, row, unit] - fresh)
        else:
            new = T.tanh(gate("h"))
        T.buffer_store(states, new, [(step + 1) % 2, row, unit])
        T.buffer_store(self.y, states[(step + 1) % 2, row, unit], self.layer.place(step, row, unit))


def _float(value: float) -> Any:
    return tirx.const(value, "float32")
