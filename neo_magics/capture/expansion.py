"""Files made to fill the memory: inside is far more than the file has, and more than any model needs."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from neo_magics.errors import UnsafeArchiveError

LARGE = 1 << 30  # bytes that nobody minds
MOST = 100  # times the file's own size, which weights never shrink by


def check_zip(path: Path) -> None:
    """Refuse a zip (.keras, .pth, .pt2) whose members expand to far more than the file; others pass."""
    try:
        with zipfile.ZipFile(path) as archive:
            inside = sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, OSError):
        return  # the reader of that format says what is wrong with it
    check_size(path, inside)


def check_datasets(path: Path, stored: Any) -> None:
    """The same for the arrays of an open HDF5 file: one that was never written takes no room in it."""
    sizes: list[int] = []

    def add(_name: str, item: Any) -> None:
        if hasattr(item, "nbytes"):
            sizes.append(int(item.nbytes))

    stored.visititems(add)
    check_size(path, sum(sizes))


def check_size(path: Path, inside: int) -> None:
    """`UnsafeArchiveError` where `inside` bytes are too many for the file at `path`."""
    own = path.stat().st_size
    if inside > LARGE and inside > MOST * own:
        raise UnsafeArchiveError(
            f"{path.name} has {own / 2**20:,.1f} MB and would expand to {inside / 2**20:,.0f} MB.",
            hint="It is damaged, or made to fill the memory. Save the model again.",
        )
