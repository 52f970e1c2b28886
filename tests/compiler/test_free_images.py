"""Images and sequences of free size: packed kernels, and PyTorch's numbers for each size that comes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import tvm
from torch import nn
from torch.nn import functional
from tvm import relax

from neo_magics.api.events import Event
from neo_magics.compiler.build import build_library
from neo_magics.compiler.frontends.torch_program import program_to_module
from neo_magics.compiler.pipeline import optimize
from tests.compiler.models import x86_target

AUTO = torch.export.Dim.AUTO
IMAGES = ((2, 3, 17, 23), (1, 3, 40, 64), (3, 3, 9, 5))


@contextmanager
def compiled(model: nn.Module, like: torch.Tensor, free: Sequence[int], mcpu: str) -> Iterator[Any]:
    """(function of one array, names of its kernels) of `model`, whose axes `free` may have any size."""
    shapes = (dict.fromkeys(free, AUTO),)
    program = torch.export.export(model.eval(), (like,), dynamic_shapes=shapes, strict=False)
    events: list[Event] = []
    target = x86_target(mcpu)
    lowered = optimize(program_to_module(program), target, events.append)
    assert not [event for event in events if ": rule " in event.sentence()]  # a slower rule stepped in
    with tempfile.TemporaryDirectory() as folder:
        library = tvm.runtime.load_module(
            str(Path(folder) / build_library(lowered.module, target, Path(folder)))
        )
        machine = relax.VirtualMachine(library, tvm.cpu())

        def call(x: torch.Tensor) -> np.ndarray:
            return machine["main"](tvm.runtime.tensor(x.numpy()), list(lowered.weights))[0].numpy()

        yield call, [kernel.name for kernel in lowered.kernels.kernels]


def agrees(
    model: nn.Module, shapes: Sequence[Sequence[int]], free: Sequence[int] = (0, 2, 3), mcpu: str = "native"
) -> list[str]:
    """Compile once, run for each shape; returns the names of the kernels."""
    with compiled(model, torch.randn(*shapes[0]), free, mcpu) as (call, kernels):
        for shape in shapes:
            x = torch.randn(*shape)
            with torch.no_grad():
                np.testing.assert_allclose(
                    call(x), model(x).numpy(), atol=2e-5, rtol=1e-4, err_msg=str(shape)
                )
    return kernels


class Blocks(nn.Module):
    """Strides, groups, dilation, depthwise, pooling, a residual, a gate, channels that fill no block."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 24, 5, 2, 2)
        self.wide = nn.Conv2d(24, 24, 3, 1, 2, dilation=2)
        self.groups = nn.Conv2d(24, 48, (1, 3), padding=(0, 1), groups=4)
        self.depthwise = nn.Conv2d(48, 48, 3, (1, 2), 1, groups=48)
        self.gate = nn.Conv2d(48, 48, 1)
        self.last = nn.Conv2d(72, 7, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.relu(self.first(x))
        x = functional.max_pool2d(functional.silu(self.wide(x)) + x, 3, 1, 1)
        y = self.depthwise(self.groups(x))
        y = y * torch.sigmoid(self.gate(y.mean((2, 3), keepdim=True)))
        z = functional.max_pool2d(x, (1, 2), (1, 2), ceil_mode=True)
        return self.last(torch.cat([y, z], 1)).flatten(2).amax(2)


@pytest.mark.parametrize("mcpu", ["native", pytest.param("x86-64-v3", marks=pytest.mark.slow)])
def test_a_network_of_images_of_any_size(mcpu: str) -> None:
    names = agrees(Blocks(), IMAGES, mcpu=mcpu)
    assert sum("conv2d_tiles" in name for name in names) == 4  # the gate has one pixel, depthwise its own
    assert any("depthwise_conv2d" in name for name in names)


class Enlarging(nn.Module):
    """A U-Net of one step: halved, enlarged again in `mode`, and joined with what was there before."""

    def __init__(self, mode: str, *, corners: bool | None = None) -> None:
        super().__init__()
        self.before, self.below, self.after = (
            nn.Conv2d(i, o, 3, 1, 1) for i, o in ((3, 16), (16, 16), (32, 5))
        )
        self.up = nn.ConvTranspose2d(16, 16, 2, 2)
        self.mode, self.corners = mode, corners

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.before(x)
        y = functional.relu(self.below(functional.max_pool2d(x, 2)))
        if self.mode == "transposed":
            y = self.up(y)
        else:
            y = functional.interpolate(y, scale_factor=2, mode=self.mode, align_corners=self.corners)
        return self.after(torch.cat([x, y], 1))


EVEN = ((2, 3, 12, 20), (1, 3, 34, 6))


@pytest.mark.parametrize(
    ("mode", "corners"),
    [
        ("transposed", None),
        ("nearest", None),
        pytest.param("bilinear", False, marks=pytest.mark.slow),
        pytest.param("bilinear", True, marks=pytest.mark.slow),
    ],
)
def test_what_was_halved_is_enlarged_and_joined(mode: str, corners: bool | None) -> None:
    names = agrees(Enlarging(mode, corners=corners), EVEN)
    assert not any(name.startswith(("concatenate", "reshape")) and "unpack" in name for name in names)


def test_an_image_that_does_not_come_back_to_its_size_is_refused() -> None:
    """PyTorch refuses it too; the kernels would read beyond the end."""
    with (
        compiled(Enlarging("transposed"), torch.randn(1, 3, 12, 20), (2, 3), "native") as (call, _names),
        pytest.raises(Exception, match=r"(?s)0.*1|shape"),
    ):
        call(torch.randn(1, 3, 13, 20))


class Pyramid(nn.Module):
    """To the size of another image, as feature pyramids do."""

    def __init__(self, mode: str) -> None:
        super().__init__()
        self.fine, self.coarse, self.mode = nn.Conv2d(3, 16, 3, 1, 1), nn.Conv2d(3, 16, 3, 3, 1), mode

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        fine = self.fine(x)
        return fine + functional.interpolate(self.coarse(x), size=fine.shape[2:], mode=self.mode)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
def test_to_the_size_of_another_image(mode: str) -> None:
    agrees(Pyramid(mode), IMAGES)


class Normed(nn.Module):
    """Norms over the image, of which style transfer is made."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.Sequential(
            nn.ReflectionPad2d(2), nn.Conv2d(3, 32, 5), nn.InstanceNorm2d(32, affine=True), nn.ReLU(),
            nn.Conv2d(32, 32, 3, 2, 1), nn.GroupNorm(4, 32), nn.SiLU(), nn.Conv2d(32, 3, 1),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.parts(x)


@pytest.mark.slow
def test_norms_over_images_of_any_size() -> None:
    agrees(Normed(), IMAGES)


@pytest.mark.parametrize("groups", [5, pytest.param(20, marks=pytest.mark.slow)])
def test_norms_of_channels_that_fill_no_block(groups: int) -> None:
    """TVM's own lowering does not come to an end: it divides by products of free sizes."""
    agrees(nn.Sequential(nn.GroupNorm(3, 3), nn.Conv2d(3, 20, 3, 2, 1), nn.GroupNorm(groups, 20)), IMAGES)


class Bordered(nn.Module):
    """Joined channels that fill no block, and a border around them."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 3, 3, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.max_pool2d(functional.pad(torch.cat([x, self.first(x)], 1), (1, 2, 0, 1)), 2)


def test_joined_channels_with_a_border() -> None:
    agrees(Bordered(), IMAGES)


class Sequence1d(nn.Module):
    """Dilated, strided and transposed convolutions of a sequence, and one that loses its last step."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.wide = nn.Conv1d(3, 20, 5, 2), nn.Conv1d(20, 20, 3, padding=4, dilation=4)
        self.even, self.up = nn.Conv1d(20, 20, 4, padding=2, groups=2), nn.ConvTranspose1d(20, 6, 8, 4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.relu(self.first(x))
        x = x + functional.gelu(self.wide(x))
        return self.up(x + self.even(x)[..., :-1])


def test_sequences_of_any_length() -> None:
    names = agrees(Sequence1d(), ((2, 3, 60), (1, 3, 7), (1, 3, 301)), free=(0, 2))
    assert sum("conv2d_tiles" in name for name in names) == 4


@pytest.mark.parametrize(
    "pool",
    [
        nn.MaxPool2d(2, 2, 1, ceil_mode=True),
        pytest.param(nn.AvgPool2d(2, 2, 1, ceil_mode=True), marks=pytest.mark.slow),
        pytest.param(nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False), marks=pytest.mark.slow),
    ],
)
def test_windows_rounded_up(pool: nn.Module) -> None:
    """TVM: the size is a condition, which no later pass knows. PyTorch: what it exports is right for images
    like the example only, here where their elements are counted."""
    agrees(nn.Sequential(nn.Conv2d(3, 16, 1), pool, nn.Flatten(2)), IMAGES)


class Cut(nn.Module):
    """3 × 3 with a residual and an activation behind it, worth a transform, and what reads its result."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.same = nn.Conv2d(3, 64, 1), nn.Conv2d(64, 64, 3, 1, 1)
        self.halved = nn.Conv2d(64, 72, 3, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        return self.halved(functional.relu(self.same(x) + x))


def test_chunks_of_tiles_reach_beyond_images_of_any_size() -> None:
    names = agrees(Cut(), [*IMAGES, (1, 3, 1, 2)])
    assert any("winograd_conv2d" in name for name in names)


@pytest.mark.slow
@pytest.mark.parametrize("free", [(2,), (3,), (0, 2)])
def test_chunks_of_tiles_where_one_side_is_known(free: tuple[int, ...]) -> None:
    shapes = [[2, 3, 19, 23], [2, 3, 19, 23]]
    for axis in free:
        shapes[1][axis] = 37
    names = agrees(Cut(), shapes, free)
    assert any("winograd_conv2d" in name for name in names)
