"""The parent's end of `tensorflow_child`: TensorFlow runs in a process of its own.

`NEO_MAGICS_TENSORFLOW_PYTHON` names a Python of another environment where tensorflow and tf2onnx are
installed; without it, this one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from neo_magics.capture.request import TensorInfo
from neo_magics.errors import DISK_FULL, ExecutionError, InputError, UntrustedPickleError
from neo_magics.settings import TENSORFLOW_PYTHON

Array = np.ndarray[Any, Any]
PYTHON = TENSORFLOW_PYTHON
_SECONDS = 600.0


def describe(folder: Path, *, trust: bool) -> dict[str, Any]:
    """The inputs (name, shape, dtype), outputs and version of TensorFlow."""
    return _ask("describe", folder, trust)


def convert(folder: Path, out: Path, *, trust: bool) -> dict[str, Any]:
    """The same, with the model written to `out` as ONNX."""
    return _ask("convert", folder, trust, str(out))


def run(folder: Path, inputs: Mapping[str, Array], *, trust: bool) -> tuple[dict[str, Array], str]:
    """The outputs for `inputs`, and TensorFlow's version."""
    with tempfile.TemporaryDirectory() as name:
        given, got = Path(name) / "in.npz", Path(name) / "out.npz"
        np.savez(given, allow_pickle=False, **dict(inputs))
        said = _ask("run", folder, trust, str(given), str(got))
        with np.load(got, allow_pickle=False) as stored:
            return {output: stored[output] for output in said["outputs"]}, str(said["version"])


def tensor_infos(said: Mapping[str, Any]) -> tuple[TensorInfo, ...]:
    """The inputs of an answer; `InputError` for text and for unknown ranks."""
    found = []
    for entry in said["inputs"]:
        name, shape = str(entry["name"]), entry["shape"]
        if shape is None or entry["dtype"] == "object_":
            raise InputError(
                f"Input {name!r} of the model is {'text' if shape is not None else 'of unknown rank'}.",
                hint="Save the model with a signature over numbers of known rank.",
            )
        sizes = tuple(
            s if s is not None else "batch" if a == 0 else f"{name}_dim{a}" for a, s in enumerate(shape)
        )
        found.append(TensorInfo(name, sizes, str(entry["dtype"])))
    return tuple(found)


def environment() -> dict[str, str]:
    """The variables of a process that runs TensorFlow: on the CPU, quiet, with the Keras that is part of it.

    This process may use Keras with another backend, which TensorFlow's environment need not have.
    """
    own = {"CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}
    return {**os.environ, **own}


def _ask(command: str, folder: Path, trust: bool, *more: str) -> dict[str, Any]:
    """The child's answer. A full disk is an OSError here too: no fault of the model."""
    script = Path(__file__).with_name("tensorflow_child.py")
    python = os.environ.get(PYTHON) or sys.executable
    words = [python, str(script), command, str(folder), str(int(trust)), *more]
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=_SECONDS, env=environment(), check=False
        )
        answer: dict[str, Any] = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise ExecutionError(
            f"The process that runs TensorFlow ({python}) ended without an answer: {str(error)[:200]}",
            hint=f"Check that this Python has TensorFlow; {PYTHON} names another.",
        ) from error
    if missing := answer.get("missing"):
        raise InputError(
            f"TensorFlow models need the package {missing}, which is not installed.",
            hint=f"pip install 'neo-magics[tensorflow]', or set {PYTHON} to a Python that has it.",
            package=missing,
        )
    if answer.get("errno") in DISK_FULL:
        raise OSError(answer["errno"], os.strerror(answer["errno"]), answer["file"] or None)
    if "error" in answer:
        kind = UntrustedPickleError if answer.get("kind") == "untrusted" else InputError
        raise kind(f"TensorFlow: {answer['error']}", hint=answer.get("hint", ""))
    return answer
