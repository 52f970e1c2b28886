"""The request of a job in the tongues of notebook, Python and shell: each files the same job again."""

import ast
import json
import shlex

import pytest

from neo_magics.magics.options import compile_parser
from neo_magics.magics.words import split
from neo_magics.widgets.request_text import request_of, request_texts

REQUEST = {
    "CompilationJobName": "net-1",
    "RoleArn": "arn:aws:iam::000000000000:role/neo",
    "InputConfig": {
        "S3Uri": "s3://b/it's/model.tar.gz",
        "DataInputConfig": '{"x": [1, 4]}',
        "Framework": "PYTORCH",
    },
    "OutputConfig": {"S3OutputLocation": "s3://b/out/", "TargetDevice": "ml_c5"},
    "StoppingCondition": {"MaxRuntimeInSeconds": 900},
}


def line(output, backend="local", **more):
    texts = request_texts({**REQUEST, "OutputConfig": output, **more}, backend)
    first, model = texts["%%compile"].split("\n")
    assert model == "model"
    return first


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ({"TargetDevice": "rasp4b"}, "--target rasp4b"),
        (
            {"TargetPlatform": {"Os": "LINUX", "Arch": "X86_64"}, "CompilerOptions": '{"mcpu": "native"}'},
            "--target local",
        ),
        ({"TargetPlatform": {"Os": "LINUX", "Arch": "ARM64"}}, "--platform LINUX_ARM64"),
        (
            {
                "TargetDevice": "ml_c5",
                "CompilerOptions": json.dumps(
                    {"dtype": "int64", "tolerance": 0.01, "tune": 5, "no-cache": True}
                ),
            },
            "--dtype int64 --tolerance 0.01 --tune 5 --no-cache",
        ),
        (
            {"TargetDevice": "ml_c5", "CompilerOptions": json.dumps({"precision": "int8"})},
            "--dtype int8 --calibrate data",
        ),
    ],
)
def test_the_magic_says_the_target_and_the_options(output, words):
    said = line(output)
    assert words in said
    parsed = compile_parser("%%compile", model=False).read(split(said.removeprefix("%%compile ")))
    assert parsed.output_var == "job"
    assert json.loads(parsed.input_shape) == {"x": [1, 4]}


def test_the_magic_says_what_differs_from_the_usual():
    usual = {"TargetDevice": "ml_c5"}
    assert "--max-runtime" not in line(usual)
    assert "--max-runtime 60" in line(usual, StoppingCondition={"MaxRuntimeInSeconds": 60})
    assert "--backend sagemaker" in line(usual, "sagemaker")


def test_boto3_is_python_with_the_same_request():
    tree = ast.parse(request_texts(REQUEST, "local")["boto3"])
    call = tree.body[-1].value
    assert {word.arg: ast.literal_eval(word.value) for word in call.keywords} == REQUEST


def test_the_cli_gets_the_same_request():
    words = shlex.split(request_texts(REQUEST, "local")["aws cli"])
    assert words[:3] == ["aws", "sagemaker", "create-compilation-job"]
    assert json.loads(words[-1]) == REQUEST


def test_a_description_without_its_answers_is_the_request(stage):
    description = stage.create().describe()
    request = request_of(description)
    assert {"CompilationJobName", "InputConfig", "OutputConfig", "RoleArn"} <= set(request)
    assert not {"CompilationJobStatus", "CreationTime", "ResponseMetadata"} & set(request)
