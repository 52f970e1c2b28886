"""An artifact on disk → a `CompiledModel`: checked first, then loaded."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neo_magics.artifact.archive import digest, unpack
from neo_magics.artifact.manifest import MANIFEST, PARAMS, Manifest
from neo_magics.errors import ArtifactError, DigestMismatchError, InputError, UsageError
from neo_magics.runtime.machine import check_machine

if TYPE_CHECKING:
    from neo_magics.runtime.model import CompiledModel

UNPACKED_LIMIT = 16 * 2**30  # bytes that a compiled archive may expand to
_CPU, _POOLED = 1, 2  # DLPack's device type; TVM's memory allocator


def load(path: str | Path, *, threads: int | None = None) -> CompiledModel:
    """The compiled model in `path`, a .tar.gz or its unpacked folder, ready to be called.

    `threads`: how many threads a call uses; None: as many as this process has cores. Before any native
    code is loaded, the digest of every file is compared with the manifest, and the manifest's target with
    this machine. Raises `ArtifactError` (and `DigestMismatchError`, one kind of it) with the reason. An
    archive is unpacked into a temporary folder that is gone when this returns.
    """
    from neo_magics.runtime.entry import make_entry
    from neo_magics.runtime.model import CompiledModel
    from neo_magics.runtime.weights import map_weights

    if threads is not None and threads < 1:
        raise UsageError(f"threads must be 1 or more, got {threads}.")
    with opened(Path(path)) as folder:
        manifest = Manifest.read(folder)
        check_files(folder, manifest)
        check_machine(manifest.target)
        library, machine = load_machine(folder, manifest)
        weights = map_weights(folder / PARAMS, manifest.params)
    return CompiledModel(manifest, make_entry(manifest, library, machine, weights), weights, threads=threads)


@contextmanager
def opened(path: Path) -> Iterator[Path]:
    """The folder of the artifact at `path`; that of an archive is temporary and lasts as the context does."""
    if path.is_dir():
        yield path.absolute()
        return
    if not path.is_file():
        raise ArtifactError(
            f"There is no artifact at {path}.", hint="Give a compiled .tar.gz or the folder it unpacks to."
        )
    with tempfile.TemporaryDirectory(prefix="neo-magics-") as temporary:
        folder = Path(temporary) / "artifact"
        try:
            unpack(path, folder, limit_bytes=UNPACKED_LIMIT)
        except InputError as error:
            raise ArtifactError(f"{path} cannot be unpacked: {error.message}", hint=error.hint) from error
        yield folder


def check_files(folder: Path, manifest: Manifest) -> None:
    """Raise unless every file that the manifest lists is there with the digest that it lists."""
    needed = {manifest.library, *([PARAMS] if manifest.params else [])}
    unlisted = sorted(needed - set(manifest.files))
    if unlisted:
        raise ArtifactError(
            f"{MANIFEST} lists no digest for {', '.join(unlisted)}.", hint="Compile the model again."
        )
    for name, expected in manifest.files.items():
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()) or not path.is_file():
            raise ArtifactError(f"The artifact lacks the file {name!r}.", hint="Fetch the artifact again.")
        if digest(path) != expected:
            raise DigestMismatchError(
                f"{name} is not the file that was compiled: its BLAKE2 digest differs from the manifest's.",
                hint="Fetch the artifact again; if it was changed on purpose, compile the model again.",
                file=name,
            )


def load_machine(folder: Path, manifest: Manifest) -> tuple[Any, Any]:
    """The library of an artifact that was checked, and its virtual machine, ready to run."""
    from neo_magics.runtime.libraries import load_objects, load_runtime

    runtime = load_runtime()
    try:
        if manifest.objects:
            library: Any = load_objects([folder / name for name in manifest.objects])
        else:
            library = runtime.load_module(str(folder / manifest.library))
        machine = library["vm_load_executable"]()
        machine["vm_initialization"](_CPU, 0, _POOLED)
        machine[manifest.entry]  # raises where it has none
        return library, machine
    except (RuntimeError, AttributeError, KeyError, ValueError, OSError) as error:
        raise ArtifactError(
            f"{manifest.library} cannot be loaded: {_first_line(error)}.",
            hint="Check that the versions of apache-tvm here and in the manifest agree "
            f"({manifest.versions.get('apache-tvm', 'unknown')} there), or compile the model again.",
        ) from error


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:200].rstrip(".")
