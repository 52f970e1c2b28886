"""PyTorch's operators that are written in terms of others: plain TVM lacks each, or has it wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neo_magics.capture import capture
from neo_magics.capture.source import open_source
from neo_magics.errors import CaptureError, InputError, UnsupportedOperatorsError
from tests.compiler.frontends.oracle import agrees
from tests.compiler.frontends.test_torch_operators import IDS, IMAGE, ROWS, Apply, Function

INDEX = torch.tensor([[0, 1, 1, 3, 0, 2]] * 4)
TABLE = torch.cat([ROWS, ROWS])
HOLES = torch.where(ROWS > 0.5, float("nan"), ROWS)
STARTS, ENDS = torch.tensor([0, 2, 2]), torch.tensor([0, 2, 6])
BAGS = torch.tensor([[1, 2, 0], [4, 4, 3]])
VOLUME = torch.randn(1, 4, 3, 5, 4, generator=torch.Generator().manual_seed(1))
KERNEL = torch.randn(4, 3, 2, 3, 1, generator=torch.Generator().manual_seed(3))
SYSTEMS = torch.randn(3, 4, 4, generator=torch.Generator().manual_seed(4))
ODD = torch.randn(2, 3, 7, 9, generator=torch.Generator().manual_seed(2))

CASES: dict[str, tuple[Function, Tensor]] = {
    # Wrong with plain TVM.
    "divisor, uneven windows": (lambda x: F.avg_pool2d(x, 3, 2, 1, True, divisor_override=2), ODD),
    "strides that transpose": (lambda x: x.contiguous().as_strided((6, 4), (1, 6)), ROWS),
    "strides that overlap": (lambda x: x.contiguous().as_strided((3, 4), (2, 1), 5), ROWS),
    "smallest of absolute values": (lambda x: torch.linalg.vector_norm(x, float("-inf"), 1), ROWS),
    # Refused by plain TVM.
    "powers of bfloat16": (lambda x: (x.bfloat16().abs() ** 1.7).float(), ROWS),
    "bfloat16 that is no number": (lambda x: torch.nan_to_num(x.bfloat16(), 0.5).float(), HOLES),
    "number of non-zeros": (lambda x: torch.linalg.vector_norm(x.relu(), 0, 1), ROWS),
    "bags summed": (lambda x: F.embedding_bag(BAGS, x, mode="sum"), TABLE),
    "bags averaged but one row": (lambda x: F.embedding_bag(BAGS, x, mode="mean", padding_idx=4), TABLE),
    "largest of bags": (lambda x: F.embedding_bag(BAGS.flatten(), x, STARTS, mode="max"), TABLE),
    "weighted bags": (
        lambda x: F.embedding_bag(BAGS, x, mode="sum", per_sample_weights=x[:2, :3]),
        TABLE,
    ),
    "bags with an end": (
        lambda x: F.embedding_bag(BAGS.flatten(), x, ENDS, mode="sum", include_last_offset=True),
        TABLE,
    ),
    "uneven adaptive maximum": (lambda x: F.adaptive_max_pool2d(x, (3, 4)), ODD),
    "uneven adaptive maximum of a volume": (lambda x: F.adaptive_max_pool3d(x, (2, 3, 1)), VOLUME),
    "positions of maxima": (lambda x: F.max_pool2d(x, 3, 2, 1, return_indices=True), ODD),
    "positions in a volume": (lambda x: F.max_pool3d(x, 2, return_indices=True), VOLUME),
    "positions of adaptive maxima": (lambda x: F.adaptive_max_pool2d(x, (3, 4), return_indices=True), ODD),
    "maxima put back": (lambda x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2), IMAGE),
    "transposed over three axes": (
        lambda x: F.conv_transpose3d(x, KERNEL, stride=2, padding=1, groups=2, output_padding=1),
        VOLUME,
    ),
    "running maximum": (lambda x: x.cummax(1), ROWS),
    "an empty list before rows": (lambda x: torch.cat([torch.tensor([]), x, x], -2), ROWS),
    "running maximum of truths": (lambda x: ((x > 0).cummax(1), (x > 0).cummin(0)), ROWS),
    "running minimum with ties": (lambda x: x.cummin(0), IDS),
    "running log of sums": (lambda x: x.logcumsumexp(-1), ROWS),
    "the third of an axis": (lambda x: x.kthvalue(3, 1), ROWS),
    **{
        f"scattered, {kind}, {'with' if own else 'without'} what was there": (
            lambda x, kind=kind, own=own: x.scatter_reduce(0, INDEX, x * 2 - 1, kind, include_self=own),
            ROWS,
        )
        for kind in ("sum", "prod", "mean", "amax", "amin")
        for own in (True, False)
    },
    "places of the flat tensor": (lambda x: x.put(torch.tensor([1, -1]), x[0, :2] + 9), ROWS),
    "elements in order where a mask holds": (lambda x: x.masked_scatter(x > 0, x.flip(0)), ROWS),
    "diagonal replaced": (lambda x: torch.diagonal_scatter(x, x[0, :4] + 9), ROWS),
    "distances of another exponent": (lambda x: torch.cdist(x, x, 3.0), ROWS),
    "largest distances": (lambda x: torch.cdist(x, x, float("inf")), ROWS),
    "distances of pairs": (F.pdist, ROWS),
    "matrix and vector added": (lambda x: torch.addmv(x[:, 0], x, x[0], alpha=2), ROWS),
    "sign of another": (lambda x: torch.copysign(x, x.flip(0)), ROWS),
    "steps": (lambda x: torch.heaviside(x.relu(), x), ROWS),
    "powers of two": (lambda x: torch.ldexp(x, torch.tensor(3)), ROWS),
    "inverse of the error function": (lambda x: (x / 4).clamp(-0.99, 0.99).erfinv(), ROWS),
    "the number of two, not NaN": (lambda x: (torch.fmax(x, x.flip(0)), torch.fmin(x.flip(0), x)), HOLES),
    "random slopes out of training": (F.rrelu, ROWS),
    "inverse": (torch.linalg.inv, SYSTEMS),
    "one inverse": (torch.inverse, SYSTEMS[0]),
    "equations": (lambda x: torch.linalg.solve(x, x[..., :2] + 1), SYSTEMS),
    "equations from the right": (lambda x: torch.linalg.solve(x, x[:, :2] + 1, left=False), SYSTEMS),
    "equations of a vector": (lambda x: torch.linalg.solve(x, x[..., 0] + 1), SYSTEMS),
    "determinant and its logarithm": (lambda x: (torch.linalg.det(x), *torch.linalg.slogdet(x)), SYSTEMS),
    "counted downwards": (lambda x: x[torch.arange(3, -1, -2)], ROWS),
    "the middle of rows": (lambda x: (*x.median(1), x.median(), *x.nanmedian(1)), ROWS),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_rewritten(name: str) -> None:
    function, example = CASES[name]
    agrees(Apply(function), example)


def test_rows_of_bounded_length() -> None:
    layer = nn.Embedding(6, 3, max_norm=0.5)
    agrees(layer, BAGS)


@pytest.mark.parametrize(
    ("function", "what"),
    [
        (F.gumbel_softmax, r"exponential\.default, whose result is random"),
        (lambda x: x + torch.randn_like(x), r"randn_like\.default, whose result is random"),
        (torch.linalg.svd, r"_linalg_svd\.default"),
    ],
)
def test_random_and_unknown_operators_are_refused_by_name(function: Function, what: str) -> None:
    """TVM takes aten.exponential, whose result is random, for exp."""
    with pytest.raises(UnsupportedOperatorsError, match=what):
        agrees(Apply(function), ROWS)


def test_complex_inputs_are_refused() -> None:
    with pytest.raises(InputError, match="Input 'x' is of complex numbers"):
        agrees(Apply(lambda x: x.abs()), torch.complex(ROWS, ROWS))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: torch.combinations(x[0]), "takes a branch or a shape from the values of a tensor"),
        (lambda x: x * bool(x.equal(x)), "takes a branch or a shape from the values of a tensor"),
    ],
)
def test_what_depends_on_values_is_said_in_words(function: Function, message: str) -> None:
    with pytest.raises(CaptureError, match=message):
        capture(Apply(function), inputs=ROWS)


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_a_model_that_writes_its_input_leaves_the_caller_s_as_it_is(tmp_path: Path) -> None:
    """PyTorch's own run, which the result is compared with, wrote into the arrays that ours was run with."""
    agrees(Apply(lambda x: x.add_(1)), ROWS)
    capture(torch.jit.script(_Writes()), inputs=ROWS).unpack_into(tmp_path)
    given = ROWS.numpy().copy()
    (result,) = open_source(tmp_path, "PYTORCH").run({"x": given}).values()
    assert (result == given + 1).all()


class _Writes(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        if x.sum() > 100:
            x = x.relu_()
        return x.add_(1)


def test_a_repetition_as_often_as_a_free_dimension_is_long() -> None:
    numbers = torch.arange(6.0)
    feeds = {"x": torch.randn(5, 6).numpy()}
    agrees(
        Apply(lambda x: numbers.repeat(x.shape[0], 1) + x), ROWS, feeds=feeds, input_shape='{"x": [null, 6]}'
    )


@pytest.mark.parametrize("size", [(3, 7), (1, 2)])
def test_joined_parts_whose_free_sizes_are_written_differently(size: tuple[int, int]) -> None:
    """As MobileBERT joins a token with its neighbours."""

    def joined(x: Tensor) -> Tensor:
        return torch.cat([F.pad(x[:, 1:], (0, 0, 0, 1)), x, F.pad(x[:, :-1], (0, 0, 1, 0))], 2)

    feeds = {"x": torch.randn(*size, 3).numpy()}
    agrees(Apply(joined), torch.randn(2, 5, 3), feeds=feeds, input_shape='{"x": [null, null, 3]}')


def test_a_selection_by_a_mask_is_refused_by_name() -> None:
    with pytest.raises(
        UnsupportedOperatorsError, match=r"masked_select.default, whose size depends on values"
    ):
        agrees(Apply(lambda x: x.masked_select(x > 0)), ROWS)
