"""What a compiled archive holds, in a form that a person can read: `manifest.json`.

The manifest names inputs and outputs, the target, the tool chain, the digest of every file and the measured
difference from the source model. Reading is strict: whatever is missing, of the wrong type or from a newer
version is an `ArtifactError` that says which field.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from neo_magics.artifact.archive import digest
from neo_magics.artifact.meta import META, dlr_meta
from neo_magics.artifact.strict import Fields
from neo_magics.errors import ArtifactError

FORMAT = 1  # of the folder; raised when an older runtime could not read it
MANIFEST = "manifest.json"
PARAMS = "compiled.params"
LIBRARY = "compiled.so"
OBJECT = "compiled.o"  # in place of the library where there was no linker; further objects: any other *.o


@dataclass(frozen=True)
class TensorSpec:
    """An input or output. A free dimension is a name; the same name means the same number.

    `dtype` is NumPy's name ("float32", "int64", "bool") or ml_dtypes' ("bfloat16").
    """

    name: str
    shape: tuple[int | str, ...]
    dtype: str

    @classmethod
    def from_fields(cls, source: Fields) -> TensorSpec:
        """The spec in a JSON object of the manifest."""
        return cls(source.text("name"), source.shape("shape"), source.text("dtype"))

    def __str__(self) -> str:
        """`x: float32[1, 3, 224, 224]`."""
        return f"{self.name}: {self.dtype}[{', '.join(map(str, self.shape))}]"


@dataclass(frozen=True)
class ParamSpec:
    """A weight in `compiled.params`: `nbytes` raw little-endian bytes at `offset`, a multiple of 64."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    offset: int
    nbytes: int

    @classmethod
    def from_fields(cls, source: Fields) -> ParamSpec:
        """The spec in a JSON object of the manifest."""
        shape = source.shape("shape")
        if not all(isinstance(size, int) for size in shape):
            raise source.error("shape", "whole numbers only")
        sizes = tuple(int(size) for size in shape)
        return cls(
            source.text("name"), sizes, source.text("dtype"), source.count("offset"), source.count("nbytes")
        )


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The whole manifest. `files` maps each file of the folder to its BLAKE2 digest; `write` fills it in.

    `target` has the texts device, os, arch (Neo's word, as "X86_64"), triple, mcpu, mattr and tvm.
    `verification` has max_abs_difference, max_rel_difference, tolerance, inputs ("given" or "generated")
    and reference (as "onnxruntime 1.32"). `stages` are seconds. `classes` gives, for an output of whole
    numbers that are places in a list of class labels, that list. `precision` is empty for float32, else it
    has dtype ("bfloat16", "int8") and share, the part of all operations that is done in it, and what the
    calibration was. Older artifacts leave both out.
    """

    name: str
    framework: str
    framework_version: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    params: tuple[ParamSpec, ...]
    target: Mapping[str, Any]
    source_digest: str
    options: Mapping[str, Any]
    versions: Mapping[str, str]
    library: str = LIBRARY
    entry: str = "main"
    files: Mapping[str, str] = field(default_factory=dict)
    verification: Mapping[str, Any] | None = None
    stages: Mapping[str, float] = field(default_factory=dict)
    created: str = ""
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    precision: Mapping[str, Any] = field(default_factory=dict)
    format: int = FORMAT

    @property
    def objects(self) -> tuple[str, ...]:
        """The object files to load where `library` is not linked; else empty."""
        if not self.library.endswith(".o"):
            return ()
        return tuple(sorted(name for name in self.files if name.endswith(".o")))

    def write(self, folder: Path) -> Manifest:
        """Write `compiled.meta` and `manifest.json` into `folder`, with the digests of all its files.

        Returns the manifest as written. Call it again after the folder or the manifest changed.
        """
        _replace_text(folder / META, json.dumps(dlr_meta(self), indent=2))
        written = replace(self, files=_digests(folder))
        _replace_text(folder / MANIFEST, json.dumps(asdict(written), indent=2) + "\n")
        return written

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """The manifest of an unpacked artifact; `ArtifactError` where it is missing or malformed."""
        return cls.from_json(_text(folder))

    @classmethod
    def from_json(cls, text: str) -> Manifest:
        """The manifest in `text`; `ArtifactError` names the first field that is wrong."""
        source = Fields.parse(text, MANIFEST)
        version = source.count("format")
        if version > FORMAT:
            raise ArtifactError(
                f"This artifact has format {version}; this version of neo_magics reads up to {FORMAT}.",
                hint="Upgrade neo-magics on this machine, or compile the model again with this version.",
            )
        return cls(**{f.name: _READERS[f.name](source) for f in fields(cls)})


def _classes(source: Fields) -> dict[str, tuple[str, ...]]:
    listed = source.mapping("classes", list) if "classes" in source.values else {}
    return {name: tuple(map(str, labels)) for name, labels in (listed or {}).items()}


_READERS: dict[str, Any] = {
    **{
        name: lambda source, name=name: source.text(name)
        for name in ("name", "framework", "framework_version", "source_digest", "library", "entry", "created")
    },
    **{name: lambda source, name=name: source.mapping(name) for name in ("target", "options")},
    "inputs": lambda source: tuple(map(TensorSpec.from_fields, source.objects("inputs"))),
    "outputs": lambda source: tuple(map(TensorSpec.from_fields, source.objects("outputs"))),
    "params": lambda source: tuple(map(ParamSpec.from_fields, source.objects("params"))),
    "versions": lambda source: source.mapping("versions", str),
    "files": lambda source: source.mapping("files", str),
    "verification": lambda source: source.mapping("verification", optional=True),
    "stages": lambda source: source.mapping("stages", float),
    "classes": _classes,
    "precision": lambda source: source.mapping("precision") if "precision" in source.values else {},
    "format": lambda source: source.count("format"),
}


def _text(folder: Path) -> str:
    path = folder / MANIFEST
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ArtifactError(
            f"{folder} has no {MANIFEST}.",
            hint="Give a compiled .tar.gz of neo_magics, or the folder that it unpacks to.",
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ArtifactError(f"{path} cannot be read: {error}.", hint="Fetch the artifact again.") from error


def _digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)
    return {path.relative_to(folder).as_posix(): digest(path) for path in files}


def _replace_text(path: Path, text: str) -> None:
    """Write in one step, so that a reader never sees half a file."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
