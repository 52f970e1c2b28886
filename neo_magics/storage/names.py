"""Keys as file names, one to one.

S3 keys are any text, a folder's entries are not: ``..`` escapes, two keys may differ by case only, a name
has at most 255 bytes, and `a` and `a/b` may both be objects. Each part of a key between slashes becomes one
name: letters, digits and ``_ - + = , @ .`` stay, every other byte of its UTF-8 is written ``%XX`` (a leading
dot too). A percent sign that is not followed by two hexadecimal digits therefore never comes from a key,
and marks the rest:

    %e      an empty part (`a//b`, or a key that ends with a slash)
    %o      ends the file of an object without a dot in its name, %d a folder with one: so `a` and `a/b`
            never meet, while `jobs/x/model.tar.gz` stays as it is
    %-      ends a piece of a part that is too long for one name; the rest follows in that folder
"""

from __future__ import annotations

import string
from collections.abc import Iterator
from pathlib import PurePosixPath
from urllib.parse import unquote_to_bytes

_KEPT = frozenset((string.ascii_letters + string.digits + "_-+=,@.").encode())
_KEPT_FOLDED = _KEPT - frozenset(string.ascii_uppercase.encode())
_PIECE = 200  # bytes of a name, well below the 255 of common file systems


def encode(key: str, *, fold_case: bool = False) -> PurePosixPath:
    """The relative path of the object `key`; `fold_case` for file systems that do not tell A from a."""
    kept = _KEPT_FOLDED if fold_case else _KEPT
    *folders, last = key.split("/")
    names: list[str] = []
    for part in folders:
        names += _pieces(_quote(part, kept), "%d" if "." in part else "")
    names += _pieces(_quote(last, kept), "" if "." in last else "%o")
    return PurePosixPath(*names)


def decode(path: PurePosixPath) -> str:
    """The key of an object's relative path, the inverse of `encode`."""
    return "/".join(_joined(path.parts))


def _quote(part: str, kept: frozenset[int]) -> str:
    text = "".join(chr(byte) if byte in kept else f"%{byte:02X}" for byte in part.encode())
    if text.startswith("."):
        text = "%2E" + text[1:]
    return text or "%e"


def _pieces(text: str, mark: str) -> Iterator[str]:
    while len(text) > _PIECE:
        yield text[:_PIECE] + "%-"
        text = text[_PIECE:]
    yield text + mark


def _joined(names: tuple[str, ...]) -> Iterator[str]:
    text = ""
    for name in names:
        if name.endswith("%-"):
            text += name.removesuffix("%-")
            continue
        text += name.removesuffix("%o").removesuffix("%d")
        yield "" if text == "%e" else unquote_to_bytes(text).decode()
        text = ""
