"""What a compiled result depends on besides its input: tool chain, this CPU, and our own compiler's sources.

Nothing here imports TVM or a framework, so that a cache can be looked up before they are.
"""

from __future__ import annotations

import hashlib
import platform
from importlib import metadata
from pathlib import Path

# The packages that decide what comes out.
TOOLS = (
    "apache-tvm",
    "apache-tvm-ffi",
    "numpy",
    "torch",
    "keras",
    "tflite",
    "onnx",
    "onnxruntime",
    "ziglang",
    "neo-magics",
)


def toolchain_versions() -> dict[str, str]:
    """Name → version of each tool that is installed, and of Python."""
    versions = {"python": platform.python_version()}
    for name in TOOLS:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def cpu_fingerprint() -> str:
    """A digest of what the CPU of this machine can do; it matters where the target is mcpu "native"."""
    return _digest([platform.machine(), *_cpu_lines()])


def compiler_digest() -> str:
    """A digest of the compiler's source files: another compiler, another result."""
    root = Path(__file__).parent
    parts: list[str] = []
    for path in sorted(root.rglob("*.py")):
        parts += [path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")]
    return _digest(parts)


def kernels_digest() -> str:
    """A digest of what decides the machine code of one kernel: timings of another version count no more."""
    root = Path(__file__).parent
    folders = (root / "kernels", root / "schedules")
    files = [path for folder in folders for path in folder.rglob("*.py")]
    files += [root / "machine.py", root / "passes" / "expand_math.py"]
    return _digest([path.read_text(encoding="utf-8") for path in sorted(files)])


def _cpu_lines() -> list[str]:
    """The lines of /proc/cpuinfo that name the model and its features; elsewhere, Python's own word."""
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists():
        return [platform.processor()]
    wanted = ("model", "model name", "flags", "features", "cpu part", "cpu implementer", "vendor_id")
    lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    return sorted({line for line in lines if line.split(":")[0].strip().lower() in wanted})


def _digest(parts: list[str]) -> str:
    hasher = hashlib.blake2b(digest_size=32)
    for part in parts:
        hasher.update(part.encode() + b"\0")
    return hasher.hexdigest()
