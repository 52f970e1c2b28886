"""Jobs in a real store that only the test moves: an executor that starts nothing."""

from __future__ import annotations

import time
from typing import Any

import pytest

from neo_magics.api.events import Event, render
from neo_magics.api.states import JobStatus
from neo_magics.client import Backend
from neo_magics.job import Job
from neo_magics.settings import Settings

REASON = "ClientError: CompilationError: the following operators are not implemented: {Fancy, Odd}."


class Idle:
    """An executor that leaves every job to the test."""

    def pump(self, *, force: bool = False) -> None:
        pass

    def stop(self, record: Any) -> None:
        pass


class Stage:
    """A backend and the hands that move its jobs."""

    def __init__(self, settings: Settings) -> None:
        self.backend = Backend(settings, executor=Idle())

    def create(self, name: str = "net-local-1", **output: Any) -> Job:
        target = output or {"TargetPlatform": {"Os": "LINUX", "Arch": "X86_64"}}
        self.backend.sagemaker.create_compilation_job(
            CompilationJobName=name,
            RoleArn=self.backend.settings.role_arn,
            InputConfig={
                "S3Uri": "s3://neo-magics/net/model.tar.gz",
                "DataInputConfig": '{"x": [1, 4]}',
                "Framework": "PYTORCH",
            },
            OutputConfig={"S3OutputLocation": "s3://neo-magics/net/output/", **target},
            StoppingCondition={"MaxRuntimeInSeconds": 60},
        )
        return Job(name, self.backend)

    def log(self, job: Job, *events: Event) -> None:
        moment = int(time.time() * 1000)
        self.backend.job_store.append_log(job.name, [(moment, render(event)) for event in events])

    def move(self, job: Job, *states: JobStatus, **columns: Any) -> None:
        for state in states:
            assert self.backend.job_store.change(job.name, state, **columns)


@pytest.fixture
def stage(settings: Settings) -> Stage:
    return Stage(settings)
