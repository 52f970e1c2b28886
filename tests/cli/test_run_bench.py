"""`neo-magics run` and `neo-magics bench`: on a device, in a shell, with TVM's runtime alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from neo_magics.artifact.archive import pack
from tests.runtime.conftest import mlp, mlp_reference  # noqa: F401 - a fixture

X = np.random.default_rng(0).standard_normal((2, 8)).astype("float32")
MAIN = "from neo_magics.cli import main; main()"


def neo(*words: object, program: str = MAIN) -> subprocess.CompletedProcess[str]:
    """Run the shell command."""
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ,
    )


@pytest.fixture
def archive(mlp: Path, tmp_path: Path) -> Path:  # noqa: F811
    """A compiled archive."""
    pack(mlp, tmp_path / "net.tar.gz")
    return tmp_path / "net.tar.gz"


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    """Inputs by name."""
    np.savez(tmp_path / "x.npz", x=X)
    return tmp_path / "x.npz"


def test_run_writes_what_the_model_computes(archive, inputs, tmp_path):
    done = neo("run", archive, "--input", inputs, "--output", tmp_path / "y.npz")
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "y.npz") as outputs:
        np.testing.assert_allclose(outputs["y"], mlp_reference(X), rtol=1e-4, atol=1e-4)
    assert "y: float32[2, 4]" in done.stdout
    assert "outputs written to" in done.stdout


def test_run_prints_json(archive, inputs):
    body = json.loads(neo("run", archive, "--input", inputs, "--json", "--threads", 1).stdout)
    (output,) = body["outputs"]
    expected = mlp_reference(X).reshape(-1)
    assert output["shape"] == [2, 4]
    assert output["finite"]
    assert output["largest"][0]["index"] == int(expected.argmax())
    assert output["max"] == pytest.approx(expected.max(), rel=1e-4)
    assert body["threads"] == 1


def test_a_single_array_needs_no_name(archive, tmp_path):
    np.save(tmp_path / "x.npy", X)
    assert neo("run", archive, "-i", tmp_path / "x.npy").returncode == 0


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: np.savez(path, x=X.astype("float64")), "expected float32[n, 8], got float64[2, 8]"),
        (lambda path: np.savez(path, z=X, w=X), "missing 'x', unknown 'z', 'w'"),
        (lambda path: path.write_text("no arrays"), "is not an .npz file"),
        (lambda path: None, "There is no file"),
    ],
)
def test_wrong_inputs_are_one_line_with_a_next_step(archive, tmp_path, make, words):
    make(tmp_path / "in.npz")
    done = neo("run", archive, "-i", tmp_path / "in.npz")
    assert done.returncode == 1
    assert words in done.stderr
    assert "→" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_is_no_artifact(inputs, tmp_path):
    done = neo("run", tmp_path / "nothing", "-i", inputs)
    assert done.returncode == 1
    assert "There is no artifact at" in done.stderr


def test_a_run_loads_no_framework_no_compiler_and_no_client(archive, inputs):
    heavy = "('torch', 'tvm', 'boto3', 'IPython', 'onnx', 'onnxruntime', 'sqlalchemy')"
    program = (
        "import sys\nfrom neo_magics.cli import main\n"
        "try:\n    main()\n"
        "except SystemExit as end:\n"
        f"    print([name for name in {heavy} if sys.modules.get(name)], file=sys.stderr)\n"
        "    raise\n"
    )
    done = neo("run", archive, "-i", inputs, program=program)
    assert done.returncode == 0
    assert done.stderr.strip() == "[]"


def test_bench_prints_figures_and_conditions(archive):
    done = neo("bench", archive, "--seconds", 0.2, "--threads", 1)
    assert done.returncode == 0, done.stderr
    for words in ("median", "p95", "memory", "1 thread", "generated inputs"):
        assert words in done.stdout


def test_bench_prints_json_with_raw_samples(archive, inputs):
    body = json.loads(neo("bench", archive, "--seconds", 0.2, "--json", "-i", inputs).stdout)
    assert body["inputs"] == "given"
    assert len(body["samples_ms"]) == sum(body["round_sizes"])
    assert body["median_ms"] == pytest.approx(np.median(body["samples_ms"]))


def test_bench_refuses_impossible_conditions(archive):
    done = neo("bench", archive, "--threads", 0)
    assert done.returncode == 1
    assert "must be over 0" in done.stderr


@pytest.mark.parametrize("command", ["run", "bench"])
def test_help(command):
    done = neo(command, "--help")
    assert done.returncode == 0
    assert "--threads" in done.stdout
