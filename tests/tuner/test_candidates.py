"""Candidates: the model's choice comes first, all compute the same, and their names and keys hold."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from neo_magics.compiler.kernels.conv2d import Window
from neo_magics.compiler.kernels.conv2d_candidates import Convolution, Rows, Tiles, Winograd
from neo_magics.compiler.kernels.matmul_candidates import Product
from neo_magics.compiler.kernels.tiles import matmul_tile, register_tiles, tail_pays, tiles_with_tail
from neo_magics.compiler.kernels.winograd_plan import choose_plan
from neo_magics.compiler.machine import Machine
from neo_magics.compiler.tuning import Choose, key
from neo_magics.tuner.bench import Arena, build
from neo_magics.tuner.workloads import read
from tests.compiler.models import random, x86_target

MACHINES = (Machine("x86_64", 16, 32, 2), Machine("x86_64", 8, 16, 4), Machine("aarch64", 4, 32))
pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))
convolutions = st.builds(
    Convolution,
    batch=st.none() | st.integers(1, 2),
    channels=st.tuples(st.integers(1, 64), st.integers(1, 64)),
    size=st.tuples(st.integers(5, 40), st.integers(5, 40)),
    taps=st.tuples(st.sampled_from([1, 3, 5]), st.sampled_from([1, 3, 5])),
    window=st.builds(
        Window, stride=st.just((1, 1)) | pairs, padding=st.just((1, 1, 1, 1)), dilation=st.just((1, 1))
    ),
    packed=st.booleans(),
    strict=st.booleans(),
)
products = st.builds(Product, st.none() | st.integers(1, 300), st.integers(1, 300), st.integers(1, 300))


@given(convolutions | products)
def test_a_key_says_everything(workload: Convolution | Product) -> None:
    assert read(key(workload)) == workload


@settings(max_examples=10)
@given(convolutions, st.sampled_from(MACHINES))
def test_convolutions_begin_with_the_models_choice(work: Convolution, machine: Machine) -> None:
    assume(min(work.out) > 0)
    found = work.candidates(machine)
    assert len({candidate.label for candidate in found}) == len(found) <= 19
    outer = -(-work.channels[1] // machine.lanes)
    assert not (work.strict and any(isinstance(candidate, Winograd) for candidate in found))
    plan = None
    if (
        work.window.dilation == (1, 1)
        and work.groups == 1
        and work.channels[0] >= machine.lanes
        and not work.strict
    ):
        plan = choose_plan(work.layer(machine.lanes), machine)
    if plan is not None:
        assert found[0] == Winograd(work, machine.lanes, plan)
        return
    sizes, weights = (work.out[1], outer, machine), work.weights(machine.lanes)
    if tail_pays(*sizes, weights):
        assert found[0] == Tiles(work, machine.lanes, tiles_with_tail(*sizes, weights=weights)[0])
    else:
        assert found[0] == Rows(work, machine.lanes, register_tiles(*sizes, weights=weights)[0])


def test_weights_that_the_first_cache_cannot_hold_are_used_for_more_than_two_columns() -> None:
    machine = Machine("any", 16, 32)
    assert register_tiles(250, 7, machine)[0] == (2, 7)
    assert register_tiles(250, 7, machine, weights=4 * 16 * 336)[0] == (10, 1)
    assert register_tiles(250, 7, machine, weights=4 * 16 * 32)[0] == (2, 7)


@given(products, st.sampled_from(MACHINES))
def test_products_begin_with_the_models_choice(work: Product, machine: Machine) -> None:
    found = work.candidates(machine)
    assert found[0].tile == matmul_tile(work.rows, -(-work.columns // machine.lanes), machine)
    assert work.rows or len(found) == 1


@settings(max_examples=10)
@given(convolutions, st.sampled_from(MACHINES))
def test_packed_weights_have_the_shape_that_is_timed(work: Convolution, machine: Machine) -> None:
    assume(min(work.out) > 0)
    weight = random((work.channels[1], work.channels[0], *work.taps))
    for candidate in work.candidates(machine):
        assert candidate.pack(weight).shape == candidate.shapes[1]


def test_choose_answers_from_what_is_known_else_with_the_model() -> None:
    work, machine = Product(128, 256, 512), MACHINES[0]
    first, second, *_ = work.candidates(machine)
    assert Choose()(work, machine) == first
    assert Choose({key(work): second.label})(work, machine) == second
    assert Choose({key(work): "of an older release"})(work, machine) == first
    choose = Choose()
    choose(work, machine)
    choose(work, machine)
    assert list(choose.met.values()) == [work]
    assert choose.uses[key(work)] == 2


def test_each_kind_of_candidates_computes_the_convolution() -> None:
    window = Window((1, 1), (1, 1, 1, 1), (1, 1))
    work = Convolution(1, (16, 32), (9, 11), (3, 3), window)
    weight, target, arena = random((32, 16, 3, 3)) / 17, x86_target(), Arena(1 << 16)
    kinds = {candidate.label.partition(":")[0]: candidate for candidate in work.candidates(target.machine)}
    assert {"rows", "rows across", "tiles", "tiles across", "winograd 4x4", "winograd 2x2"} <= set(kinds)
    for candidate in kinds.values():
        made = build(work, candidate, target.tvm, target.machine, arena)
        made.weights[0].copyfrom(candidate.pack(weight))
        made.weights = made.weights[:1]
        made()
        data = torch.from_numpy(_unpacked(made.data.numpy()))
        bias = torch.from_numpy(_unpacked(made.bias.numpy()))
        expected = torch.relu(torch.conv2d(data, torch.from_numpy(weight), padding=1) + bias).numpy()
        got = _unpacked(made.out.numpy())
        np.testing.assert_allclose(got, expected, atol=1e-4, err_msg=candidate.label)


@pytest.mark.parametrize("rows", [1, 13])
def test_candidates_compute_the_product(rows: int) -> None:
    work, weight, target = Product(rows, 24, 75), random((24, 75)), x86_target()
    for candidate in work.candidates(target.machine)[:3]:
        made = build(work, candidate, target.tvm, target.machine, Arena(1 << 16))
        made.weights[0].copyfrom(candidate.pack(weight))
        made.weights = made.weights[:1]
        made()
        expected = np.maximum(made.data.numpy() @ weight + made.bias.numpy(), 0)
        np.testing.assert_allclose(made.out.numpy(), expected, atol=1e-4, err_msg=candidate.label)


def test_weights_lie_over_the_whole_arena() -> None:
    arena = Arena(1 << 20)
    tensors = arena.weights((3, 5))
    places = [tensor.data_ptr() for tensor in tensors]
    assert len(set(places)) == len(places) > 8
    assert all(place % 64 == 0 for place in places)
    [large] = arena.weights((1 << 19,))
    assert tuple(large.shape) == (1 << 19,)


def test_no_call_reads_what_another_has_just_read() -> None:
    arena = Arena(1 << 20)
    assert [arena.turn(4) for _ in range(5)] == [0, 1, 2, 3, 0]
    assert arena.turn(8) == 2  # behind the first quarter
    assert arena.turn(2) == 1
    assert arena.turn(1) == 0


def _unpacked(array: np.ndarray) -> np.ndarray:
    batch, blocks, height, width, lanes = array.shape
    return array.transpose(0, 1, 4, 2, 3).reshape(batch, blocks * lanes, height, width)
