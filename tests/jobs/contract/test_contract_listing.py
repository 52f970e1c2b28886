"""ListCompilationJobs: filters, orders, and pages that stay right while jobs come and go."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from sqlalchemy import insert, update
from sqlalchemy.dialects import sqlite

from neo_magics.api.states import JobStatus
from neo_magics.jobs.listing import Listing, page_statement
from neo_magics.jobs.record import JobRecord, to_micros
from neo_magics.jobs.schema import jobs
from neo_magics.jobs.store import JobStore
from tests.jobs.contract.operations import arn_of, create_request

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
STATUSES = list(JobStatus)


def fill(store: JobStore, count: int) -> None:
    """`count` jobs, a second apart, their statuses in turn; modified a day after their creation."""
    rows = []
    for index in range(count):
        name = f"job-{index:05}"
        record = JobRecord(
            name,
            arn_of(name),
            create_request(name),
            status=STATUSES[index % len(STATUSES)],
            created=EPOCH + timedelta(seconds=index),
            modified=EPOCH + timedelta(days=1, seconds=index),
        )
        rows.append(record.to_row())
    with store.database.write() as connection:
        connection.execute(insert(jobs), rows)


def names(answer: dict[str, Any]) -> list[str]:
    return [summary["CompilationJobName"] for summary in answer["CompilationJobSummaries"]]


def all_names(sagemaker: Any, page_size: int = 100, **question: Any) -> list[str]:
    pages = sagemaker.get_paginator("list_compilation_jobs").paginate(
        **question, PaginationConfig={"PageSize": page_size}
    )
    return [name for page in pages for name in names(page)]


def test_a_summary_has_what_neo_gives(sagemaker: Any, store: JobStore) -> None:
    sagemaker.create_compilation_job(**create_request("job"))
    store.claim_next(limit=1)
    store.change("job", JobStatus.INPROGRESS)
    (summary,) = sagemaker.list_compilation_jobs()["CompilationJobSummaries"]
    assert summary["CompilationJobArn"] == arn_of("job")
    assert summary["CompilationJobStatus"] == "INPROGRESS"
    assert summary["CompilationTargetDevice"] == "ml_c5"
    assert summary["CreationTime"] <= summary["CompilationStartTime"] <= summary["LastModifiedTime"]
    assert "CompilationEndTime" not in summary


def test_there_are_no_jobs_at_first(sagemaker: Any) -> None:
    answer = sagemaker.list_compilation_jobs()
    assert answer["CompilationJobSummaries"] == []
    assert "NextToken" not in answer


def test_ten_thousand_jobs_are_paged_without_a_gap_or_a_double(sagemaker: Any, store: JobStore) -> None:
    fill(store, 10_000)
    listed = all_names(sagemaker)
    assert listed == [f"job-{index:05}" for index in range(10_000)]


@pytest.mark.parametrize("sort_by", ["Name", "CreationTime", "Status"])
@pytest.mark.parametrize("descending", [False, True])
def test_a_deep_page_is_found_by_index(store: JobStore, sort_by: str, descending: bool) -> None:
    fill(store, 100)
    listing = Listing(sort_by=sort_by, descending=descending, max_results=50)
    deep = replace(listing, token=store.page(listing).next_token)
    query = page_statement(deep).compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})
    with store.database.read() as connection:
        plan = str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}").all())
    assert "SEARCH jobs USING INDEX" in plan
    assert "TEMP B-TREE" not in plan


@pytest.mark.parametrize("sort_by", ["Name", "CreationTime", "Status", None])
@pytest.mark.parametrize("order", ["Ascending", "Descending", None])
def test_every_order_is_total_and_its_pages_follow_each_other(
    sagemaker: Any, store: JobStore, sort_by: str | None, order: str | None
) -> None:
    fill(store, 40)
    question = {name: value for name, value in (("SortBy", sort_by), ("SortOrder", order)) if value}
    whole = sagemaker.list_compilation_jobs(MaxResults=100, **question)["CompilationJobSummaries"]
    member = {"Name": "CompilationJobName", "Status": "CompilationJobStatus"}.get(
        sort_by or "", "CreationTime"
    )
    keys = [(summary[member], summary["CompilationJobName"]) for summary in whole]
    assert keys == sorted(keys, reverse=order == "Descending")
    assert all_names(sagemaker, 7, **question) == [key[1] for key in keys]


def test_the_default_page_has_ten_jobs(sagemaker: Any, store: JobStore) -> None:
    fill(store, 11)
    answer = sagemaker.list_compilation_jobs()
    assert len(names(answer)) == 10
    assert len(names(sagemaker.list_compilation_jobs(NextToken=answer["NextToken"]))) == 1


def test_a_full_last_page_has_no_token(sagemaker: Any, store: JobStore) -> None:
    fill(store, 20)
    first = sagemaker.list_compilation_jobs(MaxResults=10)
    assert "NextToken" not in sagemaker.list_compilation_jobs(MaxResults=10, NextToken=first["NextToken"])


def test_a_name_filter_means_what_it_says_letter_by_letter(sagemaker: Any) -> None:
    for name in ("resnet-a", "ResNet-b", "mobilenet"):
        sagemaker.create_compilation_job(**create_request(name))
    assert all_names(sagemaker, NameContains="resnet") == ["resnet-a"]
    assert all_names(sagemaker, NameContains="-") == ["resnet-a", "ResNet-b"]
    assert all_names(sagemaker, NameContains="net", SortBy="Name") == ["mobilenet", "resnet-a"]


@pytest.mark.parametrize("status", STATUSES)
def test_a_status_filter(sagemaker: Any, store: JobStore, status: JobStatus) -> None:
    fill(store, 30)
    expected = [f"job-{index:05}" for index in range(30) if STATUSES[index % len(STATUSES)] is status]
    assert all_names(sagemaker, 2, StatusEquals=status) == expected


@pytest.mark.parametrize(
    ("member", "start"), [("CreationTime", EPOCH), ("LastModifiedTime", EPOCH + timedelta(days=1))]
)
def test_time_filters_leave_out_their_bounds(
    sagemaker: Any, store: JobStore, member: str, start: datetime
) -> None:
    fill(store, 10)
    after, before = start + timedelta(seconds=2), start + timedelta(seconds=5)
    assert all_names(sagemaker, **{f"{member}After": after}) == [f"job-{i:05}" for i in range(3, 10)]
    assert all_names(sagemaker, **{f"{member}Before": before}) == [f"job-{i:05}" for i in range(5)]
    both = {f"{member}After": after, f"{member}Before": before}
    assert all_names(sagemaker, **both) == ["job-00003", "job-00004"]


@pytest.mark.parametrize("micros", [0, 1, 499, 501, 999])
@pytest.mark.parametrize("member", ["CreationTime", "LastModifiedTime"])
def test_a_time_that_was_shown_leaves_out_the_job_it_was_shown_for(
    sagemaker: Any, store: JobStore, member: str, micros: int
) -> None:
    moment = EPOCH + timedelta(seconds=1, microseconds=micros)
    row = JobRecord("job", arn_of("job"), create_request("job"), created=moment, modified=moment).to_row()
    with store.database.write() as connection:
        connection.execute(insert(jobs), [row])
    shown = sagemaker.describe_compilation_job(CompilationJobName="job")[member]
    milli = timedelta(milliseconds=1)
    for before, found in ((shown, []), (shown + milli, ["job"])):
        assert all_names(sagemaker, **{f"{member}Before": before}) == found
    for after, found in ((shown, []), (shown - milli, ["job"])):
        assert all_names(sagemaker, **{f"{member}After": after}) == found


def test_a_range_that_is_upside_down_is_refused(sagemaker: Any) -> None:
    with pytest.raises(ClientError, match="Member must not be later than creationTimeBefore"):
        sagemaker.list_compilation_jobs(CreationTimeAfter=EPOCH + timedelta(days=1), CreationTimeBefore=EPOCH)


def test_filters_work_together(sagemaker: Any, store: JobStore) -> None:
    fill(store, 60)
    question = {
        "NameContains": "job-0003",
        "StatusEquals": "COMPLETED",
        "CreationTimeAfter": EPOCH,
        "SortBy": "Name",
        "SortOrder": "Descending",
    }
    expected = [i for i in range(39, 29, -1) if STATUSES[i % len(STATUSES)] is JobStatus.COMPLETED]
    assert all_names(sagemaker, 1, **question) == [f"job-{i:05}" for i in expected]


def test_pages_stay_right_while_jobs_come_and_go(sagemaker: Any, store: JobStore) -> None:
    fill(store, 30)
    first = sagemaker.list_compilation_jobs(MaxResults=10, SortBy="Name")
    sagemaker.create_compilation_job(**create_request("a-new-one"))
    sagemaker.create_compilation_job(**create_request("job-00015-new"))
    with store.database.write() as connection:
        # The job that the token names has ended and goes.
        connection.execute(update(jobs).where(jobs.c.name == "job-00009").values(status="COMPLETED"))
    sagemaker.delete_compilation_job(CompilationJobName="job-00009")
    second = sagemaker.list_compilation_jobs(MaxResults=10, SortBy="Name", NextToken=first["NextToken"])
    expected = (
        [f"job-{i:05}" for i in range(10, 16)] + ["job-00015-new"] + [f"job-{i:05}" for i in range(16, 19)]
    )
    assert names(second) == expected


def test_a_page_size_may_change_between_pages(sagemaker: Any, store: JobStore) -> None:
    fill(store, 30)
    first = sagemaker.list_compilation_jobs(MaxResults=10)
    rest = sagemaker.list_compilation_jobs(MaxResults=100, NextToken=first["NextToken"])
    assert len(names(rest)) == 20


@pytest.mark.parametrize(
    "spoil", [lambda token: token[:-1], lambda token: "!" + token, lambda token: "x" * 20]
)
def test_a_token_that_is_not_ours_is_refused(sagemaker: Any, store: JobStore, spoil: Any) -> None:
    fill(store, 11)
    token = sagemaker.list_compilation_jobs()["NextToken"]
    with pytest.raises(ClientError) as caught:
        sagemaker.list_compilation_jobs(NextToken=spoil(token))
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert "Invalid NextToken" in caught.value.response["Error"]["Message"]


def test_a_token_belongs_to_its_question(sagemaker: Any, store: JobStore) -> None:
    fill(store, 11)
    token = sagemaker.list_compilation_jobs()["NextToken"]
    with pytest.raises(ClientError, match="Invalid NextToken"):
        sagemaker.list_compilation_jobs(NextToken=token, SortBy="Name")


def test_times_in_any_zone_and_of_any_precision(sagemaker: Any, store: JobStore) -> None:
    fill(store, 3)
    naive = (EPOCH + timedelta(seconds=1)).replace(tzinfo=None)
    assert to_micros(naive) == to_micros(EPOCH) + 1_000_000
    zoned = (EPOCH + timedelta(seconds=1)).astimezone()
    assert all_names(sagemaker, CreationTimeAfter=zoned) == ["job-00002"]
