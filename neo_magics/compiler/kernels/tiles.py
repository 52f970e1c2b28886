"""How many vector accumulators a kernel keeps in registers, and of which shape."""

from __future__ import annotations

from neo_magics.compiler.machine import Machine

# Multiply-adds in flight to hide their latency: 4-5 cycles, two units.
ENOUGH = 10


def register_tile(rows: int, columns: int, machine: Machine, *, widest: int = 8) -> tuple[int, int]:
    """The best (rows, columns) to hold at once: scalars that are broadcast times vectors.

    Each divides its extent, so that no tile is cut. Every step loads rows + columns operands for
    rows × columns multiply-adds; too few accumulators leave the units waiting.
    """
    room = machine.accumulators
    candidates = [
        (r, c)
        for r in divisors(rows)
        for c in divisors(columns)
        if r * c <= room and r * c + c + 1 <= machine.registers and c <= widest
    ]
    return min(candidates, key=lambda tile: tile_cost(*tile))


def divisors(number: int) -> list[int]:
    """All divisors, ascending; those of 0 and 1 are [1]."""
    return [d for d in range(1, number + 1) if number % d == 0] or [1]


def tile_cost(rows: int, columns: int) -> tuple[float, int]:
    """Cycles per multiply-add, about; ties go to the smaller code."""
    sums = rows * columns
    loads = (columns + rows / 2) / sums  # half of the broadcasts ride in the instruction
    return max(1.0, ENOUGH / sums) + 0.5 * loads, sums
