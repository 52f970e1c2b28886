"""From a model archive to a folder that the runtime loads, with what happened told on the way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import tvm
from torch import nn
from tvm import relax

from neo_magics.api import devices
from neo_magics.api.compiler_options import CompilerOptions
from neo_magics.api.events import Event, ProgressEvent, StageEvent
from neo_magics.artifact.manifest import Manifest
from neo_magics.capture import capture
from neo_magics.compiler.pipeline import CompileRequest, compile_model, optimize
from neo_magics.demo import network
from neo_magics.errors import CompilationError, InputError
from neo_magics.runtime import load
from tests.compiler.models import module, x86_target

Compile = Callable[..., Manifest]


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def compile_network(tmp_path: Path, events: list[Event]) -> Compile:
    def compile_it(model: nn.Module, example: torch.Tensor | None = None, **given: str) -> Manifest:
        folder, out = tmp_path / "source", tmp_path / "out"
        folder.mkdir()
        out.mkdir()
        inputs = {"inputs": example} if example is not None else {}
        archive = capture(model, **inputs, **given)
        archive.unpack_into(folder)
        device = devices.resolve({"TargetPlatform": {"Os": "LINUX", "Arch": "X86_64"}})
        options = CompilerOptions(mcpu="native", raw={"mcpu": "native"})
        request = CompileRequest(
            folder, archive.framework, None, device, options, out, name="digits", source_digest="abc"
        )
        return compile_model(request, events.append)

    return compile_it


def test_the_compiled_folder_computes_what_pytorch_computes(compile_network: Compile, tmp_path: Path) -> None:
    digits = network.build().eval()
    x = torch.randn(2, 1, 8, 8)
    compile_network(digits, x)
    with torch.no_grad():
        np.testing.assert_allclose(load(tmp_path / "out")(x.numpy()), digits(x).numpy(), atol=1e-5)


def test_a_free_batch_is_free_in_the_compiled_model(compile_network: Compile, tmp_path: Path) -> None:
    digits = network.build().eval()
    compile_network(digits, input_shape='{"input": [null, 1, 8, 8]}')
    compiled = load(tmp_path / "out")
    for batch in (1, 3, 32):
        x = torch.randn(batch, 1, 8, 8)
        with torch.no_grad():
            np.testing.assert_allclose(compiled(x.numpy()), digits(x).numpy(), atol=1e-5)


def test_the_manifest_tells_what_was_compiled(compile_network: Compile, tmp_path: Path) -> None:
    written = compile_network(network.build().eval(), torch.randn(1, 1, 8, 8))
    manifest = Manifest.read(tmp_path / "out")
    assert manifest == written
    assert (manifest.name, manifest.source_digest, manifest.library) == ("digits", "abc", "compiled.so")
    assert [spec.shape for spec in (*manifest.inputs, *manifest.outputs)] == [(1, 1, 8, 8), (1, 10)]
    assert manifest.target["triple"] == "x86_64-linux-gnu"
    assert manifest.options == {"mcpu": "native"}
    assert manifest.versions["apache-tvm"]
    assert set(manifest.stages) == {"import", "optimize", "build"}
    assert {"compiled.so", "compiled.params"} <= set(manifest.files)


def test_stages_and_kernels_are_told_as_they_happen(compile_network: Compile, events: list[Event]) -> None:
    compile_network(network.build().eval(), torch.randn(1, 1, 8, 8))
    stages = [(event.stage, event.state) for event in events if isinstance(event, StageEvent)]
    assert stages == [(s, state) for s in ("import", "optimize", "build") for state in ("started", "done")]
    last = [event for event in events if isinstance(event, ProgressEvent)][-1]
    assert (last.done, last.unit) == (last.total, "kernels")


def test_a_stage_that_fails_says_so(tmp_path: Path, events: list[Event]) -> None:
    device = devices.resolve({"TargetPlatform": {"Os": "LINUX", "Arch": "X86_64"}})
    request = CompileRequest(tmp_path, "PYTORCH", None, device, CompilerOptions(), tmp_path)
    with pytest.raises(InputError):
        compile_model(request, events.append)
    assert [event.state for event in events if isinstance(event, StageEvent)] == ["started", "failed"]


def test_what_tvm_refuses_is_a_compilation_error_that_names_the_stage() -> None:
    with pytest.raises(CompilationError, match="stage optimize"):
        optimize(tvm.IRModule({}), x86_target(), lambda _event: None)


def test_the_module_after_each_pass_can_be_written(tmp_path: Path) -> None:
    source = module(lambda x: [relax.op.nn.relu(x)], ((4, 4), "float32"))
    optimize(source, x86_target(), lambda _event: None, dump=tmp_path / "dump")
    names = sorted(path.name for path in (tmp_path / "dump").iterdir())
    assert any("FoldConstants" in name for name in names)
    assert any("ScheduleKernels" in name for name in names)
