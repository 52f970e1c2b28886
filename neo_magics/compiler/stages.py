"""The stages of a compilation: their events and seconds, and what TVM raises in them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from neo_magics.api.events import Event, StageEvent
from neo_magics.errors import CompilationError, NeoMagicsError


@dataclass
class Stages:
    """Tells the beginning and end of each stage, and keeps the seconds."""

    emit: Callable[[Event], None]
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def run(self, stage: str, detail: str = "") -> Iterator[None]:
        """One stage; one that raises is "failed"."""
        self.emit(StageEvent(stage, "started", detail=detail))
        began = time.perf_counter()
        try:
            yield
        except BaseException as error:
            self.emit(StageEvent(stage, "failed", time.perf_counter() - began, type(error).__name__))
            raise
        self.seconds[stage] = round(time.perf_counter() - began, 4)
        self.emit(StageEvent(stage, "done", self.seconds[stage]))


@contextmanager
def compiler_errors(stage: str) -> Iterator[None]:
    """What TVM raises becomes a `CompilationError`; its whole text stays as the cause."""
    try:
        yield
    except NeoMagicsError:
        raise
    except (RuntimeError, ValueError, TypeError, LookupError, AttributeError) as error:
        first = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise CompilationError(
            f"The compiler failed in stage {stage}: {first[:400]}",
            hint="The job's log has the details; a smaller or simpler model may show which part is at fault.",
        ) from error
