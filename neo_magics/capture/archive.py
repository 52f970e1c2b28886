"""A captured model: the files of the model archive, what its inputs are called, and example inputs.

The archive (`model.tar.gz`) holds the framework's own file at its root, exactly as SageMaker Neo takes it.
For the local backend it also holds a folder `neo_magics/` with the example inputs (`inputs.npz`),
calibration inputs (`calibration.npz`) and `capture.json`. The same model gives the same bytes, so that an
archive's digest names its content.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

from neo_magics.compression import GzipWriter
from neo_magics.errors import InputError

EXTRAS = "neo_magics"
INPUTS = f"{EXTRAS}/inputs.npz"
CALIBRATION = f"{EXTRAS}/calibration.npz"
CAPTURE = f"{EXTRAS}/capture.json"
DIGEST_BYTES = 32
_NUMPY_KINDS = "?biuf"  # what an .npz keeps as it is; bfloat16 and its like are kept as raw integers


@dataclass(frozen=True)
class ModelArchive:
    """A model ready to be sent.

    `framework` is Neo's name, `data_input_config` the request's DataInputConfig as JSON (null: a free
    dimension), `inputs` the example inputs by name, in order (empty where only shapes were given).
    `calibration` holds the rows of typical inputs by name, as many as there are, for int8.
    """

    framework: str
    framework_version: str
    data_input_config: str
    files: Mapping[str, bytes | Path]
    inputs: Mapping[str, np.ndarray[Any, Any]]
    input_names: tuple[str, ...]
    output_names: tuple[str, ...] = ()
    input_dtypes: Mapping[str, str] = field(default_factory=dict)
    calibration: Mapping[str, np.ndarray[Any, Any]] = field(default_factory=dict)

    def write(self, path: Path, *, extras: bool = True) -> str:
        """Write the archive to `path` in one step and return its BLAKE2 digest (hex, 32 bytes).

        `extras=False` leaves `neo_magics/` out, for a service that takes Neo's files only.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as stream:
                self._pack(stream, extras)
            value = _digest(Path(partial))
            Path(partial).replace(path)
        except BaseException:
            Path(partial).unlink(missing_ok=True)
            raise
        return value

    def unpack_into(self, folder: Path, *, extras: bool = True) -> None:
        """Lay the archive's files out in `folder`, as unpacking would."""
        for name, content in self._members(extras):
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content if isinstance(content, bytes) else content.read_bytes())

    def _pack(self, stream: IO[bytes], extras: bool) -> None:
        with (
            GzipWriter(stream) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
        ):
            for name, content in self._members(extras):
                _add(tar, name, content)

    def _members(self, extras: bool) -> Iterator[tuple[str, bytes | Path]]:
        members = dict(self.files)
        if extras:
            members[CAPTURE] = json.dumps(self._capture(), indent=2, sort_keys=True).encode()
            if self.inputs:
                members[INPUTS] = _npz(self.inputs)
            if self.calibration:
                members[CALIBRATION] = _npz(self.calibration)
        yield from sorted(members.items())

    def _capture(self) -> dict[str, Any]:
        from importlib.metadata import version

        dtypes = {name: str(value.dtype) for name, value in self.inputs.items()}
        return {
            "framework": self.framework,
            "framework_version": self.framework_version,
            "input_names": list(self.input_names),
            "input_dtypes": {**self.input_dtypes, **dtypes},
            "output_names": list(self.output_names),
            "captured_with": {"numpy": version("numpy")},
        }


def read_example_inputs(folder: Path) -> dict[str, np.ndarray[Any, Any]]:
    """The example inputs in an unpacked archive, by name; empty where there are none."""
    return _read_arrays(folder, INPUTS)


def read_calibration_inputs(folder: Path) -> dict[str, np.ndarray[Any, Any]]:
    """The rows of the calibration inputs in an unpacked archive, by name; empty where there are none."""
    return _read_arrays(folder, CALIBRATION)


def _read_arrays(folder: Path, member: str) -> dict[str, np.ndarray[Any, Any]]:
    path = folder / member
    if not path.is_file():
        return {}
    dtypes = read_capture(folder).get("input_dtypes", {})
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            return {name: _as_dtype(stored[name], dtypes.get(name, "")) for name in stored.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{member} of the model archive cannot be read: {error}.") from error


def read_capture(folder: Path) -> dict[str, Any]:
    """What `capture.json` of an unpacked archive says; empty where there is none."""
    path = folder / CAPTURE
    if not path.is_file():
        return {}
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{CAPTURE} of the model archive is not JSON: {error}.") from error
    return body if isinstance(body, dict) else {}


def _add(tar: tarfile.TarFile, name: str, content: bytes | Path) -> None:
    info = tarfile.TarInfo(name)
    info.mode = 0o644
    if isinstance(content, bytes):
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
        return
    info.size = content.stat().st_size
    with content.open("rb") as stream:
        tar.addfile(info, stream)


def _npz(arrays: Mapping[str, np.ndarray[Any, Any]]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **{name: _storable(array) for name, array in arrays.items()})
    return buffer.getvalue()


def _storable(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return array if array.dtype.kind in _NUMPY_KINDS else array.view(f"u{array.dtype.itemsize}")


def _as_dtype(array: np.ndarray[Any, Any], dtype: str) -> np.ndarray[Any, Any]:
    if not dtype or dtype == str(array.dtype):
        return array
    import ml_dtypes

    return array.view(getattr(ml_dtypes, dtype)) if hasattr(ml_dtypes, dtype) else array.astype(dtype)


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=DIGEST_BYTES)).hexdigest()
