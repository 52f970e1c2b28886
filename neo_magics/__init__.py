"""Compile the model in a notebook cell with Apache TVM, and measure it.

In a notebook: `%load_ext neo_magics`, then `%%compile`. In Python: `neo_magics.compile(model, inputs=x)`.
The public names are resolved on first use, so that importing the package costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neo_magics.client import boto3_client as boto3_client
    from neo_magics.compilation import compile as compile
    from neo_magics.errors import NeoMagicsError as NeoMagicsError
    from neo_magics.job import Job as Job
    from neo_magics.magics.compile_form import ui as ui
    from neo_magics.runtime import CompiledModel as CompiledModel
    from neo_magics.runtime import load as load
    from neo_magics.settings import Settings as Settings

__version__ = "0.1.0"

_PUBLIC = {
    "compile": "neo_magics.compilation",
    "load": "neo_magics.runtime",
    "boto3_client": "neo_magics.client",
    "Job": "neo_magics.job",
    "CompiledModel": "neo_magics.runtime",
    "NeoMagicsError": "neo_magics.errors",
    "Settings": "neo_magics.settings",
    "ui": "neo_magics.magics.compile_form",
}


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'neo_magics' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext neo_magics`: adds %%compile, %compile and %neo to the shell."""
    from neo_magics.magics import load

    load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """`%unload_ext neo_magics`: takes them away again."""
    from neo_magics.magics import unload

    unload(shell)
