"""What a compiled archive holds, without unpacking it."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

from neo_magics.artifact.manifest import MANIFEST
from neo_magics.errors import ArtifactError

_MANY = 1_000  # files; ours hold a handful
_LONG = 16_000_000  # bytes of a manifest


def contents(archive: Path) -> dict[str, Any]:
    """`files` with their sizes, and the `manifest` (null where there is none).

    Raises:
        ArtifactError: not a compressed archive, or one with absurdly many files.
    """
    files: list[dict[str, Any]] = []
    manifest: Any = None
    try:
        with tarfile.open(archive, "r|gz") as tar:
            for member in tar:
                if len(files) == _MANY:
                    raise ArtifactError(f"The archive holds more than {_MANY} files.")
                files.append({"name": member.name, "size": member.size})
                if Path(member.name).name == MANIFEST and member.size < _LONG:
                    stream = tar.extractfile(member)
                    manifest = json.loads(stream.read()) if stream else None
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        raise ArtifactError(
            f"The archive cannot be read: {error}.", hint="Compile the model again."
        ) from error
    return {"files": files, "manifest": manifest}
