"""The log reads of CloudWatch Logs over the store: one group, one stream per job name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from neo_magics.api.events import LOG_GROUP
from neo_magics.errors import ApiError
from neo_magics.jobs.filter_pattern import compile_filter
from neo_magics.jobs.store_logs import LogEvent, LogStore, LogStream, Span
from neo_magics.jobs.tokens import InvalidTokenError, pack_token, unpack_token
from neo_magics.settings import Settings

Request = Mapping[str, Any]
Answer = dict[str, Any]

_EVENTS = 10_000  # CloudWatch's largest and default page of events
_GROUPS = 50  # and of groups and streams
_SCAN = 2_000  # events read at a time while a filter looks for matches
_SCAN_LIMIT = 100_000  # events looked at for one page; a page may then be short and have a token
_LAST_ID = 2**62


class LogService:
    """DescribeLogGroups, DescribeLogStreams, GetLogEvents and FilterLogEvents."""

    def __init__(self, store: LogStore, settings: Settings) -> None:
        self.store = store
        self._arn = f"arn:aws:logs:{settings.region}:{settings.account_id}:log-group:{LOG_GROUP}"

    @cached_property
    def operations(self) -> Mapping[str, Callable[[Request], Answer]]:
        """The operations by the API's names."""
        return {
            "DescribeLogGroups": self.describe_groups,
            "DescribeLogStreams": self.describe_streams,
            "GetLogEvents": self.get_events,
            "FilterLogEvents": self.filter_events,
        }

    def describe_groups(self, request: Request) -> Answer:
        """The one group, if it passes the request's filters and any job has written to it."""
        created, size = self.store.totals()
        if created is None or not self._is_wanted(request):
            return {"logGroups": []}
        group = {
            "logGroupName": LOG_GROUP,
            "creationTime": created,
            "metricFilterCount": 0,
            "arn": self._arn + ":*",
            "logGroupArn": self._arn,
            "storedBytes": size,
            "logGroupClass": "STANDARD",
        }
        return {"logGroups": [group]}

    def describe_streams(self, request: Request) -> Answer:
        """A page of streams by name or by last event. Raises ApiError InvalidParameterException."""
        self._check_group(request)
        prefix = request.get("logStreamNamePrefix", "")
        by_event = request.get("orderBy") == "LastEventTime"
        if by_event and prefix:
            raise _invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
        offset = _unpack(request.get("nextToken"), "streams", [0])[0]
        limit = request.get("limit", _GROUPS)
        descending = request.get("descending", False)
        streams = self.store.streams(prefix, by_event, descending, offset, limit + 1)
        answer: Answer = {"logStreams": [self._stream(stream) for stream in streams[:limit]]}
        if len(streams) > limit:
            answer["nextToken"] = pack_token(["streams", offset + limit])
        return answer

    def get_events(self, request: Request) -> Answer:
        """A page of one stream, the last one unless `startFromHead`; always with both tokens.

        At an end of the stream the token given comes back, and an empty page: that is how callers notice.
        """
        self._check_group(request)
        stream = request["logStreamName"]
        self._check_stream(stream)
        start, end = request.get("startTime"), request.get("endTime")
        limit = request.get("limit", _EVENTS)
        token = request.get("nextToken")
        if token:
            direction, place = _direction(token)
            forward = direction == "f"
            span = Span(start, end, after=place) if forward else Span(start, end, before=place)
        else:
            forward, place, span = request.get("startFromHead", False), 0, Span(start, end)
        events = (self.store.head if forward else self.store.tail)(stream, span, limit)
        return {"events": [_event(event) for event in events]} | _tokens(events, place, forward, bool(token))

    def filter_events(self, request: Request) -> Answer:
        """A page of events over streams, by time, that match the pattern."""
        self._check_group(request)
        names, prefix = request.get("logStreamNames"), request.get("logStreamNamePrefix")
        if names and prefix:
            raise _invalid("logStreamNames and logStreamNamePrefix cannot both be given.")
        for name in names or []:
            self._check_stream(name)
        matches = compile_filter(request.get("filterPattern", ""))
        place = _unpack(request.get("nextToken"), "filter", [-1, 0])
        span = Span(request.get("startTime"), request.get("endTime"))
        limit = request.get("limit", _EVENTS)

        def wanted(event: LogEvent) -> bool:
            return event.stream.startswith(prefix or "") and matches(event.message)

        found, next_place = self._scan(names, span, (place[0], place[1]), wanted, limit)
        answer: Answer = {"events": [_filtered(event) for event in found], "searchedLogStreams": []}
        return answer | ({"nextToken": pack_token(["filter", *next_place])} if next_place else {})

    def _scan(
        self,
        names: list[str] | None,
        span: Span,
        place: tuple[int, int],
        wanted: Callable[[LogEvent], bool],
        limit: int,
    ) -> tuple[list[LogEvent], tuple[int, int] | None]:
        """The matches after `place`, and where the next page begins, None at the end."""
        found: list[LogEvent] = []
        for _ in range(_SCAN_LIMIT // _SCAN):
            events = self.store.search(names, span, place, _SCAN)
            for event in events:
                place = (event.timestamp, event.id)
                if wanted(event):
                    found.append(event)
                if len(found) == limit:
                    return found, place
            if len(events) < _SCAN:
                return found, None
        return found, place

    def _is_wanted(self, request: Request) -> bool:
        prefix, part = request.get("logGroupNamePrefix"), request.get("logGroupNamePattern")
        if prefix and part:
            raise _invalid("logGroupNamePrefix and logGroupNamePattern cannot both be given.")
        listed = request.get("logGroupIdentifiers")
        return (
            LOG_GROUP.startswith(prefix or "")
            and (part or "").lower() in LOG_GROUP.lower()
            and request.get("logGroupClass", "STANDARD") == "STANDARD"
            and (not listed or LOG_GROUP in listed or self._arn in listed)
        )

    def _check_group(self, request: Request) -> None:
        name, identifier = request.get("logGroupName"), request.get("logGroupIdentifier")
        if (name is None) == (identifier is None):
            raise _invalid("Exactly one of logGroupName and logGroupIdentifier must be given.")
        if (name or identifier) not in (LOG_GROUP, self._arn, self._arn + ":*"):
            raise ApiError(
                "ResourceNotFoundException",
                "The specified log group does not exist.",
                hint=f"Jobs log to {LOG_GROUP}.",
            )

    def _check_stream(self, name: str) -> None:
        if not self.store.has_stream(name):
            raise ApiError("ResourceNotFoundException", "The specified log stream does not exist.")

    def _stream(self, stream: LogStream) -> Answer:
        times = {
            "firstEventTimestamp": stream.first_event,
            "lastEventTimestamp": stream.last_event,
            "lastIngestionTime": stream.ingested,
        }
        return {
            "logStreamName": stream.name,
            "creationTime": stream.created,
            "arn": f"{self._arn}:log-stream:{stream.name}",
            "storedBytes": stream.bytes,
        } | {name: value for name, value in times.items() if value is not None}


def _event(event: LogEvent) -> Answer:
    return {"timestamp": event.timestamp, "message": event.message, "ingestionTime": event.ingested}


def _filtered(event: LogEvent) -> Answer:
    return _event(event) | {"logStreamName": event.stream, "eventId": str(event.id)}


def _tokens(events: list[LogEvent], place: int, forward: bool, has_token: bool) -> Answer:
    """Where to read on in both directions: after the last and before the first event of this page."""
    if events:
        first, last = events[0].id, events[-1].id
    elif has_token:
        # Past the end in one direction: turning round finds the events on this side of the place.
        first, last = (place + 1, place) if forward else (place, place - 1)
    else:
        first, last = (1, 0) if forward else (_LAST_ID, 0)
    return {"nextForwardToken": pack_token(["f", last]), "nextBackwardToken": pack_token(["b", first])}


def _direction(token: str) -> tuple[str, int]:
    try:
        direction, place = unpack_token(token)
    except (InvalidTokenError, ValueError) as error:
        raise _invalid("The specified nextToken is invalid.") from error
    if direction not in ("f", "b") or not isinstance(place, int):
        raise _invalid("The specified nextToken is invalid.")
    return direction, place


def _unpack(token: str | None, kind: str, default: list[int]) -> list[int]:
    """The numbers of a token of this kind, `default` without a token."""
    if not token:
        return default
    try:
        values = unpack_token(token)
    except InvalidTokenError as error:
        raise _invalid("The specified nextToken is invalid.") from error
    if (
        values[:1] != [kind]
        or len(values) != len(default) + 1
        or not all(isinstance(v, int) for v in values[1:])
    ):
        raise _invalid("The specified nextToken is invalid.")
    return values[1:]


def _invalid(message: str) -> ApiError:
    return ApiError("InvalidParameterException", message)
