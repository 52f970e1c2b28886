"""PyTorch modules: the small ones that every pass is tested with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.zoo.entry import Entry, Given

_QUICK = ("residual", "lstm", "encoder")
_NAMES = [
    *("convolution_1d", "convolution_3d", "groups", "transposed", "dilated", "residual", "gru", "lstm"),
    *("encoder", "masked_attention", "norms", "channels_last_norm", "shuffles", "resized", "sorted_sums"),
    *("several", "einsum", "whole_numbers", "doubles"),
]


def _small(name: str) -> Any:
    def make(_folder: Path) -> Given:
        import torch

        from tests.compiler import test_model_zoo

        torch.manual_seed(0)
        model, inputs = getattr(test_model_zoo, name)()
        return Given(model.eval(), {"inputs": inputs})

    return make


def _free_batch(_folder: Path) -> Given:
    import torch

    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(16, 32), torch.nn.GELU(), torch.nn.Linear(32, 4)).eval()
    return Given(model, {"inputs": torch.randn(5, 16), "input_shape": {"input": [None, 16]}})


def _exported(folder: Path) -> Given:
    import torch

    given = _small("residual")(folder)
    x = given.options["inputs"]
    args = tuple(x.values()) if isinstance(x, dict) else tuple(x) if isinstance(x, list | tuple) else (x,)
    torch.export.save(torch.export.export(given.model, args), folder / "model.pt2")
    return Given(folder / "model.pt2", given.options)


def _scripted(folder: Path) -> Given:
    import torch

    given = _small("residual")(folder)
    torch.jit.save(torch.jit.script(given.model), folder / "model.pth")
    return Given(folder / "model.pth", given.options)


ENTRIES = [
    *(Entry("PYTORCH", name, _small(name), ("torch",), quick=name in _QUICK) for name in _NAMES),
    Entry("PYTORCH", "free_batch", _free_batch, ("torch",)),
    Entry("PYTORCH", "exported", _exported, ("torch",)),
    Entry("PYTORCH", "torchscript", _scripted, ("torch",)),
]
