"""Before and after of one job: fetch both models, measure them in processes of their own, keep the result.

One measurement at a time on this machine: a lock file keeps those of other notebooks waiting, because two at
once would measure each other.
"""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from neo_magics.errors import UsageError

if TYPE_CHECKING:
    from neo_magics.client import Backend
    from neo_magics.runtime.compare import Comparison, Side
    from neo_magics.runtime.profile import Profile
    from neo_magics.settings import Settings


class MeasuredJob(Protocol):
    """What is asked of a `neo_magics.Job` here."""

    name: str
    backend: Backend

    @property
    def files(self) -> Any: ...

    def describe(self) -> dict[str, Any]: ...


Rivals: TypeAlias = "Sequence[MeasuredJob | Side] | Mapping[str, MeasuredJob | Side]"


def compare_job(
    job: MeasuredJob,
    x: Any = None,
    labels: Any = None,
    *,
    against: Rivals = (),
    **options: Any,
) -> Comparison:
    """Measure `job`'s source model and its compiled model, and save the comparison for panels and lists.

    `x`: an array, tensor, tuple or dict; without it the captured example inputs, else generated ones.
    `labels`: with `x` of as many rows, also counts the share of rows whose largest output is the label.
    `against`: jobs of the same model (other targets or options), or a `Side` of another runtime, measured
    with them; a dict names them: {"float16": job}. `options` are those of `neo_magics.runtime.compare`.

    Raises:
        JobFailedError: the job is not COMPLETED.
        ArtifactError: the artifact does not run on this machine.
    """
    from neo_magics.runtime.compare import Side, compare

    settings = job.backend.settings
    named = list(against.items()) if isinstance(against, Mapping) else [("", rival) for rival in against]
    rivals = [job, *(rival for _label, rival in named)]
    jobs = [rival for rival in rivals if not isinstance(rival, Side)]
    for each in jobs:
        check_runs_here(each.describe()["OutputConfig"])
    with tempfile.TemporaryDirectory(dir=settings.folder("work")) as name, measuring(settings):
        folder = Path(name)
        given = {rival.name: label for label, rival in named if label and not isinstance(rival, Side)}
        labelled = _labels([each for each in jobs if each.name not in given]) | given
        source = _unpacked(job.files.source, folder / "source", settings)
        sides = [
            rival
            if isinstance(rival, Side)
            else Side.artifact(
                _unpacked(rival.files.artifact, folder / str(index), settings), label=labelled[rival.name]
            )
            for index, rival in enumerate(rivals)
        ]
        comparison = compare(_source(source, job.files.description), sides, x, labels=labels, **options)
    for index, rival in enumerate(rivals[1:], 1):
        if not isinstance(rival, Side):
            save(settings, rival.name, comparison.pair(index).to_dict())
    save(settings, job.name, comparison.to_dict())
    return comparison


def _unpacked(archive: Path, folder: Path, settings: Settings) -> Path:
    from neo_magics.artifact.archive import unpack

    unpack(archive, folder, limit_bytes=settings.unpacked_limit_mb * 1_000_000)
    return folder


def _labels(jobs: Sequence[MeasuredJob]) -> dict[str, str]:
    """What to call each job's side: by its target where that tells them apart, else by its name."""
    if len(jobs) == 1:
        return {jobs[0].name: "compiled"}
    targets = {job.name: _target(job.describe()["OutputConfig"]) for job in jobs}
    return targets if len(set(targets.values())) == len(jobs) else {job.name: job.name for job in jobs}


def _target(output: Mapping[str, Any]) -> str:
    from neo_magics.api.compiler_options import parse

    platform = output.get("TargetPlatform") or {}
    name = output.get("TargetDevice") or "_".join(filter(None, (platform.get("Os"), platform.get("Arch"))))
    return "local" if parse(output.get("CompilerOptions")).mcpu == "native" else str(name)


def profile_job(job: MeasuredJob, x: Any = None, **options: Any) -> Profile:
    """Time each kernel of `job`'s compiled model on this machine.

    `x`: an array, tensor, tuple or dict; without it generated inputs. `options` are those of
    `neo_magics.runtime.profile.profile`: seconds, threads.

    Raises:
        JobFailedError: the job is not COMPLETED.
        ArtifactError: the artifact does not run on this machine.
    """
    from neo_magics.runtime.profile import profile

    check_runs_here(job.describe()["OutputConfig"])
    settings = job.backend.settings
    artifact = job.files.artifact
    with measuring(settings):
        return profile(artifact, x, home=settings.home, **options)


def _source(folder: Path, description: Mapping[str, Any]) -> Side:
    from neo_magics.api.compiler_options import parse
    from neo_magics.runtime.compare import Side

    options = parse(description["OutputConfig"].get("CompilerOptions"))
    return Side.source(folder, description["InputConfig"]["Framework"], trust_pickle=options.trust_pickle)


def measure_here(job: MeasuredJob) -> Comparison:
    """The comparison at a job's end, with its own example inputs."""
    return compare_job(job)


def measure_group(jobs: Sequence[MeasuredJob]) -> Comparison:
    """The comparison of all `jobs` of one model whose code runs here.

    Raises:
        ArtifactError: none does; the message is the first's.
    """
    from neo_magics.errors import ArtifactError

    fitting, refusals = [], []
    for job in jobs:
        try:
            check_runs_here(job.describe()["OutputConfig"])
            fitting.append(job)
        except ArtifactError as error:
            refusals.append(error)
    if not fitting:
        raise refusals[0]
    return compare_job(fitting[0], against=fitting[1:])


def check_runs_here(output_config: Mapping[str, Any]) -> None:
    """Raise ArtifactError where code for this OutputConfig does not run on this machine."""
    from neo_magics.api.devices import resolve
    from neo_magics.runtime.machine import check_machine

    device = resolve(output_config)
    check_machine(
        {
            "device": device.name,
            "os": device.os,
            "arch": device.arch,
            "mcpu": device.mcpu,
            "mattr": device.mattr,
        }
    )


@contextmanager
def measuring(settings: Settings) -> Iterator[None]:
    """Hold this home's right to measure; waits for another's end."""
    with (settings.folder("comparisons") / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def save(settings: Settings, name: str, body: Mapping[str, Any]) -> Path:
    """Write the comparison of job `name` in one step."""
    path = settings.folder("comparisons") / f"{name}.json"
    partial = path.with_suffix(f".{os.getpid()}.partial")
    partial.write_text(json.dumps(body), encoding="utf-8")
    return partial.replace(path)


def read_comparison(job: MeasuredJob) -> Comparison | None:
    """The saved comparison of `job`, or None."""
    body = _saved(job.backend.settings, job.name)
    if body is None:
        return None
    from neo_magics.runtime.compare import Comparison

    return Comparison.from_dict(body)


@dataclass(frozen=True)
class Latencies:
    """Medians in ms, before and after, and the verdict in words."""

    before: float
    after: float
    verdict: str


def comparison_path(settings: Settings, name: str) -> Path:
    """Where the comparison of job `name` is saved."""
    return settings.home / "comparisons" / f"{name}.json"


def read_latencies(path: Path) -> Latencies | None:
    """The medians in a saved comparison; None where there is none, or where it cannot be read."""
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        return Latencies(body["before"]["median_ms"], body["after"]["median_ms"], str(body["verdict"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None  # a list goes on without it; read_comparison says what is wrong


def saved_verdict(settings: Settings, name: str) -> str:
    """The verdict words of job `name`'s saved comparison, or ""."""
    return str((_saved(settings, name) or {}).get("verdict", ""))


def _saved(settings: Settings, name: str) -> dict[str, Any] | None:
    try:
        body = json.loads(comparison_path(settings, name).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UsageError(
            f"The saved comparison of {name} cannot be read: {error}.", hint="Delete it."
        ) from error
    return body if isinstance(body, dict) else None
