"""The compile child: `python -m neo_magics.jobs.compile_job WORK_FOLDER`.

Reads the request from the work folder, speaks events on standard output, and leaves `result.json`. It
changes nothing outside the work folder before the runner's "go", and writes no status: a crash here is the
runner's to tell.
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys
import time
import traceback
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neo_magics.api.events import Event, LogLine, StageEvent
from neo_magics.errors import DISK_FULL, CompilationError, NeoMagicsError, ResourceError, failure_reason
from neo_magics.jobs import compile_stages as stages
from neo_magics.jobs.calibration import calibration_calls
from neo_magics.jobs.compile_context import CompileContext, archive_stem
from neo_magics.jobs.emitter import Emitter, take_standard_output
from neo_magics.jobs.work_folder import WorkFolder
from neo_magics.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from neo_magics.artifact.manifest import TensorSpec

_COMPILER_STAGES = ("import", "calibrate", "tune", "optimize", "build")
_TEXT_CHARACTERS = 500
_ON_TORCH = ("PYTORCH", "KERAS")  # frameworks whose models are imported through PyTorch
# Thousands of modules are loaded for good and a short life follows: Python's usual thresholds cost a seventh
# of the job and free nothing.
_GARBAGE_THRESHOLDS = (100_000, 20, 100)


def compile_model(context: CompileContext) -> None:
    """Import, optimize and build, in the compiler's own stages."""
    if context.artifact is not None:
        return
    began = time.perf_counter()
    context.emit(StageEvent("import", "started", detail="loading the compiler"))
    _load_tools(context.framework)
    loading = time.perf_counter() - began
    from neo_magics.compiler.pipeline import CompileRequest, compile_model

    context.out.mkdir()
    request = CompileRequest(
        folder=context.source,
        framework=context.framework,
        input_config=context.input_config,
        device=context.device,
        options=context.options,
        out=context.out,
        name=archive_stem(context.input_uri),
        source_digest=context.archive_digest,
        tuning=context.tuning,
        calibration=partial(_calibration, context),
    )
    context.manifest = compile_model(request, _with_loading(context.emit, loading))


def _calibration(context: CompileContext, specs: Sequence[TensorSpec]) -> list[Any]:
    """The arrays of each call, in the order of the inputs."""
    calls = calibration_calls(context.source, specs)
    return [[call[spec.name] for spec in specs] for call in calls]


def _with_loading(emit: Emitter, seconds: float) -> Callable[[Event], None]:
    """An emitter for the compiler, whose import stage began `seconds` ago, when its modules were loaded."""

    def forward(event: Event) -> None:
        if isinstance(event, StageEvent) and event.stage == "import":
            if event.state == "started":
                emit(LogLine(f"import: {event.detail}, compiler loaded in {seconds:.2f} s"))
                return
            event = replace(event, seconds=event.seconds + seconds)
        emit(event)

    return forward


def _load_tools(framework: str) -> None:
    """Import TVM, and PyTorch only where the model needs it: TVM would import it for nothing, in seconds."""
    from neo_magics.runtime.child import crash_at_once
    from neo_magics.runtime.libraries import keep_torch_out, let_torch_in

    if framework not in _ON_TORCH:
        keep_torch_out()
    importlib.import_module("neo_magics.compiler.pipeline")
    crash_at_once()
    let_torch_in()


def verify(context: CompileContext) -> None:
    """Compare the compiled model with its source; over tolerance is an error with the figures."""
    if context.artifact is not None:
        return
    from neo_magics.jobs.verification import verify_artifact

    with context.emit.timed("verify"):
        verify_artifact(context)


# The whole job, in order.
STAGES: tuple[Callable[[CompileContext], None], ...] = (
    stages.fetch,
    stages.look_up,
    compile_model,
    verify,
    stages.package,
    stages.wait_for_go,
    stages.upload,
    stages.remember,
    stages.say_report,
)


def run(work: WorkFolder, settings: Settings, emit: Emitter) -> dict[str, Any]:
    """Run all stages; what the job's record gets. Raises NeoMagicsError."""
    from neo_magics.storage import open_store

    name, request = work.request()
    context = CompileContext(name, request, work, settings, open_store(settings), emit)
    for stage in STAGES:
        stage(context)
    return stages.result(context)


def explain(error: BaseException, stage: str) -> NeoMagicsError:
    """Any exception of a stage as an error for the user."""
    if isinstance(error, NeoMagicsError):
        return error
    if isinstance(error, MemoryError):
        return ResourceError(
            f"Out of memory in stage {stage}.",
            hint="Compile a smaller model or batch, or on a machine with more memory.",
        )
    if isinstance(error, OSError) and error.errno in DISK_FULL:
        return ResourceError(
            f"No space is left on the disk: {error.filename or 'a file'} cannot be written in stage {stage}.",
            hint="Free some space, or move the service with NEO_MAGICS_HOME; then create the job again.",
        )
    kind = CompilationError if stage in _COMPILER_STAGES else NeoMagicsError
    return kind(
        f"{type(error).__name__} in stage {stage}: {_short(error)}",
        hint="This is a defect or an unforeseen model: the job's log has the whole traceback.",
    )


def _short(error: BaseException) -> str:
    """The first line says what; TVM puts its own stack before it and says so last."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[-1] if lines and lines[0].startswith("Traceback") else (lines or [""])[0]
    return text if len(text) <= _TEXT_CHARACTERS else text[: _TEXT_CHARACTERS - 1] + "…"


def _stop(_number: int, _frame: object) -> None:
    raise SystemExit(128 + signal.SIGTERM)


def main() -> int:
    """The compile child; its exit status is 0 only with an artifact in its place."""
    work = WorkFolder(Path(sys.argv[1]))
    gc.set_threshold(*_GARBAGE_THRESHOLDS)
    emit = take_standard_output()
    signal.signal(signal.SIGTERM, _stop)
    try:
        work.write_result(run(work, Settings.from_environment(), emit))
    except Exception as error:  # noqa: BLE001 - it becomes the job's FailureReason
        if not isinstance(error, NeoMagicsError):
            traceback.print_exc()
        explained = explain(error, emit.stage)
        work.write_result({"failure_reason": failure_reason(explained), "next_step": explained.hint})
        return 1
    return 0


if __name__ == "__main__":
    status = main()
    sys.stderr.flush()
    # Taking PyTorch and TVM apart in order takes a second or two, and the system does it at once.
    os._exit(status)
