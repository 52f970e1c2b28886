"""Every model of the benchmark by name, with its inputs."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import nn

Inputs = dict[str, "torch.Tensor"]

CONVOLUTIONAL, TRANSFORMER, OTHER, UNTUNED = "convolutional", "transformer", "other", "untuned"
_TORCHVISION = (
    "resnext50_32x4d",
    "regnet_y_400mf",
    "squeezenet1_1",
    "mnasnet1_0",
    "shufflenet_v2_x1_0",
    "convnext_tiny",
    "swin_t",
)
_LAYERS = (("style", 128), ("face", 112), ("mish", 160), ("superresolution", 128), ("alexnet", 227))
_OWN_IMAGES = ("narrow", "wide_windows", "Mixer", "DilatedHead", "Detector")


@dataclass(frozen=True)
class Case:
    """A model with its inputs. `kind` is the row of the targets that it counts for."""

    name: str
    kind: str
    build: Callable[[], nn.Module]
    inputs: Callable[[], Inputs]

    def make(self) -> tuple[nn.Module, Inputs]:
        """The module, ready for inference, and its inputs by name; always the same numbers."""
        import torch

        from tests.benchmarks.models.weights import settle

        torch.manual_seed(0)
        model, inputs = self.build(), self.inputs()
        return settle(model, inputs), inputs


def _build(file: str, name: str, **options: object) -> Callable[[], nn.Module]:
    """`name(**options)` of tests.benchmarks.models.`file`, imported when it is needed."""

    def build() -> nn.Module:
        from importlib import import_module

        module: nn.Module = getattr(import_module(f"tests.benchmarks.models.{file}"), name)(**options)
        return module

    return build


def _image(batch: int = 1, size: int = 224, channels: int = 3) -> Inputs:
    import torch

    return {"image": torch.randn(batch, channels, size, size)}


def _tokens(batch: int = 1, length: int = 128, vocabulary: int = 30522) -> Inputs:
    import torch

    mask = torch.ones(batch, length, dtype=torch.int64)
    mask[:, length - length // 8 :] = 0  # an eighth is padding
    return {"ids": torch.randint(0, vocabulary, (batch, length)), "mask": mask}


def _step(past: int = 127, layers: int = 12, heads: int = 12, width: int = 64) -> Inputs:
    import torch

    return {"token": torch.randint(0, 50257, (1, 1)), "past": torch.randn(layers, 2, heads, past, width)}


def _rows(*shape: int) -> Inputs:
    import torch

    return {"x": torch.randn(*shape)}


def _convolutional(name: str, file: str, builder: str, size: int = 224, **options: object) -> list[Case]:
    build = _build(file, builder, **options)
    odd = size + 1
    return [
        Case(name, CONVOLUTIONAL, build, partial(_image, 1, size)),
        Case(f"{name}-b8", CONVOLUTIONAL, build, partial(_image, 8, size)),
        Case(f"{name}-{odd}", CONVOLUTIONAL, build, partial(_image, 1, odd)),
    ]


def _cases() -> list[Case]:
    bert, encoder = _build("transformers", "bert_base"), _build("transformers", "small_encoder")
    vit, gpt2 = _build("transformers", "vit_tiny"), _build("decoder", "GPT2Step")
    lstm, mlp = _build("others", "Lstm"), _build("others", "mlp")
    return [
        *_convolutional("resnet18", "resnet", "resnet18"),
        *_convolutional("resnet50", "resnet", "resnet50"),
        *_convolutional("mobilenetv2", "mobilenet", "mobilenet_v2"),
        *_convolutional("mobilenetv3", "mobilenet", "mobilenet_v3_small"),
        *_convolutional("efficientnet", "mobilenet", "efficientnet"),
        *_convolutional("densenet121", "densenet", "DenseNet"),
        *_convolutional("inception", "inception", "Inception", 299),
        *_convolutional("unet", "unet", "UNet", 256),
        Case("resnet-odd", CONVOLUTIONAL, _build("resnet", "resnet_odd"), partial(_image, 1, 225)),
        Case("bert_base", TRANSFORMER, bert, _tokens),
        Case("bert_base-b8", TRANSFORMER, bert, partial(_tokens, 8)),
        Case("bert_base-s77", TRANSFORMER, bert, partial(_tokens, 1, 77)),
        Case("encoder", TRANSFORMER, encoder, _tokens),
        Case("encoder-b8", TRANSFORMER, encoder, partial(_tokens, 8)),
        Case("encoder-s77", TRANSFORMER, encoder, partial(_tokens, 1, 77)),
        Case("vit_tiny", TRANSFORMER, vit, _image),
        Case("vit_tiny-b8", TRANSFORMER, vit, partial(_image, 8)),
        Case("gpt2_step", OTHER, gpt2, _step),
        Case("gpt2_step-p76", OTHER, gpt2, partial(_step, 76)),
        Case("lstm", OTHER, lstm, partial(_rows, 1, 64, 128)),
        Case("lstm-b8", OTHER, lstm, partial(_rows, 8, 64, 128)),
        Case("lstm-odd", OTHER, _build("others", "Lstm", size=77, hidden=203), partial(_rows, 1, 77, 77)),
        Case("mlp", OTHER, mlp, partial(_rows, 1, 784)),
        Case("mlp-b8", OTHER, mlp, partial(_rows, 8, 784)),
        Case("mlp-odd", OTHER, _build("others", "mlp", sizes=(77, 301, 203, 7)), partial(_rows, 1, 77)),
        Case("tiny", OTHER, _build("others", "Tiny"), partial(_image, 1, 16)),
        *_untuned(),
    ]


def _untuned() -> list[Case]:
    """Models that no kernel was made with: torchvision's, and small ones of other kinds."""
    builds = {name: _build("torchvision", "Torchvision", model=name) for name in _TORCHVISION}
    builds |= {name.lower(): _build("untuned", name) for name in _OWN_IMAGES}
    return [
        *(Case(f"new-{name}", UNTUNED, build, _image) for name, build in builds.items()),
        *(
            Case(f"new-{name}", UNTUNED, _build("untuned_layers", name), partial(_image, 1, size))
            for name, size in _LAYERS
        ),
        Case("new-diffusion", UNTUNED, _build("untuned_layers", "Diffusion"), partial(_image, 1, 32, 4)),
        Case("new-generator", UNTUNED, _build("untuned", "generator"), partial(_rows, 1, 100, 1, 1)),
        Case("new-wavenet", UNTUNED, _build("untuned", "WaveNet"), partial(_rows, 1, 1, 11025)),
        Case("new-vocoder", UNTUNED, _build("untuned", "Vocoder"), partial(_rows, 1, 80, 43)),
        Case("new-gru", UNTUNED, _build("untuned", "Gru"), partial(_rows, 1, 64, 128)),
        Case("new-video", UNTUNED, _build("untuned_axes", "video"), partial(_rows, 1, 3, 8, 56, 56)),
        Case("new-points", UNTUNED, _build("untuned_axes", "Points"), partial(_rows, 1, 3, 1024)),
        Case("new-samples", UNTUNED, _build("untuned_axes", "Samples"), partial(_rows, 1, 1, 16000)),
        Case("new-conformer", UNTUNED, _build("untuned_axes", "conformer"), partial(_rows, 1, 98, 144)),
        Case("new-tokenhead", UNTUNED, _build("untuned_axes", "TokenHead"), partial(_image, 1, 256)),
        Case("new-modulated", UNTUNED, _build("untuned_weights", "Modulated"), partial(_rows, 1, 64, 16, 16)),
        Case("new-tracker", UNTUNED, _build("untuned_weights", "Tracker"), partial(_image, 1, 128)),
        Case("new-translator", UNTUNED, _build("untuned_weights", "Translator"), partial(_rows, 2, 70, 128)),
        Case("new-enlarger", UNTUNED, _build("untuned_weights", "enlarger"), partial(_image, 1, 112)),
        Case("new-boxes", UNTUNED, _build("untuned_weights", "Boxes"), partial(_rows, 1, 128, 40, 40)),
        Case("new-half", UNTUNED, _build("untuned_weights", "Half"), partial(_image, 1, 96)),
    ]


CASES = {case.name: case for case in _cases()}
STANDARD = [name for name in CASES if "-" not in name and name != "tiny"]


def select(patterns: Sequence[str]) -> list[Case]:
    """The cases that match any of `patterns` ("resnet*", "all"), in their order; none: the standard ones.

    Raises `ValueError` for a pattern that matches nothing.
    """
    if not patterns:
        return [CASES[name] for name in STANDARD]
    if "all" in patterns:
        return list(CASES.values())
    for pattern in patterns:
        if not fnmatch.filter(CASES, pattern):
            raise ValueError(f"No model matches {pattern!r}. There are: {', '.join(CASES)}.")
    return [case for name, case in CASES.items() if any(fnmatch.fnmatch(name, each) for each in patterns)]
