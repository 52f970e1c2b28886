"""Complex numbers inside PyTorch's programs: Fourier transforms, rotations, weights; against PyTorch."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from neo_magics.errors import UnsupportedOperatorsError
from tests.compiler.frontends.oracle import agrees

Function = Callable[..., Any]
SOUND = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 256)).astype("float32"))
ROWS = SOUND[:, :64].reshape(2, 8, 8)
WINDOW = torch.hann_window(64)
fft = torch.fft


class Apply(nn.Module):
    """A function as a module."""

    def __init__(self, function: Function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> Any:
        return self.function(x)


def _spectrum(x: torch.Tensor) -> torch.Tensor:
    return torch.stft(x, 64, 16, window=WINDOW, return_complex=True)


def _rotated(x: torch.Tensor) -> torch.Tensor:
    """Rotary positions as Llama's own code writes them."""
    turns = torch.polar(torch.ones(8, 4), torch.outer(torch.arange(8.0), torch.arange(4.0)))
    return torch.view_as_real(torch.view_as_complex(x.reshape(2, 8, 4, 2)) * turns).flatten(2)


TRANSFORMS: dict[str, tuple[Function, torch.Tensor]] = {
    "rfft": (lambda x: fft.rfft(x, norm="ortho").abs(), SOUND),
    "odd": (lambda x: fft.irfft(fft.rfft(x[:, :33]), n=33), SOUND),
    "there and back": (lambda x: fft.irfft(fft.rfft(x) * (0.5 - 2j)), SOUND),
    "two axes": (lambda x: (fft.fft2(x).real, fft.ifft2(x, norm="forward").imag), ROWS),
    "two axes of real numbers": (lambda x: fft.irfft2(fft.rfft2(x, norm="ortho")), ROWS),
    "FNet": (lambda x: fft.fft(fft.fft(x, dim=-1), dim=-2).real, ROWS),
    "shorter": (lambda x: torch.view_as_real(fft.rfft(x, n=20, dim=1)), ROWS),
    "shifted": (lambda x: fft.fftshift(fft.fft(x, dim=1), dim=1).angle().cos(), ROWS),
    "spectrum": (lambda x: _spectrum(x).abs().pow(2), SOUND),
    "parts of a spectrum": (lambda x: torch.view_as_real(_spectrum(x)), SOUND),
    "spectrum and back": (lambda x: torch.istft(_spectrum(x), 64, 16, window=WINDOW), SOUND),
}
ARITHMETIC: dict[str, Function] = {
    "rotary positions": _rotated,
    "quotient": lambda x: (torch.complex(x, x.flip(0)) / (torch.complex(x, -x.flip(1)).conj() + 3)).real,
    "exponential": lambda x: torch.exp(1j * x).imag,
    "products": lambda x: (torch.complex(x, -x) @ torch.complex(x, x * 2)).abs(),
    "sums": lambda x: torch.view_as_real(torch.complex(x, -x).sum(1) - torch.complex(x, x).mean(1)),
    "joined": lambda x: torch.cat([torch.complex(x, x), x + 0j], 1).transpose(0, 1).imag,
    "sizes": lambda x: torch.complex(x * 1e30, x * 1e25).abs() / 1e30,
}


@pytest.mark.parametrize(
    "name", ["rfft", *(pytest.param(each, marks=pytest.mark.slow) for each in TRANSFORMS if each != "rfft")]
)
def test_fourier_transforms(name: str) -> None:
    function, x = TRANSFORMS[name]
    agrees(Apply(function), x, tolerance=1e-5 * float(function(x)[0].abs().max()))


@pytest.mark.slow
@pytest.mark.parametrize("name", ARITHMETIC)
def test_arithmetic(name: str) -> None:
    agrees(Apply(ARITHMETIC[name]), ROWS)


class Filtered(nn.Module):
    """A layer in the frequencies, with weights that are complex, as FNO and spectral gates have."""

    def __init__(self) -> None:
        super().__init__()
        numbers = torch.Generator().manual_seed(0)
        self.weight = nn.Parameter(torch.randn(6, 8, 5, dtype=torch.cfloat, generator=numbers))
        self.register_buffer("turn", torch.exp(torch.arange(5) * (1j * math.pi / 7)))

    def forward(self, rows: torch.Tensor) -> dict[str, torch.Tensor]:
        seen = torch.einsum("bix,oix->box", fft.rfft(rows), self.weight) * self.turn
        return {"rows": fft.irfft(seen, n=8), "sizes": (seen / self.turn).abs()}


@pytest.mark.slow
def test_complex_weights_names_and_a_free_batch() -> None:
    feeds = {"rows": ROWS.repeat(2, 1, 1).numpy()}
    model = agrees(Filtered(), ROWS, feeds=feeds, input_shape=[[None, 8, 8]])
    assert [str(spec) for spec in model.inputs] == ["rows: float32[batch, 8, 8]"]
    assert [str(spec) for spec in model.outputs] == [
        "rows: float32[batch, 6, 8]",
        "sizes: float32[batch, 6, 5]",
    ]


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (fft.rfft, "a result of complex numbers"),
        (lambda x: (fft.fft(x).cumprod(1)).real, "cumprod.default of complex numbers"),
    ],
)
def test_what_has_no_parts_is_refused(function: Function, why: str) -> None:
    with pytest.raises(UnsupportedOperatorsError, match=why):
        agrees(Apply(function), ROWS)
