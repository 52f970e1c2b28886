"""What the process that runs TensorFlow says when it fails."""

from __future__ import annotations

import errno
import sys
from pathlib import Path

import pytest

from neo_magics.capture import tensorflow_process
from neo_magics.settings import TENSORFLOW_PYTHON


def test_a_full_disk_is_no_fault_of_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tensorflow.py").write_text(f"raise OSError({errno.ENOSPC}, 'full', 'model.onnx')\n")
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={tmp_path} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    monkeypatch.setenv(TENSORFLOW_PYTHON, str(python))
    (tmp_path / "saved_model.pb").write_bytes(b"")
    with pytest.raises(OSError, match=r"No space.*model\.onnx") as raised:
        tensorflow_process.describe(tmp_path, trust=False)
    assert raised.value.errno == errno.ENOSPC
