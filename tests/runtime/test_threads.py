"""A model's threads: as many as asked for, and the calling process stays as it was."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from neo_magics.artifact.manifest import TensorSpec
from neo_magics.runtime.threads import available_cpus, default_threads, distinct_cores
from tests.runtime.build import build, constant

_PROGRAM = """
import json, os, sys, threading
from neo_magics.runtime.libraries import keep_torch_out, load_runtime
keep_torch_out()
from neo_magics.runtime import load
import numpy as np
before = sorted(os.sched_getaffinity(0)), dict(os.environ)
x = np.zeros((64, 8), "float32")
used = load_runtime().get_global_func("runtime.NumThreads")
counts = []
for threads in json.loads(sys.argv[2]):
    load(sys.argv[1], threads=threads)(x)
    counts.append(used())
def elsewhere():
    load(sys.argv[1], threads=1)(x)
    counts.append(used())
other = threading.Thread(target=elsewhere)
other.start()
other.join()
after = sorted(os.sched_getaffinity(0)), dict(os.environ)
masks = {tuple(sorted(os.sched_getaffinity(int(task)))) for task in os.listdir("/proc/self/task")}
print(json.dumps({"counts": counts, "same": before == after, "masks": len(masks)}))
"""


def run(mlp, *threads: int) -> dict[str, object]:
    """What a fresh process says of its threads."""
    command = [sys.executable, "-c", _PROGRAM, str(mlp), json.dumps(threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)
    return json.loads(done.stdout)


# Kernels that take milliseconds, for long enough that the CPU time of each thread can be told.
_BUSY = """
import os, sys, time
from pathlib import Path
from neo_magics.runtime.libraries import keep_torch_out
keep_torch_out()
from neo_magics.runtime import load
import numpy as np
model, x = load(sys.argv[1], threads=int(sys.argv[2])), np.ones((256, 1024), "float32")
while time.process_time() < 2:
    model(x)
stats = [Path(f"/proc/self/task/{task}/stat").read_text() for task in os.listdir("/proc/self/task")]
print(sum(int(each.split()[13]) > 40 for each in stats))
"""


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """float32 x (256, 1024) → y (256, 1024): work for several threads."""
    from tvm import relax

    folder, shape = tmp_path_factory.mktemp("wide"), (256, 1024)

    def body(builder, x):
        return builder.emit(relax.op.matmul(x, relax.const(constant(0, 1024, 1024))))

    build(folder, [TensorSpec("x", shape, "float32")], [TensorSpec("y", shape, "float32")], body)
    return folder


@pytest.mark.skipif(available_cpus() < 2, reason="there is one CPU")
@pytest.mark.parametrize("threads", [1, 2])
def test_kernels_use_the_threads_though_no_variable_says_so(wide, threads):
    environment = {name: value for name, value in os.environ.items() if not name.endswith("NUM_THREADS")}
    command = [sys.executable, "-c", _BUSY, str(wide), str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert int(done.stdout) == threads


@pytest.mark.skipif(available_cpus() < 2, reason="there is one CPU")
def test_each_model_uses_the_threads_it_was_given(mlp):
    assert run(mlp, 1, 2, 1, 2)["counts"] == [1, 2, 1, 2, 1]


def test_the_caller_keeps_its_cpus_and_its_environment(mlp):
    found = run(mlp, 2)
    assert found["same"]
    assert found["masks"] == 1


def test_the_default_is_a_thread_for_each_core(monkeypatch):
    for name in ("TVM_NUM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    assert default_threads() == len(distinct_cores())
    assert set(distinct_cores()) <= os.sched_getaffinity(0)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert default_threads() == 3
    monkeypatch.setenv("TVM_NUM_THREADS", "5")
    assert default_threads() == 5
    monkeypatch.setenv("TVM_NUM_THREADS", "all")
    assert default_threads() == 3
