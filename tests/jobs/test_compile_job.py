"""The whole job with the real compiler: what it leaves, what it reuses, and how it words what goes wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neo_magics.artifact.archive import digest
from neo_magics.runtime import load
from tests.jobs.models import apart, custom, dense, packed
from tests.jobs.shop import BUCKET, Shop


def fetched(shop: Shop, answer: dict[str, Any]) -> Path:
    path = shop.folder / "artifact.tar.gz"
    shop.backend.store.get(answer["ModelArtifacts"]["S3ModelArtifacts"], path)
    return path


def test_a_job_leaves_a_verified_artifact_named_as_neo_names_it(shop: Shop) -> None:
    answer = shop.run(shapes={"x": [1, 8]}, options={"mcpu": "native"})
    assert (answer["CompilationJobStatus"], answer["FailureReason"]) == ("COMPLETED", "")
    assert answer["ModelArtifacts"]["S3ModelArtifacts"] == f"{BUCKET}/out/net-LINUX_X86_64.tar.gz"
    assert answer["DerivedInformation"]["DerivedDataInputConfig"] == '{"x":[1,8]}'
    artifact = fetched(shop, answer)
    assert answer["ModelDigests"]["ArtifactDigest"] == digest(artifact)
    model = load(artifact)
    x = np.ones((1, 8), np.float32)
    weights = np.random.default_rng(0).standard_normal((8, 4)).astype(np.float32)
    np.testing.assert_allclose(model(x), np.maximum(x @ weights, 0), rtol=1e-5)
    verification = model.manifest.verification
    assert verification is not None
    assert verification["max_abs_difference"] < 1e-4
    assert verification["inputs"] == "generated"
    assert verification["reference"].startswith("onnxruntime")
    assert shop.leftovers() == []


def test_its_log_tells_each_stage_in_order_and_ends_with_the_report(shop: Shop) -> None:
    name = shop.run()["CompilationJobName"]
    order = ("fetch", "import", "optimize", "build", "verify", "package", "upload")
    assert shop.stages(name) == [(stage, state) for stage in order for state in ("started", "done")]
    report = shop.report(name)
    assert report["cached"] is False
    assert set(order) == set(report["job_seconds"])
    assert report["artifact_bytes"] == shop.backend.store.size(report["artifact"])
    assert report["verification"]["max_abs_difference"] < 1e-4


def test_nan_in_the_source_model_s_own_results_is_said(shop: Shop) -> None:
    answer = shop.run(packed({"net.onnx": dense(scale=float("nan"), operator="Identity")}))
    assert answer["CompilationJobStatus"] == "COMPLETED"
    said = [event.sentence() for event in shop.events(answer["CompilationJobName"])]
    assert any(line.startswith("Warning: 4 of 4 numbers in the source model's output 'y'") for line in said)


def test_the_same_again_comes_from_the_cache_and_says_so(shop: Shop) -> None:
    first = shop.run()
    second = shop.run(out=f"{BUCKET}/elsewhere/")
    assert second["ModelDigests"] == first["ModelDigests"]
    assert second["ModelArtifacts"]["S3ModelArtifacts"] == f"{BUCKET}/elsewhere/net-LINUX_X86_64.tar.gz"
    name = second["CompilationJobName"]
    assert ("build", "cached") in shop.stages(name)
    report = shop.report(name)
    assert report["cached"] is True
    assert report["cached_from"]
    assert report["verification"] == shop.report(first["CompilationJobName"])["verification"]


@pytest.mark.slow
def test_another_option_shape_target_or_model_is_compiled_anew(shop: Shop) -> None:
    shop.run()
    changes: list[dict[str, Any]] = [
        {"options": {"no-cache": True}},
        {"options": {"tolerance": 0.01}},
        {"options": {"mcpu": "haswell"}},
        {"shapes": {"x": [1, 8]}},
        {"target": {"TargetDevice": "ml_c5"}},
        {"content": packed({"net.onnx": dense(scale=2.0)})},
    ]
    for change in changes:
        answer = shop.run(**change)
        assert answer["CompilationJobStatus"] == "COMPLETED", answer["FailureReason"]
        assert ("build", "done") in shop.stages(answer["CompilationJobName"]), change


def test_a_damaged_cache_entry_is_compiled_anew(shop: Shop) -> None:
    shop.run()
    for path in shop.settings.home.glob("cache/*/artifact.tar.gz"):
        content = path.read_bytes()
        path.unlink()
        path.write_bytes(content[:-1] + b"?")
    answer = shop.run()
    assert ("build", "done") in shop.stages(answer["CompilationJobName"])
    assert answer["CompilationJobStatus"] == "COMPLETED"


def test_an_artifact_for_another_machine_is_built_and_says_that_it_was_not_run(shop: Shop) -> None:
    answer = shop.run(target={"TargetDevice": "rasp4b"})
    assert answer["CompilationJobStatus"] == "COMPLETED", answer["FailureReason"]
    assert answer["ModelArtifacts"]["S3ModelArtifacts"].endswith("/net-rasp4b.tar.gz")
    report = shop.report(answer["CompilationJobName"])
    assert report["verification"] is None
    assert "compiled for ARM64" in report["not_verified"]


WRONG = {
    "no archive": (b"this is text", ("InputConfiguration: Unable to untar input model", "tar.gz")),
    "no onnx file": (packed({"a.txt": b"x"}), ("No onnx file found for ONNX model", "holds", "a.txt")),
    "two onnx files": (packed({"a.onnx": dense(), "b.onnx": dense()}), ("2 onnx files", "a.onnx, b.onnx")),
    "an escape": (packed({"../evil.onnx": dense()}), ("InputConfiguration", "evil.onnx")),
    "not onnx inside": (packed({"a.onnx": b"hello"}), ("InputConfiguration", "a.onnx")),
    "unknown operators": (packed({"a.onnx": custom()}), ("CompilationError", "Frobnicate", "Twiddle")),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_archive_fails_in_neos_words_with_a_next_step(shop: Shop, case: str) -> None:
    content, words = WRONG[case]
    answer = shop.run(content)
    assert answer["CompilationJobStatus"] == "FAILED"
    reason = answer["FailureReason"]
    assert reason.startswith("ClientError: ")
    for word in words:
        assert word in reason
    assert len(reason) <= 1024
    assert answer["ModelArtifacts"]["S3ModelArtifacts"] == ""
    assert shop.leftovers() == []


def test_an_archive_with_the_weights_in_a_file_of_their_own(shop: Shop) -> None:
    answer = shop.run(packed(apart()))
    assert answer["CompilationJobStatus"] == "COMPLETED", answer["FailureReason"]
    assert shop.report(answer["CompilationJobName"])["verification"]


def test_an_archive_without_the_file_of_its_weights_says_which(shop: Shop) -> None:
    reason = shop.run(packed({"net.onnx": apart()["net.onnx"]}))["FailureReason"]
    assert "The weights of net.onnx are in weights.bin, which is not beside it" in reason


def test_a_pytorch_archive_without_its_file_fails_in_neos_words(shop: Shop) -> None:
    reason = shop.run(framework="PYTORCH", shapes={"x": [1, 8]})["FailureReason"]
    assert reason.startswith("ClientError: InputConfiguration: No pth file found for PyTorch model.")
    assert "Please make sure the framework you select is correct." in reason


def test_a_missing_key_names_bucket_and_key(shop: Shop) -> None:
    shop.put(b"x", "other")
    reason = shop.end(shop.create(f"{BUCKET}/in/none.tar.gz"))["FailureReason"]
    assert "InputConfiguration: S3 object does not exist. Bucket: neo-magics, Key: in/none.tar.gz" in reason


def test_a_missing_output_bucket_is_the_output_configurations_fault(shop: Shop) -> None:
    reason = shop.run(out="s3://no-such-bucket/out")["FailureReason"]
    assert reason.startswith("ClientError: OutputConfiguration: The specified bucket does not exist.")


def test_a_wrong_shape_names_the_input_and_both_shapes(shop: Shop) -> None:
    reason = shop.run(shapes={"x": [1, 9]})["FailureReason"]
    assert reason.startswith("ClientError: InputConfiguration")
    for word in ("x", "9", "8"):
        assert word in reason


def test_a_difference_over_tolerance_fails_with_the_figures(shop: Shop) -> None:
    answer = shop.run(packed({"net.onnx": dense(512, 64, scale=1e4)}), options={"tolerance": 1e-12})
    assert answer["CompilationJobStatus"] == "FAILED"
    reason = answer["FailureReason"]
    assert reason.startswith("ClientError: CompilationError: The compiled model's outputs differ")
    assert "largest difference" in reason
    assert "tolerance" in reason
    assert ("verify", "failed") in shop.stages(answer["CompilationJobName"])


def test_an_archive_that_expands_beyond_the_limit_is_refused(shop: Shop) -> None:
    from dataclasses import replace

    small = Shop(replace(shop.settings, unpacked_limit_mb=1), shop.folder)
    reason = small.run(packed({"net.onnx": dense(), "zeros": bytes(2 << 20)}))["FailureReason"]
    assert "expands to more than the limit of 1 MB" in reason


def test_a_waiting_job_is_stopped_at_once(shop: Shop) -> None:
    uri = shop.put(packed({"net.onnx": dense()}))
    first, second = shop.create(uri), shop.create(uri)
    shop.backend.sagemaker.stop_compilation_job(CompilationJobName=second)
    assert shop.end(second)["CompilationJobStatus"] == "STOPPED"
    assert shop.end(first)["CompilationJobStatus"] == "COMPLETED"


def test_a_compiling_job_is_stopped_politely_and_its_bucket_stays_clean(shop: Shop) -> None:
    name = shop.create(shop.put(packed({"net.onnx": dense()})))
    shop.backend.sagemaker.stop_compilation_job(CompilationJobName=name)
    answer = shop.end(name)
    assert (answer["CompilationJobStatus"], answer["FailureReason"]) == ("STOPPED", "")
    assert not shop.backend.store.exists(f"{BUCKET}/out/net-LINUX_X86_64.tar.gz")
    assert shop.leftovers() == []
    assert shop.run()["CompilationJobStatus"] == "COMPLETED"


def test_the_compile_child_catches_no_crash() -> None:
    """libtvm_ffi's handler allocates memory: after a crash within malloc it would wait for ever."""
    script = """
import signal
from pathlib import Path
from neo_magics.jobs.compile_job import _load_tools
_load_tools("ONNX")
[line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("SigCgt")]
assert not int(line.split()[1], 16) >> (signal.SIGSEGV - 1) & 1, line
"""
    subprocess.run([sys.executable, "-c", script], check=True)
