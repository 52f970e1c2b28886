"""A profile: every kernel call that runs, where it is from, and how far from the roofline it is."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from neo_magics.artifact.kernels import KERNELS, Call, KernelTable, Source
from neo_magics.artifact.manifest import Manifest
from neo_magics.errors import ArtifactError, CaptureError
from neo_magics.runtime.profile import Profile, profile, sources_of
from neo_magics.runtime.profile_text import places
from neo_magics.runtime.ruler import Peaks, remembered
from neo_magics.runtime.threads import available_cpus
from tests.runtime.test_real_models import compile_network


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A residual network for any number of images, compiled for this machine."""
    return compile_network(tmp_path_factory.mktemp("profiled"), '{"mcpu": "native"}')


@pytest.fixture(scope="module")
def found(artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> Profile:
    """Its profile for three images."""
    x = {"image": np.ones((3, 3, 12, 12), "float32"), "shift": np.zeros((3, 16), "float32")}
    return profile(artifact, x, home=tmp_path_factory.mktemp("home"), seconds=0.2)


def test_every_call_that_the_compiler_wrote_down_was_timed(artifact: Path, found: Profile) -> None:
    assert [call.kernel for call in found.calls] == [call.kernel for call in KernelTable.read(artifact).calls]
    assert all(call.seconds >= 0 for call in found.calls)
    assert sum(found.share(call) for call in found.calls) == pytest.approx(1)


def test_calls_name_the_layers_they_are_from(found: Profile) -> None:
    places_found = {place for row in found.rows() for place in row["layers"]}
    assert {"first", "norm", "second", "head"} <= places_found


def test_counts_follow_the_free_batch_dimension(artifact: Path, found: Profile, tmp_path: Path) -> None:
    x = {"image": np.ones((1, 3, 12, 12), "float32"), "shift": np.zeros((1, 16), "float32")}
    one = profile(artifact, x, home=tmp_path, seconds=0.1)
    pairs = list(zip(found.calls, one.calls, strict=True))
    assert any(call.flops for call in one.calls)
    assert all(three.bytes > single.bytes for three, single in pairs)
    for three, single in pairs:
        # A matrix product works on whole tiles of rows.
        exact = "matmul" not in three.kernel
        assert three.flops == 3 * single.flops if exact else three.flops >= single.flops, three.kernel


def test_the_second_convolution_is_counted(found: Profile) -> None:
    (call,) = [c for c in found.calls if "second" in {source.place for source in c.sources} and c.flops]
    assert call.flops > 2 * 3 * 16 * 16 * 144  # Winograd takes fewer operations than 9 for each weight


def test_figures_agree_with_each_other(found: Profile) -> None:
    for call, row in zip(found.calls, found.rows(), strict=True):
        if row["gflops"]:
            assert row["gflops"] == pytest.approx(call.flops / call.seconds * 1e-9)
        assert row["bound"] in ("compute", "memory", "")
    assert found.kernel_seconds + found.other_seconds >= found.plain_seconds * 0.999
    assert found.runs >= 5


def test_the_text_says_how_it_was_measured(found: Profile) -> None:
    text = repr(found)
    assert "Watching adds" in text
    assert "Roofline:" in text
    assert "given inputs" in text


def test_the_json_holds_calls_and_sources(found: Profile) -> None:
    body = json.loads(json.dumps(found.to_dict()))
    assert len(body["calls"]) == len(found.calls)
    assert {"kernel", "sources", "seconds", "flops", "roofline"} <= set(body["calls"][0])


def test_rows_make_a_frame(found: Profile) -> None:
    pandas = pytest.importorskip("pandas")
    assert isinstance(found.to_frame(), pandas.DataFrame)


def test_wrong_inputs_are_the_callers_error(artifact: Path, tmp_path: Path) -> None:
    with pytest.raises(CaptureError):
        profile(artifact, {"picture": np.zeros(3)}, home=tmp_path)


def test_an_artifact_without_the_table_is_refused(artifact: Path, tmp_path: Path) -> None:
    older = tmp_path / "older"
    shutil.copytree(artifact, older)
    (older / KERNELS).unlink()
    with pytest.raises(ArtifactError, match=r"kernels\.json"):
        profile(older, home=tmp_path)


def test_the_table_is_part_of_what_the_manifest_protects(artifact: Path) -> None:
    assert KERNELS in Manifest.read(artifact).files


A, B = Source("a", "", "conv2d"), Source("b", "", "conv2d")


def test_calls_in_order_have_their_own_sources() -> None:
    written = (Call("k", (A,)), Call("other", ()), Call("k", (B,)))
    assert sources_of(["k", "other", "k"], written) == [(A,), (), (B,)]


def test_where_a_model_left_calls_out_they_are_not_told_apart() -> None:
    assert sources_of(["k"], (Call("k", (A,)), Call("k", (B,)))) == [(A, B)]
    assert sources_of(["unheard_of"], ()) == [()]


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (["a.conv", "a.norm"], "a: conv, norm"),
        (["stem"], "stem"),
        (["a.conv", "b.conv"], "a.conv, b.conv"),
        (["/l1/conv/Conv", "/l1/act/Relu"], "/l1: conv/Conv, act/Relu"),
        (["layer1.0", "layer1.0.conv"], "layer1: 0, 0.conv"),
    ],
)
def test_paths_say_once_what_they_share(names: list[str], text: str) -> None:
    assert places([Source(name, "", "") for name in names]) == text


def test_the_highest_peaks_are_remembered(tmp_path: Path) -> None:
    path = tmp_path / "new" / "peaks.json"
    assert remembered(Peaks(2, 10, 20, 5, 6), path) == Peaks(2, 10, 20, 5, 6)
    assert remembered(Peaks(2, 9, 30, 5, 6), path) == Peaks(2, 10, 30, 5, 6)
    assert remembered(Peaks(1, 1, 1, 1, 1), path) == Peaks(1, 1, 1, 1, 1)
    path.write_text("{ damaged")
    assert remembered(Peaks(2, 1, 1, 1, 1), path) == Peaks(2, 1, 1, 1, 1)


_PROGRAM = """
import os, sys
from pathlib import Path
from neo_magics.runtime.libraries import keep_torch_out
keep_torch_out()
import numpy as np
from neo_magics.artifact.kernels import RULER_FLOPS, RULER_SUMS, RULER_THREADS, KernelTable
from neo_magics.artifact.manifest import Manifest
from neo_magics.runtime.arrays import to_tensor
from neo_magics.runtime.loading import load_machine
from neo_magics.runtime.threads import process_pools
folder = Path(sys.argv[1])
lanes = KernelTable.read(folder).lanes
library, _machine = load_machine(folder, Manifest.read(folder))
process_pools().use(2)
run = library.get_function(RULER_FLOPS, query_imports=True)
x = to_tensor(np.full(2 * lanes, 0.5, "float32"), "float32")
y = to_tensor(np.zeros((RULER_THREADS, RULER_SUMS * lanes), "float32"), "float32")
def ticks():
    tasks = [Path(f"/proc/self/task/{task}/stat") for task in os.listdir("/proc/self/task")]
    return {task: int(task.read_text().rpartition(")")[2].split()[11]) for task in tasks}
before = ticks()
run(x, y, 2, 100_000_000)
print(sum(after > before.get(task, 0) + 10 for task, after in ticks().items()))
"""


@pytest.mark.skipif(available_cpus() < 2, reason="there is one CPU")
def test_a_parallel_loop_runs_on_both_of_two_cpus(artifact: Path) -> None:
    """Without the variable TVM's own default is half of the CPUs, and one of two is none in parallel."""
    names = ("TVM_NUM_THREADS", "OMP_NUM_THREADS")
    environment = {name: value for name, value in os.environ.items() if name not in names}
    command = [sys.executable, "-c", _PROGRAM, str(artifact)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert int(done.stdout) == 2
