"""The names in a user's namespace that the user has made."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

_SHELL = frozenset(("In", "Out", "exit", "quit", "get_ipython", "open"))


def own_names(namespace: Mapping[str, Any]) -> list[str]:
    """Variables that may hold an input or a model: not IPython's own, no modules, no private ones."""
    return [
        name
        for name, value in namespace.items()
        if not name.startswith("_") and name not in _SHELL and not isinstance(value, ModuleType)
    ]
