"""What a request must mean: exclusive members, contents of texts, targets, tags; told with the rest."""

from __future__ import annotations

import platform
from typing import Any

import pytest
from botocore.exceptions import ClientError

from neo_magics.api.devices import DEVICES, PLATFORMS
from neo_magics.api.frameworks import LOCAL_FRAMEWORKS
from tests.jobs.contract.operations import ROLE, create_request


def refusal(client: Any, request: dict[str, Any]) -> str:
    with pytest.raises(ClientError) as caught:
        client.create_compilation_job(**request)
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return str(caught.value.response["Error"]["Message"])


def with_output(**members: Any) -> dict[str, Any]:
    return create_request(OutputConfig={"S3OutputLocation": "s3://models/out", **members})


def with_input(**members: Any) -> dict[str, Any]:
    request = create_request()
    return request | {"InputConfig": request["InputConfig"] | members}


PACKAGE = "arn:aws:sagemaker:us-east-1:123456789012:model-package/group/1"


def test_the_model_comes_from_one_place(sagemaker: Any) -> None:
    message = refusal(sagemaker, create_request(ModelPackageVersionArn=PACKAGE))
    assert "at 'inputConfig'" in message
    assert "must not be given together with modelPackageVersionArn" in message


def test_a_model_package_cannot_be_resolved_here_and_the_message_says_what_to_do(sagemaker: Any) -> None:
    request = create_request(ModelPackageVersionArn=PACKAGE)
    del request["InputConfig"]
    message = refusal(sagemaker, request)
    assert "at 'modelPackageVersionArn'" in message
    assert "--backend sagemaker" in message


def test_the_target_is_given_once(sagemaker: Any) -> None:
    both = with_output(TargetDevice="ml_c5", TargetPlatform={"Os": "LINUX", "Arch": "X86_64"})
    assert "must not be given together with targetPlatform" in refusal(sagemaker, both)
    assert "must not be null unless targetPlatform is given" in refusal(sagemaker, with_output())


@pytest.mark.parametrize("device", DEVICES.values(), ids=lambda device: device.name)
def test_every_device_is_accepted_or_refused_with_its_reason(sagemaker: Any, device: Any) -> None:
    request = with_output(TargetDevice=device.name)
    if device.compilable:
        sagemaker.create_compilation_job(**request)
        described = sagemaker.describe_compilation_job(CompilationJobName="job")
        assert described["OutputConfig"]["TargetDevice"] == device.name
    else:
        message = refusal(sagemaker, request)
        assert f"Value '{device.name}' at 'outputConfig.targetDevice'" in message
        assert device.refused in message


@pytest.mark.parametrize("key", PLATFORMS, ids="_".join)
def test_every_platform_is_accepted_or_refused_with_its_reason(
    sagemaker: Any, key: tuple[str, str, str]
) -> None:
    target = {name: value for name, value in zip(("Os", "Arch", "Accelerator"), key, strict=True) if value}
    request = with_output(TargetPlatform=target)
    if PLATFORMS[key].compilable:
        sagemaker.create_compilation_job(**request)
        summary = sagemaker.list_compilation_jobs()["CompilationJobSummaries"][0]
        assert summary["CompilationTargetPlatformOs"] == key[0]
        assert summary["CompilationTargetPlatformArch"] == key[1]
        assert "CompilationTargetDevice" not in summary
    else:
        message = refusal(sagemaker, request)
        assert "at 'outputConfig.targetPlatform'" in message
        assert PLATFORMS[key].refused in message


def test_no_framework_of_the_api_is_refused() -> None:
    assert set(LOCAL_FRAMEWORKS) == {
        "TENSORFLOW", "KERAS", "MXNET", "ONNX", "PYTORCH", "XGBOOST", "TFLITE", "DARKNET", "SKLEARN"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("request_", "path", "part"),
    [
        (with_input(DataInputConfig="{x: 1}"), "inputConfig.dataInputConfig", "neither JSON"),
        (with_input(DataInputConfig='{"x": [0]}'), "inputConfig.dataInputConfig", "input 'x' is 0"),
        (with_input(S3Uri="https://models/m.tar.gz"), "inputConfig.s3Uri", "must be an s3:// URI"),
        (with_input(S3Uri="s3://models"), "inputConfig.s3Uri", "must name an object"),
        (with_input(S3Uri="s3://models/folder/"), "inputConfig.s3Uri", "must name an object"),
        (
            with_output(TargetDevice="ml_c5", CompilerOptions='{"mcpy": 1}'),
            "outputConfig.compilerOptions",
            "did you mean 'mcpu'?",
        ),
        (
            with_output(TargetDevice="ml_c5", KmsKeyId="alias/x"),
            "outputConfig.kmsKeyId",
            "does not encrypt artifacts",
        ),
        (
            create_request(StoppingCondition={"MaxRuntimeInSeconds": 9, "MaxWaitTimeInSeconds": 8}),
            "stoppingCondition.maxWaitTimeInSeconds",
            "greater than or equal to maxRuntimeInSeconds (9)",
        ),
        (
            create_request(Tags=[{"Key": "ok", "Value": ""}, {"Key": "AWS:x", "Value": ""}]),
            "tags.2.member.key",
            "reserved for system use",
        ),
        (
            create_request(Tags=[{"Key": "k", "Value": "1"}, {"Key": "k", "Value": "2"}]),
            "tags",
            "the same tag key twice",
        ),
    ],
)
def test_contents_are_read_when_the_job_is_created(
    sagemaker: Any, request_: dict[str, Any], path: str, part: str
) -> None:
    message = refusal(sagemaker, request_)
    assert message.startswith("1 validation error detected: ")
    assert f"at '{path}' failed to satisfy constraint: " in message
    assert part in message


def test_native_is_for_targets_of_this_machines_architecture(sagemaker: Any) -> None:
    here = "ml_c5" if platform.machine() == "x86_64" else "ml_c6g"
    there = "ml_c6g" if here == "ml_c5" else "ml_c5"
    options = '{"mcpu": "native"}'
    sagemaker.create_compilation_job(**with_output(TargetDevice=here, CompilerOptions=options))
    assert "'native' is that of this machine" in refusal(
        sagemaker, with_output(TargetDevice=there, CompilerOptions=options)
    )


def test_faults_of_form_and_of_meaning_are_told_together(bare_sagemaker: Any) -> None:
    request = with_input(DataInputConfig="[]") | {
        "RoleArn": "x" * 20,
        "Tags": [{"Key": "aws:a", "Value": ""}],
    }
    message = refusal(bare_sagemaker, request)
    assert message.startswith("3 validation errors detected: ")
    for path in ("roleArn", "inputConfig.dataInputConfig", "tags.1.member.key"):
        assert f"at '{path}'" in message


def test_what_is_recorded_only_comes_back(sagemaker: Any) -> None:
    vpc = {"SecurityGroupIds": ["sg-1", "sg-2"], "Subnets": ["subnet-1"]}
    condition = {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 60, "MaxPendingTimeInSeconds": 1800}
    request = with_input(FrameworkVersion="1.18") | {"VpcConfig": vpc, "StoppingCondition": condition}
    sagemaker.create_compilation_job(**request)
    answer = sagemaker.describe_compilation_job(CompilationJobName="job")
    assert answer["VpcConfig"] == vpc
    assert answer["StoppingCondition"] == condition
    assert answer["RoleArn"] == ROLE
    assert answer["InputConfig"] == request["InputConfig"]
    assert answer["OutputConfig"] == request["OutputConfig"]
