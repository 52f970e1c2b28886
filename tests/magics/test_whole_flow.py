"""What a notebook does by hand with SageMaker Neo, in five lines: each of its steps is there afterwards."""

from __future__ import annotations

import re

import pytest

import neo_magics
from tests.magics.test_end_to_end import SETUP, execute, quiet_kernels, text_of

__all__ = ["quiet_kernels"]

LINES = """%load_ext neo_magics
%%compile --target local --input x -o job --wait
model
compiled = job.load()
compiled(x)""".splitlines()


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_five_lines_cover_the_flow_that_users_write_by_hand(monkeypatch):
    assert len(LINES) <= 5
    monkeypatch.setattr("tests.magics.test_end_to_end.SETUP", SETUP.replace("%load_ext neo_magics\n", ""))
    loaded, panel, called = execute(LINES[0], "\n".join(LINES[1:3]), "\n".join(LINES[3:]))
    assert loaded == []

    backend = neo_magics.Settings.from_environment()
    jobs = neo_magics.boto3_client("sagemaker", backend="local")
    (summary,) = jobs.list_compilation_jobs()["CompilationJobSummaries"]
    described = jobs.describe_compilation_job(CompilationJobName=summary["CompilationJobName"])
    bucket = backend.home / "buckets" / backend.bucket

    # Role, bucket, archive, upload, the five settings, create.
    assert described["RoleArn"].startswith("arn:aws:iam::")
    assert (bucket / described["InputConfig"]["S3Uri"].removeprefix(f"s3://{backend.bucket}/")).is_file()
    assert {"S3Uri", "DataInputConfig", "Framework"} <= set(described["InputConfig"])
    assert {"S3OutputLocation", "TargetPlatform"} <= set(described["OutputConfig"])
    # Polled until the end, whatever the end; the artifact found, fetched, unpacked and run.
    assert described["CompilationJobStatus"] == "COMPLETED"
    artifact = described["ModelArtifacts"]["S3ModelArtifacts"]
    assert list((backend.home / "downloads").rglob(artifact.rsplit("/", 1)[-1]))
    assert text_of(called).startswith("tensor(")
    # Both benchmarks with their percentiles, the ratio, the chart.
    html, text = panel[0].data["text/html"], panel[0].data["text/plain"]
    for words in ("median", "p95", "PyTorch", "compiled"):
        assert words in text
    assert re.search(r"× (faster|slower)|no measurable difference", text)
    assert html.count('<svg width="100%"') == 3
