"""The operations on compilation jobs and their tags: dict in, dict out, in botocore's shapes.

Requests have been validated and their times are datetimes; answers hold datetimes too.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Protocol

from neo_magics.api.states import STOPPABLE, JobStatus
from neo_magics.errors import ApiError
from neo_magics.jobs.listing import Listing
from neo_magics.jobs.record import JobRecord, now, now_millis
from neo_magics.jobs.store import JobStore, rejected
from neo_magics.settings import Settings

Request = Mapping[str, Any]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Answer = dict[str, Any]


class Executor(Protocol):
    """What the service needs of an executor; jobs/executors/base.py has the whole."""

    def pump(self, *, force: bool = False) -> None: ...

    def stop(self, record: JobRecord) -> None: ...


class JobService:
    """CompilationJob's operations on a store; an executor starts and stops the runners."""

    def __init__(self, store: JobStore, executor: Executor, settings: Settings) -> None:
        self.store = store
        self.executor = executor
        self.settings = settings

    @cached_property
    def operations(self) -> Mapping[str, Callable[[Request], Answer]]:
        """The operations by the API's names."""
        return {
            "CreateCompilationJob": self.create,
            "DescribeCompilationJob": self.describe,
            "ListCompilationJobs": self.list_jobs,
            "StopCompilationJob": self.stop,
            "DeleteCompilationJob": self.delete,
            "AddTags": self.add_tags,
            "ListTags": self.list_tags,
            "DeleteTags": self.delete_tags,
        }

    def create(self, request: Request) -> Answer:
        """Queue a job. Raises ApiError ResourceInUse, ResourceLimitExceeded."""
        members = dict(request)
        tags = _tags(members.pop("Tags", []))
        name = members["CompilationJobName"]
        moment = now()
        region, account = self.settings.region, self.settings.account_id
        arn = f"arn:aws:sagemaker:{region}:{account}:compilation-job/{name}"
        record = JobRecord(name, arn, members, created=moment, modified=moment)
        self.store.insert(record, tags, self.settings.max_pending_jobs)
        self._care(force=True)
        return {"CompilationJobArn": record.arn}

    def describe(self, request: Request) -> Answer:
        """Everything about a job. Raises ApiError ResourceNotFound."""
        self._care()
        return _description(self.store.get(request["CompilationJobName"]))

    def list_jobs(self, request: Request) -> Answer:
        """One page of summaries. Raises ApiError ValidationException for a bad token."""
        self._care()
        page = self.store.page(_listing(request))
        answer: Answer = {"CompilationJobSummaries": [_summary(record) for record in page.records]}
        return answer | ({"NextToken": page.next_token} if page.next_token else {})

    def stop(self, request: Request) -> Answer:
        """Stop a job: at once if it waits, else politely by its runner. Answers before it has ended.

        Raises ApiError ResourceNotFound, ValidationException if it is stopping or has ended.
        """
        name = request["CompilationJobName"]
        if self.store.change(name, JobStatus.STOPPED, expect={JobStatus.STARTING}, queued_only=True):
            self.store.append_log(name, [(now_millis(), "The job was stopped while it waited.")])
            return {}
        if not self.store.change(name, JobStatus.STOPPING, expect=STOPPABLE):
            raise rejected(self.store.get(name).status)
        self.executor.stop(self.store.get(name))
        return {}

    def delete(self, request: Request) -> Answer:
        """Forget a job that has ended; artifacts and log events stay, the name is free again."""
        self._care()
        self.store.delete(request["CompilationJobName"])
        return {}

    def _care(self, *, force: bool = False) -> None:
        """Let the executor start, end and bury jobs; an answer never fails because that has to wait."""
        try:
            self.executor.pump(force=force)
        except ApiError as error:
            if error.code != "ServiceUnavailable":
                raise
            logging.getLogger(__name__).warning("The queue is cared for later: %s", error)

    def add_tags(self, request: Request) -> Answer:
        """Add or overwrite tags; answers all tags of the resource."""
        self.store.tags.add(request["ResourceArn"], _tags(request["Tags"]))
        return self.list_tags(request)

    def list_tags(self, request: Request) -> Answer:
        """All tags of the resource: 50 at most, so they fit the smallest page there is."""
        if request.get("NextToken"):
            raise ApiError("ValidationException", "Invalid NextToken: a resource's tags fit one page.")
        tags = self.store.tags.list(request["ResourceArn"])
        return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}

    def delete_tags(self, request: Request) -> Answer:
        """Remove tags by key; unknown keys are ignored."""
        self.store.tags.delete(request["ResourceArn"], request["TagKeys"])
        return {}


def _tags(values: list[dict[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in values}


def _listing(request: Request) -> Listing:
    status = request.get("StatusEquals")
    return Listing(
        name_contains=request.get("NameContains"),
        status=JobStatus(status) if status else None,
        created_after=_last_shown_as(request.get("CreationTimeAfter")),
        created_before=_first_shown_as(request.get("CreationTimeBefore")),
        modified_after=_last_shown_as(request.get("LastModifiedTimeAfter")),
        modified_before=_first_shown_as(request.get("LastModifiedTimeBefore")),
        sort_by=request.get("SortBy", "CreationTime"),
        descending=request.get("SortOrder", "Ascending") == "Descending",
        max_results=request.get("MaxResults", 10),
        token=request.get("NextToken") or None,
    )


# Answers show times in whole milliseconds, rounded, and callers ask with what they were shown.
_MILLI, _HALF = timedelta(milliseconds=1), timedelta(microseconds=500)


def _last_shown_as(moment: datetime | None) -> datetime | None:
    """The last moment that is not shown as later than `moment`."""
    if moment is None:
        return None
    return moment - (moment - _EPOCH) % _MILLI + _HALF - timedelta(microseconds=1)


def _first_shown_as(moment: datetime | None) -> datetime | None:
    """The first moment that is not shown as earlier than `moment`."""
    return None if moment is None else moment + (_EPOCH - moment) % _MILLI - _HALF


def _description(record: JobRecord) -> Answer:
    request = record.request
    answer: Answer = {
        "CompilationJobName": record.name,
        "CompilationJobArn": record.arn,
        "CompilationJobStatus": str(record.status),
        "StoppingCondition": request["StoppingCondition"],
        "CreationTime": record.created,
        "LastModifiedTime": record.modified,
        "FailureReason": record.failure_reason,
        "ModelArtifacts": {"S3ModelArtifacts": record.artifacts},
        "RoleArn": request["RoleArn"],
        "InputConfig": request.get("InputConfig", {}),
        "OutputConfig": request["OutputConfig"],
    }
    if "VpcConfig" in request:
        answer["VpcConfig"] = request["VpcConfig"]
    if record.digest:
        answer["ModelDigests"] = {"ArtifactDigest": record.digest}
    if record.derived_input_config:
        answer["DerivedInformation"] = {"DerivedDataInputConfig": record.derived_input_config}
    return answer | _start_and_end(record)


def _summary(record: JobRecord) -> Answer:
    answer: Answer = {
        "CompilationJobName": record.name,
        "CompilationJobArn": record.arn,
        "CreationTime": record.created,
        "LastModifiedTime": record.modified,
        "CompilationJobStatus": str(record.status),
    }
    output = record.request["OutputConfig"]
    if output.get("TargetDevice"):
        answer["CompilationTargetDevice"] = output["TargetDevice"]
    for member, value in (output.get("TargetPlatform") or {}).items():
        if value is not None:
            answer[f"CompilationTargetPlatform{member}"] = value
    return answer | _start_and_end(record)


def _start_and_end(record: JobRecord) -> Answer:
    times = {"CompilationStartTime": record.started, "CompilationEndTime": record.ended}
    return {name: moment for name, moment in times.items() if moment is not None}
