"""Bags of rows and rows added up: the numbers of PyTorch for any bags, and places that are met twice."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from neo_magics.compiler.frontends.torch_program import program_to_module
from tests.compiler.models import kernels, random, run, x86_target

TABLE = torch.from_numpy(random((40, 150)))
NARROW = torch.from_numpy(random((9, 3), 1))


class Bags(torch.nn.Module):
    """All modes, bags of one size and of several, some empty."""

    def forward(
        self, even: torch.Tensor, flat: torch.Tensor, begins: torch.Tensor, weights: torch.Tensor
    ) -> list[torch.Tensor]:
        bag = functional.embedding_bag
        modes = ("sum", "mean", "max")
        found = [bag(even, TABLE, mode="mean"), bag(flat, TABLE, begins, mode="max")]
        found += [bag(flat % 9, NARROW, begins, mode=mode, padding_idx=4) for mode in modes]
        found += [bag(flat, TABLE, begins, mode="sum", include_last_offset=True)]
        return [*found, bag(flat, TABLE, begins, mode="sum", per_sample_weights=weights)]


@pytest.mark.parametrize("mcpu", ["native", pytest.param("x86-64", marks=pytest.mark.slow)])
def test_bags(mcpu: str) -> None:
    generator = torch.Generator().manual_seed(0)
    even, flat = (torch.randint(0, 40, shape, generator=generator) for shape in ((5, 7), (30,)))
    given = (even, flat, torch.tensor([0, 0, 4, 20, 30]), torch.rand(30, generator=generator))
    program = torch.export.export(Bags(), given)
    results = run(program_to_module(program), [each.numpy() for each in given], x86_target(mcpu))
    for number, (got, expected) in enumerate(zip(results, Bags()(*given), strict=True)):
        np.testing.assert_allclose(got, expected.numpy(), atol=1e-5, rtol=1e-5, err_msg=str(number))


class FreeBags(torch.nn.Module):
    """As many bags as are given."""

    def forward(self, flat: torch.Tensor, begins: torch.Tensor) -> torch.Tensor:
        return functional.embedding_bag(flat, TABLE, begins, mode="mean")


def test_numbers_of_bags_and_indices_may_be_free() -> None:
    given = (torch.arange(12) * 3, torch.tensor([0, 2, 2, 9]))
    sizes = tuple({0: torch.export.Dim(name, min=2)} for name in ("indices", "bags"))
    program = torch.export.export(FreeBags(), given, dynamic_shapes=sizes)
    [got] = run(program_to_module(program), [each.numpy() for each in given], x86_target())
    np.testing.assert_allclose(got, FreeBags()(*given).numpy(), atol=1e-5, rtol=1e-5)


class Messages(torch.nn.Module):
    """What a graph network does with its edges."""

    def forward(
        self, x: torch.Tensor, wide: torch.Tensor, to: torch.Tensor, cube: torch.Tensor
    ) -> list[torch.Tensor]:
        zeros = torch.zeros(11, 70)
        degree = torch.zeros(11).scatter_add(0, to, torch.ones(to.shape[0]))
        sums = zeros.scatter_add(0, to[:, None].expand(-1, 70), wide)
        parts = torch.zeros(11, 2, 3).index_add(0, to, cube, alpha=2)
        narrow = x.index_add(0, to, wide[:, :5])
        mean = zeros.scatter_reduce(0, to[:, None].expand(-1, 70), wide, "mean")
        along = wide.scatter_add(1, to[:, None].expand(-1, 70) % 3, wide)
        columns = narrow.index_add(-1, to[:5] % 5, narrow), (x > 0).index_add(0, to[:3], x[:3] > 0)
        return [degree, sums, parts, narrow, mean, along, *columns]


def test_messages() -> None:
    to = torch.randint(0, 11, (37,), generator=torch.Generator().manual_seed(0))
    given = (*(torch.from_numpy(random(shape, n)) for n, shape in enumerate(((11, 5), (37, 70)))), to)
    given = (*given, torch.from_numpy(random((37, 2, 3), 5)))
    module = program_to_module(torch.export.export(Messages(), given))
    results = run(module, [each.numpy() for each in given], x86_target())
    for number, (got, expected) in enumerate(zip(results, Messages()(*given), strict=True)):
        np.testing.assert_allclose(got, expected.numpy(), atol=1e-5, rtol=1e-5, err_msg=str(number))
    lowered, _unscheduled = kernels(module, x86_target())
    assert [var.name_hint for var in lowered.get_global_vars() if "add_rows" in var.name_hint]
