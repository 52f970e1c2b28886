"""A FailureReason taken apart: what was wrong, whose fault it is, in which stage, and what to do next."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from neo_magics.api.events import NEXT_STEP

_FORM = re.compile(
    r"(?P<kind>(?:Client|Server)Error(?:: \w+)?): (?P<text>.*?)(?: \(stage: (?P<stage>\w+)\))?", re.DOTALL
)


@dataclass(frozen=True)
class Failure:
    """`kind` is Neo's word, such as "ClientError: CompilationError"; `next_step` may be "" elsewhere."""

    text: str
    kind: str = ""
    stage: str = ""
    next_step: str = ""


def failure(reason: str, lines: Iterable[str], failed_stage: str = "") -> Failure:
    """The parts of `reason`; the runner logs the next step as a line of its own."""
    steps = [line.removeprefix(NEXT_STEP).strip() for line in lines if line.startswith(NEXT_STEP)]
    step = steps[-1] if steps else ""
    match = _FORM.fullmatch(reason.strip())
    kind, text, stage = match.group("kind", "text", "stage") if match else ("", reason.strip(), None)
    if step:
        text = text.replace(step, "").strip()
    return Failure(text or "No reason was given.", kind, failed_stage or stage or "", step)
