"""Before and after, each in a process of its own: figures, conditions, accuracy, and readable failures."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import signal
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest

from neo_magics.demo.digits import load_digits
from neo_magics.errors import CaptureError, ExecutionError, UsageError
from neo_magics.runtime.benchmark import benchmark
from neo_magics.runtime.compare import Comparison, Side, compare
from neo_magics.runtime.evaluation import accuracy, first_call, rows_per_call
from neo_magics.runtime.measuring import Conditions
from neo_magics.runtime.worker import time_calls, warm_up
from neo_magics.runtime.worker_process import WorkerProcess
from neo_magics.settings import TENSORFLOW_PYTHON
from tests.runtime.conftest import run_source

SHORT = 0.3  # seconds


def children() -> list[psutil.Process]:
    """The processes that this one started and that are still there, zombies included."""
    return psutil.Process().children(recursive=True)


@pytest.fixture(scope="module")
def measured(digits: Path, digits_source: Path) -> Comparison:
    """The demo network before and after, on held-out digits."""
    data = load_digits()
    return compare(
        Side.source(digits_source, "ONNX"),
        Side.artifact(digits),
        data.test_images,
        labels=data.test_labels,
        seconds=SHORT,
        threads=1,
    )


def test_both_sides_have_the_same_number_of_rounds_and_raw_samples(measured):
    assert measured.rounds == len(measured.before.rounds_ms) == len(measured.after.rounds_ms) >= 5
    for side in (measured.before, measured.after):
        assert all(len(samples) >= 3 for samples in side.rounds_ms)
        assert side.median_ms == pytest.approx(np.median(side.samples_ms))
        assert side.p95_ms == pytest.approx(np.percentile(side.samples_ms, 95))
        assert min(side.samples_ms) > 0


def test_the_verdict_says_what_the_figures_say(measured):
    low, high = measured.ratio_interval
    assert low <= measured.ratio <= high
    assert measured.ratio == pytest.approx(measured.before.median_ms / measured.after.median_ms)
    word = "faster" if low > 1 else "slower" if high < 1 else "no measurable difference"
    assert word in measured.verdict


def test_the_conditions_are_recorded(measured, digits_source):
    assert measured.threads == 1
    assert len(measured.cores) == 1
    assert set(measured.cores) <= os.sched_getaffinity(0)
    assert measured.cpu
    assert "onnxruntime" in measured.before.versions
    assert measured.after.versions["apache-tvm"].startswith("0.27")
    assert measured.before.size_bytes == (digits_source / "model.onnx").stat().st_size
    assert measured.before.peak_memory_bytes >= measured.before.memory_bytes > 10e6
    assert measured.before.memory_bytes > measured.before.private_memory_bytes > 1e6
    assert measured.before.load_seconds > 0


def test_accuracy_is_counted_on_both_sides(measured, digits_source):
    data = load_digits()
    right = [
        run_source(digits_source, {"image": image[None]})["scores"].argmax() == label
        for image, label in zip(data.test_images[:60], data.test_labels[:60], strict=True)
    ]
    assert measured.before.accuracy == measured.after.accuracy
    assert measured.before.accuracy == pytest.approx(np.mean(right), abs=0.05)


def test_the_difference_is_measured(measured):
    assert 0 <= measured.difference["max_abs"] < 1e-3
    assert measured.difference["within_tolerance"]


def test_a_comparison_survives_json(measured):
    body = json.loads(json.dumps(measured.to_dict()))
    again = Comparison.from_dict(body)
    assert again == measured
    assert len(body["before"]["samples_ms"]) == sum(body["before"]["round_sizes"])


def test_the_text_shows_the_figures(measured):
    text = repr(measured)
    for words in (
        measured.verdict,
        "ONNX Runtime",
        "compiled",
        "median",
        "accuracy",
        "1 thread",
        "given inputs",
    ):
        assert words in text


def test_panels_can_draw_it(measured):
    from neo_magics.widgets.comparison_view import comparison_view

    view = comparison_view(measured)
    assert view.verdict == measured.verdict
    assert view.sides[0].label == "ONNX Runtime"


def test_no_process_and_no_file_is_left(mlp, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    compare(Side.artifact(mlp), Side.artifact(mlp), seconds=SHORT, threads=1)
    assert children() == []
    assert list(tmp_path.iterdir()) == []


def test_an_artifact_against_itself_twice_differs_in_nothing(mlp):
    first, *rest = (Side.artifact(mlp, label=label) for label in "abc")
    found = compare(first, rest, seconds=SHORT, threads=1)
    assert [side.label for side in found.sides] == ["a", "b", "c"]
    assert [rival.difference["max_abs"] for rival in found.rivals] == [0, 0]
    assert found.inputs == "generated"


def test_a_torch_model_is_run_by_torch(tmp_path, mlp):
    import torch

    from neo_magics.capture.registry import capture
    from tests.runtime.conftest import B, V, W

    class Mlp(torch.nn.Module):
        def forward(self, x):
            hidden = torch.relu(x @ torch.from_numpy(W) + torch.from_numpy(B))
            return hidden @ torch.from_numpy(V)

    example = torch.randn(2, 8)
    capture(Mlp(), inputs=example).unpack_into(tmp_path)
    found = compare(Side.source(tmp_path, "PYTORCH"), Side.artifact(mlp), seconds=SHORT, threads=1)
    assert found.inputs == "captured"
    assert "torch" in found.before.versions
    assert found.difference["max_abs"] < 1e-4
    assert found.before.memory_bytes > found.after.memory_bytes


def test_wrong_inputs_are_said_before_anything_starts(mlp):
    with pytest.raises(CaptureError, match="no input named 'z'"):
        compare(Side.artifact(mlp), Side.artifact(mlp), {"z": np.zeros(3)}, seconds=SHORT)


def test_a_side_that_refuses_its_inputs_is_named(mlp):
    with pytest.raises(ExecutionError, match="before: Input 'x': expected float32") as caught:
        compare(
            Side.artifact(mlp, label="before"), Side.artifact(mlp), np.zeros((1, 8)), seconds=SHORT, threads=1
        )
    assert "astype('float32')" in caught.value.hint
    assert children() == []


def test_labels_that_do_not_pair_up(digits):
    images = load_digits().test_images[:4]
    side = Side.artifact(digits)
    with pytest.raises(ExecutionError, match=r"\[3\] labels were given, and the model names \[4\]"):
        compare(side, side, images, labels=[0, 1, 2], seconds=SHORT, threads=1)


def test_a_worker_that_is_killed_is_explained(mlp):
    with WorkerProcess(Side.artifact(mlp), threads=1, cores=[]) as worker:
        worker.load()
        worker._process.kill()
        with pytest.raises(ExecutionError, match="crashed with SIGKILL"):
            worker.ask("memory", 10)
    assert children() == []


def test_a_worker_catches_no_crash(mlp):
    """libtvm_ffi's handler allocates memory: after a crash within malloc it would wait for ever."""
    with WorkerProcess(Side.artifact(mlp), threads=1, cores=[]) as worker:
        worker.load()
        status = Path(f"/proc/{worker._process.pid}/status").read_text(encoding="utf-8")
    caught = int(re.search(r"SigCgt:\s*(\w+)", status)[1], 16)
    assert not caught >> (signal.SIGSEGV - 1) & 1


def test_a_side_may_run_in_the_python_of_another_environment(mlp, tmp_path, monkeypatch):
    """As TensorFlow does: with this package alone on its path, and told that the framework is here."""
    monkeypatch.setenv(TENSORFLOW_PYTHON, "/usr/bin/other")
    assert Side.source(mlp, "TENSORFLOW").python == "/usr/bin/other"
    seen = tmp_path / "seen"
    python = tmp_path / "python"
    python.write_text(
        f'#!/bin/sh\necho "$PYTHONPATH;${TENSORFLOW_PYTHON}" > {seen}; ls "$PYTHONPATH" >> {seen}\n'
        f'exec {sys.executable} "$@"\n'
    )
    python.chmod(0o755)
    side = dataclasses.replace(Side.artifact(mlp), python=str(python))
    with WorkerProcess(side, threads=1, cores=[]) as worker:
        worker.load()
    path, *inside = seen.read_text().split()
    assert path.endswith(";")
    assert inside == ["neo_magics"]
    assert not Path(path[:-1]).exists()


def test_a_worker_that_hangs_is_ended(mlp):
    with WorkerProcess(Side.artifact(mlp), threads=1, cores=[]) as worker:
        worker.load()
        worker.ask("inputs", 10, path=save_x(mlp.parent / "x.npz"))
        with pytest.raises(ExecutionError, match=r"did not answer within 0 s \(step: time\)"):
            worker.ask("time", 0.2, seconds=30, least=1, most=10**9)
    assert children() == []


def save_x(path: Path) -> str:
    """An input of the `mlp` artifact in a file."""
    np.savez(path, x=np.zeros((1, 8), "float32"))
    return str(path)


def test_a_worker_ends_when_its_parent_does(mlp):
    """A worker's parent is killed; the worker sees the end of its input."""
    import subprocess
    import time

    program = (
        "import time\n"
        "from pathlib import Path\n"
        "from neo_magics.runtime.sides import Side\n"
        "from neo_magics.runtime.worker_process import WorkerProcess\n"
        f"with WorkerProcess(Side.artifact(Path({str(mlp)!r})), threads=1, cores=[]) as worker:\n"
        "    worker.load()\n"
        "    print(worker._process.pid, flush=True)\n"
        "    time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    for _ in range(100):
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return
        time.sleep(0.05)
    pytest.fail("the worker is still there")


def test_what_frameworks_print_does_not_disturb_the_protocol(tmp_path, mlp):
    import subprocess

    program = (
        "import os, sys\n"
        "from neo_magics.runtime import worker\n"
        "worker.Worker.memory = lambda self: (print('noise'), os.write(1, b'more'), {'ok': 1})[-1]\n"
        "worker.main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input='{"do": "memory"}\n',
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == {"ok": 1}


def test_conditions():
    assert Conditions.choose(1, 3.0).cores == (min(os.sched_getaffinity(0)),)
    for threads, seconds in ((0, 1.0), (1, 0.0)):
        with pytest.raises(UsageError):
            Conditions.choose(threads, seconds)


def test_warming_up_ends_by_itself_and_in_time():
    calls: list[int] = []
    warm_up(lambda: calls.append(1), 5.0)
    assert len(calls) >= 9
    assert len(time_calls(lambda: None, 0.0, 3, 10)) == 3
    assert len(time_calls(lambda: None, 60.0, 3, 10)) == 10


def test_rows_of_several_calls(digits):
    from neo_magics.artifact.manifest import Manifest, TensorSpec

    specs = Manifest.read(digits).inputs
    many, one = {"image": np.zeros((7, 1, 8, 8), "f4")}, {"image": np.zeros((1, 1, 8, 8), "f4")}
    assert rows_per_call(many, specs) == {"image": 1}
    assert rows_per_call(one, specs) == {"image": 1}
    assert first_call(many, {"image": 1})["image"].shape == (1, 1, 8, 8)
    free = [TensorSpec("x", ("n", 8), "float32")]
    assert rows_per_call({"x": np.zeros((9, 8))}, free) == {"x": 9}
    pair = [TensorSpec("a", (2, 3), "float32"), TensorSpec("b", (4,), "float32")]
    assert rows_per_call({"a": np.zeros((6, 3)), "b": np.zeros(12)}, pair) == {"a": 2, "b": 4}
    assert rows_per_call({"a": np.zeros((6, 3)), "b": np.zeros(4)}, pair) == {"a": 6, "b": 4}


def test_the_last_call_is_filled_up_and_not_counted_twice():
    seen: list[int] = []

    def run(inputs):
        seen.append(len(inputs["x"]))
        return {"scores": inputs["x"]}

    x = np.eye(5, dtype="f4")
    assert accuracy(run, {"x": x}, np.array([0, 1, 2, 3, 0]), {"x": 2}) == pytest.approx(0.8)
    assert seen == [2, 2, 2]


def test_one_side_alone(mlp):
    found = benchmark(mlp, seconds=SHORT, threads=1)
    assert found.result.median_ms > 0
    assert found.inputs == "generated"
    assert json.loads(json.dumps(found.to_dict()))["name"] == "tested"
    assert "median" in repr(found)
