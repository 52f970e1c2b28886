"""The life of a job through boto3: create, describe, stop, delete, and what each answers when it cannot."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from neo_magics.api.states import JobStatus
from neo_magics.client import Backend
from neo_magics.jobs.store import JobStore
from tests.jobs.contract.operations import arn_of, create_request

S = JobStatus
LIVES = {
    S.STARTING: (),
    S.INPROGRESS: (S.INPROGRESS,),
    S.COMPLETED: (S.INPROGRESS, S.COMPLETED),
    S.FAILED: (S.INPROGRESS, S.FAILED),
    S.STOPPING: (S.INPROGRESS, S.STOPPING),
    S.STOPPED: (S.INPROGRESS, S.STOPPING, S.STOPPED),
}


def error_of(caught: pytest.ExceptionInfo[ClientError]) -> tuple[str, str]:
    detail = caught.value.response["Error"]
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return detail["Code"], detail["Message"]


def job_in(sagemaker: Any, store: JobStore, status: JobStatus, name: str = "job") -> None:
    """A job that a runner has brought to `status`."""
    sagemaker.create_compilation_job(**create_request(name))
    if LIVES[status]:
        assert store.claim_next(limit=10)
    for step in LIVES[status]:
        assert store.change(name, step)


def test_a_new_job_is_described_as_neo_does(sagemaker: Any) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    assert sagemaker.create_compilation_job(**create_request())["CompilationJobArn"] == arn_of("job")
    answer = sagemaker.describe_compilation_job(CompilationJobName="job")
    assert answer["CompilationJobName"] == "job"
    assert answer["CompilationJobArn"] == arn_of("job")
    assert answer["CompilationJobStatus"] == "STARTING"
    assert answer["FailureReason"] == ""
    assert answer["ModelArtifacts"] == {"S3ModelArtifacts": ""}
    assert before < answer["CreationTime"] == answer["LastModifiedTime"] < before + timedelta(minutes=1)
    for absent in (
        "CompilationStartTime",
        "CompilationEndTime",
        "ModelDigests",
        "DerivedInformation",
        "Tags",
    ):
        assert absent not in answer


def test_a_completed_job_has_times_artifact_digest_and_derived_information(
    sagemaker: Any, store: JobStore
) -> None:
    job_in(sagemaker, store, S.INPROGRESS)
    store.change(
        "job",
        S.COMPLETED,
        artifacts="s3://models/out/model-ml_c5.tar.gz",
        digest="ab12",
        derived_input_config='{"x": [1, 3]}',
    )
    answer = sagemaker.describe_compilation_job(CompilationJobName="job")
    assert answer["CompilationJobStatus"] == "COMPLETED"
    assert answer["ModelArtifacts"] == {"S3ModelArtifacts": "s3://models/out/model-ml_c5.tar.gz"}
    assert answer["ModelDigests"] == {"ArtifactDigest": "ab12"}
    assert answer["DerivedInformation"] == {"DerivedDataInputConfig": '{"x": [1, 3]}'}
    assert answer["CreationTime"] <= answer["CompilationStartTime"] <= answer["CompilationEndTime"]
    assert answer["LastModifiedTime"] == answer["CompilationEndTime"]
    assert answer["FailureReason"] == ""


def test_a_failed_job_says_why(sagemaker: Any, store: JobStore) -> None:
    job_in(sagemaker, store, S.INPROGRESS)
    store.change("job", S.FAILED, failure_reason="ClientError: InputConfiguration: no model")
    answer = sagemaker.describe_compilation_job(CompilationJobName="job")
    assert answer["CompilationJobStatus"] == "FAILED"
    assert answer["FailureReason"] == "ClientError: InputConfiguration: no model"
    assert "CompilationEndTime" in answer


def test_a_name_is_taken_while_its_job_exists(sagemaker: Any, store: JobStore) -> None:
    job_in(sagemaker, store, S.COMPLETED)
    with pytest.raises(sagemaker.exceptions.ResourceInUse) as caught:
        sagemaker.create_compilation_job(**create_request())
    code, message = error_of(caught)
    assert code == "ResourceInUse"
    assert message == (
        "Compilation job names must be unique within an AWS account and region, "
        f"and a compilation job with this name already exists ({arn_of('job')})."
    )
    sagemaker.delete_compilation_job(CompilationJobName="job")
    sagemaker.create_compilation_job(**create_request())


def test_the_queue_has_a_limit_that_running_jobs_do_not_count_in(settings, executor) -> None:
    backend = Backend(replace(settings, max_pending_jobs=2), executor=executor)
    client = backend.sagemaker
    for index in range(2):
        client.create_compilation_job(**create_request(f"job{index}"))
    with pytest.raises(
        client.exceptions.ResourceLimitExceeded, match=r"limit .* is 2, with current utilization"
    ):
        client.create_compilation_job(**create_request("job2"))
    assert backend.job_store.claim_next(limit=1).name == "job0"
    client.create_compilation_job(**create_request("job2"))


@pytest.mark.parametrize("operation", ["describe", "stop", "delete"])
def test_an_unknown_job_is_not_found(sagemaker: Any, operation: str) -> None:
    with pytest.raises(sagemaker.exceptions.ResourceNotFound) as caught:
        getattr(sagemaker, f"{operation}_compilation_job")(CompilationJobName="nobody")
    assert error_of(caught) == ("ResourceNotFound", "Could not find compilation job with name: nobody.")


def test_stopping_a_queued_job_ends_it_at_once(sagemaker: Any, executor: Any) -> None:
    sagemaker.create_compilation_job(**create_request())
    answer = sagemaker.stop_compilation_job(CompilationJobName="job")
    assert set(answer) == {"ResponseMetadata"}
    described = sagemaker.describe_compilation_job(CompilationJobName="job")
    assert described["CompilationJobStatus"] == "STOPPED"
    assert "CompilationEndTime" in described
    assert executor.stopped == []


@pytest.mark.parametrize("claimed_only", [True, False])
def test_stopping_a_job_with_a_runner_is_left_to_the_runner(
    sagemaker: Any, store: JobStore, executor: Any, claimed_only: bool
) -> None:
    job_in(sagemaker, store, S.STARTING if claimed_only else S.INPROGRESS)
    if claimed_only:
        store.claim_next(limit=1)
    sagemaker.stop_compilation_job(CompilationJobName="job")
    assert sagemaker.describe_compilation_job(CompilationJobName="job")["CompilationJobStatus"] == "STOPPING"
    assert executor.stopped == ["job"]


@pytest.mark.parametrize("status", [S.STOPPING, S.STOPPED, S.COMPLETED, S.FAILED])
def test_a_job_that_stops_or_has_ended_cannot_be_stopped(
    sagemaker: Any, store: JobStore, status: JobStatus
) -> None:
    job_in(sagemaker, store, status)
    with pytest.raises(ClientError) as caught:
        sagemaker.stop_compilation_job(CompilationJobName="job")
    assert error_of(caught) == (
        "ValidationException",
        f"The request was rejected because the compilation job is in status {status}.",
    )


@pytest.mark.parametrize("status", list(S))
def test_only_a_job_that_has_ended_can_be_deleted(sagemaker: Any, store: JobStore, status: JobStatus) -> None:
    job_in(sagemaker, store, status)
    if status in (S.COMPLETED, S.FAILED, S.STOPPED):
        assert set(sagemaker.delete_compilation_job(CompilationJobName="job")) == {"ResponseMetadata"}
        with pytest.raises(sagemaker.exceptions.ResourceNotFound):
            sagemaker.describe_compilation_job(CompilationJobName="job")
    else:
        with pytest.raises(ClientError) as caught:
            sagemaker.delete_compilation_job(CompilationJobName="job")
        code, message = error_of(caught)
        assert code == "ValidationException"
        assert f"in status {status}" in message
        assert sagemaker.describe_compilation_job(CompilationJobName="job")["CompilationJobStatus"] == status


def test_deleting_leaves_the_log(sagemaker: Any, logs: Any) -> None:
    sagemaker.create_compilation_job(**create_request())
    sagemaker.stop_compilation_job(CompilationJobName="job")
    sagemaker.delete_compilation_job(CompilationJobName="job")
    events = logs.get_log_events(logGroupName="/aws/sagemaker/CompilationJobs", logStreamName="job")["events"]
    assert events[0]["message"] == "Job job is queued."
