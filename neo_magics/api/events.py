"""What rides on a job's log: stages, progress and the report, beside plain lines.

CompilationJob has no field for them, so they travel as log messages that a person can read and a program
can parse: a sentence, then a tab, then compact JSON. A message without the JSON is a plain line.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from neo_magics.api.plain import plain

STAGES = ("fetch", "import", "optimize", "build", "verify", "package", "upload")
LOG_GROUP = "/aws/sagemaker/CompilationJobs"
NEXT_STEP = "Next step: "  # how the line of a failed job's log begins that says what to do
_MARK = "\tneo:"


@dataclass(frozen=True)
class StageEvent:
    """A stage began ("started") or ended ("done", "failed", "cached"); `seconds` is its wall time so far."""

    stage: str
    state: str
    seconds: float = 0.0
    detail: str = ""

    def sentence(self) -> str:
        took = f" in {self.seconds:.2f} s" if self.state != "started" else ""
        return f"{self.stage}: {self.state}{took}{': ' + self.detail if self.detail else ''}"


@dataclass(frozen=True)
class ProgressEvent:
    """`done` of `total` units of work within a stage; `unit` names them (bytes, kernels, …)."""

    stage: str
    done: int
    total: int
    unit: str = ""

    def sentence(self) -> str:
        return f"{self.stage}: {self.done} of {self.total} {self.unit}".rstrip()


@dataclass(frozen=True)
class ReportEvent:
    """The job's report at its end: the verification, sizes and seconds; the artifact holds the whole."""

    report: dict[str, Any] = field(default_factory=dict)

    def sentence(self) -> str:
        return "report"


@dataclass(frozen=True)
class LogLine:
    """A plain line."""

    text: str

    def sentence(self) -> str:
        return self.text


Event = StageEvent | ProgressEvent | ReportEvent | LogLine
_KINDS: dict[str, Any] = {"stage": StageEvent, "progress": ProgressEvent, "report": ReportEvent}


def render(event: Event) -> str:
    """The log message for `event`."""
    if isinstance(event, LogLine):
        return event.text.replace("\t", "    ")
    kind = next(name for name, cls in _KINDS.items() if isinstance(event, cls))
    return event.sentence() + _MARK + json.dumps({"kind": kind, **asdict(event)}, separators=(",", ":"))


def parse(message: str) -> Event:
    """The event of a log message; what is not one of ours is a `LogLine`."""
    _sentence, mark, text = message.partition(_MARK)
    if not mark:
        return LogLine(plain(message))
    try:
        body = json.loads(text)
        return _KINDS[body.pop("kind")](**body)  # type: ignore[no-any-return]
    except (ValueError, KeyError, TypeError):
        return LogLine(plain(message))
