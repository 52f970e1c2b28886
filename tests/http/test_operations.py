"""Every operation through a real boto3 client over HTTP."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from neo_magics.api.events import LOG_GROUP
from tests.http.conftest import Served, create_request


def test_a_job_is_created_described_listed_tagged_stopped_and_deleted(served: Served) -> None:
    neo = served.boto3("sagemaker")
    arn = neo.create_compilation_job(**create_request("one"), Tags=[{"Key": "team", "Value": "a"}])[
        "CompilationJobArn"
    ]
    job = neo.describe_compilation_job(CompilationJobName="one")
    assert (job["CompilationJobArn"], job["CompilationJobStatus"]) == (arn, "STARTING")
    assert job["InputConfig"]["Framework"] == "ONNX"
    neo.add_tags(ResourceArn=arn, Tags=[{"Key": "stage", "Value": "b"}])
    neo.delete_tags(ResourceArn=arn, TagKeys=["team"])
    assert neo.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "stage", "Value": "b"}]
    neo.stop_compilation_job(CompilationJobName="one")
    assert neo.describe_compilation_job(CompilationJobName="one")["CompilationJobStatus"] == "STOPPED"
    neo.delete_compilation_job(CompilationJobName="one")
    with pytest.raises(ClientError) as missing:
        neo.describe_compilation_job(CompilationJobName="one")
    assert missing.value.response["Error"]["Code"] == "ResourceNotFound"


def test_the_log_is_read_over_http(served: Served) -> None:
    served.boto3("sagemaker").create_compilation_job(**create_request("logged"))
    logs = served.boto3("logs")
    assert [s["logStreamName"] for s in logs.describe_log_streams(logGroupName=LOG_GROUP)["logStreams"]] == [
        "logged"
    ]
    events = logs.get_log_events(logGroupName=LOG_GROUP, logStreamName="logged")["events"]
    assert "queued" in events[0]["message"]
    assert logs.filter_log_events(logGroupName=LOG_GROUP)["events"][0]["message"] == events[0]["message"]


def test_requests_at_the_same_time_are_all_answered(served: Served) -> None:
    neo = served.boto3("sagemaker")

    def create(number: int) -> str:
        neo.create_compilation_job(**create_request(f"job-{number:02}"))
        return str(neo.describe_compilation_job(CompilationJobName=f"job-{number:02}")["CompilationJobName"])

    with ThreadPoolExecutor(8) as pool:
        made = sorted(pool.map(create, range(24)))
    pages = neo.get_paginator("list_compilation_jobs").paginate(PaginationConfig={"PageSize": 5})
    listed = [job["CompilationJobName"] for page in pages for job in page["CompilationJobSummaries"]]
    assert sorted(listed) == made == [f"job-{number:02}" for number in range(24)]


def test_one_name_created_by_many_at_once_is_one_job(served: Served) -> None:
    def create(_: int) -> str:
        try:
            served.boto3("sagemaker").create_compilation_job(**create_request("same"))
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "made"

    with ThreadPoolExecutor(6) as pool:
        outcomes = sorted(pool.map(create, range(6)))
    assert outcomes == ["ResourceInUse"] * 5 + ["made"]


def test_violations_come_back_as_one_validation_exception(served: Served) -> None:
    request = create_request("-bad-") | {"RoleArn": "x"}
    with pytest.raises(ClientError) as refused:
        served.boto3("sagemaker").create_compilation_job(**request)
    error = refused.value.response["Error"]
    assert error["Code"] == "ValidationException"
    assert error["Message"].startswith("3 validation errors detected")  # the role is too short, and no ARN


def test_every_answer_has_a_request_id_and_a_date(served: Served) -> None:
    answer = served.boto3("sagemaker").list_compilation_jobs()["ResponseMetadata"]
    assert len(answer["RequestId"]) == 36
    assert answer["HTTPHeaders"]["date"].endswith("GMT")
    again = served.boto3("sagemaker").list_compilation_jobs()["ResponseMetadata"]
    assert again["RequestId"] != answer["RequestId"]


def test_the_clients_of_the_package_find_the_key_of_their_own_server(served: Served) -> None:
    from dataclasses import replace

    from neo_magics.client import Backend

    backend = Backend(replace(served.settings, backend=served.url))
    assert backend.sagemaker.list_compilation_jobs()["CompilationJobSummaries"] == []
