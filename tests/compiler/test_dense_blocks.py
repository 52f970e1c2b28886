"""Tensors that grow by concatenation, and are activated before each convolution, without a copy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from tvm import relax

from tests.compiler.models import WIDTHS, Array, agrees, constant, kernels, module, x86_target


@dataclass(frozen=True)
class Dense:
    """A convolution to `channels`, then layers that each add `growth` channels. `nested`: each joins the
    joined tensor before it (DenseNet's paper), else all parts from the first (torchvision)."""

    data: tuple[int, int, int, int]
    channels: int = 32
    growth: int = 16
    layers: int = 3
    nested: bool = True
    ends_joined: bool = False

    def weights(self) -> list[tuple[Any, ...]]:
        """(scale, shift, 1×1 weight, 3×3 weight) of each layer, as Relax constants."""
        found = []
        for index in range(self.layers):
            inner = self.channels + index * self.growth
            shapes = ((1, inner, 1, 1), (1, inner, 1, 1), (24, inner, 1, 1), (self.growth, 24, 3, 3))
            found.append(tuple(constant(shape, 4 * index + n + 1) for n, shape in enumerate(shapes)))
        return found

    @property
    def first(self) -> Any:
        return constant((self.channels, self.data[1], 3, 3))

    def relax(self, x: Any) -> Any:
        op = relax.op
        parts = [op.nn.conv2d(x, self.first, padding=1)]
        joined = parts[0]
        for scale, shift, one, three in self.weights():
            active = op.nn.relu(op.add(op.multiply(joined, scale), shift))
            made = op.nn.conv2d(op.nn.relu(op.nn.conv2d(active, one)), three, padding=1)
            parts.append(made)
            joined = op.concat([joined, made] if self.nested else parts, 1)
        return joined if self.ends_joined else op.nn.relu(joined)

    def torch(self, x: Array) -> Array:
        parts = [torch.conv2d(torch.from_numpy(x), _tensor(self.first), padding=1)]
        joined = parts[0]
        for layer in self.weights():
            scale, shift, one, three = map(_tensor, layer)
            made = torch.conv2d(torch.conv2d((joined * scale + shift).relu(), one).relu(), three, padding=1)
            parts.append(made)
            joined = torch.cat([joined, made] if self.nested else parts, 1)
        return (joined if self.ends_joined else joined.relu()).numpy()


@dataclass(frozen=True)
class Shared:
    """Parts that two joins want, that stand twice in one, or that are the model's own input."""

    data: tuple[int, int, int, int]

    def relax(self, x: Any) -> Any:
        op, weight = relax.op, constant((16, 16, 1, 1))
        a, b = op.nn.conv2d(x, weight), op.nn.relu(op.nn.conv2d(x, constant((16, 16, 1, 1), 1)))
        one, two, three = op.concat([a, b], 1), op.concat([b, a], 1), op.concat([a, a, x], 1)
        return op.concat([op.nn.relu(value) for value in (one, two, three)], 1)

    def torch(self, x: Array) -> Array:
        data = torch.from_numpy(x)
        a, b = (torch.conv2d(data, _tensor(constant((16, 16, 1, 1), seed))) for seed in (0, 1))
        b = b.relu()
        return torch.cat([a, b, b, a, a, a, data], 1).relu().numpy()


def _tensor(constant: Any) -> torch.Tensor:
    return torch.from_numpy(constant.value.numpy())


GRID = (
    Dense((1, 3, 28, 28)),
    Dense((1, 5, 15, 13), nested=False),
    Dense((1, 4, 9, 9), channels=48, growth=32, ends_joined=True),
    Dense((2, 3, 14, 14), layers=2),
    Dense((1, 3, 14, 14), channels=20, growth=12),
    Shared((1, 16, 6, 5)),
)


@pytest.mark.parametrize("mcpu", WIDTHS)
def test_joined_tensors_are_those_of_pytorch(mcpu: str) -> None:
    agrees(GRID, mcpu)


def _kernels_of(case: Dense) -> list[str]:
    lowered, refused = kernels(module(lambda x: [case.relax(x)], (case.data, "float32")), x86_target())
    assert not refused
    return [str(var.name_hint) for var in lowered.get_global_vars()]


@pytest.mark.parametrize("nested", [True, False])
def test_nothing_is_copied(nested: bool) -> None:
    names = _kernels_of(Dense((1, 3, 28, 28), nested=nested))
    assert not [name for name in names if name.startswith("join_blocks")]


def test_several_images_are_joined_by_copies() -> None:
    names = _kernels_of(Dense((2, 3, 28, 28)))
    assert [name for name in names if "concat" in name]
