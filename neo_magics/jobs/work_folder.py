"""The folder of one running job: what is in it, how it is made, how it vanishes.

request.json   the job's request and name, for the runner and the compile child
child.json     pid and create time of the compile child, so that an orphan can be found
result.json    how the compile child ended
runner.log     what the runner (and what it could not hand on) wrote to standard error
reserve        room for the result, and for the store's last word, where the disk fills up meanwhile
tmp/           TMPDIR of the compile child
source/  out/  the unpacked model, the artifact in the making
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neo_magics.errors import DISK_FULL
from neo_magics.jobs.processes import Identity

if TYPE_CHECKING:
    from collections.abc import Mapping

_TAIL_BYTES = 4096
_RESERVE_BYTES = 256 << 10  # a result takes a few kilobytes, a transaction of the store some pages


class WorkFolder:
    """The work folder at `path`; its files by name."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def log(self) -> Path:
        return self.path / "runner.log"

    @property
    def temporary(self) -> Path:
        return self.path / "tmp"

    def create(self, name: str, request: Mapping[str, Any]) -> None:
        """Make the folder and write the request. Raises OSError."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.temporary.mkdir(parents=True, mode=0o700)
        self._write("request.json", {"name": name, "request": dict(request)})
        self._reserve.write_bytes(os.urandom(_RESERVE_BYTES))  # zeros take no room on some disks

    def request(self) -> tuple[str, dict[str, Any]]:
        """The job's name and its Create request."""
        body = self._read("request.json") or {}
        return body["name"], body["request"]

    def write_child(self, child: Identity) -> None:
        self._write("child.json", {"pid": child.pid, "started": child.started})

    def child(self) -> Identity | None:
        """The compile child that was started here, if one was."""
        body = self._read("child.json")
        return Identity(body["pid"], body["started"]) if body else None

    @property
    def _reserve(self) -> Path:
        return self.path / "reserve"

    def write_result(self, result: Mapping[str, Any]) -> None:
        """How the child ended. On a full disk it takes the room that was kept for it."""
        try:
            self._write("result.json", result)
        except OSError as error:
            if error.errno not in DISK_FULL:
                raise
            self._reserve.unlink(missing_ok=True)
            self._write("result.json", result)

    def result(self) -> dict[str, Any] | None:
        """What the compile child left; None when it had no time to."""
        return self._read("result.json")

    def last_words(self, lines: int = 20) -> list[str]:
        """The end of runner.log."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(0, self.log.stat().st_size - _TAIL_BYTES))
                return file.read().decode(errors="replace").splitlines()[-lines:]
        except OSError:
            return []

    def remove(self) -> None:
        """Kill a compile child that still runs, then remove everything. What is gone already is fine."""
        child = self.child()
        if child is not None:
            child.kill_group()
        for _ in range(2):  # a process that was just killed may have written once more
            shutil.rmtree(self.path, ignore_errors=True)
        if self.path.is_file():
            self.path.unlink()

    def _write(self, name: str, body: Mapping[str, Any]) -> None:
        """Written whole or not at all: a reader may look at any moment."""
        part = self.path / f"{name}.part"
        part.write_text(json.dumps(body))
        part.replace(self.path / name)

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            body: dict[str, Any] = json.loads((self.path / name).read_text())
        except (FileNotFoundError, NotADirectoryError):
            return None
        return body
