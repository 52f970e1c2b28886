"""The source framework as the oracle: capture a model, import it, compile with plain TVM, compare."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tvm
from tvm import relax

from neo_magics.api import input_config
from neo_magics.api.compiler_options import CompilerOptions
from neo_magics.capture import capture
from neo_magics.capture.source import open_source
from neo_magics.compiler.frontends import ImportedModel, import_model
from neo_magics.compiler.passes.lower_recurrent import LowerRecurrent
from tests.compiler.models import x86_target

Arrays = Mapping[str, np.ndarray]


def slow(*values: Any) -> Any:
    """Parameters of a case that waits for `-m slow`."""
    return pytest.param(*values, marks=pytest.mark.slow)


def imported(folder: Path, framework: str, config: str | None = None, **options: Any) -> ImportedModel:
    parsed = input_config.parse(config) if config else None
    return import_model(folder, framework, parsed, CompilerOptions(**options))


def run(model: ImportedModel, inputs: Arrays) -> dict[str, np.ndarray]:
    """The outputs of `model`, compiled by TVM's own pipeline; only recurrent layers are calls of our own."""
    module = LowerRecurrent(x86_target().machine)(model.module)
    machine = relax.VirtualMachine(tvm.compile(module, "llvm"), tvm.cpu())
    values = [tvm.runtime.tensor(np.asarray(inputs[spec.name], order="C")) for spec in model.inputs]
    outputs = machine["main"](*values)
    return {spec.name: output.numpy() for spec, output in zip(model.outputs, outputs, strict=True)}


def agrees(
    model: Any, inputs: Any = None, *, feeds: Arrays | None = None, tolerance: float = 2e-5, **given: Any
) -> ImportedModel:
    """Capture `model`, import it, and hold its outputs against the source framework's.

    `feeds` are other inputs to run with than the captured ones. Names, shapes and dtypes must be equal.
    """
    archive = capture(model, inputs=inputs, **given)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        archive.unpack_into(folder)
        result = imported(folder, archive.framework, archive.data_input_config)
        values = feeds or archive.inputs
        expected = open_source(folder, archive.framework).run(values)
    got = run(result, values)
    assert list(got) == list(expected)
    for output in expected:
        assert (got[output].shape, got[output].dtype) == (expected[output].shape, expected[output].dtype)
        np.testing.assert_allclose(
            got[output].astype("f8"), expected[output].astype("f8"), atol=tolerance, rtol=tolerance
        )
    _specs_hold(result, got)
    return result


def _specs_hold(model: ImportedModel, outputs: Arrays) -> None:
    for spec in model.outputs:
        actual = outputs[spec.name]
        assert spec.dtype == str(actual.dtype)
        assert len(spec.shape) == actual.ndim
        assert all(isinstance(s, str) or s == n for s, n in zip(spec.shape, actual.shape, strict=True))
