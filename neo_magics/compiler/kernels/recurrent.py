"""A whole recurrent layer in one kernel: all its steps, each one parallel over units.

The products with the input are computed before, for all steps at once. What is left of a step is the product
of the state with the recurrent weights, whose columns are interleaved so that one tile holds every gate of a
few units: the cell is finished in registers (the idea of persistent recurrent kernels, Diamos et al. 2016).
Each thread meets the same weights in every step, and finds them in its own cache. Threads are started once
for all steps, and wait for each other after each.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from neo_magics.compiler.kernels import OPAQUE
from neo_magics.compiler.kernels.arithmetic import float32
from neo_magics.compiler.kernels.prefetch import prefetch
from neo_magics.compiler.machine import Machine

WORTH_THREADS = 64 * 1024  # multiply-adds of a step; below, one thread is faster
FREE_BATCH = 4  # rows of a tile where the batch is not known
_AHEAD = 8  # units of the state, by which weights are asked for before they are needed


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
    """(rows of the batch, units) of which all gates are held in registers at once.

    A batch of more rows than fit takes half of the gates after the other: a weight then serves more rows.
    """
    gates, lanes = len(layer.gates), machine.lanes
    known = int(layer.batch) if isinstance(layer.batch, int) else FREE_BATCH
    wide = 2 if known == 1 and layer.hidden >= 4 * lanes and 2 * gates <= machine.accumulators else 1
    most = max(1, machine.accumulators // (gates * wide))
    if known > most and gates % 2 == 0:
        most = machine.accumulators // (gates // 2)
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
    with IRBuilder() as builder, T.prim_func(is_private=True, s_tir=True):
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
        held = self.rows * self.units // self.lanes
        self.together = self.gates if held * self.gates <= machine.accumulators else self.gates // 2
        self.blocks = -(-layer.hidden // self.units)
        self.row_tiles = tirx.floordiv(layer.batch + self.rows - 1, self.rows)
        self.x, self.w, self.b, self.h0, *rest = buffers
        self.c0 = rest.pop(0) if layer.has_cell else None
        self.y, self.h, *cells = rest
        self.c = cells[0] if cells else None

    def run(self) -> None:
        """All steps. States alternate between two buffers, so that nothing overwrites what is still read."""
        layer = self.layer
        shape = (2, layer.batch, self.blocks * self.units)
        states = [T.alloc_buffer(shape, "float32") for _ in range(1 + layer.has_cell)]
        given = [self.h0, *([self.c0] if layer.has_cell else [])]
        results = [self.h, *([self.c] if layer.has_cell else [])]
        for source, buffer in zip(given, states, strict=True):
            self._copy(source, [], buffer, [0])
        work = layer.hidden * layer.hidden * self.gates
        together = work >= WORTH_THREADS
        with (
            _pragma("parallel_launch_point", wanted=together),
            T.serial(0, layer.steps) as step,
            _pragma("parallel_barrier_when_finish", wanted=together),
            (T.parallel if together else T.serial)(0, self.blocks) as block,
            T.serial(0, self.row_tiles) as tile,
        ):
            self._tile(states, step, block, tile)
        for buffer, result in zip(states, results, strict=True):
            self._copy(buffer, [layer.steps % 2], result, [])

    def _copy(self, source: Any, place: list[Any], target: Any, to: list[Any]) -> None:
        with T.serial(0, self.layer.batch) as r, T.serial(0, self.layer.hidden) as u:
            T.buffer_store(target, source[(*place, r, u)], [*to, r, u])

    def _tile(self, states: Any, step: Any, block: Any, tile: Any) -> None:
        """Every gate of `rows` × `units`, then the cell."""
        sums = T.alloc_buffer((self.rows, self.gates, self.units), "float32", scope="local")
        vectors = self.units // self.lanes
        self._ask_for_inputs(step, block, tile)
        for first in range(0, self.gates, self.together):
            self._products(states[0], sums, (step, block, tile), first)
        # Row by row: cells of all rows at once would have more values than there are registers.
        with T.serial(0, self.rows) as r, T.unroll(0, vectors) as c, T.vectorized(0, self.lanes) as v:
            offset = c * self.lanes + v
            self._cell(states, sums, (step, self._row(tile, r), block * self.units + offset), r, offset)
        with T.serial(0, self.rows) as r:
            self._output(states[0], step, self._row(tile, r), block)

    def _ask_for_inputs(self, step: Any, block: Any, tile: Any) -> None:
        """What the cells of a tile add comes from another core, perhaps, while the products are summed."""
        vectors = self.units // self.lanes
        with T.unroll(0, self.rows) as r, T.unroll(0, self.gates) as g, T.unroll(0, vectors) as c:
            unit = tirx.min(block * self.units + c * self.lanes, self.layer.hidden - 1)
            place = self.layer.place(step, self._row(tile, r), g * self.layer.hidden + unit)
            T.evaluate(prefetch(self.x, place))

    def _products(self, state: Any, sums: Any, place: tuple[Any, Any, Any], first: int) -> None:
        """The sums of `together` gates, from gate `first` on, which stay in registers."""
        step, block, tile = place
        vectors = self.units // self.lanes
        with (
            T.unroll(0, self.rows) as r,
            T.unroll(0, self.together) as g,
            T.unroll(0, vectors) as c,
            T.vectorized(0, self.lanes) as v,
        ):
            T.buffer_store(sums, float32(0), [r, first + g, c * self.lanes + v])
        with T.serial(0, self.layer.hidden) as k:
            self._ask_for_weights(block, k)
            with (
                T.unroll(0, self.rows) as r,
                T.unroll(0, self.together) as g,
                T.unroll(0, vectors) as c,
                T.vectorized(0, self.lanes) as v,
            ):
                at = [r, first + g, c * self.lanes + v]
                weight = self.w[block, k, at[1], at[2]]
                value = state[step % 2, self._row(tile, r), k]
                T.buffer_store(sums, sums[tuple(at)] + value * weight, at)

    def _ask_for_weights(self, block: Any, k: Any) -> None:
        """A single row uses a weight once, so an LSTM's come as fast as the second cache gives them.

        There the processor alone asks too late (256 units: 4.3 µs a step, asked for 2.6). It keeps up with
        the three gates of a GRU, and with several rows.
        """
        if self.rows > 1 or not self.layer.has_cell:
            return
        with T.unroll(0, self.gates) as g, T.unroll(0, self.units // self.lanes) as c:
            T.evaluate(prefetch(self.w, [block, k + _AHEAD, g, c * self.lanes]))

    def _output(self, states: Any, step: Any, row: Any, block: Any) -> None:
        """Copy the units that count from the state to the sequence."""
        if self.layer.hidden % self.units == 0:
            with T.vectorized(0, self.units) as u:
                unit = block * self.units + u
                value = states[(step + 1) % 2, row, unit]
                T.buffer_store(self.y, value, self.layer.place(step, row, unit))
            return
        with T.serial(0, self.units) as u:
            unit = block * self.units + u
            with T.If(unit < self.layer.hidden), T.Then():
                value = states[(step + 1) % 2, row, unit]
                T.buffer_store(self.y, value, self.layer.place(step, row, unit))

    def _row(self, tile: Any, r: Any) -> Any:
        """A row of the batch; beyond the last one, the last one again, which does no harm."""
        row = tile * self.rows + r
        whole = isinstance(self.layer.batch, int) and self.layer.batch % self.rows == 0
        return row if whole else tirx.min(row, self.layer.batch - 1)

    def _cell(self, states: Any, sums: Any, place: tuple[Any, Any, Any], r: Any, offset: Any) -> None:
        """The new state of a vector of units. Those beyond the last one compute what nobody reads."""
        step, row, unit = place
        hidden = self.layer.hidden
        known = unit if hidden % self.units == 0 else tirx.min(unit, hidden - 1)
        old, new = [step % 2, row, unit], [(step + 1) % 2, row, unit]

        def given(gate: int) -> Any:
            return self.x[tuple(self.layer.place(step, row, gate * hidden + known))]

        def gate(name: str) -> Any:
            number = self.layer.gates.index(name)
            return given(number) + sums[r, number, offset]

        if self.layer.has_cell:
            kept = T.sigmoid(gate("f")) * states[1][tuple(old)]
            T.buffer_store(states[1], kept + T.sigmoid(gate("i")) * T.tanh(gate("g")), new)
            result = T.sigmoid(gate("o")) * T.tanh(states[1][tuple(new)])
        elif len(self.layer.gates) == 3:
            past = sums[r, 2, offset] + self.b[known]
            fresh = T.tanh(given(2) + T.sigmoid(gate("r")) * past)
            result = fresh + T.sigmoid(gate("z")) * (states[0][tuple(old)] - fresh)
        else:
            result = T.tanh(gate("h"))
        T.buffer_store(states[0], result, new)


def _pragma(name: str, *, wanted: bool) -> AbstractContextManager[Any]:
    """A pragma of TVM's code for processors around what follows."""
    if not wanted:
        return nullcontext()
    frame: AbstractContextManager[Any] = T.attr(tirx.const(0, "int32"), f"pragma_{name}", 1)
    return frame
