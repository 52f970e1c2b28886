"""Models that are two files: a description of the layers and their weights."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from neo_magics.capture.archive import EXTRAS
from neo_magics.capture.files import files_in
from neo_magics.errors import CaptureError, InputError


def pair_in(folder: Path, suffixes: tuple[str, str], framework: str) -> tuple[Path, Path]:
    """The one file of each suffix at the root of `folder`; `InputError` for none or several."""
    found = []
    for suffix in suffixes:
        files = sorted(path for path in files_in(folder) if path.name.endswith(suffix))
        if len(files) != 1:
            raise _not_one(folder, suffix, [path.name for path in files], suffixes, framework)
        found.append(files[0])
    return found[0], found[1]


def pair_of(model: Any, suffixes: tuple[str, str], stem: str = "") -> tuple[Path, Path]:
    """The two files of a live request: given as a tuple, or one of them with the other beside it.

    The other has the same stem, without `stem` and a number at its end ("net-0000.params" of
    "net-symbol.json"), or is the only one of its kind in the folder.
    """
    given = [
        Path(part)
        for part in (model if isinstance(model, Sequence) and not isinstance(model, str) else [model])
    ]
    paths = [next((path for path in given if path.name.endswith(suffix)), None) for suffix in suffixes]
    first = given[0]
    for place, (path, suffix) in enumerate(zip(paths, suffixes, strict=True)):
        if path is None:
            paths[place] = _beside(first, suffix, stem)
    for path in paths:
        if path is None or not path.is_file():
            raise CaptureError(
                f"There is no file {path}." if path else f"{first.name} needs a file beside it.",
                hint=f"Give both files as a tuple: one ends in {suffixes[0]}, the other in {suffixes[1]}.",
            )
    return paths[0], paths[1]  # type: ignore[return-value]


def _beside(path: Path, suffix: str, stem: str) -> Path | None:
    files = sorted(other for other in path.parent.iterdir() if other.name.endswith(suffix))
    own = path.name.rsplit(".", 1)[0]
    if stem:
        own = re.sub(r"-\d{4}$", "", own.removesuffix(stem))
    same = [other for other in files if other.name.startswith(own)]
    chosen = same or files
    return chosen[-1] if len(chosen) == 1 or same else None


def _not_one(
    folder: Path, suffix: str, names: list[str], suffixes: tuple[str, str], framework: str
) -> InputError:
    both = " and one ".join(suffixes)
    if names:
        return InputError(
            f"Found {len(names)} {suffix} files for {framework} model: {', '.join(names)}. "
            "An archive holds one model.",
            hint=f"Put one {both} file at its root.",
        )
    inside = sorted(path.name for path in folder.iterdir() if path.name != EXTRAS)[:8]
    return InputError(
        f"No {suffix} file found for {framework} model. "
        "Please make sure the framework you select is correct.",
        hint=f"The archive holds {', '.join(inside) or 'nothing'}; put one {both} file at its root.",
    )
