"""What the stages of a compile job hand to each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neo_magics.api import compiler_options, devices, input_config

if TYPE_CHECKING:
    from collections.abc import Mapping

    from neo_magics.artifact.manifest import Manifest
    from neo_magics.jobs.emitter import Emitter
    from neo_magics.jobs.work_folder import WorkFolder
    from neo_magics.settings import Settings
    from neo_magics.storage.base import ObjectStore
    from neo_magics.tuner.session import Tuning

_ARCHIVE_SUFFIXES = (".tar.gz", ".tgz", ".tar")


@dataclass
class CompileContext:
    """The request, read once, and the results so far; each stage fills in its own."""

    name: str
    request: Mapping[str, Any]
    work: WorkFolder
    settings: Settings
    store: ObjectStore
    emit: Emitter

    archive_digest: str = ""
    manifest: Manifest | None = None
    artifact: Path | None = None
    digest: str = ""
    report: dict[str, Any] = field(default_factory=dict)
    cached_from: str = ""
    not_verified: str = ""
    tuning: Tuning | None = None

    def __post_init__(self) -> None:
        source = self.request["InputConfig"]
        self.input_uri: str = source["S3Uri"]
        self.framework: str = source["Framework"]
        self.framework_version: str = source.get("FrameworkVersion", "")
        shapes = source.get("DataInputConfig")
        self.input_config = input_config.parse(shapes) if shapes else None
        output = self.request["OutputConfig"]
        self.device = devices.resolve(output)
        self.options = compiler_options.parse(output.get("CompilerOptions"))
        self.output_location: str = output["S3OutputLocation"]

    @property
    def archive(self) -> Path:
        """The model archive as fetched."""
        return self.work.path / "model.tar.gz"

    @property
    def source(self) -> Path:
        """The unpacked model."""
        return self.work.path / "source"

    @property
    def out(self) -> Path:
        """The artifact in the making."""
        return self.work.path / "out"

    @property
    def output_uri(self) -> str:
        """Where the artifact goes, named as Neo names it: `<input stem>-<target>.tar.gz`."""
        return f"{self.output_location.rstrip('/')}/{archive_stem(self.input_uri)}-{self.device.name}.tar.gz"


def archive_stem(uri: str) -> str:
    """The name of an archive without its folder and its ending."""
    base = uri.rstrip("/").rpartition("/")[2]
    for suffix in _ARCHIVE_SUFFIXES:
        if base.lower().endswith(suffix) and len(base) > len(suffix):
            return base[: -len(suffix)]
    return base
