"""One model on every peer: prepared apart, tried once each, then timed in rounds that take turns."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from neo_magics.errors import NeoMagicsError
from neo_magics.runtime.compare import SideResult
from neo_magics.runtime.exchange import load_arrays
from neo_magics.runtime.measuring import Conditions, Measured, Measurement
from neo_magics.runtime.numerics import differences
from neo_magics.runtime.sides import Side
from neo_magics.runtime.worker_process import WorkerProcess
from tests.benchmarks.models import Case
from tests.benchmarks.peers import Peer
from tests.benchmarks.peers.common import Options, Sources
from tests.benchmarks.prepare import Say, prepared, sources_of
from tests.benchmarks.results import ModelResult, PeerResult

SLOW = 8.0  # times the fastest peer's first call, and over SLOW_SECONDS: not worth a place in the rounds
SLOW_SECONDS = 0.5
FIRST_CALL_SECONDS = 600.0
FEW_CALLS = 3


@dataclass
class Trial:
    """A peer that was opened once and called once, in a process of its own."""

    peer: Peer
    side: Side
    result: PeerResult
    measured: Measured
    outputs: Path
    call_seconds: float = 0.0


def measure(
    case: Case, peers: Sequence[Peer], options: Options, seconds: float, folder: Path, say: Say
) -> ModelResult:
    """Every peer's figures for `case`; forms of the model are kept below `folder`."""
    sources = sources_of(case.name, folder, say)
    conditions = Conditions.choose(options.threads, seconds)
    with tempfile.TemporaryDirectory(prefix="neo-magics-") as name:
        trials = [_try(peer, sources, options, conditions, Path(name), say) for peer in peers]
        _compare_outputs(trials, options.dtype)
        running = [trial for trial in trials if not trial.result.error]
        fast = _fast(running)
        for trial in running:
            if trial not in fast:
                trial.result = replace(trial.result, side=SideResult.of(trial.measured), slow=True)
        if fast:
            _time(fast, sources, conditions, Path(name), say)
    return ModelResult(case.name, case.kind, tuple(trial.result for trial in trials))


def _try(
    peer: Peer, sources: Sources, options: Options, conditions: Conditions, scratch: Path, say: Say
) -> Trial:
    """Prepare, open, call once; what fails is the reason in the result."""
    result = PeerResult(peer.key)
    side = Side.opened_by(peer.module, scratch, label=peer.label)
    trial = Trial(peer, side, result, Measured(side), scratch / f"{peer.key}.npz")
    if not peer.installed:
        trial.result = replace(result, error=f"{peer.package} is not installed")
        return trial
    made, cost = prepared(peer, sources, options, say)
    if "error" in cost:
        trial.result = replace(result, error=cost["error"])
        return trial
    trial.side = replace(side, folder=made)
    trial.measured = Measured(trial.side)
    trial.result = replace(
        result,
        compile_seconds=cost["seconds"],
        compile_memory_bytes=cost["peak_memory_bytes"],
        size_bytes=cost["size_bytes"],
        stages=cost.get("stages", {}),
    )
    try:
        _call_once(trial, sources, conditions, say)
    except NeoMagicsError as error:
        trial.result = replace(trial.result, error=str(error).splitlines()[0])
    return trial


def _call_once(trial: Trial, sources: Sources, conditions: Conditions, say: Say) -> None:
    """Outputs of the first call; and of a slow peer the figures too."""
    say(f"{sources.case}: trying {trial.peer.label}")
    measured = trial.measured
    with WorkerProcess(trial.side, threads=conditions.threads, cores=list(conditions.cores)) as worker:
        answer = worker.load()
        measured.load_seconds, measured.versions = answer["load_seconds"], answer["versions"]
        worker.ask("inputs", FIRST_CALL_SECONDS, path=str(sources.inputs))
        worker.ask("outputs", FIRST_CALL_SECONDS, path=str(trial.outputs))
        began = time.perf_counter()
        samples = worker.ask("time", FIRST_CALL_SECONDS, seconds=SLOW_SECONDS, least=1, most=FEW_CALLS)
        measured.samples_ms = [[1000 * sample for sample in samples["samples"]]]
        trial.call_seconds = (time.perf_counter() - began) / len(samples["samples"])
        measured.take_memory(worker.ask("memory", FIRST_CALL_SECONDS))


def _compare_outputs(trials: Sequence[Trial], dtype: str) -> None:
    """The largest difference of each peer's outputs from the first one's that ran, which is PyTorch's."""
    expected: dict[str, Any] | None = None
    for trial in trials:
        if trial.result.error:
            continue
        found = load_arrays(trial.outputs)
        expected = found if expected is None else expected
        if set(found) != set(expected):
            trial.result = replace(trial.result, error=f"it has {len(found)} outputs, not {len(expected)}")
            continue
        each = differences(expected, found, precision=dtype)
        wrong = next((difference.problem for difference in each if difference.problem), "")
        largest = max(difference.max_abs for difference in each)
        trial.result = replace(trial.result, max_difference=largest, wrong=wrong)


def _fast(trials: Sequence[Trial]) -> list[Trial]:
    fastest = min((trial.call_seconds for trial in trials), default=0.0)
    limit = max(SLOW_SECONDS, SLOW * fastest)
    return [trial for trial in trials if trial.call_seconds <= limit]


def _time(trials: Sequence[Trial], sources: Sources, conditions: Conditions, scratch: Path, say: Say) -> None:
    say(f"{sources.case}: timing {', '.join(trial.peer.label for trial in trials)}")
    with Measurement(
        [trial.side for trial in trials], conditions, scratch, lambda _text: None
    ) as measurement:
        measurement.give(load_arrays(sources.inputs))
        measurement.time()
        for trial, measured in zip(trials, measurement.results, strict=True):
            trial.result = replace(trial.result, side=SideResult.of(measured))
