"""Winograd convolution: transforms in registers around one matrix product per place of the tile."""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.s_tir import Schedule

from neo_magics.compiler.kernels import KERNEL, TILE
from neo_magics.compiler.kernels.winograd import STAGE, WINOGRAD
from neo_magics.compiler.machine import Machine
from neo_magics.compiler.schedules import loops
from neo_magics.compiler.schedules.loops import Block, Loop
from neo_magics.compiler.schedules.prefetch import Place, prefetch_slabs
from neo_magics.compiler.schedules.register_tile import accumulate_at, unroll_and_vectorize

_STAGES = ("pad", "half", "tiles", "half_back", "back", "out")
_OUTPUT_RANK = 5  # N O/v H W v
_TILE_RANK = 3  # images, rows, columns


def schedule_winograd(func: tirx.PrimFunc, machine: Machine) -> Schedule | None:
    """Matches kernels.winograd: N O/v H W v with an element-wise epilogue.

    Chunk by chunk: transform the input, multiply, transform back, epilogue, so that a chunk's transformed
    values stay in the cache. Threads share the chunks where there are enough of them, else every step of
    a chunk.
    """
    sch = loops.schedule_of(func)
    products = loops.find_annotated(sch, KERNEL, WINOGRAD)
    if products is None:
        return None
    found = {name: loops.find_annotated(sch, STAGE, name) for name in _STAGES}
    stages = {name: block for name, block in found.items() if block is not None}
    nest = _Nest(sch, _Cut(*loops.numbers(sch, products, TILE)), machine.lanes)
    loops.inline_into_consumers(sch, keep=[block for name, block in stages.items() if name != "out"])
    final = loops.blocks(sch)[-1]
    if len(sch.get_loops(final)) != _OUTPUT_RANK:
        return None
    chunk = nest.cut_output(final, stages["half_back"], stages["back"])
    at = nest.cut_products(products, chunk)
    nest.cut_input(stages, chunk)
    reduced = accumulate_at(sch, products, at)  # last: after that nothing can be moved
    return loops.with_plain_quotients(_prefetch(sch, products, reduced))


def _prefetch(sch: Schedule, products: Block, reduced: list[Loop]) -> Schedule:
    """A slab is a panel of one place of the tile; all tiles of a chunk take turns with it."""
    around = sch.get_loops(products)[1 : -len(loops.kinds(sch, products))]  # in the loop over chunks
    found = [Place(sch.get(loop).loop_var, loops.extent(sch, loop) or 1) for loop in around]
    return prefetch_slabs(sch, products, reduced, found[:-_TILE_RANK], found[-_TILE_RANK:])


@dataclass(frozen=True)
class _Cut:
    """The numbers of kernels.winograd.Plan that the loops need."""

    images: int
    tile_rows: int
    tile_columns: int
    results_h: int
    results_w: int
    tile_i: int
    tile_r: int
    tile_s: int
    panel: int
    chunks_are_shared: int


@dataclass(frozen=True)
class _Nest:
    sch: Schedule
    cut: _Cut
    lanes: int

    def cut_output(self, final: Block, half: Block, back: Block) -> Loop:
        """Tiles of m × m results in registers; returns the loop over chunks."""
        sch, cut = self.sch, self.cut
        n, channel, y, x, lane = sch.get_loops(final)
        n_out, n_in = sch.split(n, [None, cut.images])
        chunk, row, y_in = sch.split(y, [None, cut.tile_rows, cut.results_h])
        along, column, x_in = sch.split(x, [None, cut.tile_columns, cut.results_w])
        sch.reorder(n_out, chunk, along, channel, n_in, row, column, y_in, x_in, lane)
        unroll_and_vectorize(sch, [y_in, x_in, lane])
        chunk = sch.fuse(n_out, chunk, along)
        self._share(chunk, [channel, n_in, row])
        for block in (back, half):
            self._in_registers(block, column)
        return chunk

    def cut_products(self, products: Block, chunk: Loop) -> Loop:
        """The products go to memory; returns the loop at which a register tile of them is summed up."""
        sch, cut = self.sch, self.cut
        stored = sch.cache_write(products, 0, "local")
        sch.compute_at(stored, chunk, preserve_unit_loops=True)
        sch.compute_at(products, chunk, preserve_unit_loops=True)
        *_, u, w, panel, image, row, column, vectors, lane = sch.get_loops(stored)
        i_out, i_in = sch.split(image, [None, cut.tile_i])
        r_out, r_in = sch.split(row, [None, cut.tile_r])
        s_out, s_in = sch.split(column, [None, cut.tile_s])
        sch.reorder(u, w, panel, i_out, r_out, s_out, i_in, r_in, s_in, vectors, lane)
        unroll_and_vectorize(sch, [i_in, r_in, s_in, vectors, lane])
        self._share(None, [u, w, panel])
        return s_out

    def cut_input(self, stages: dict[str, Block], chunk: Loop) -> None:
        """Tiles of size × size inputs in registers; the padded rows that they come from in the cache."""
        sch = self.sch
        sch.compute_at(stages["tiles"], chunk, preserve_unit_loops=True)
        *_, u, w, block, image, row, column, lane = sch.get_loops(stages["tiles"])
        sch.reorder(block, image, row, column, u, w, lane)
        unroll_and_vectorize(sch, [u, w, lane])
        outer = sch.fuse(block, image, row)
        self._share(None, [outer])
        self._in_registers(stages["half"], column)
        if "pad" in stages:
            sch.compute_at(stages["pad"], outer, preserve_unit_loops=True)
            sch.vectorize(sch.get_loops(stages["pad"])[-1])

    def _in_registers(self, block: Block, at: Loop) -> None:
        self.sch.compute_at(block, at, preserve_unit_loops=True)
        unroll_and_vectorize(self.sch, self.sch.get_loops(block)[-3:])
        self.sch.set_scope(block, 0, "local")

    def _share(self, chunk: Loop | None, inner: list[Loop]) -> None:
        """Parallel over the chunks, or over the `inner` loops of a step."""
        if self.cut.chunks_are_shared:
            if chunk is not None:
                self.sch.parallel(chunk)
        else:
            self.sch.parallel(self.sch.fuse(*inner) if len(inner) > 1 else inner[0])
