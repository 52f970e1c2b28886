"""The function that calls the kernels without the virtual machine computes what the machine computes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from neo_magics.api import devices
from neo_magics.api.compiler_options import CompilerOptions
from neo_magics.artifact.manifest import PARAMS, Manifest
from neo_magics.capture import capture
from neo_magics.compiler.pipeline import CompileRequest, compile_model
from neo_magics.runtime import load
from neo_magics.runtime.binding import Binder
from neo_magics.runtime.entry import DirectEntry, Entry, MachineEntry, make_entry
from neo_magics.runtime.loading import load_machine
from neo_magics.runtime.weights import map_weights
from tests.compiler.test_model_zoo import build, listed

Entries = tuple[Entry, MachineEntry, Binder]
HERE = devices.resolve({"TargetPlatform": {"Os": "LINUX", "Arch": "X86_64"}})


class Joins(nn.Module):
    """Parts that are computed inside of the joined tensor, a view as the result, and a second result."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 16, 3, padding=1)
        self.second = nn.Conv2d(16, 16, 3, padding=1)
        self.last = nn.Conv2d(32, 16, 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        first = self.first(x).relu()
        joined = torch.cat([first, self.second(first).relu()], 1)
        return self.last(joined).relu().flatten(1), joined.mean((2, 3))


class Handing(nn.Module):
    """Hands an input through, which no kernel writes."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x, x.exp()


class Twice(nn.Module):
    """Returns one tensor twice."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        y = x.exp()
        return y, y


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(24, 40), nn.GELU(), nn.Linear(40, 7))


def entries(
    model: nn.Module, inputs: tuple[torch.Tensor, ...], folder: Path
) -> tuple[Entry, MachineEntry, Any]:
    out = build(model.eval(), inputs, folder, HERE, mcpu="native")
    manifest = Manifest.read(out)
    library, machine = load_machine(out, manifest)
    weights = map_weights(out / PARAMS, manifest.params)
    entry = make_entry(manifest, library, machine, weights)
    return entry, MachineEntry(machine[manifest.entry], weights), Binder(manifest.inputs)


@pytest.mark.parametrize(
    ("model", "shape"), [(mlp(), (2, 24)), (Joins(), (1, 3, 10, 10)), (nn.Softmax(-1), (3, 5, 7))]
)
def test_both_entries_compute_the_same(model: nn.Module, shape: tuple[int, ...], tmp_path: Path) -> None:
    x = torch.randn(shape)
    direct, machine, binder = entries(model, (x,), tmp_path)
    assert isinstance(direct, DirectEntry)
    tensors = binder.tensors([x.numpy()])
    with torch.no_grad():
        expected = listed(model(x))
    for ours, theirs, reference in zip(direct(tensors), machine(tensors), expected, strict=True):
        np.testing.assert_array_equal(np.from_dlpack(ours), np.from_dlpack(theirs))
        np.testing.assert_allclose(np.from_dlpack(ours), reference, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("model", [Handing(), Twice(), nn.Flatten()])
def test_what_is_no_straight_line_stays_with_the_virtual_machine(model: nn.Module, tmp_path: Path) -> None:
    x = torch.randn(2, 3, 4)
    entry, machine, binder = entries(model, (x,), tmp_path)
    assert isinstance(entry, MachineEntry)
    results = machine(binder.tensors([x.numpy()]))
    for result, expected in zip(results, listed(model(x)), strict=True):
        np.testing.assert_allclose(np.from_dlpack(result), expected, rtol=1e-6)


def test_free_sizes_are_those_of_the_inputs(tmp_path: Path) -> None:
    model, folder = mlp().eval(), tmp_path / "source"
    folder.mkdir()
    capture(model, input_shape='{"input": [null, 24]}').unpack_into(folder)
    out = tmp_path / "out"
    out.mkdir()
    options = CompilerOptions(mcpu="native", raw={"mcpu": "native"})
    compile_model(CompileRequest(folder, "PYTORCH", None, HERE, options, out), lambda _event: None)
    compiled = load(out)
    assert isinstance(compiled._entry, DirectEntry)
    for rows in (2, 1, 300, 5, 0):  # the workspace grows, and stays as large as it was
        x = torch.randn(rows, 24)
        with torch.no_grad():
            np.testing.assert_allclose(compiled(x.numpy()), model(x).numpy(), atol=1e-5)


def test_each_call_has_outputs_of_its_own(tmp_path: Path) -> None:
    model, x = mlp().eval(), torch.randn(2, 24)
    compiled = load(build(model, (x,), tmp_path, HERE, mcpu="native"))
    first = compiled(x.numpy())
    kept = first.copy()
    compiled(-x.numpy())
    np.testing.assert_array_equal(first, kept)


def test_an_artifact_without_the_function_runs_in_the_virtual_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, x = mlp().eval(), torch.randn(2, 24)
    folder = build(model, (x,), tmp_path, HERE, mcpu="native")
    monkeypatch.setattr("neo_magics.runtime.entry.DIRECT", "of_a_later_version")
    with torch.no_grad():
        np.testing.assert_allclose(load(folder)(x.numpy()), model(x).numpy(), atol=1e-5)
