"""The tables of the job store, in portable SQL. Times are whole microseconds since the epoch, UTC."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

SCHEMA_VERSION = 1

metadata = MetaData()

# An identity that SQLite maps to its row id, PostgreSQL to a bigint sequence.
_Identity = BigInteger().with_variant(Integer, "sqlite")

schema_info = Table("schema_info", metadata, Column("version", Integer, primary_key=True))

jobs = Table(
    "jobs",
    metadata,
    Column("name", String(63), primary_key=True),
    Column("arn", String(256), nullable=False, unique=True),
    Column("status", String(16), nullable=False),
    Column("request", Text, nullable=False),  # the Create request, JSON, without its tags
    Column("created", BigInteger, nullable=False),
    Column("modified", BigInteger, nullable=False),
    Column("claimed", BigInteger),  # NULL: the job waits in the queue
    Column("started", BigInteger),
    Column("ended", BigInteger),
    Column("failure_reason", Text, nullable=False, default=""),
    Column("artifacts", Text, nullable=False, default=""),  # the S3 URI of the compiled archive
    Column("digest", String(256), nullable=False, default=""),
    Column("derived_input_config", Text, nullable=False, default=""),
    Column("runner_pid", Integer),
    Column("runner_started", Float),  # the runner's process create time, so that a reused pid is noticed
    Column("heartbeat", Float),  # seconds since the epoch
    Index("jobs_by_creation", "created", "name"),
    Index("jobs_by_status", "status", "name"),
    Index("jobs_by_status_and_creation", "status", "created", "name"),
    Index("jobs_by_modification", "modified"),
)

tags = Table(
    "tags",
    metadata,
    Column("job", String(63), ForeignKey("jobs.name", ondelete="CASCADE"), primary_key=True),
    Column("key", String(128), primary_key=True),
    Column("value", String(256), nullable=False),
)

# Streams and events outlive their job, as CloudWatch's do. Times are milliseconds here, CloudWatch's unit.
log_streams = Table(
    "log_streams",
    metadata,
    Column("name", String(512), primary_key=True),
    Column("created", BigInteger, nullable=False),
    Column("first_event", BigInteger),
    Column("last_event", BigInteger),
    Column("ingested", BigInteger),
    Column("bytes", BigInteger, nullable=False, default=0),
    Index("log_streams_by_event", "last_event", "name"),
)

log_events = Table(
    "log_events",
    metadata,
    Column("id", _Identity, primary_key=True, autoincrement=True),
    Column("stream", String(512), nullable=False),
    Column("timestamp", BigInteger, nullable=False),
    Column("ingested", BigInteger, nullable=False),
    Column("message", Text, nullable=False),
    Index("log_events_by_stream", "stream", "id"),
    Index("log_events_by_time", "timestamp", "id"),
)
