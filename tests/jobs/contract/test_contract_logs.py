"""The log reads of CloudWatch through boto3's `logs` client."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from neo_magics.api.events import LOG_GROUP
from neo_magics.jobs.store import JobStore
from tests.jobs.contract.operations import create_request


@pytest.fixture
def lines(store: JobStore) -> list[str]:
    """A stream "job" of 25 lines, a second apart."""
    texts = [f"line {index}" for index in range(25)]
    store.append_log("job", [(1000 * index, text) for index, text in enumerate(texts)])
    return texts


def get(logs: Any, **members: Any) -> dict[str, Any]:
    answer: dict[str, Any] = logs.get_log_events(
        **{"logGroupName": LOG_GROUP, "logStreamName": "job"} | members
    )
    return answer


def messages(answer: dict[str, Any]) -> list[str]:
    return [event["message"] for event in answer["events"]]


def test_a_new_job_has_a_stream_with_a_first_line(sagemaker: Any, logs: Any) -> None:
    assert logs.describe_log_groups()["logGroups"] == []
    sagemaker.create_compilation_job(**create_request())
    assert messages(get(logs)) == ["Job job is queued."]
    (group,) = logs.describe_log_groups(logGroupNamePrefix="/aws/sagemaker")["logGroups"]
    assert group["logGroupName"] == LOG_GROUP
    assert group["storedBytes"] == len("Job job is queued.")


@pytest.mark.parametrize(
    "filters",
    [
        {"logGroupNamePrefix": "/aws/lambda"},
        {"logGroupNamePattern": "lambda"},
        {"logGroupClass": "INFREQUENT_ACCESS"},
        {"logGroupIdentifiers": ["other"]},
    ],
)
def test_group_filters(logs: Any, lines: list[str], filters: dict[str, Any]) -> None:
    assert logs.describe_log_groups(**filters)["logGroups"] == []
    assert len(logs.describe_log_groups(logGroupNamePattern="compilation")["logGroups"]) == 1


def test_the_last_lines_come_first_unless_the_head_is_asked_for(logs: Any, lines: list[str]) -> None:
    assert messages(get(logs)) == lines
    assert messages(get(logs, limit=5)) == lines[-5:]
    assert messages(get(logs, limit=5, startFromHead=True)) == lines[:5]


def test_reading_forward_gives_every_line_once_and_then_the_same_token(logs: Any, lines: list[str]) -> None:
    answer = get(logs, limit=10, startFromHead=True)
    seen = messages(answer)
    while True:
        token = answer["nextForwardToken"]
        answer = get(logs, limit=10, startFromHead=True, nextToken=token)
        seen += messages(answer)
        if answer["nextForwardToken"] == token:
            break
    assert seen == lines
    assert answer["events"] == []


def test_reading_backward_gives_every_line_once_and_then_the_same_token(logs: Any, lines: list[str]) -> None:
    answer = get(logs, limit=10)
    seen = messages(answer)
    while True:
        token = answer["nextBackwardToken"]
        answer = get(logs, limit=10, nextToken=token)
        seen = messages(answer) + seen
        if answer["nextBackwardToken"] == token:
            break
    assert seen == lines


def test_a_reader_who_follows_sees_what_is_added(logs: Any, store: JobStore, lines: list[str]) -> None:
    token = get(logs)["nextForwardToken"]
    assert get(logs, nextToken=token)["events"] == []
    store.append_log("other", [(1, "of another job")])
    # A line with an older time, by a writer whose clock is behind, is not lost.
    store.append_log("job", [(30_000, "new"), (3, "late")])
    answer = get(logs, nextToken=token)
    assert messages(answer) == ["new", "late"]
    assert messages(get(logs, nextToken=answer["nextBackwardToken"])) == lines


def test_a_reader_can_turn_round_at_both_ends(logs: Any, lines: list[str]) -> None:
    end = get(logs, nextToken=get(logs)["nextForwardToken"])
    assert end["events"] == []
    assert messages(get(logs, nextToken=end["nextBackwardToken"])) == lines
    begin = get(logs, nextToken=get(logs)["nextBackwardToken"])
    assert begin["events"] == []
    assert messages(get(logs, nextToken=begin["nextForwardToken"])) == lines


@pytest.mark.parametrize("head", [True, False])
def test_an_empty_stream_can_be_followed_from_its_start(logs: Any, store: JobStore, head: bool) -> None:
    store.append_log("job", [])
    answer = get(logs, startFromHead=head)
    assert answer["events"] == []
    store.append_log("job", [(1, "first")])
    assert messages(get(logs, nextToken=answer["nextForwardToken"])) == ["first"]


def test_a_span_of_time_includes_its_start_and_not_its_end(logs: Any, lines: list[str]) -> None:
    assert messages(get(logs, startTime=3000, endTime=6000)) == lines[3:6]


@pytest.mark.parametrize("token", ["x", "!!", "AAAA", "f/123"])
def test_a_bad_token_is_refused(logs: Any, lines: list[str], token: str) -> None:
    for read in (
        lambda: get(logs, nextToken=token),
        lambda: logs.filter_log_events(logGroupName=LOG_GROUP, nextToken=token),
        lambda: logs.describe_log_streams(logGroupName=LOG_GROUP, nextToken=token),
    ):
        with pytest.raises(logs.exceptions.InvalidParameterException, match="nextToken is invalid"):
            read()


def test_what_is_not_there_is_said_in_cloudwatchs_words(logs: Any, lines: list[str]) -> None:
    with pytest.raises(logs.exceptions.ResourceNotFoundException, match="log stream does not exist"):
        get(logs, logStreamName="nobody")
    with pytest.raises(logs.exceptions.ResourceNotFoundException, match="log group does not exist"):
        get(logs, logGroupName="/aws/lambda/x")


def test_constraints_are_told_in_cloudwatchs_way(logs: Any) -> None:
    with pytest.raises(ClientError) as caught:
        get(logs, limit=10_001)
    assert caught.value.response["Error"] == {
        "Code": "InvalidParameterException",
        "Message": "1 validation error detected: Value '10001' at 'limit' failed to satisfy constraint: "
        "Member must have value less than or equal to 10000",
    }


def test_streams_are_listed_by_name_or_last_event_in_pages(logs: Any, store: JobStore) -> None:
    for index in range(7):
        store.append_log(f"job{index}", [(1000 - index, "x")])
    store.append_log("other", [(5, "x")])

    def names(**members: Any) -> list[str]:
        pages = logs.get_paginator("describe_log_streams").paginate(
            logGroupName=LOG_GROUP, PaginationConfig={"PageSize": 3}, **members
        )
        return [stream["logStreamName"] for page in pages for stream in page["logStreams"]]

    by_name = [f"job{index}" for index in range(7)]
    assert names() == [*by_name, "other"]
    assert names(descending=True) == ["other", *by_name[::-1]]
    assert names(logStreamNamePrefix="job") == by_name
    assert names(orderBy="LastEventTime", descending=True) == [*by_name, "other"]
    with pytest.raises(logs.exceptions.InvalidParameterException):
        names(orderBy="LastEventTime", logStreamNamePrefix="job")


def test_a_stream_knows_its_times(logs: Any, store: JobStore, lines: list[str]) -> None:
    store.append_log("job", [(500, "in between"), (99_000, "last")])
    (stream,) = logs.describe_log_streams(logGroupName=LOG_GROUP)["logStreams"]
    assert (stream["firstEventTimestamp"], stream["lastEventTimestamp"]) == (0, 99_000)


def found(logs: Any, **members: Any) -> list[str]:
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=LOG_GROUP, PaginationConfig={"PageSize": 2}, **members
    )
    return [event["message"] for page in pages for event in page["events"]]


def test_filtering_goes_over_streams_in_order_of_time(logs: Any, store: JobStore) -> None:
    store.append_log("a", [(1, "one"), (3, "three"), (5, "five")])
    store.append_log("b", [(2, "two"), (3, "drei"), (4, "four")])
    assert found(logs) == ["one", "two", "three", "drei", "four", "five"]
    assert found(logs, startTime=2, endTime=4) == ["two", "three", "drei"]
    assert found(logs, logStreamNames=["b"]) == ["two", "drei", "four"]
    assert found(logs, logStreamNamePrefix="a") == ["one", "three", "five"]
    event = logs.filter_log_events(logGroupName=LOG_GROUP)["events"][0]
    assert event["logStreamName"] == "a"
    assert event["eventId"]
    with pytest.raises(logs.exceptions.ResourceNotFoundException):
        found(logs, logStreamNames=["nobody"])
    with pytest.raises(logs.exceptions.InvalidParameterException):
        found(logs, logStreamNames=["a"], logStreamNamePrefix="a")


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("", ["ERROR in import", "import done", "ERROR in build: disk full"]),
        ("ERROR", ["ERROR in import", "ERROR in build: disk full"]),
        ("error", []),
        ("ERROR import", ["ERROR in import"]),
        ('"disk full"', ["ERROR in build: disk full"]),
        ("?done ?full", ["import done", "ERROR in build: disk full"]),
        ("ERROR -build", ["ERROR in import"]),
        ('-"in build"', ["ERROR in import", "import done"]),
    ],
)
def test_filter_patterns(logs: Any, store: JobStore, pattern: str, expected: list[str]) -> None:
    texts = ["ERROR in import", "import done", "ERROR in build: disk full"]
    store.append_log("job", list(enumerate(texts)))
    assert found(logs, filterPattern=pattern) == expected


@pytest.mark.parametrize("pattern", ["{ $.level = 1 }", "[a, b]", '"open'])
def test_patterns_of_other_kinds_are_refused(logs: Any, lines: list[str], pattern: str) -> None:
    with pytest.raises(logs.exceptions.InvalidParameterException, match="Invalid filter pattern"):
        found(logs, filterPattern=pattern)


def test_rare_matches_are_found_far_into_a_long_log(logs: Any, store: JobStore) -> None:
    store.append_log("job", [(i, "needle" if i % 4000 == 3999 else "hay") for i in range(12_000)])
    assert found(logs, filterPattern="needle") == ["needle"] * 3
