"""`neo-magics demo`: the main job on real data, from a shell, in a home of its own."""

import json
import subprocess
import sys

import pytest


def demo(*words, code=""):
    return subprocess.run(
        [sys.executable, "-c", f"{code}\nfrom neo_magics.cli import main; main()", "demo", *words],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.slow
def test_one_json_object_with_every_figure(tmp_path):
    done = demo("--json", "--home", str(tmp_path / "elsewhere"))
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    for side in ("before", "after"):
        assert result[side]["accuracy"] >= 0.97
        assert 0 < result[side]["median_ms"] <= result[side]["p95_ms"]
    assert result["before"]["accuracy"] == result["after"]["accuracy"]
    assert 0 <= float(result["difference"]) < 1e-3
    assert result["compile_seconds"] > 0
    assert result["ratio"] == pytest.approx(
        result["before"]["median_ms"] / result["after"]["median_ms"], rel=0.5
    )
    assert result["job"].startswith("digits-demo-local-")
    assert result["artifact"].startswith(str(tmp_path / "elsewhere"))


@pytest.mark.slow
def test_without_torch_the_shipped_network_is_used():
    hide = (
        "import importlib.util, sys\n"
        "find = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *rest: None if name == 'torch' else find(name, *rest)\n"
    )
    done = demo(code=hide)
    assert done.returncode == 0, done.stderr
    assert "the shipped ONNX file" in done.stdout
    for word in (
        "median",
        "p95",
        "accuracy on held-out digits",
        "largest difference",
        "compilation",
        "artifact",
    ):
        assert word in done.stdout


def test_a_failure_is_short_and_exits_with_1(tmp_path):
    (tmp_path / "file").write_text("in the way")
    done = demo("--home", str(tmp_path / "file" / "home"))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "→" in done.stderr
