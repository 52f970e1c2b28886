"""`neo-magics serve` as a process, driven by the aws cli and ended by signals while a job runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import platformdirs
import psutil
import pytest

from neo_magics.cli import main
from tests.http.conftest import create_request

_COMMAND = [sys.executable, "-c", "from neo_magics.cli import main; main()", "serve", "--port", "0"]
_PEERS = "awscli>=1.40"

Start = Callable[..., tuple["subprocess.Popen[str]", dict[str, Any]]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts the command with this test's home; gives the process and what it printed when ready."""
    processes: list[subprocess.Popen[str]] = []

    def run(*words: str, **environment: str) -> tuple[subprocess.Popen[str], dict[str, Any]]:
        with (tmp_path / "log").open("a") as log:
            process = subprocess.Popen(
                [*_COMMAND, "--json", *words],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=os.environ | environment,
            )
        processes.append(process)
        assert process.stdout is not None
        return process, json.loads(process.stdout.readline())

    yield run
    for process in processes:
        process.kill()
        process.communicate(timeout=30)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_in_order(start: Start, tmp_path: Path, number: signal.Signals) -> None:
    process, ready = start()
    assert httpx.get(ready["endpoint"] + "/health", trust_env=False).status_code == 200
    process.send_signal(number)
    assert process.wait(30) == 0
    log = (tmp_path / "log").read_text()
    assert "GET /health 200" in log
    assert "Traceback" not in log


def test_a_signal_leaves_a_running_job_running(start: Start, tmp_path: Path) -> None:
    process, ready = start()
    name = "outlives-its-server"
    keys = json.loads(Path(ready["credentials"]).read_text())
    import boto3

    neo = boto3.session.Session().client(
        "sagemaker",
        endpoint_url=ready["endpoint"],
        region_name=ready["region"],
        aws_access_key_id=keys["access_key_id"],
        aws_secret_access_key=keys["secret_access_key"],
    )
    neo.create_compilation_job(**create_request(name))
    # The detached runner, found among all processes: it is no child of the server's session.
    runner = next(p for p in psutil.process_iter(["cmdline"]) if name in (p.info["cmdline"] or []))
    process.terminate()
    assert process.wait(30) == 0
    from neo_magics.client import boto3_client

    local = boto3_client("sagemaker", backend="local")
    for _ in range(600):
        job = local.describe_compilation_job(CompilationJobName=name)
        if job["CompilationJobStatus"] in ("FAILED", "COMPLETED"):
            break
        time.sleep(0.1)
    # Its model does not exist: that the runner got to say so shows that it went on.
    assert job["CompilationJobStatus"] == "FAILED"
    assert "Bucket: neo-magics" in job["FailureReason"]
    runner.wait(30)


def test_a_port_in_use_ends_with_one_line(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    _, ready = start()
    with pytest.raises(SystemExit) as ended:
        main(["serve", "--port", ready["endpoint"].rpartition(":")[2]])
    assert ended.value.code == 1
    assert "is in use" in capsys.readouterr().err


def test_the_log_has_no_secret(start: Start, tmp_path: Path) -> None:
    process, ready = start()
    headers = {"authorization": "AWS4-HMAC-SHA256 Credential=sekret", "x-amz-target": "a b\x1b[31m"}
    httpx.post(ready["endpoint"], headers=headers, trust_env=False)
    process.terminate()
    process.wait(30)
    log = (tmp_path / "log").read_text()
    assert "sekret" not in log
    assert "\x1b" not in log
    assert json.loads(Path(ready["credentials"]).read_text())["secret_access_key"] not in log


def test_the_environment_is_printed_for_eval(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "--environment"])
    exports = capsys.readouterr().out
    shell = f'{exports}\nprintf %s "$AWS_SECRET_ACCESS_KEY $AWS_ENDPOINT_URL_SAGEMAKER"'
    seen = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=True, timeout=10).stdout
    secret = json.loads((tmp_path / "home" / "credentials.json").read_text())["secret_access_key"]
    assert seen == f"{secret} http://127.0.0.1:8765"


@pytest.fixture(scope="session")
def aws_cli() -> Path:
    """The aws cli in an environment of its own (its botocore is another), kept between runs."""
    folder = Path(platformdirs.user_cache_dir("neo_magics-tests")) / "awscli"
    python, aws = folder / "bin" / "python", folder / "bin" / "aws"
    if not aws.exists():
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "-q", _PEERS], check=True, timeout=280)
    return aws


@pytest.mark.slow
def test_the_aws_cli_drives_every_operation(start: Start, aws_cli: Path, tmp_path: Path) -> None:
    _, ready = start(NEO_MAGICS_MAX_RUNNING_JOBS="0")
    keys = json.loads(Path(ready["credentials"]).read_text())
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path / "no-home"),
        "AWS_PAGER": "",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ACCESS_KEY_ID": keys["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": keys["secret_access_key"],
        "AWS_DEFAULT_REGION": ready["region"],
        "AWS_ENDPOINT_URL_SAGEMAKER": ready["endpoint"],
        "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": ready["endpoint"],
    }

    def aws(*words: str, **changes: str) -> Any:
        done = subprocess.run(
            [aws_cli, "--output", "json", *words],
            capture_output=True,
            check=False,
            text=True,
            env=environment | changes,
            timeout=60,
        )
        return json.loads(done.stdout or "null") if done.returncode == 0 else done.stderr

    arn = aws(
        "sagemaker", "create-compilation-job", "--cli-input-json", json.dumps(create_request("from-cli"))
    )
    arn = arn["CompilationJobArn"]
    one = ("--compilation-job-name", "from-cli")
    assert aws("sagemaker", "describe-compilation-job", *one)["CompilationJobStatus"] == "STARTING"
    listed = aws("sagemaker", "list-compilation-jobs")["CompilationJobSummaries"]
    assert [job["CompilationJobName"] for job in listed] == ["from-cli"]
    aws("sagemaker", "add-tags", "--resource-arn", arn, "--tags", "Key=team,Value=a", "Key=stage,Value=b")
    aws("sagemaker", "delete-tags", "--resource-arn", arn, "--tag-keys", "team")
    assert aws("sagemaker", "list-tags", "--resource-arn", arn)["Tags"] == [{"Key": "stage", "Value": "b"}]
    group = ("--log-group-name", "/aws/sagemaker/CompilationJobs")
    events = aws("logs", "get-log-events", *group, "--log-stream-name", "from-cli")["events"]
    assert "queued" in events[0]["message"]
    assert aws("sagemaker", "stop-compilation-job", *one) is None
    assert aws("sagemaker", "describe-compilation-job", *one)["CompilationJobStatus"] == "STOPPED"
    assert aws("sagemaker", "delete-compilation-job", *one) is None
    assert "ResourceNotFound" in aws("sagemaker", "describe-compilation-job", *one)
    wrong = aws("sagemaker", "list-compilation-jobs", AWS_SECRET_ACCESS_KEY="wrong")
    assert "InvalidSignatureException" in wrong
