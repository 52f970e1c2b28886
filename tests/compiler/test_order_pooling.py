"""Average pooling and 1×1 convolutions in the cheaper order; the numbers are PyTorch's in either."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from tvm import relax

from neo_magics.compiler.passes.order_pooling import CONVOLUTION, POOLING, OrderPooling
from tests.compiler.models import WIDTHS, Array, agrees, constant, module, x86_target


@dataclass(frozen=True)
class Case:
    """Pooling and a 1×1 convolution to `out` channels, in the order that `pools_first` says; then a bias."""

    data: tuple[int, int, int, int]
    out: int
    size: int
    stride: int
    padding: int = 0
    pools_first: bool = False
    counts_padding: bool = True

    @property
    def weights(self) -> tuple[Any, Any]:
        return constant((self.out, self.data[1], 1, 1)), constant((1, self.out, 1, 1), 1)

    def relax(self, x: Any) -> Any:
        weight, bias = self.weights
        pool = {
            "pool_size": (self.size, self.size),
            "strides": (self.stride, self.stride),
            "padding": (self.padding, self.padding),
            "count_include_pad": self.counts_padding,
        }
        value = relax.op.nn.relu(x)
        if self.pools_first:
            value = relax.op.nn.conv2d(relax.op.nn.avg_pool2d(value, **pool), weight)
        else:
            value = relax.op.nn.avg_pool2d(relax.op.nn.conv2d(value, weight), **pool)
        return relax.op.nn.relu(relax.op.add(value, bias))

    def torch(self, x: Array) -> Array:
        weight, bias = (torch.from_numpy(each.value.numpy()) for each in self.weights)
        pool = torch.nn.AvgPool2d(self.size, self.stride, self.padding, count_include_pad=self.counts_padding)
        value = torch.from_numpy(x).relu()
        value = torch.conv2d(pool(value), weight) if self.pools_first else pool(torch.conv2d(value, weight))
        return (value + bias).relu().numpy()

    def order(self) -> list[str]:
        """The operators after the pass, in their order."""
        rewritten = OrderPooling()(module(lambda x: [self.relax(x)], (self.data, "float32")))
        rewritten = relax.transform.DeadCodeElimination(["main"])(rewritten)
        calls = [binding.value for block in rewritten["main"].body.blocks for binding in block.bindings]
        names = [call.op.name for call in calls if hasattr(call, "op")]
        return [name for name in names if name in (POOLING, CONVOLUTION)]


TRANSITION = Case((1, 64, 14, 14), 32, 2, 2)
BRANCH = Case((1, 64, 9, 9), 24, 3, 1, 1, pools_first=True)
GRID = (
    TRANSITION,
    BRANCH,
    Case((2, 20, 15, 13), 10, 3, 2, 1),
    Case((1, 20, 15, 13), 10, 3, 2, 1, counts_padding=False),
    Case((1, 33, 9, 11), 7, 3, 1, 1, pools_first=True, counts_padding=False),
    Case((1, 8, 9, 9), 64, 3, 1, 1, pools_first=True),
)


@pytest.mark.parametrize("mcpu", WIDTHS)
def test_pooled_convolutions_are_those_of_pytorch(mcpu: str) -> None:
    agrees(GRID, mcpu)


def test_pooling_comes_first_where_it_leaves_fewer_pixels() -> None:
    assert TRANSITION.order() == [POOLING, CONVOLUTION]


def test_the_convolution_comes_first_where_it_leaves_fewer_channels() -> None:
    assert BRANCH.order() == [CONVOLUTION, POOLING]


def test_the_order_stays_where_the_other_is_more_work() -> None:
    assert Case((1, 8, 9, 9), 64, 3, 1, 1, pools_first=True).order() == [POOLING, CONVOLUTION]
    assert Case((1, 8, 14, 14), 4, 2, 2, pools_first=True).order() == [POOLING, CONVOLUTION]


def test_strict_code_keeps_the_order_of_sums() -> None:
    from neo_magics.compiler.phases import simplify

    assert not [each for each in simplify(x86_target(strict=True)) if isinstance(each, type(OrderPooling()))]
