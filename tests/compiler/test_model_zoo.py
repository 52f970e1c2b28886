"""Small models of many kinds, from the module to the loaded artifact: every pass meets what others made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from neo_magics.api import devices
from neo_magics.api.compiler_options import CompilerOptions
from neo_magics.capture import capture
from neo_magics.compiler.pipeline import CompileRequest, compile_model
from neo_magics.runtime import load

functional = torch.nn.functional


class Made(nn.Module):
    """A module whose forward pass is a function of the module and its inputs."""

    def __init__(self, forward: Callable[..., Any], **parts: Any) -> None:
        super().__init__()
        self.function = forward
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, *inputs: torch.Tensor) -> Any:
        return self.function(self, *inputs)


def floats(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(len(shape)))


def tokens(*shape: int) -> torch.Tensor:
    return torch.randint(0, 100, shape, generator=torch.Generator().manual_seed(1))


def convolution_1d() -> Any:
    layers = (
        nn.Conv1d(3, 16, 5, padding=2, stride=2),
        nn.BatchNorm1d(16),
        nn.GELU(),
        nn.AdaptiveAvgPool1d(1),
    )
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(16, 4)), floats(2, 3, 50)


def convolution_3d() -> Any:
    layers = (nn.Conv3d(2, 8, 3, padding=1), nn.ReLU(), nn.MaxPool3d(2), nn.Flatten(), nn.Linear(512, 3))
    return nn.Sequential(*layers), floats(1, 2, 8, 8, 8)


def groups() -> Any:
    layers = (
        nn.Conv2d(12, 24, 3, groups=3, padding=1), nn.ReLU(), nn.Conv2d(24, 24, 3, groups=24, padding=1),
        nn.Hardswish(), nn.Conv2d(24, 7, 1),
    )  # fmt: skip
    return nn.Sequential(*layers), floats(1, 12, 17, 19)


def transposed() -> Any:
    layers = (
        nn.ConvTranspose2d(8, 16, 4, 2, 1),
        nn.LeakyReLU(0.1),
        nn.ConvTranspose2d(16, 3, 2, 2),
        nn.Tanh(),
    )
    return nn.Sequential(*layers), floats(2, 8, 7, 9)


def dilated() -> Any:
    layers = (
        nn.Conv2d(3, 20, 3, dilation=2, padding=2), nn.ReLU6(),
        nn.AvgPool2d(3, 2, 1, count_include_pad=False), nn.Conv2d(20, 33, (1, 7), padding=(0, 3)),
    )  # fmt: skip
    return nn.Sequential(*layers), floats(1, 3, 33, 31)


def residual() -> Any:
    convolution = nn.Conv2d(16, 16, 3, padding=1)
    stem, norm = nn.Conv2d(3, 16, 7, stride=2, padding=3), nn.BatchNorm2d(16)

    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        y = functional.max_pool2d(m.norm(m.stem(x)).relu(), 3, 2, 1)
        return functional.adaptive_avg_pool2d((m.convolution(y) + y).relu(), 1).flatten(1)

    return Made(forward, stem=stem, norm=norm, convolution=convolution), floats(1, 3, 45, 45)


def gru() -> Any:
    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        return m.head(m.layers(m.table(x))[0][:, -1])

    layers = nn.GRU(32, 24, num_layers=2, bidirectional=True, batch_first=True)
    return Made(forward, table=nn.Embedding(100, 32), layers=layers, head=nn.Linear(48, 5)), tokens(2, 13)


def lstm() -> Any:
    layers, head = nn.LSTM(10, 20, batch_first=True), nn.Linear(20, 2)
    return Made(lambda m, x: m.head(m.layers(x)[0]), layers=layers, head=head), floats(1, 30, 10)


def encoder() -> Any:
    layer = nn.TransformerEncoderLayer(48, 4, 96, batch_first=True)
    return nn.TransformerEncoder(layer, 2), floats(1, 11, 48)


def masked_attention() -> Any:
    attention = nn.MultiheadAttention(32, 4, batch_first=True)
    mask = torch.zeros(2, 9, dtype=torch.bool)
    mask[1, 5:] = True
    made = Made(lambda m, x, mask: m.attention(x, x, x, key_padding_mask=mask)[0], attention=attention)
    return made, (floats(2, 9, 32), mask)


def norms() -> Any:
    layers = (nn.Conv2d(3, 16, 3), nn.GroupNorm(4, 16), nn.SiLU(), nn.InstanceNorm2d(16, affine=True))
    return nn.Sequential(*layers), floats(1, 3, 12, 12)


def channels_last_norm() -> Any:
    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        return m.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2) * m.scale

    return Made(forward, norm=nn.LayerNorm(6), scale=nn.Parameter(floats(1, 6, 1, 1))), floats(1, 6, 9, 9)


def shuffles() -> Any:
    layers = (nn.Conv2d(3, 12, 3, padding=1), nn.PReLU(12), nn.PixelShuffle(2), nn.Conv2d(3, 8, 1))
    return nn.Sequential(*layers, nn.ChannelShuffle(2), nn.Conv2d(8, 8, 3, groups=2)), floats(1, 3, 10, 10)


def resized() -> Any:
    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        return functional.interpolate(m.layer(x), scale_factor=2, mode="bilinear", align_corners=False)

    return Made(forward, layer=nn.Conv2d(3, 5, 3)), floats(1, 3, 15, 15)


def sorted_sums() -> Any:
    return Made(lambda _m, x: torch.where(x > 0, x.cumsum(1), -x).topk(3, dim=1)[0]), floats(4, 9)


def several() -> Any:
    made = Made(lambda m, a, b: (m.layer(a) + b, b.sum(), a * 2), layer=nn.Linear(4, 4))
    return made, (floats(3, 4), floats(3, 4))


def einsum() -> Any:
    weight = nn.Parameter(floats(5, 6))
    return Made(lambda m, x: torch.einsum("bij,jk->bik", x, m.weight).abs().log1p(), weight=weight), floats(
        2, 3, 5
    )


def dueling() -> Any:
    """A product of which the epilogue reads one column for all others; the packed rule fails there."""
    made = Made(
        lambda m, x: m.both(x)[:, :1] + x.log_softmax(1) - m.mean(x),
        both=nn.Linear(8, 2, bias=False),
        mean=nn.Linear(8, 1),
    )
    return made, floats(5, 8)


def brain_floats_within() -> Any:
    """As torch.autocast makes them: float32 in and out. Of whole numbers, so that nothing rounds."""
    layer = nn.Linear(8, 4, bias=False).bfloat16()
    layer.weight.data = (layer.weight.data * 8).round()
    return Made(lambda m, x: m.layer(x.bfloat16()).float(), layer=layer), floats(5, 8).round()


def no_kernel() -> Any:
    return nn.Flatten(), floats(2, 3, 4)


def nothing() -> Any:
    return nn.Identity(), floats(2, 3)


def whole_numbers() -> Any:
    return Made(lambda _m, x: x * 2 + 1), tokens(3)


def a_number() -> Any:
    return Made(lambda _m, x: x.mean()), floats(3, 3)


def doubles() -> Any:
    return nn.Linear(4, 3).double(), floats(2, 4).double()


ZOO = (
    convolution_1d, convolution_3d, groups, transposed, dilated, residual, gru, lstm, encoder,
    masked_attention, norms, channels_last_norm, shuffles, resized, sorted_sums, several, einsum, dueling,
    brain_floats_within, no_kernel, nothing, whole_numbers, a_number, doubles,
)  # fmt: skip


# Their kernels have tests of their own in a plain run.
LONG = (convolution_3d, gru, transposed, dilated, channels_last_norm, masked_attention)
CASES = [pytest.param(make, marks=pytest.mark.slow) if make in LONG else make for make in ZOO]


@pytest.mark.parametrize("make", CASES, ids=lambda make: make.__name__)
def test_the_artifact_computes_what_pytorch_does(make: Callable[[], Any], tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, given = make()
    inputs = given if isinstance(given, tuple) else (given,)
    with torch.no_grad():
        expected = model.eval()(*inputs)
    results = compiled(model, inputs, tmp_path)(*inputs)
    for result, reference in zip(listed(results), listed(expected), strict=True):
        assert result.shape == reference.shape
        assert np.allclose(result, reference, rtol=1e-4, atol=1e-5)


def compiled(model: nn.Module, inputs: tuple[torch.Tensor, ...], folder: Path) -> Any:
    here = devices.resolve({"TargetPlatform": {"Os": "LINUX", "Arch": "X86_64"}})
    return load(build(model, inputs, folder, here, mcpu="native"))


def build(
    model: nn.Module, inputs: tuple[torch.Tensor, ...], folder: Path, device: devices.Device, **options: str
) -> Path:
    """The artifact of `model` for `device`, a folder below `folder`."""
    source, out = folder / "source", folder / "out"
    source.mkdir(parents=True)
    out.mkdir()
    capture(model, inputs=inputs).unpack_into(source)
    request = CompileRequest(source, "PYTORCH", None, device, CompilerOptions(**options, raw=options), out)
    compile_model(request, lambda _event: None)
    return out


def listed(results: Any) -> list[Any]:
    return [np.asarray(each) for each in (results if isinstance(results, list | tuple) else (results,))]
