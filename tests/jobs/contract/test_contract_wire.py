"""The dispatcher as any caller of AWS JSON 1.1 meets it: bytes in, status, headers and bytes out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neo_magics.client import Backend
from neo_magics.jobs.dispatcher import Answer
from tests.jobs.contract.operations import OPERATIONS, create_request


def ask(backend: Backend, target: str, request: Any) -> tuple[int, dict[str, Any]]:
    body = request if isinstance(request, bytes) else json.dumps(request).encode()
    answer = backend.dispatcher.dispatch(target, body)
    return answer.status, json.loads(answer.body or b"{}")


def test_an_answer_in_full(backend: Backend) -> None:
    answer = backend.dispatcher.dispatch(
        "SageMaker.CreateCompilationJob", json.dumps(create_request()).encode()
    )
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/x-amz-json-1.1"
    assert len(answer.headers["x-amzn-RequestId"]) == 36
    status, body = ask(backend, "SageMaker.DescribeCompilationJob", {"CompilationJobName": "job"})
    assert status == 200
    assert isinstance(body["CreationTime"], float)
    assert round(body["CreationTime"], 3) == body["CreationTime"]


def test_an_operation_without_output_has_an_empty_body(backend: Backend) -> None:
    backend.sagemaker.create_compilation_job(**create_request())
    answer = backend.dispatcher.dispatch("SageMaker.StopCompilationJob", b'{"CompilationJobName": "job"}')
    assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize(
    "target", ["", "SageMaker", "SageMaker.CreateTrainingJob", "Other.ListTags", "Logs_20140328.PutLogEvents"]
)
def test_an_unknown_operation(backend: Backend, target: str) -> None:
    status, body = ask(backend, target, {})
    assert status == 400
    assert body["__type"] == "UnknownOperationException"


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[]", b"3", b"null", b"[" * 100_000, b"9" * 5000])
def test_a_body_that_is_not_an_object(backend: Backend, body: bytes) -> None:
    status, answer = ask(backend, "SageMaker.ListCompilationJobs", body)
    assert status == 400
    assert answer["__type"] == "SerializationException"
    assert "sys." not in answer["Message"]  # Python's advice is not for callers


def test_an_empty_body_is_an_empty_request(backend: Backend) -> None:
    assert ask(backend, "SageMaker.ListCompilationJobs", b"") == (200, {"CompilationJobSummaries": []})


def test_nulls_are_absent_members(backend: Backend) -> None:
    request = {"MaxResults": None, "CreationTimeAfter": None, "NextToken": None}
    assert ask(backend, "SageMaker.ListCompilationJobs", request)[0] == 200


@pytest.mark.parametrize(
    ("members", "path", "constraint"),
    [
        ({"CompilationJobName": 3}, "compilationJobName", "Member must be a string"),
        ({"OutputConfig": []}, "outputConfig", "Member must be a structure"),
        ({"Tags": {}}, "tags", "Member must be a list"),
        ({"Tags": ["x"]}, "tags.1.member", "Member must be a structure"),
        (
            {"StoppingCondition": {"MaxRuntimeInSeconds": "9"}},
            "stoppingCondition.maxRuntimeInSeconds",
            "Member must be an integer",
        ),
        (
            {"StoppingCondition": {"MaxRuntimeInSeconds": True}},
            "stoppingCondition.maxRuntimeInSeconds",
            "Member must be an integer",
        ),
        (
            {"StoppingCondition": {"MaxRuntimeInSeconds": 2**40}},
            "stoppingCondition.maxRuntimeInSeconds",
            "Member must be an integer",
        ),
        ({"Colour": "blue"}, "colour", "Member is not one of CreateCompilationJobRequest's"),
        (
            {"VpcConfig": {"SecurityGroupIds": [1], "Subnets": ["a"]}},
            "vpcConfig.securityGroupIds",
            "Member must",
        ),
    ],
)
def test_wrong_types_and_unknown_members(
    backend: Backend, members: dict[str, Any], path: str, constraint: str
) -> None:
    status, body = ask(backend, "SageMaker.CreateCompilationJob", create_request(**members))
    assert status == 400
    assert body["__type"] == "ValidationException"
    assert f"at '{path}' failed to satisfy constraint: {constraint}" in body["Message"]


@pytest.mark.parametrize("moment", ["yesterday", 1e20, -1, float("nan"), True])
def test_times_that_are_none(backend: Backend, moment: Any) -> None:
    status, body = ask(backend, "SageMaker.ListCompilationJobs", {"CreationTimeAfter": moment})
    assert status == 400
    assert body["__type"] in ("ValidationException", "SerializationException")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = [
    "CompilationJobName", "RoleArn", "InputConfig", "OutputConfig", "StoppingCondition", "Tags", "VpcConfig",
    "ResourceArn", "TagKeys", "NextToken", "MaxResults", "CreationTimeAfter", "StatusEquals", "logGroupName",
    "logStreamName", "nextToken", "filterPattern", "TargetDevice", "TargetPlatform", "CompilerOptions",
]  # fmt: skip
requests = st.dictionaries(st.sampled_from(NAMES), json_values | st.fixed_dictionaries(
    {}, optional={"TargetDevice": json_values, "TargetPlatform": json_values, "CompilerOptions": json_values,
                  "S3OutputLocation": json_values, "Framework": json_values, "DataInputConfig": json_values}
))  # fmt: skip


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    target=st.sampled_from(
        [f"SageMaker.{name}" for name in OPERATIONS["sagemaker"]]
        + [f"Logs_20140328.{name}" for name in OPERATIONS["logs"]]
    ),
    request_=requests | json_values,
)
def test_whatever_comes_the_answer_is_awss(backend: Backend, target: str, request_: Any) -> None:
    answer = backend.dispatcher.dispatch(target, json.dumps(request_).encode())
    assert isinstance(answer, Answer)
    assert answer.status in (200, 400)
    if answer.status == 400:
        assert json.loads(answer.body)["__type"] == answer.headers["x-amzn-ErrorType"]


def test_a_store_that_cannot_be_used_is_an_internal_failure(backend: Backend) -> None:
    backend.sagemaker.create_compilation_job(**create_request())
    with backend.job_store.database.write() as connection:
        connection.exec_driver_sql("DROP TABLE tags")
        connection.exec_driver_sql("DROP TABLE jobs")
    status, body = ask(backend, "SageMaker.ListCompilationJobs", {})
    assert status == 500
    assert body["__type"] == "InternalFailure"
    assert "no such table" in body["Message"]
