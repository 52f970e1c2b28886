"""TVM's runtime libraries, found and loaded without `import tvm`.

`import tvm` loads the compiler: about a second and 200 MB. The runtime is two libraries of a few MB beside it
in the same wheel, and the `tvm_ffi` package that calls into them.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from neo_magics.errors import ArtifactError

# The second has sorting, top-k and random numbers, which compiled models call by name.
_NAMES = ("tvm_runtime", "tvm_runtime_extra")
_INSTALL = "pip install apache-tvm==0.27.0.post1 apache-tvm-ffi==0.1.14.post1"


def keep_torch_out() -> None:
    """Make this process unable to import PyTorch. Only for processes that just run artifacts.

    `tvm_ffi` imports PyTorch where it is installed, which costs seconds and 200 MB.
    """
    if "torch" not in sys.modules:
        sys.modules["torch"] = None  # type: ignore[assignment]  # makes `import torch` an ImportError


def let_torch_in() -> None:
    """Undo `keep_torch_out` once TVM is loaded: SciPy looks into `sys.modules` and stumbles over the gap."""
    if sys.modules.get("torch", sys) is None:
        del sys.modules["torch"]


@functools.cache
def load_runtime() -> ModuleType:
    """Load TVM's runtime into this process, once; returns the `tvm_ffi` module.

    Raises `ArtifactError` where it is not installed.
    """
    try:
        import tvm_ffi
    except ImportError as error:
        raise ArtifactError("The package tvm_ffi is not installed.", hint=_INSTALL) from error
    for path in _library_paths():
        ctypes.CDLL(str(path), ctypes.RTLD_GLOBAL)  # compiled libraries find its symbols globally
    return tvm_ffi  # type: ignore[no-any-return]


def load_objects(paths: list[Path]) -> object:
    """The module in relocatable object files, linked in memory by LLVM's JIT loader.

    Raises `ArtifactError` where the loader is not installed.
    """
    try:
        import tvm_ffi_orcjit
    except ImportError as error:
        raise ArtifactError(
            "This artifact holds object files, and the loader for them is not installed.",
            hint="pip install apache-tvm-ffi-orcjit, or compile again on a machine with a linker.",
        ) from error
    return tvm_ffi_orcjit.default_session().load_module([str(path) for path in paths])


def find_function(library: Any, name: str) -> Any | None:
    """The function called `name` of a loaded library, None where it has none."""
    try:
        return library.get_function(name, query_imports=True)
    except AttributeError:
        return None


def _library_paths() -> list[Path]:
    spec = importlib.util.find_spec("tvm")  # finds the folder; does not import
    folders = [Path(place) / "lib" for place in (spec.submodule_search_locations if spec else None) or ()]
    found = [
        path
        for name in _NAMES
        for folder in folders
        for path in (folder / _file_name(name),)
        if path.is_file()
    ]
    if not found or found[0].name != _file_name(_NAMES[0]):
        raise ArtifactError("TVM's runtime library is not installed.", hint=_INSTALL)
    return found


def _file_name(name: str) -> str:
    if sys.platform == "win32":
        return f"{name}.dll"
    return f"lib{name}.dylib" if sys.platform == "darwin" else f"lib{name}.so"
