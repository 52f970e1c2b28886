"""Importers say here which layer and operator each variable of the imported graph came from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neo_magics.artifact.kernels import Source

SOURCES = "neo_sources"  # module attribute: variable's name → [layer, kind, operator]


def with_sources(module: Any, sources: Mapping[str, Source]) -> Any:
    """`module` that knows the source of each variable of `main`, by name."""
    return module.with_attr(SOURCES, {name: [s.layer, s.kind, s.operator] for name, s in sources.items()})


def take_sources(module: Any) -> tuple[Any, dict[str, Source]]:
    """`module` without the attribute, and what it said."""
    if not module.attrs or SOURCES not in module.attrs:
        return module, {}
    named = {str(name): Source(*map(str, parts)) for name, parts in module.attrs[SOURCES].items()}
    return module.without_attr(SOURCES), named
