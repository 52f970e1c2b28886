"""What a file of tests/zoo/models lists: models of one framework, made when their turn comes."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from tests.zoo import models


@dataclass(frozen=True)
class Given:
    """A model and what `neo_magics.compile` is given with it: inputs, input_shape, trust_pickle, …"""

    model: Any
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Entry:
    """One model of the zoo.

    `make` gets an empty folder for files and returns what to compile. `needs` are the modules without which
    it is skipped. `refused` is a piece of the reason where refusing the model is the right answer; `data`
    says where its weights are from. `quick` ones are those of the slow test in CI.
    """

    framework: str
    name: str
    make: Callable[[Path], Given]
    needs: tuple[str, ...] = ()
    refused: str = ""
    data: str = "random weights"
    quick: bool = False

    def __str__(self) -> str:
        return f"{self.framework.lower()}/{self.name}"


def entries(patterns: Sequence[str] = (), *, quick: bool = False) -> list[Entry]:
    """Those whose "framework/name" fits one of `patterns`, all without any, file by file."""
    found = [
        entry
        for info in sorted(iter_modules(models.__path__), key=lambda info: info.name)
        for entry in import_module(f"{models.__name__}.{info.name}").ENTRIES
    ]
    return [
        entry
        for entry in found
        if (not patterns or any(fnmatch.fnmatch(str(entry), each) for each in patterns))
        and (entry.quick or not quick)
    ]
