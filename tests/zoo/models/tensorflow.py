"""SavedModels and frozen graphs, written by TensorFlow in the Python that has it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.zoo.entry import Entry, Given

_NEEDS = ("tensorflow",)
_MAKE = Path(__file__).parents[2] / "compiler" / "frontends" / "tensorflow_models.py"


def _written(name: str, shapes: dict[str, Any]) -> Any:
    def make(folder: Path) -> Given:
        from neo_magics.capture.tensorflow_process import environment
        from neo_magics.settings import TENSORFLOW_PYTHON

        python = os.environ.get(TENSORFLOW_PYTHON) or sys.executable
        subprocess.run([python, str(_MAKE), str(folder)], check=True, capture_output=True, env=environment())
        return Given(folder / name, {"input_shape": shapes})

    return make


ENTRIES = [
    Entry("TENSORFLOW", "saved_model", _written("net", {"image": [None, 8, 8, 3]}), _NEEDS),
    Entry("TENSORFLOW", "classifier", _written("classifier", {"image": [1, 32, 32, 3]}), _NEEDS),
    Entry("TENSORFLOW", "recurrent", _written("recurrent", {"tokens": [2, 6]}), _NEEDS),
    Entry("TENSORFLOW", "frozen", _written("pb/frozen.pb", {"image": [2, 8, 8, 3]}), _NEEDS),
]
