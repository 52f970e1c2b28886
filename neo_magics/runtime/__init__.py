"""Load and run compiled artifacts with TVM's runtime alone, and measure them.

Importing this package loads neither NumPy nor TVM; `load` does. Nothing here imports `tvm`, the compiler.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neo_magics.runtime.compare import Comparison
    from neo_magics.runtime.dlr import DLRModel
    from neo_magics.runtime.loading import load
    from neo_magics.runtime.model import CompiledModel

__all__ = ["Comparison", "CompiledModel", "DLRModel", "load"]

_HOMES = {
    "CompiledModel": "model",
    "Comparison": "compare",
    "DLRModel": "dlr",
    "load": "loading",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
