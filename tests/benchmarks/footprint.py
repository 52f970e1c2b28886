"""What a process that only runs a model costs, beside PyTorch and ONNX Runtime with the same model.

    python tests/benchmarks/footprint.py [--width 64] [--depth 8] [--json]

Builds a small residual convolutional network in PyTorch, exports it to ONNX, compiles it, and starts each
runtime several times in a fresh process: seconds from the start of Python to the first result, resident
memory then and at its peak. A row for Python with NumPy alone shows what is not the runtime's.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

REPEATS = 5

# Each program gets the model's path and the input's, and prints one line of JSON.
_TAIL = """
import json, time
end = time.time()
fields = dict(line.split(":", 1) for line in open("/proc/self/status") if line.startswith("Vm"))
kilobytes = {name: int(fields[name].split()[0]) for name in ("VmRSS", "VmHWM")}
import psutil
print(json.dumps({"seconds": end - psutil.Process().create_time(), **kilobytes}))
"""
_HEAD = "import sys\nimport numpy as np\nmodel, x = sys.argv[1], np.load(sys.argv[2])\n"
PROGRAMS = {
    "Python and NumPy": _HEAD + "y = x.sum()" + _TAIL,
    "neo_magics": "from neo_magics.runtime.libraries import keep_torch_out\nkeep_torch_out()\n"
    + _HEAD
    + "from neo_magics.runtime import load\ny = load(model)(x)"
    + _TAIL,
    "ONNX Runtime": _HEAD
    + "import onnxruntime\n"
    + "session = onnxruntime.InferenceSession(model, providers=['CPUExecutionProvider'])\n"
    + "y = session.run(None, {session.get_inputs()[0].name: x})[0]"
    + _TAIL,
    "PyTorch (torch.export)": _HEAD
    + "import torch\nmodule = torch.export.load(model).module()\n"
    + "with torch.inference_mode():\n    y = module(torch.from_numpy(x))"
    + _TAIL,
    "PyTorch (TorchScript)": _HEAD
    + "import torch, warnings\nwarnings.simplefilter('ignore')\nmodule = torch.jit.load(model)\n"
    + "with torch.inference_mode():\n    y = module(torch.from_numpy(x))"
    + _TAIL,
}


def make_models(folder: Path, width: int, depth: int) -> dict[str, Path]:
    """The same network in each runtime's form, and an input, below `folder`."""
    import warnings

    import torch

    torch.manual_seed(0)
    network, x = _network(width, depth).eval(), torch.randn(1, 3, 64, 64)
    np.save(folder / "x.npy", x.numpy())
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        torch.jit.trace(network, x).save(folder / "model.pth")
        torch.export.save(torch.export.export(network, (x,)), folder / "model.pt2")
    artifact = _compile(network, x, folder)
    return {
        "Python and NumPy": folder / "x.npy",
        "neo_magics": artifact,
        "ONNX Runtime": _onnx(network, folder / "model.onnx"),
        "PyTorch (torch.export)": folder / "model.pt2",
        "PyTorch (TorchScript)": folder / "model.pth",
    }


def _network(width: int, depth: int) -> Any:
    from torch import nn

    layers: list[Any] = [nn.Conv2d(3, width, 3, padding=1), nn.ReLU()]
    for _ in range(depth):
        layers += [nn.Conv2d(width, width, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10))


def _onnx(network: Any, path: Path) -> Path:
    """The network written with onnx.helper: PyTorch's own exporter needs a further package."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes, weights, name = [], [], "x"
    for index, layer in enumerate(network):
        output = f"t{index}"
        kind, attributes = {
            "Conv2d": ("Conv", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}),
            "ReLU": ("Relu", {}),
            "AdaptiveAvgPool2d": ("GlobalAveragePool", {}),
            "Flatten": ("Flatten", {}),
            "Linear": ("Gemm", {"transB": 1}),
        }[type(layer).__name__]
        own = [(f"{index}.{key}", value.detach().numpy()) for key, value in layer.named_parameters()]
        weights += [numpy_helper.from_array(value, key) for key, value in own]
        nodes.append(helper.make_node(kind, [name, *(key for key, _ in own)], [output], **attributes))
        name = output
    graph = helper.make_graph(
        nodes,
        "footprint",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 64, 64])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 10])],
        weights,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def _compile(network: Any, x: Any, folder: Path) -> Path:
    """The artifact, for this machine's CPU."""
    from neo_magics.api.compiler_options import parse
    from neo_magics.api.devices import resolve
    from neo_magics.capture.registry import capture
    from neo_magics.compiler.pipeline import CompileRequest, compile_model

    source, out = folder / "source", folder / "artifact"
    capture(network, inputs=x).unpack_into(source)
    out.mkdir()
    device = resolve({"TargetPlatform": {"Os": "LINUX", "Arch": "X86_64"}})
    request = CompileRequest(source, "PYTORCH", None, device, parse('{"mcpu": "native"}'), out)
    compile_model(request, lambda _event: None)
    return out


def measure(models: dict[str, Path], x: Path) -> dict[str, dict[str, float]]:
    """Medians over `REPEATS` fresh processes, which take turns; megabytes and seconds."""
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in PROGRAMS}
    for _ in range(REPEATS):
        for name, program in PROGRAMS.items():
            command = [sys.executable, "-c", program, str(models[name]), str(x)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            runs[name].append(json.loads(done.stdout))
    return {
        name: {
            "seconds": round(statistics.median(run["seconds"] for run in found), 3),
            "resident_mb": round(statistics.median(run["VmRSS"] for run in found) * 1024 / 1e6, 1),
            "peak_mb": round(statistics.median(run["VmHWM"] for run in found) * 1024 / 1e6, 1),
        }
        for name, found in runs.items()
    }


def main() -> None:
    """Print the table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--depth", type=int, default=8)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        models = make_models(Path(name), args.width, args.depth)
        found = measure(models, Path(name) / "x.npy")
    if args.json:
        print(json.dumps(found, indent=2))
        return
    print(f"{'':<24}{'start to result':>16}{'resident':>12}{'peak':>12}")
    for label, row in found.items():
        print(f"{label:<24}{row['seconds']:>14.2f} s{row['resident_mb']:>9.0f} MB{row['peak_mb']:>9.0f} MB")


if __name__ == "__main__":
    main()
