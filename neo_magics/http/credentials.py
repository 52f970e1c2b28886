"""The server's own key pair: ``home/credentials.json``, readable by its user only.

Whoever can read the file may use the server. To change the keys delete the file and start the server again.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import stat
import string
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from neo_magics.errors import BackendError

_ID_LETTERS = string.ascii_uppercase + "234567"


@dataclass(frozen=True)
class KeyPair:
    """An access key in AWS's form: an id of 20 capitals and digits, a secret of 40 letters."""

    access_key_id: str
    secret_access_key: str = field(repr=False)


def credentials_path(home: Path) -> Path:
    """Where the key pair of the server in `home` is."""
    return home / "credentials.json"


def load_or_create(home: Path) -> KeyPair:
    """The key pair in `home`, generated at the first call. Safe when several processes call at once.

    Raises BackendError where the file is not a key pair, or others may read it.
    """
    path = credentials_path(home)
    if not path.exists():
        _create(path)
    return _read(path)


def _create(path: Path) -> None:
    pair = {
        "access_key_id": "AKNEO" + "".join(secrets.choice(_ID_LETTERS) for _ in range(15)),
        "secret_access_key": secrets.token_urlsafe(30),
    }
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            json.dump(pair, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        # A link fails where the file exists: of two processes the first one's keys stay.
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        temporary.unlink()


def _read(path: Path) -> KeyPair:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise BackendError(
            f"{path} can be read by others (mode {mode:03o}).", hint=f"Run `chmod 600 {path}`."
        )
    try:
        body = json.loads(path.read_text())
        pair = KeyPair(body["access_key_id"], body["secret_access_key"])
    except (ValueError, KeyError, TypeError) as error:
        hint = "Delete the file: the next start makes a new key pair."
        raise BackendError(f"{path} is not a key pair.", hint=hint) from error
    if not all(isinstance(part, str) and part for part in (pair.access_key_id, pair.secret_access_key)):
        raise BackendError(f"{path} holds an empty key.", hint="Delete the file and start again.")
    return pair
