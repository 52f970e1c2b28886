"""From a live model to a created job: the name, the target, and the request that the service sees."""

import json
import re
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from neo_magics.api.devices import DEVICES
from neo_magics.artifact.archive import unpack
from neo_magics.client import Backend
from neo_magics.compilation import NAME_LIMIT, Target, compile, job_name
from neo_magics.errors import TargetError, UsageError
from tests.widgets.conftest import Idle

X = torch.zeros(1, 4)
LEGAL = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")


@pytest.fixture
def backend(settings):
    return Backend(settings, executor=Idle())


@given(st.text(max_size=200), st.sampled_from(["local", *DEVICES]))
def test_names_are_legal_whatever_the_model_is_called(text, target):
    name = job_name(text, target)
    assert LEGAL.fullmatch(name)
    assert len(name) <= NAME_LIMIT


def test_names_say_what_and_where():
    assert re.fullmatch(r"linear-ml-c5-\d{8}-\d{6}-[0-9a-f]{4}", job_name(nn.Linear(1, 1), "ml_c5"))
    assert job_name("a/b/resnet.v2.onnx", "local").startswith("resnet-local-")
    assert job_name("Größe模型", "local").startswith("grosse-local-")
    assert job_name(nn.ReLU(), {"Os": "LINUX", "Arch": "ARM64"}).startswith("relu-linux-arm64-")


def test_the_request(backend):
    (backend.settings.folder("buckets") / "other").mkdir()
    job = compile(
        nn.Linear(4, 2).eval(),
        inputs=X,
        name="net",
        backend=backend,
        target="ml_c5",
        mcpu="haswell",
        tolerance=0.5,
        cache=False,
        max_runtime=77,
        bucket="other",
        tags={"team": "blue"},
    )
    answer = job.describe()
    assert re.fullmatch(r"s3://other/net/[0-9a-f]{8}/model\.tar\.gz", answer["InputConfig"].pop("S3Uri"))
    assert answer["InputConfig"] == {
        "DataInputConfig": '{"input":[1,4]}',
        "Framework": "PYTORCH",
    }
    output = answer["OutputConfig"]
    assert (output["TargetDevice"], output["S3OutputLocation"]) == ("ml_c5", "s3://other/net/output/")
    assert json.loads(output["CompilerOptions"]) == {"mcpu": "haswell", "tolerance": 0.5, "no-cache": True}
    assert answer["StoppingCondition"] == {"MaxRuntimeInSeconds": 77}
    tags = backend.sagemaker.list_tags(ResourceArn=answer["CompilationJobArn"])["Tags"]
    assert tags == [{"Key": "team", "Value": "blue"}]


def test_the_uploaded_archive_is_what_neo_takes_and_example_inputs(backend, tmp_path):
    job = compile(nn.Linear(4, 2).eval(), inputs=X, name="net", backend=backend)
    assert job.files.source == job.files.source
    unpack(job.files.source, tmp_path / "source", limit_bytes=10**7)
    names = {path.relative_to(tmp_path / "source").as_posix() for path in (tmp_path / "source").rglob("*.*")}
    assert names == {"model.pt2", "neo_magics/inputs.npz", "neo_magics/capture.json"}


def test_local_is_this_machines_platform_and_cpu(backend):
    job = compile(nn.Linear(4, 2).eval(), inputs=X, name="net", backend=backend)
    output = job.describe()["OutputConfig"]
    assert output["TargetPlatform"]["Os"] == "LINUX"
    assert json.loads(output["CompilerOptions"]) == {"mcpu": "native"}


def test_seconds_for_tuning_travel_and_the_job_may_take_them(backend, settings):
    job = compile(nn.Linear(4, 2).eval(), inputs=X, name="net", backend=backend, tune=60)
    answer = job.describe()
    assert json.loads(answer["OutputConfig"]["CompilerOptions"]) == {"mcpu": "native", "tune": 60}
    assert answer["StoppingCondition"] == {"MaxRuntimeInSeconds": 960}
    remote = Backend(replace(settings, backend="sagemaker", role_arn="arn:aws:iam::123456789012:role/mine"))
    with pytest.raises(UsageError, match="SageMaker times no kernels"):
        compile(nn.Linear(4, 2).eval(), inputs=X, backend=remote, target="ml_c5", tune=60)


def test_platforms():
    assert Target.parse(None, "LINUX_ARM64", "local").platform == {"Os": "LINUX", "Arch": "ARM64"}
    nvidia = Target.parse(None, "linux_x86_64_nvidia", "sagemaker").platform
    assert nvidia == {"Os": "LINUX", "Arch": "X86_64", "Accelerator": "NVIDIA"}
    with pytest.raises(TargetError, match=r"Did you mean LINUX_ARM64\?"):
        Target.parse(None, "LINUX_ARM46", "local")


def test_a_refused_device_says_why(backend):
    with pytest.raises(UsageError, match=r"needs the Neuron compiler; use --backend sagemaker"):
        compile(nn.Linear(4, 2).eval(), inputs=X, backend=backend, target="ml_inf1")


def test_all_that_is_wrong_with_a_request_is_said_at_once(backend):
    with pytest.raises(UsageError, match="2 validation errors detected"):
        compile(
            nn.Linear(4, 2).eval(),
            inputs=X,
            backend=backend,
            name="not_legal",
            role="nobody-that-is-known-here",
        )


def test_an_argument_that_there_is_not_is_refused_with_the_nearest_one(backend):
    for wrong, hint in (
        ("input_shapes", "Did you mean input_shape?"),
        ("precision", "It takes inputs, target"),
    ):
        with pytest.raises(UsageError, match=rf"no argument '{wrong}'") as error:
            compile(nn.Linear(4, 2).eval(), inputs=X, backend=backend, **{wrong: {"x": [None, 4]}})
        assert hint in str(error.value)


def test_sagemaker_needs_a_role_of_the_users(settings):
    remote = Backend(replace(settings, backend="sagemaker"))
    with pytest.raises(UsageError, match="--role arn:aws:iam::ACCOUNT:role/NAME"):
        compile(nn.Linear(4, 2).eval(), inputs=X, backend=remote, target="ml_c5")
    with pytest.raises(TargetError, match="--target ml_c5"):
        compile(nn.Linear(4, 2).eval(), inputs=X, backend=remote)
