"""The ways to multiply by a constant matrix, in the order of the model of registers and caches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from tvm import te, tirx

from neo_magics.compiler.kernels.matmul import pack_columns, packed_matmul
from neo_magics.compiler.kernels.tiles import matmul_tiles
from neo_magics.compiler.machine import Machine

Array = np.ndarray[Any, Any]
MOST = 8  # candidates


@dataclass(frozen=True)
class Product:
    """A float32 matrix [rows, depth] times a constant [depth, columns]; `rows` is None where it is free."""

    operator: ClassVar[str] = "matmul"
    rows: int | None
    depth: int
    columns: int

    @property
    def title(self) -> str:
        return f"matmul {self.rows or 'n'} × {self.depth} × {self.columns}"

    @property
    def operations(self) -> float:
        """Multiply-adds."""
        return float((self.rows or 1) * self.depth * self.columns)

    def candidates(self, machine: Machine) -> list[Panels]:
        """Tiles in registers; one only where the rows are free, since none would be measured."""
        tiles = matmul_tiles(self.rows, -(-self.columns // machine.lanes), machine)
        return [Panels(self, machine.lanes, tile) for tile in tiles[: MOST if self.rows else 1]]

    def epilogue(self, made: Any, bias: Any) -> Any:
        """Bias and ReLU."""
        zero = tirx.const(0, "float32")
        return te.compute(made.shape, lambda i, j: te.max(made[i, j] + bias[j], zero))

    def bias(self, shape: Sequence[int]) -> tuple[int, ...]:
        """A number for each column."""
        return (shape[1],)


@dataclass(frozen=True)
class Panels:
    """kernels.matmul: (rows, vectors of columns) at once."""

    kernel: ClassVar[str] = "packed_matmul"
    work: Product
    lanes: int
    tile: tuple[int, int]

    @property
    def label(self) -> str:
        return f"panels: {self.tile[0]}x{self.tile[1]}"

    @property
    def panel(self) -> int:
        """Columns of a panel."""
        return self.tile[1] * self.lanes

    @property
    def shapes(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        panels = -(-self.work.columns // self.panel)
        return (self.work.rows or 1, self.work.depth), (panels, self.work.depth, self.panel)

    def pack(self, weight: Array) -> Array:
        return pack_columns(weight, self.panel)

    def compute(self, data: Any, weight: Any) -> Any:
        return packed_matmul(data, weight, columns=self.work.columns, rows=self.tile[0])
