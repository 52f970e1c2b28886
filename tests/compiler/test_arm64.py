"""The zoo's models compiled for 64-bit Arm and run by an emulated Arm Python with the runtime alone.

`.ci/arm64-root DIR` makes the small Arm system that NEO_MAGICS_ARM64_ROOT names.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from neo_magics.api import devices
from tests.compiler.test_model_zoo import ZOO, build, listed

ROOT = os.environ.get("NEO_MAGICS_ARM64_ROOT", "")
QEMU = shutil.which("qemu-aarch64-static")
REPOSITORY = Path(__file__).parents[2]
# In the emulated process: a folder of models, each with its inputs, to a file of results for each.
RUN_ALL = """
import json, pathlib, platform, sys
import numpy as np
from neo_magics.runtime import load
failed = {}
for folder in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    try:
        given = np.load(folder / "inputs.npz")
        results = load(folder / "out")(*(given[name] for name in given))
        results = results if isinstance(results, (list, tuple)) else [results]
        np.savez(folder / "results.npz", *map(np.asarray, results))
    except Exception as error:
        failed[folder.name] = repr(error)
print(json.dumps({"machine": platform.machine(), "failed": failed, "tvm": "tvm" in sys.modules}))
"""

# Weights in bfloat16 need ml_dtypes, which the runtime alone does without.
ARM_ZOO = [make for make in ZOO if make.__name__ != "brain_floats_within"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (ROOT and QEMU), reason="needs qemu-user-static and NEO_MAGICS_ARM64_ROOT (.ci/arm64-root)"
    ),
]


def compile_zoo(device: str, folder: Path) -> dict[str, list[np.ndarray]]:
    """Each model below `folder` with its inputs; what PyTorch computes from them, by name."""
    expected = {}
    for make in ARM_ZOO:
        torch.manual_seed(0)
        model, given = make()
        inputs = given if isinstance(given, tuple) else (given,)
        with torch.no_grad():
            expected[make.__name__] = listed(model.eval()(*inputs))
        build(model, inputs, folder / make.__name__, devices.resolve({"TargetDevice": device}))
        np.savez(folder / make.__name__ / "inputs.npz", *map(np.asarray, inputs))
    return expected


def emulate(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the Arm Python with these arguments."""
    variables = {"PYTHONPATH": f"{ROOT}/site:{REPOSITORY}", "PYTHONHOME": f"{ROOT}/usr"}
    settings = [word for name, value in variables.items() for word in ("-E", f"{name}={value}")]
    command = [str(QEMU), "-L", ROOT, *settings, f"{ROOT}/usr/bin/python3", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)


@pytest.mark.parametrize("device", ["rasp4b", "ml_c6g"])
def test_the_runtime_alone_computes_on_arm_what_pytorch_does(device: str, tmp_path: Path) -> None:
    expected = compile_zoo(device, tmp_path)
    done = emulate("-c", RUN_ALL, str(tmp_path))
    assert done.returncode == 0, done.stderr[-2000:]
    told: dict[str, Any] = json.loads(done.stdout)
    assert told == {"machine": "aarch64", "failed": {}, "tvm": False}
    for name, references in expected.items():
        results = np.load(tmp_path / name / "results.npz")
        for result, reference in zip(results.values(), references, strict=True):
            assert result.shape == reference.shape, name
            assert np.allclose(result, reference, rtol=1e-4, atol=1e-5), name


def test_the_command_line_runs_an_artifact_on_the_device(tmp_path: Path) -> None:
    inputs = torch.randn(2, 5, generator=torch.Generator().manual_seed(0))
    model = torch.nn.Sequential(torch.nn.Linear(5, 3), torch.nn.Softmax(1)).eval()
    build(model, (inputs,), tmp_path / "model", devices.resolve({"TargetDevice": "rasp4b"}))
    np.savez(tmp_path / "x.npz", input=inputs.numpy())
    artifact, given, made = tmp_path / "model" / "out", tmp_path / "x.npz", tmp_path / "y.npz"
    done = emulate("-m", "neo_magics", "run", str(artifact), "--input", str(given), "--output", str(made))
    assert done.returncode == 0, done.stderr[-2000:]
    (result,) = np.load(made).values()
    assert np.allclose(result, model(inputs).detach().numpy(), atol=1e-6)
