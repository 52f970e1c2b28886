"""Matrix products: constant operands in packed panels, and products of two computed matrices."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tvm import relax, tirx

from neo_magics.compiler.kernels.matmul import pack_columns
from neo_magics.compiler.kernels.tiles import register_tile
from neo_magics.compiler.machine import Machine
from tests.compiler.models import WIDTHS, constant, kernels, module, random, run, x86_target

# (leading dimensions, K, N)
SHAPES = (
    ((1,), 64, 64), ((1,), 7, 1), ((64,), 33, 48), ((77,), 16, 10), ((13,), 5, 1000 // 8),
    ((2, 3), 20, 37), ((2, 1, 8), 16, 32), ((1, 128), 40, 24),
)  # fmt: skip


@pytest.mark.parametrize("mcpu", WIDTHS)
def test_a_grid_of_constant_operands(mcpu: str) -> None:
    def products(*xs: relax.Var) -> list[relax.Expr]:
        return [
            relax.op.nn.relu(relax.op.add(relax.op.matmul(x, constant((k, n))), constant((n,), 1)))
            for x, (_lead, k, n) in zip(xs, SHAPES, strict=True)
        ]

    arrays = [random((*lead, k)) for lead, k, _n in SHAPES]
    source = module(products, *((array.shape, "float32") for array in arrays))
    for (_lead, k, n), x, got in zip(SHAPES, arrays, run(source, arrays, x86_target(mcpu)), strict=True):
        weight, bias = constant((k, n)).value.numpy(), constant((n,), 1).value.numpy()
        np.testing.assert_allclose(got, np.maximum(x @ weight + bias, 0), atol=1e-5, err_msg=f"{x.shape} {n}")


@pytest.mark.parametrize("mcpu", WIDTHS)
def test_a_grid_of_computed_operands(mcpu: str) -> None:
    shapes = [
        ((6, 32, 8), (6, 8, 48)), ((2, 3, 7, 5), (2, 3, 5, 11)), ((1, 4), (4, 1)), ((9, 16), (16, 127)),
        ((4, 98, 36), (4, 36, 195)), ((1, 50, 20), (5, 20, 33)), ((2, 3, 9, 24), (24, 40)),
        ((17, 8), (2, 8, 16)), ((2, 3, 8, 300), (2, 3, 300, 16)), ((2, 1, 6, 8), (1, 3, 8, 32)),
        ((3, 2, 40), (3, 40, 64)), ((7,), (2, 7, 20)),
    ]  # fmt: skip
    source = module(
        lambda *xs: [relax.op.matmul(a, b) for a, b in zip(xs[::2], xs[1::2], strict=True)],
        *((shape, "float32") for pair in shapes for shape in pair),
    )
    arrays = [random(shape, n) for n, pair in enumerate(shapes) for shape in pair]
    outputs = run(source, arrays, x86_target(mcpu))
    for a, b, got in zip(arrays[::2], arrays[1::2], outputs, strict=True):
        np.testing.assert_allclose(got, a @ b, atol=5e-5, err_msg=f"{a.shape} {b.shape}")


def test_a_product_of_computed_matrices_is_packed_with_its_transpose_and_epilogue() -> None:
    def scores(q: relax.Var, k: relax.Var) -> list[relax.Expr]:
        product = relax.op.matmul(q, relax.op.permute_dims(k, [0, 1, 3, 2]))
        return [relax.op.nn.relu(relax.op.add(product, relax.op.strided_slice(q, [3], [0], [1])))]

    q, k = random((2, 3, 30, 20)), random((2, 3, 45, 20), 1)
    source = module(scores, (q.shape, "float32"), (k.shape, "float32"))
    [got] = run(source, [q, k], x86_target())
    np.testing.assert_allclose(got, np.maximum(q @ k.transpose(0, 1, 3, 2) + q[..., :1], 0), atol=1e-5)
    lowered, refused = kernels(source, x86_target())
    names = {var.name_hint for var, func in lowered.functions_items() if isinstance(func, tirx.PrimFunc)}
    assert refused == []
    assert any("transpose" in name and "pack_panels" in name for name in names)
    assert any("batch_matmul" in name and "relu" in name for name in names)


def test_batches_and_rows_of_computed_matrices_may_be_free() -> None:
    batch, rows = tirx.Var("b", "int64"), tirx.Var("n", "int64")
    source = module(
        lambda x, y, z: [relax.op.matmul(x, y), relax.op.matmul(x, z)],
        ((batch, rows, 12), "float32"), ((batch, 12, 21), "float32"), ((12, 40), "float32"),
    )  # fmt: skip
    x, y, z = random((3, 5, 12)), random((3, 12, 21), 1), random((12, 40), 2)
    for got, right in zip(run(source, [x, y, z], x86_target()), (y, z), strict=True):
        np.testing.assert_allclose(got, x @ right, atol=1e-5)


def test_constants_of_several_matrices_are_packed_when_compiling() -> None:
    weight = constant((6, 24, 40))
    source = module(lambda x: [relax.op.matmul(x, weight)], ((6, 10, 24), "float32"))
    x = random((6, 10, 24))
    [got] = run(source, [x], x86_target())
    np.testing.assert_allclose(got, x @ weight.value.numpy(), atol=1e-5)
    lowered, _refused = kernels(source, x86_target())
    assert not any("pack_panels" in var.name_hint for var in lowered.get_global_vars())


@pytest.mark.parametrize("mcpu", WIDTHS)
def test_few_results_of_long_rows_are_summed_in_parts(mcpu: str) -> None:
    shapes = [(1, 1024, 10), (2, 768, 2), (1, 4096, 1), (3, 1000, 17), (1, 257, 3), (1, 300_000, 2)]
    arrays = [random((m, k), n) for n, (m, k, _n) in enumerate(shapes)]
    source = module(
        lambda *xs: [
            relax.op.nn.relu(relax.op.add(relax.op.matmul(x, constant((k, n))), constant((n,), 1)))
            for x, (_m, k, n) in zip(xs, shapes, strict=True)
        ],
        *((array.shape, "float32") for array in arrays),
    )
    for x, (_m, k, n), got in zip(arrays, shapes, run(source, arrays, x86_target(mcpu)), strict=True):
        weight, bias = constant((k, n)).value.numpy(), constant((n,), 1).value.numpy()
        expected = np.maximum(x.astype("float64") @ weight + bias, 0)
        np.testing.assert_allclose(got, expected, atol=1e-6 * k, rtol=1e-5, err_msg=f"{x.shape} {n}")


def test_a_narrow_product_of_one_row_has_several_sums_in_flight() -> None:
    lowered, refused = kernels(
        module(lambda x: [relax.op.matmul(x, constant((1024, 10)))], ((1, 1024), "float32")), x86_target()
    )
    [func] = [func for func in lowered.functions.values() if isinstance(func, tirx.PrimFunc)]
    assert refused == []
    assert "T.unroll(T.int64(8))" in func.script()


def test_rows_may_be_free() -> None:
    rows = tirx.Var("n", "int64")
    source = module(lambda x: [relax.op.matmul(x, constant((12, 20)))], ((rows, 12), "float32"))
    x = random((5, 12))
    [got] = run(source, [x], x86_target())
    np.testing.assert_allclose(got, x @ constant((12, 20)).value.numpy(), atol=1e-5)


@given(st.integers(1, 12), st.integers(1, 40), st.integers(1, 16))
def test_panels_hold_every_column_in_order(depth: int, columns: int, panel: int) -> None:
    weight = random((depth, columns))
    packed = pack_columns(weight, panel)
    unpacked = packed.transpose(1, 0, 2).reshape(depth, -1)
    np.testing.assert_array_equal(unpacked[:, :columns], weight)
    assert not unpacked[:, columns:].any()


@settings(deadline=None)
@given(st.integers(1, 300), st.integers(1, 128), st.sampled_from([(16, 32), (8, 16), (4, 32), (4, 16)]))
def test_a_tile_divides_its_extents_and_fits_the_registers(
    rows: int, columns: int, unit: tuple[int, int]
) -> None:
    lanes, registers = unit
    r, c = register_tile(rows, columns, Machine("any", lanes, registers))
    assert rows % r == 0
    assert columns % c == 0
    assert r * c + c + 1 <= registers
