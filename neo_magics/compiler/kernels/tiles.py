"""How many vector accumulators a kernel keeps in registers, and of which shape."""

from __future__ import annotations

from dataclasses import replace

from neo_magics.compiler.machine import Machine

# Multiply-adds in flight to hide their latency: 4-5 cycles, two units.
ENOUGH = 10
WORTH_A_TAIL = 0.93  # the padded copy and the checked stores cost something too
FREE_ROWS = 4  # of a product whose rows are not known
WIDEST_PANEL = 8  # vectors
NEAR = 32 * 1024  # bytes of weights that stay in the first cache, beside the data
STREAMED = 4.0  # multiply-adds in the time that a vector of weights takes from the second cache, about
MOST_QUERIES = 2  # vectors of a block of an attention, whose scores have to fit the cache


def register_tile(rows: int, columns: int, machine: Machine, *, widest: int = 8) -> tuple[int, int]:
    """The best (rows, columns) to hold at once: scalars that are broadcast times vectors.

    Each divides its extent, so that no tile is cut. Every step loads rows + columns operands for
    rows × columns multiply-adds; too few accumulators leave the units waiting.
    """
    return register_tiles(rows, columns, machine, widest=widest)[0]


def register_tiles(
    rows: int, columns: int, machine: Machine, *, widest: int = 8, weights: int = 0
) -> list[tuple[int, int]]:
    """All tiles that `register_tile` chooses from, the best first; `weights` as in `tile_cost`."""
    room = machine.accumulators
    candidates = [
        (r, c)
        for r in divisors(rows)
        for c in divisors(columns)
        if r * c <= room and r * c + c + 1 <= machine.registers and c <= widest
    ]
    return sorted(candidates, key=lambda tile: tile_cost(tile[0], tile[1], weights))


def tile_with_tail(columns: int, blocks: int, machine: Machine, *, phases: int = 1) -> tuple[int, int]:
    """The best (columns, blocks) of a convolution whose last tile may reach beyond the image.

    Each column of the tile is `phases` results, which take their own weights, like blocks of channels.
    """
    return tiles_with_tail(columns, blocks, machine, phases=phases)[0]


def tiles_with_tail(
    columns: int, blocks: int, machine: Machine, *, phases: int = 1, weights: int = 0
) -> list[tuple[int, int]]:
    """All tiles that `tile_with_tail` chooses from, the best first; `weights` as in `tile_cost`."""
    return [
        tile for _cost, _sums, tile in sorted(_tiles_with_tail(columns, blocks, machine, phases, weights))
    ]


def tail_pays(columns: int, blocks: int, machine: Machine, weights: int = 0) -> bool:
    """Whether a tile with a tail is clearly faster than the best one that divides the width."""
    rows, vectors = register_tiles(columns, blocks, machine, weights=weights)[0]
    whole = tile_cost(rows, vectors, weights)[0]
    return min(_tiles_with_tail(columns, blocks, machine, 1, weights))[0] < WORTH_A_TAIL * whole


def _tiles_with_tail(
    columns: int, blocks: int, machine: Machine, phases: int, weights: int = 0
) -> list[tuple[float, int, tuple[int, int]]]:
    """(cost for each useful multiply-add, sums, tile); at least the smallest tile there is."""
    candidates = [
        (c, b)
        for c in range(1, min(columns, machine.accumulators) + 1)
        for b in divisors(blocks)
        if c * b * phases <= machine.accumulators
        and b * phases <= max(8, phases)
        and (c + 1) * b * phases + 1 <= machine.registers
    ]
    return [
        (tile_cost(c, b * phases, weights)[0] * -(-columns // c) * c / columns, c * b, (c, b))
        for c, b in candidates or [(1, 1)]
    ]


def divisors(number: int) -> list[int]:
    """All divisors, ascending; those of 0 and 1 are [1]."""
    return [d for d in range(1, number + 1) if number % d == 0] or [1]


def tile_cost(rows: int, columns: int, weights: int = 0) -> tuple[float, int]:
    """Time per multiply-add, about; ties go to the smaller code.

    `weights`: the bytes that a column reads for a tile, where that is known. Those of all columns come from
    the second cache for each tile anew where the first cannot hold them, and few rows do not outlast that.
    """
    sums = rows * columns
    loads = (columns + rows / 2) / sums  # half of the broadcasts ride in the instruction
    cost = max(1.0, ENOUGH / sums) + 0.5 * loads
    if columns * weights > NEAR and STREAMED / rows > cost:
        cost = STREAMED / rows + 0.01 * cost
    return cost, sums


def matmul_tile(
    rows: int | None, columns: int, machine: Machine, *, widest: int = WIDEST_PANEL
) -> tuple[int, int]:
    """The (rows, vectors) of a product of `rows` × `columns` vectors; neither needs to divide its extent.

    What is computed beyond the ends is counted as cost, and so is a thread that waits for the other. `rows`
    is None where it is only known later: then a few, which costs little when there is just one.
    """
    return matmul_tiles(rows, columns, machine, widest=widest)[0]


def matmul_tiles(
    rows: int | None, columns: int, machine: Machine, *, widest: int = WIDEST_PANEL
) -> list[tuple[int, int]]:
    """All tiles that `matmul_tile` chooses from, the best first."""
    if rows is None:
        return register_tiles(FREE_ROWS, columns, machine)
    candidates = [
        (r, c)
        for r in range(1, min(rows, machine.accumulators) + 1)
        for c in range(1, min(columns, widest) + 1)
        if r * c <= machine.accumulators and r * c + c + 1 <= machine.registers
    ]

    def cost(tile: tuple[int, int]) -> tuple[float, int]:
        row_tiles, panels = -(-rows // tile[0]), -(-columns // tile[1])
        cores = max(machine.cores, 1)
        computed = tile[0] * tile[1] * cores * -(-row_tiles * panels // cores)
        per_sum, sums = tile_cost(*tile)
        return per_sum * computed / (rows * columns), sums

    return sorted(candidates, key=cost)


def attention_tile(queries: int, keys: int, machine: Machine) -> tuple[int, int]:
    """(keys, vectors of queries) of the scores that an attention holds in registers."""
    return matmul_tile(keys, -(-queries // machine.lanes), replace(machine, cores=1), widest=MOST_QUERIES)
