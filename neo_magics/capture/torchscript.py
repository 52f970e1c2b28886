"""Reading TorchScript and telling the kinds of PyTorch files apart without loading them."""

from __future__ import annotations

import io
import re
import zipfile
from enum import StrEnum
from pathlib import Path
from typing import Any

from neo_magics.capture.expansion import check_zip
from neo_magics.capture.quiet import quiet_torch
from neo_magics.errors import InputError, UntrustedPickleError

# TorchScript's own interpreter knows these; a model that is compiled has no need of files.
_FILE_OPERATORS = ("aten::save", "aten::from_file", "aten::load")
_PRIVATE = re.compile(
    r"\.debug_pkl$|^traced_inputs|^(version|byteorder|\.data/.*)$"
)  # the last are rewritten


class TorchFile(StrEnum):
    """What a PyTorch file is, told from its layout."""

    EXPORTED = "exported program"
    SCRIPT = "TorchScript"
    PICKLE = "pickle"
    UNKNOWN = "unknown"


def torch_file_kind(path: Path) -> TorchFile:
    """The kind of `path`. Nothing in it is run or unpickled."""
    if zipfile.is_zipfile(path):
        return _zip_kind(path)
    with path.open("rb") as stream:
        head = stream.read(512)
    is_pickle = head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05"
    return TorchFile.PICKLE if is_pickle or head[257:262] == b"ustar" else TorchFile.UNKNOWN


def load_script(path: Path) -> Any:
    """The TorchScript module in `path`, on the CPU, in evaluation mode.

    TorchScript's reader builds tensors and scripted classes only. Raises `InputError` for a file that is
    not whole and for a module that reads or writes files.
    """
    import torch

    check_zip(path)
    try:
        with quiet_torch():
            module = torch.jit.load(str(path), map_location="cpu").eval()
    except (RuntimeError, ValueError, EOFError, OSError) as error:
        first = (str(error).strip().splitlines() or [""])[0][:300]
        raise InputError(
            f"{path.name} is not a TorchScript module that can be read: {first}",
            hint="It may be cut short, or made by a newer torch. Save it again with torch.jit.save.",
        ) from error
    graph = module.inlined_graph  # kept: a node outlives its graph otherwise
    for operator in _FILE_OPERATORS:
        if graph.findNode(operator, True) is not None:
            raise InputError(
                f"{path.name} reads or writes files ({operator}), which a model to compile must not.",
                hint="Remove the operator from the module's forward.",
            )
    return module


def save_script(script: Any) -> bytes:
    """`script` (a ScriptModule) as the bytes of a .pth, without what tells of the user's machine: the
    traced inputs and the paths of the source files.
    """
    import torch

    saved = io.BytesIO()
    with quiet_torch():
        torch.jit.save(script, saved)
    saved.seek(0)
    reader, cleaned = torch._C.PyTorchFileReader(saved), io.BytesIO()
    writer = torch._C.PyTorchFileWriter(cleaned)
    names = reader.get_all_records()
    writer.set_min_version(int(reader.get_record("version" if "version" in names else ".data/version")))
    for name in names:
        if not _PRIVATE.search(name):
            data = reader.get_record(name)
            writer.write_record(name, data, len(data))
    writer.write_end_of_file()
    return cleaned.getvalue()


def untrusted_pickle(path: Path) -> UntrustedPickleError:
    """The refusal of a file that torch.save made from a Python object."""
    return UntrustedPickleError(
        f"{path.name} is a Python pickle, and loading a pickle runs whatever code it holds.",
        hint="Save the model with torch.export.save (.pt2) or torch.jit.save, "
        "or allow this file with --trust-pickle if you trust where it comes from.",
    )


def _zip_kind(path: Path) -> TorchFile:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name.partition("/")[2] for name in archive.namelist()]
    except zipfile.BadZipFile:
        return TorchFile.UNKNOWN
    if "archive_format" in names:
        return TorchFile.EXPORTED
    if "constants.pkl" in names or any(name.startswith("code/") for name in names):
        return TorchFile.SCRIPT
    return TorchFile.PICKLE if "data.pkl" in names else TorchFile.UNKNOWN
