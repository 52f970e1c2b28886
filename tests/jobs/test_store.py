"""The job store: compare-and-set, the queue, what may be written, and how it opens."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neo_magics.api.states import ACTIVE, JobStatus, sources
from neo_magics.errors import ApiError, BackendError
from neo_magics.jobs.record import JobRecord, from_micros, to_micros
from neo_magics.jobs.store import JobStore
from neo_magics.jobs.tokens import InvalidTokenError, pack_token, unpack_token
from neo_magics.settings import Settings

S = JobStatus
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def record(name: str, **members: object) -> JobRecord:
    return JobRecord(name, f"arn:job/{name}", {"CompilationJobName": name}, **members)  # type: ignore[arg-type]


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(9999, 1, 1), timezones=st.just(UTC)))
def test_times_are_kept_to_the_microsecond(moment: datetime) -> None:
    assert from_micros(to_micros(moment)) == moment


@given(st.lists(st.integers() | st.text(), max_size=4))
def test_a_token_holds_its_values_and_no_damaged_one_is_taken(values: list[object]) -> None:
    token = pack_token(values)
    assert unpack_token(token) == values
    other = "B" if token[0] == "A" else "A"
    with pytest.raises(InvalidTokenError):
        unpack_token(other + token[1:])


@given(st.text(max_size=40))
def test_any_text_is_a_token_or_refused(text: str) -> None:
    try:
        values = unpack_token(text)
    except InvalidTokenError:
        return
    assert isinstance(values, list)


def test_a_record_comes_back_as_it_was_put(store: JobStore) -> None:
    put = record("job", created=EPOCH, modified=EPOCH + timedelta(microseconds=1), failure_reason="ä\n")
    store.insert(put)
    assert store.get("job") == put


@pytest.mark.parametrize("to", [status for status in S if sources(status)])
@pytest.mark.parametrize("source", list(S))
def test_a_status_changes_only_along_a_legal_step(store: JobStore, source: JobStatus, to: JobStatus) -> None:
    store.insert(record("job", status=source))
    changed = store.change("job", to, failure_reason="why")
    assert changed is (source in sources(to))
    after = store.get("job")
    assert after.status is (to if changed else source)
    assert after.failure_reason == ("why" if changed else "")
    assert (after.ended is not None) is (changed and to not in ACTIVE)
    assert (after.started is not None) is (changed and to is S.INPROGRESS)


def test_a_change_expects_what_its_writer_has_seen(store: JobStore) -> None:
    store.insert(record("job", status=S.INPROGRESS))
    assert not store.change("job", S.FAILED, expect={S.STARTING})
    assert not store.change("nobody", S.FAILED)
    assert store.change("job", S.FAILED, expect={S.INPROGRESS, S.STARTING})


def test_a_step_that_is_never_legal_is_a_mistake_of_the_program(store: JobStore) -> None:
    with pytest.raises(ValueError, match="no job may go"):
        store.change("job", S.COMPLETED, expect={S.STOPPING})
    with pytest.raises(ValueError, match="no job may go"):
        store.change("job", S.STARTING)
    with pytest.raises(ValueError, match="not columns that may be set"):
        store.assign("job", status="COMPLETED")


def test_of_many_writers_one_wins(store: JobStore) -> None:
    store.insert(record("job", status=S.INPROGRESS))
    results: list[tuple[JobStatus, bool]] = []

    def end(status: JobStatus) -> None:
        results.append((status, store.change("job", status, failure_reason=str(status))))

    threads = [threading.Thread(target=end, args=(s,)) for s in (S.COMPLETED, S.FAILED, S.STOPPING) * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [status for status, won in results if won]
    # FAILED may follow STOPPING, so two can be right; never COMPLETED and another.
    assert winners in (
        [S.COMPLETED],
        [S.FAILED],
        [S.STOPPING],
        [S.STOPPING, S.FAILED],
        [S.FAILED, S.STOPPING],
    )
    assert store.get("job").failure_reason in {str(status) for status in winners}


def test_the_queue_gives_the_oldest_job_and_keeps_the_limit(store: JobStore) -> None:
    for index, name in enumerate(("first", "second", "third")):
        store.insert(record(name, created=EPOCH + timedelta(seconds=index)))
    assert [job.name for job in store.queued()] == ["first", "second", "third"]
    claimed = store.claim_next(limit=2)
    assert claimed is not None
    assert claimed.name == "first"
    assert claimed.status is S.STARTING
    assert claimed.claimed is not None
    assert claimed.heartbeat is not None
    assert store.claim_next(limit=1) is None
    second = store.claim_next(limit=2)
    assert second is not None
    assert store.claim_next(limit=2) is None
    assert [job.name for job in store.running()] == ["first", "second"]
    store.change("first", S.FAILED)
    third = store.claim_next(limit=2)
    assert third is not None
    assert third.name == "third"
    assert store.claim_next(limit=9) is None


def test_a_queued_job_that_was_claimed_is_no_longer_stopped_at_once(store: JobStore) -> None:
    store.insert(record("job"))
    store.claim_next(limit=1)
    assert not store.change("job", S.STOPPED, expect={S.STARTING}, queued_only=True)


def test_a_heartbeat_is_not_a_modification(store: JobStore) -> None:
    store.insert(record("job", modified=EPOCH))
    assert store.touch("job", 12.5)
    assert store.assign("job", runner_pid=7, runner_started=1.5)
    after = store.get("job")
    assert (after.heartbeat, after.runner_pid, after.runner_started, after.modified) == (12.5, 7, 1.5, EPOCH)
    assert store.assign("job", digest="ab")
    assert store.get("job").modified > EPOCH
    assert not store.touch("nobody", 1.0)


def test_a_failed_insert_leaves_nothing(store: JobStore) -> None:
    store.insert(record("job"), {"a": "1"})
    with pytest.raises(ApiError, match="already exists"):
        store.insert(record("job"), {"b": "2"})
    with pytest.raises(ApiError, match="'Number of pending compilation jobs' is 1"):
        store.insert(record("other"), max_pending=1)
    assert store.tags.list("arn:job/job") == {"a": "1"}
    assert not store.logs.has_stream("other")
    assert len(store.read_log("job")) == 1


def test_the_last_words_of_a_crash_are_kept_whatever_they_hold(store: JobStore) -> None:
    store.insert(record("job"))
    store.append_log("job", [(1, "a\0b\udc80c")])
    assert store.read_log("job")[-1].message == "a\ufffdb?c"
    assert store.change("job", S.FAILED, failure_reason="bad byte \udcff")
    assert store.get("job").failure_reason == "bad byte ?"


def test_a_message_is_never_empty_because_cloudwatchs_are_not(store: JobStore) -> None:
    store.append_log("job", [(1, "")])
    assert [event.message for event in store.read_log("job")] == [" "]


@pytest.fixture
def writer(settings: Settings, store: JobStore) -> Iterator[sqlite3.Connection]:
    """Another program that holds the write lock of the store's file."""
    connection = sqlite3.connect(settings.home / "jobs.db", isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    yield connection
    connection.close()


def test_a_locked_store_is_said_and_nothing_is_lost(settings: Settings, store: JobStore, writer) -> None:
    impatient = JobStore(settings.url, busy_seconds=0.1)
    with pytest.raises(ApiError) as caught:
        impatient.insert(record("job"))
    assert caught.value.code == "ServiceUnavailable"
    assert "busy: another process has held it for over 0.1 s. Try again." in str(caught.value)
    writer.execute("ROLLBACK")
    impatient.insert(record("job"))
    assert impatient.get("job").name == "job"
    impatient.close()


def test_readers_do_not_wait_for_a_writer(settings: Settings, store: JobStore, writer) -> None:
    impatient = JobStore(settings.url, busy_seconds=0.1)
    assert impatient.running() == []
    with pytest.raises(ApiError, match="Could not find"):
        impatient.get("job")
    impatient.close()


def test_a_writer_waits_for_another_and_then_writes(settings: Settings, store: JobStore) -> None:
    holder = sqlite3.connect(settings.home / "jobs.db", isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN IMMEDIATE")
    threading.Timer(0.3, holder.execute, args=("COMMIT",)).start()
    store.insert(record("job"))
    assert store.get("job").name == "job"
    holder.close()


def test_the_store_is_private_and_in_wal_mode(settings: Settings, store: JobStore) -> None:
    assert settings.home.stat().st_mode & 0o077 == 0
    with store.database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"


def test_a_store_that_was_deleted_is_made_anew_for_all_who_have_it_open(
    settings: Settings, store: JobStore
) -> None:
    """Else each of them would go on with a file that nobody else can see."""
    other = JobStore(settings.url)
    store.insert(record("before"))
    shutil.rmtree(settings.home)
    store.insert(record("after"))
    assert [one.name for one in other.queued()] == ["after"]
    with pytest.raises(ApiError, match="Could not find"):
        other.get("before")
    other.close()


def test_a_store_of_another_release_is_refused(settings: Settings, store: JobStore) -> None:
    with store.database.write() as connection:
        connection.exec_driver_sql("UPDATE schema_info SET version = 99")
    with pytest.raises(BackendError, match="has schema 99; this release reads 1"):
        JobStore(settings.url)


@pytest.mark.parametrize("url", ["sqlite:////proc/nowhere/jobs.db", "nosuchdb://x", "not a url"])
def test_a_url_that_cannot_be_opened(url: str) -> None:
    with pytest.raises(BackendError, match="job store"):
        JobStore(url)


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    path.write_text("this is a letter, not a database; " * 100)
    with pytest.raises(BackendError, match=r"cannot be used: file is not a database\. Move that file away"):
        JobStore(f"sqlite:///{path}")
