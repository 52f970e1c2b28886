"""The check of a job: in a fresh process, with figures, and a crash is a finding too."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from neo_magics.artifact.manifest import Manifest, TensorSpec
from neo_magics.errors import UsageError, VerificationError
from neo_magics.runtime.exchange import load_arrays, save_arrays
from neo_magics.runtime.verify import verify
from tests.runtime.conftest import mlp_reference, run_source

X = np.random.default_rng(0).standard_normal((5, 8)).astype("float32")
Y = mlp_reference(X)


def test_a_model_that_agrees(mlp):
    found = verify(mlp, {"x": X}, {"y": Y})
    assert 0 <= found.max_abs_difference < 1e-5
    assert found.max_rel_difference == pytest.approx(found.max_abs_difference / np.abs(Y).max())
    said = found.for_manifest(tolerance=None, inputs="given", reference="numpy 2")
    assert said["limits"]["y"] == pytest.approx(1e-5 + 1e-3 * np.abs(Y).max())
    assert json.loads(json.dumps(said)) == said


def test_a_difference_over_tolerance_has_its_figures(mlp):
    with pytest.raises(VerificationError, match=r"y: largest difference 0\.5 where") as caught:
        verify(mlp, {"x": X}, {"y": Y + np.float32(0.5)})
    assert "tolerance" in caught.value.hint
    assert caught.value.fields["outputs"][0]["max_abs"] == pytest.approx(0.5, rel=1e-3)


def test_the_users_tolerance_counts(mlp):
    verify(mlp, {"x": X}, {"y": Y + np.float32(0.5)}, tolerance=1.0)


def test_not_a_number(mlp):
    x = X.copy()
    x[:, 0] = np.inf  # infinities of both signs meet in the second layer
    with pytest.raises(VerificationError, match=r"y: 20 NaN \(source: 0\) of 20 values"):
        verify(mlp, {"x": x}, {"y": Y})


def test_a_wrong_shape_and_a_missing_output(mlp):
    with pytest.raises(VerificationError, match=r"y: shape \[5, 4\] in place of \[4, 5\]"):
        verify(mlp, {"x": X}, {"y": Y.T})
    with pytest.raises(
        VerificationError, match="z: the compiled model has no such output; y: the source model"
    ):
        verify(mlp, {"x": X}, {"z": Y})


def test_inputs_that_do_not_fit(mlp):
    with pytest.raises(VerificationError, match=r"cannot be run: Input 'x': expected shape \[n, 8\]"):
        verify(mlp, {"x": X.T.copy()}, {"y": Y})


def test_a_damaged_artifact(artifact):
    (artifact / "compiled.so").write_bytes(b"damaged")
    with pytest.raises(VerificationError, match=r"cannot be run: compiled\.so is not the file"):
        verify(artifact, {"x": X}, {"y": Y})


def test_a_manifest_that_promises_another_number_of_outputs(artifact):
    manifest = Manifest.read(artifact)
    replace(manifest, outputs=(*manifest.outputs, TensorSpec("more", (1,), "float32"))).write(artifact)
    with pytest.raises(VerificationError, match=r"cannot be run|do not fit the manifest"):
        verify(artifact, {"x": X}, {"y": Y})


def test_code_that_crashes_is_said_to_crash(artifact, tmp_path):
    """A library whose constructor executes an instruction that no CPU knows."""
    source = tmp_path / "crash.s"
    source.write_text('.section .init_array,"aw"\n.quad crash\n.text\ncrash: ud2\n')
    zig = [sys.executable, "-m", "ziglang"]
    subprocess.run(
        [*zig, "cc", "-target", "x86_64-linux-gnu", "-c", source, "-o", tmp_path / "crash.o"], check=True
    )
    library = artifact / "compiled.so"
    subprocess.run([*zig, "ld.lld", "-shared", "-o", library, tmp_path / "crash.o"], check=True)
    Manifest.read(artifact).write(artifact)
    with pytest.raises(VerificationError, match="crashed with SIGILL") as caught:
        verify(artifact, {"x": X}, {"y": Y})
    assert caught.value.fields["status"] == -4


def test_a_model_that_does_not_end(mlp):
    with pytest.raises(VerificationError, match="did not finish within"):
        verify(mlp, {"x": X}, {"y": Y}, timeout=0.01)


def test_a_compiled_network_against_its_framework(digits, digits_source):
    image = np.random.default_rng(1).random((1, 1, 8, 8), dtype="float32")
    found = verify(digits, {"image": image}, run_source(digits_source, {"image": image}))
    assert found.max_rel_difference < 1e-5


def test_arrays_keep_names_dtypes_and_shapes(tmp_path: Path):
    arrays = {
        "file": np.float32(1).reshape(()),
        "a/b.c:0": np.zeros((0, 3), "int8"),
        "half": np.arange(3).astype(ml_dtypes.bfloat16),
        "flags": np.array([True, False]),
    }
    save_arrays(tmp_path / "a.npz", arrays)
    back = load_arrays(tmp_path / "a.npz")
    assert list(back) == list(arrays)
    for name, array in arrays.items():
        assert back[name].dtype == array.dtype
        np.testing.assert_array_equal(back[name], array)


def test_pickles_are_not_loaded(tmp_path: Path):
    np.savez(tmp_path / "objects.npz", x=np.array([{}], dtype=object))
    with pytest.raises(UsageError, match="is not an "):
        load_arrays(tmp_path / "objects.npz")
