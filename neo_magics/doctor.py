"""Looks at this installation: what is there, what is missing, and what to do about it."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from neo_magics.errors import NeoMagicsError
from neo_magics.settings import Settings

FRAMEWORKS = ("torch", "onnx", "onnxruntime")
_SPACE = 1_000_000_000  # bytes below which a large model's job may fail

# The runtime is loaded in a process of its own, as on a device: the kernel stays lean.
_LOAD = (
    "from neo_magics.runtime.libraries import keep_torch_out, load_runtime; keep_torch_out(); load_runtime()"
)


@dataclass(frozen=True)
class Check:
    """One thing looked at: what was found, and the next step where it is not well."""

    name: str
    ok: bool
    found: str
    hint: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The check as plain values."""
        return asdict(self)


def examine(settings: Settings) -> list[Check]:
    """All checks, in the order a reader wants them. Takes about two seconds."""
    return [
        _python(),
        *_pins(),
        _runtime(),
        _linker(),
        *_frameworks(),
        *_sidebar(),
        _home(settings),
        _disk(settings),
        _jobs(settings),
        _cpu(),
    ]


def _python() -> Check:
    ok = sys.version_info >= (3, 11)
    return Check("Python", ok, platform.python_version(), "" if ok else "Use Python 3.11 or newer.")


def _pins() -> Iterator[Check]:
    """TVM's packages against the versions that this package asks for."""
    wanted = {"apache-tvm": "0.27.0.post1", "apache-tvm-ffi": "0.1.14.post1"}
    for name, version in wanted.items():
        found = installed(name)
        hint = "" if found == version else f"pip install {name}=={version}"
        yield Check(name, found == version, found or "not installed", hint)


def _runtime() -> Check:
    done = subprocess.run(
        [sys.executable, "-c", _LOAD], capture_output=True, text=True, check=False, timeout=60
    )
    if done.returncode == 0:
        return Check("TVM runtime", True, "loads")
    last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
    return Check(
        "TVM runtime", False, last, "Reinstall: pip install --force-reinstall apache-tvm apache-tvm-ffi"
    )


def _linker() -> Check:
    from neo_magics.compiler.linker import find_linker

    here = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine())
    linker = find_linker(f"{here}-linux-gnu")
    others = importlib.util.find_spec("ziglang") is not None
    hint = "" if others else 'For Arm targets: pip install "neo-magics[cross]"'
    if linker:
        return Check("Linker", True, linker.name, hint)
    jit = importlib.util.find_spec("tvm_ffi_orcjit") is not None
    found = "none; objects are loaded directly" if jit else "none, and no loader for objects"
    return Check("Linker", jit, found, hint)


def _frameworks() -> Iterator[Check]:
    for name in FRAMEWORKS:
        version = installed(name)
        hint = (
            ""
            if version
            else f'pip install "neo-magics[{name}]"'
            if name == "torch"
            else f"pip install {name}"
        )
        yield Check(name, bool(version) or name == "torch", version or "not installed", hint)


def _sidebar() -> Iterator[Check]:
    """JupyterLab's sidebar, where JupyterLab is: a build without the npm registry leaves it out."""
    if not installed("jupyterlab"):
        return
    from jupyter_core.paths import jupyter_path

    folders = [Path(path) / "neo-magics" for path in jupyter_path("labextensions")]
    there = any((folder / "package.json").is_file() for folder in folders)
    hint = "" if there else "Install neo-magics again where the npm registry can be reached."
    yield Check("JupyterLab sidebar", True, "installed" if there else "not installed", hint)


def _home(settings: Settings) -> Check:
    try:
        with tempfile.TemporaryFile(dir=settings.folder("work")) as file:
            file.write(b"neo")
    except OSError as error:
        return Check(
            "Home", False, f"{settings.home}: {error.strerror}", "Set NEO_MAGICS_HOME to a writable folder."
        )
    return Check("Home", True, str(settings.home))


def _disk(settings: Settings) -> Check:
    folder = settings.home
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    hint = "" if free > _SPACE else "Free some space, or set NEO_MAGICS_HOME elsewhere."
    return Check("Disk", free > _SPACE, f"{free / 1e9:.1f} GB free", hint)


def _jobs(settings: Settings) -> Check:
    from neo_magics.client import Backend

    return _tried(
        "Backend",
        lambda: (
            Backend(settings).sagemaker.list_compilation_jobs(MaxResults=1),
            f"{settings.backend} answers",
        )[1],
    )


def _tried(name: str, look: Callable[[], str]) -> Check:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return Check(name, True, look())
    except NeoMagicsError as error:
        return Check(name, False, error.message, error.hint)
    except (BotoCoreError, ClientError, OSError) as error:
        return Check(name, False, str(error), "Check --backend and its credentials.")


def _cpu() -> Check:
    from neo_magics.runtime.machine import cpu_flags, cpu_model

    known = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "asimd", "sve")
    have = [flag for flag in known if flag in cpu_flags()]
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Check("CPU", True, f"{cpu_model()}, {count} usable; {', '.join(have) or 'no vector flags known'}")


def installed(name: str) -> str:
    """The installed version of a distribution, or ""."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
