"""Quotients of shifted remainders, which a chain of cuts, repeats and joins reads its input at."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import tvm
from torch import nn
from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from neo_magics.compiler.lowering import register_pipeline
from neo_magics.compiler.passes.keep_quotients import KeepQuotients
from tests.compiler.models import x86_target
from tests.compiler.test_model_zoo import Made, compiled, floats

functional = torch.nn.functional


def doubled(m: Any, x: torch.Tensor) -> torch.Tensor:
    """A decoder of Funnel: the first place stays, the others are repeated, the end is filled with zeros."""
    small = m.small(x[:, ::2])
    rest = functional.pad(small[:, 1:].repeat_interleave(2, dim=1), (0, 0, 0, 1))
    return m.last(torch.cat([small[:, :1], rest], 1) + m.large(x))


def rolled(m: Any, x: torch.Tensor) -> torch.Tensor:
    small = m.small(x[:, :6]).roll(1, 1).repeat_interleave(2, dim=1)
    return m.last(small.roll(-1, 1) + m.large(x))


def flipped(m: Any, x: torch.Tensor) -> torch.Tensor:
    return m.last(m.small(x[:, :6]).repeat_interleave(2, dim=1).flip(1) + m.large(x))


@pytest.mark.parametrize("forward", [doubled, rolled, flipped])
def test_chains_of_moves_read_the_places_that_pytorch_reads(forward: Any, tmp_path: Path) -> None:
    """TVM's simplifier of indices takes (x % 12 - 1) // 2 for (x + 1) % 12 // 2 - 1, which is another one."""
    torch.manual_seed(0)
    model = Made(forward, **{name: nn.Linear(32, 32) for name in ("small", "large", "last")})
    x = floats(2, 12, 32)
    with torch.no_grad():
        expected = model(x).numpy()
    np.testing.assert_allclose(compiled(model, (x,), tmp_path)(x), expected, rtol=1e-4, atol=1e-5)


def test_a_repeated_row_backwards(tmp_path: Path) -> None:
    """In one vector, whose remainders TVM wrote as 3, 2, 1, 0, -1, …"""
    x = floats(4)
    run = compiled(Made(lambda _m, x: x.repeat(3).flip(0) * 2), (x,), tmp_path)
    np.testing.assert_array_equal(run(x), (x.repeat(3).flip(0) * 2).numpy())


ROWS, COLUMNS, TABLE = 12, 4, 1000


def index(seed: int, place: Any) -> Any:
    """A sum of two chains of quotients and remainders, within `TABLE`; of a number or of an expression."""
    chance = random.Random(seed)
    total = 0
    for _part in range(2):
        part = chance.choice([place, ROWS * COLUMNS - 1 - place])
        for _step in range(chance.randrange(4)):
            shifted, by = part + chance.randrange(-4, 7), chance.choice([2, 3, 4, 5, 8, 12])
            part = chance.choice([shifted // by, shifted % by])
        total = part * chance.choice([1, 2, 3]) + total
    return total + TABLE // 2


def picked(indices: int) -> tirx.PrimFunc:
    """A kernel that looks up a row of places in a table, at each of so many random indices."""
    with IRBuilder() as builder, T.prim_func(s_tir=True):
        T.func_name("picked")
        T.func_attr({"global_symbol": "picked", "tirx.noalias": True})
        table = T.arg("table", T.buffer((TABLE,), "int64"))
        out = T.arg("out", T.buffer((indices, ROWS, COLUMNS), "int64"))
        with T.grid(ROWS, COLUMNS) as (row, column):
            for number in range(indices):
                place = index(number, row * COLUMNS + column)
                T.buffer_store(out, table[place], [number, row, column])
    return builder.get()


def test_random_indices_of_loops() -> None:
    """On TVM's own lowering several of them read another place."""
    module = tvm.IRModule({"picked": picked(200)})
    kernel = tvm.compile(module, x86_target().tvm, tir_pipeline=register_pipeline())["picked"]
    table, out = np.arange(TABLE), np.zeros((200, ROWS, COLUMNS), np.int64)
    result = tvm.runtime.tensor(out)
    kernel(tvm.runtime.tensor(table), result)
    places = range(ROWS * COLUMNS)
    expected = [[index(number, place) for place in places] for number in range(200)]
    np.testing.assert_array_equal(result.numpy().reshape(200, -1), expected)


def test_sizes_that_are_quotients_stay_as_they_are() -> None:
    """They were spread to quotients of any sign, again in each other: 5 s for a kernel in place of 0.06."""
    with IRBuilder() as builder, T.prim_func(s_tir=True):
        T.func_name("strided")
        wide = T.arg("wide", T.int64())
        steps = (wide - 5) // 8 + 1
        flat, out = T.arg("flat", T.buffer((ROWS, steps))), T.arg("out", T.buffer((ROWS, steps)))
        with T.grid(ROWS, steps) as (row, step):
            place = row * steps + step
            T.buffer_store(out, flat[place // steps % ROWS, place % steps], [row, step])
    module = tvm.IRModule({"strided": builder.get()})
    assert KeepQuotients()(module)["strided"].same_as(module["strided"])
