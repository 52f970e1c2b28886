"""What the peers share: the model in every form a runtime reads, and the options of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.models import CASES

Arrays = dict[str, np.ndarray[Any, Any]]
OPTIONS = "options.json"
CALIBRATION_CALLS = 8


class UnsupportedError(Exception):
    """A peer does not offer what was asked for; the message says what."""


@dataclass(frozen=True)
class Options:
    """What a peer is prepared for. `dtype`: what it computes in, "float32", "bfloat16" or
    "int8"; PyTorch eager, whose outputs the others are compared with, then stays in float32.
    """

    threads: int = 2
    dtype: str = "float32"

    def write(self, folder: Path) -> None:
        """Keep the options beside what was prepared."""
        (folder / OPTIONS).write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Options:
        """The options that `folder` was prepared for."""
        return cls(**json.loads((folder / OPTIONS).read_text(encoding="utf-8")))


@dataclass(frozen=True)
class Sources:
    """The model of a case as files below `folder`: a pickled module, ONNX, inputs."""

    case: str
    folder: Path

    @property
    def module(self) -> Path:
        """The module, pickled."""
        return self.folder / "module.pt"

    @property
    def onnx(self) -> Path:
        """The same as ONNX, weights inside; missing where PyTorch cannot export it here."""
        return self.folder / "model.onnx"

    def need_onnx(self) -> Path:
        """The ONNX file, or `UnsupportedError` where there is none."""
        if not self.onnx.is_file():
            raise UnsupportedError("PyTorch's ONNX exporter needs onnxscript.")
        return self.onnx

    @property
    def inputs(self) -> Path:
        """The inputs by name, of `save_arrays`."""
        return self.folder / "inputs.npz"

    def write(self) -> None:
        """Make the files. Not part of any peer's time."""
        import torch

        from neo_magics.runtime.exchange import save_arrays

        self.folder.mkdir(parents=True, exist_ok=True)
        model, inputs = CASES[self.case].make()
        torch.save(model, self.module)
        save_arrays(self.inputs, {name: tensor.numpy() for name, tensor in inputs.items()})
        if find_spec("onnxscript") is None:
            return
        torch.onnx.export(
            model,
            tuple(inputs.values()),
            self.onnx,
            input_names=list(inputs),
            dynamo=True,
            external_data=False,
            verbose=False,
        )


def load_module(path: Path) -> Any:
    """The module that `Sources.write` pickled."""
    import torch

    return torch.load(path, weights_only=False)


def calibration(inputs: Arrays) -> list[Arrays]:
    """Inputs like the case's own, which is the first: floats are normal numbers, others are kept."""
    generator = np.random.default_rng(0)

    def like(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        if array.dtype.kind != "f":
            return array
        return generator.standard_normal(array.shape).astype(array.dtype)

    others = [{name: like(array) for name, array in inputs.items()} for _ in range(CALIBRATION_CALLS - 1)]
    return [inputs, *others]


class TorchCall:
    """Runs a module in inference mode on its inputs in order, in bfloat16 by autocast where asked."""

    def __init__(self, module: Any, dtype: str) -> None:
        import torch

        self._module = module
        self._torch = torch
        self._lower = dtype == "bfloat16"
        self.versions = {"torch": str(torch.__version__)}
        self.input_specs = ()

    def run(self, inputs: Mapping[str, np.ndarray[Any, Any]]) -> Arrays:
        """The outputs, numbered."""
        torch = self._torch
        tensors = [torch.from_numpy(array) for array in inputs.values()]
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=self._lower):
            result = self._module(*tensors)
        results = result if isinstance(result, tuple) else (result,)
        return numbered([tensor.float().numpy() if self._lower else tensor.numpy() for tensor in results])


def numbered(arrays: list[Any]) -> Arrays:
    """Arrays under the names output0, output1, …"""
    return {f"output{index}": array for index, array in enumerate(arrays)}
