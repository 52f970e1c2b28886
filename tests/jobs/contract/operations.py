"""The operations that the service offers, and legal requests for them to start from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

OPERATIONS = {
    "sagemaker": [
        "CreateCompilationJob",
        "DescribeCompilationJob",
        "ListCompilationJobs",
        "StopCompilationJob",
        "DeleteCompilationJob",
        "AddTags",
        "ListTags",
        "DeleteTags",
    ],
    "logs": ["DescribeLogGroups", "DescribeLogStreams", "GetLogEvents", "FilterLogEvents"],
}

ROLE = "arn:aws:iam::123456789012:role/neo"


def arn_of(name: str) -> str:
    return f"arn:aws:sagemaker:us-east-1:000000000000:compilation-job/{name}"


def create_request(name: str = "job", **members: Any) -> dict[str, Any]:
    """The smallest CreateCompilationJob request that makes sense, with `members` over it."""
    request: dict[str, Any] = {
        "CompilationJobName": name,
        "RoleArn": ROLE,
        "InputConfig": {
            "S3Uri": "s3://models/model.tar.gz",
            "Framework": "ONNX",
            "DataInputConfig": '{"x": [1, 3]}',
        },
        "OutputConfig": {"S3OutputLocation": "s3://models/out", "TargetDevice": "ml_c5"},
        "StoppingCondition": {"MaxRuntimeInSeconds": 900},
    }
    return request | members


def shapes_of(shape: Any) -> Iterator[Any]:
    """`shape` and all shapes within it."""
    yield shape
    members = shape.members.values() if shape.type_name == "structure" else []
    for member in [shape.member] if shape.type_name == "list" else members:
        yield from shapes_of(member)
