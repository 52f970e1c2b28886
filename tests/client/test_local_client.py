"""boto3 clients of the local backend: answered in this process, without network or credentials."""

from __future__ import annotations

import socket
import subprocess
import sys
from typing import Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError

from neo_magics.client import Backend, boto3_client, client
from neo_magics.errors import ApiError, BackendError, UsageError
from neo_magics.settings import Settings
from tests.jobs.contract.conftest import IdleExecutor
from tests.jobs.contract.operations import create_request


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: Any, **_options: Any) -> None:
        raise AssertionError("a socket was asked for")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def backend(settings: Settings) -> Backend:
    return Backend(settings, executor=IdleExecutor())


def test_a_job_is_created_without_a_socket(backend: Backend, no_network: None) -> None:
    backend.sagemaker.create_compilation_job(**create_request())
    answer = backend.sagemaker.describe_compilation_job(CompilationJobName="job")
    assert answer["CompilationJobStatus"] == "STARTING"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert answer["ResponseMetadata"]["RetryAttempts"] == 0


def test_the_users_aws_set_up_does_not_matter(
    backend: Backend, monkeypatch: pytest.MonkeyPatch, tmp_path: Any, no_network: None
) -> None:
    broken = tmp_path / "config"
    broken.write_text("this is not a configuration file")
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(broken))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(broken))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://192.0.2.1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "nowhere-1")
    assert backend.sagemaker.list_compilation_jobs()["CompilationJobSummaries"] == []
    assert backend.sagemaker.meta.region_name == "us-east-1"


def test_the_region_and_account_of_the_settings_are_in_the_arn(settings: Settings) -> None:
    own = Settings(home=settings.home, region="eu-west-1", account_id="123456789012")
    backend = Backend(own, executor=IdleExecutor())
    arn = backend.sagemaker.create_compilation_job(**create_request())["CompilationJobArn"]
    assert arn == "arn:aws:sagemaker:eu-west-1:123456789012:compilation-job/job"


def test_two_clients_of_one_home_see_the_same_jobs(backend: Backend, settings: Settings) -> None:
    backend.sagemaker.create_compilation_job(**create_request())
    other = client("sagemaker", settings)
    assert other.describe_compilation_job(CompilationJobName="job")["CompilationJobName"] == "job"
    logs = boto3_client("logs", backend="local")
    assert logs.describe_log_groups()["logGroups"][0]["logGroupName"] == "/aws/sagemaker/CompilationJobs"


def test_the_public_name(settings: Settings) -> None:
    import neo_magics

    assert neo_magics.boto3_client("sagemaker", backend="local").list_compilation_jobs(MaxResults=1)


def test_botocores_own_checks_stay(backend: Backend) -> None:
    with pytest.raises(ParamValidationError):
        backend.sagemaker.describe_compilation_job()


def test_errors_are_botocores_own_classes(backend: Backend) -> None:
    with pytest.raises(backend.sagemaker.exceptions.ResourceNotFound) as caught:
        backend.sagemaker.stop_compilation_job(CompilationJobName="nobody")
    assert isinstance(caught.value, ClientError)
    assert caught.value.operation_name == "StopCompilationJob"


def test_an_operation_that_is_not_offered(backend: Backend) -> None:
    with pytest.raises(ClientError, match="'ListTrainingJobs' is not an operation of this service") as caught:
        backend.sagemaker.list_training_jobs()
    assert caught.value.response["Error"]["Code"] == "UnknownOperationException"


def test_there_is_no_s3_client_because_the_store_is_the_way(backend: Backend) -> None:
    with pytest.raises(UsageError, match=r"no 's3' client.* Backend\.store"):
        backend.client("s3")


def test_the_store_is_the_folders_below_home(backend: Backend, tmp_path: Any, settings: Settings) -> None:
    path = tmp_path / "m.tar.gz"
    path.write_bytes(b"model")
    backend.store.put(path, "s3://neo-magics/m.tar.gz")
    assert backend.store.exists("s3://neo-magics/m.tar.gz")


@pytest.mark.parametrize("name", ["loacl", "ftp://host", "http://", "", "127.0.0.1:8765"])
def test_a_backend_that_is_none(settings: Settings, name: str) -> None:
    with pytest.raises(UsageError, match="is not a backend") as caught:
        Backend(Settings(home=settings.home, backend=name))
    assert "'local', 'sagemaker', or the URL" in caught.value.hint


def test_translated_errors_are_ours(backend: Backend) -> None:
    with pytest.raises(ApiError) as caught, backend.translated():
        backend.sagemaker.describe_compilation_job(CompilationJobName="nobody")
    assert caught.value.code == "ResourceNotFound"
    with pytest.raises(ApiError, match="Missing required parameter"), backend.translated():
        backend.sagemaker.describe_compilation_job()


def test_a_busy_store_is_retried_once_and_then_said(backend: Backend, settings: Settings) -> None:
    import sqlite3

    from neo_magics.jobs.store import JobStore

    backend.__dict__["job_store"] = JobStore(settings.url, busy_seconds=0.05)
    backend.sagemaker.create_compilation_job(**create_request())
    holder = sqlite3.connect(settings.home / "jobs.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(ClientError, match="busy: another process") as caught:
        backend.sagemaker.create_compilation_job(**create_request("other"))
    assert caught.value.response["Error"]["Code"] == "ServiceUnavailable"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    assert caught.value.response["ResponseMetadata"]["RetryAttempts"] == 1
    # Reading goes on, and the next write works.
    assert len(backend.sagemaker.list_compilation_jobs()["CompilationJobSummaries"]) == 1
    holder.close()
    backend.sagemaker.create_compilation_job(**create_request("other"))


def test_importing_the_client_brings_nothing_heavy() -> None:
    program = (
        "import sys, neo_magics.client; "
        "heavy = {'boto3', 'botocore', 'sqlalchemy', 'torch', 'tvm', 'numpy'} & set(sys.modules); "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_only_local_backends_have_a_job_store(settings: Settings) -> None:
    with pytest.raises(BackendError, match="keeps its jobs itself"):
        _ = Backend(Settings(home=settings.home, backend="sagemaker")).job_store
