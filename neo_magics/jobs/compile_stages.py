"""The stages of a compile job around the compiler itself; each takes the context and fills in its part.

Nothing here imports TVM or a framework: a job that the cache answers ends before either is needed.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from neo_magics.api import input_config
from neo_magics.api.events import LogLine, ReportEvent, StageEvent
from neo_magics.artifact import archive
from neo_magics.capture.files import model_file
from neo_magics.errors import OutputError, ResourceError, StorageError
from neo_magics.jobs.cache import CompileCache, cache_key
from neo_magics.jobs.limits import cpu_count

if TYPE_CHECKING:
    from neo_magics.jobs.compile_context import CompileContext
    from neo_magics.tuner.session import Tuning

_SKIPPED = ("import", "optimize", "build", "verify", "package")


def fetch(context: CompileContext) -> None:
    """Get the archive, unpack it safely, and check that it holds the framework's file."""
    with context.emit.timed("fetch"):
        context.store.get(context.input_uri, context.archive, context.emit.progress("fetch"))
        context.archive_digest = archive.digest(context.archive)
        limit = context.settings.unpacked_limit_mb << 20
        archive.unpack(context.archive, context.source, limit_bytes=limit)
        context.archive.unlink()
        model_file(context.source, context.framework)


def look_up(context: CompileContext) -> None:
    """Take the artifact from the cache if the same was compiled before with the same tools."""
    context.tuning = _tuning(context)
    if not context.options.cache:
        return
    hit = _cache(context).get(cache_key(_key_parts(context)))
    if hit is None or (context.tuning.measures and not hit.details.get("tuning", {}).get("complete")):
        return
    context.artifact, context.digest, context.cached_from = hit.archive, hit.digest, hit.created
    context.report = dict(hit.details)
    for stage in _SKIPPED:
        context.emit(StageEvent(stage, "cached", 0.0))
    context.emit(LogLine(f"The artifact compiled at {hit.created} from the same input is used again."))


def package(context: CompileContext) -> None:
    """Complete the manifest, write the report beside the library, pack the artifact."""
    if context.artifact is not None:
        return
    with context.emit.timed("package"):
        context.report = _report(context)
        text = json.dumps(context.report, indent=2) + "\n"
        (context.out / "report.json").write_text(text, encoding="utf-8")
        assert context.manifest is not None  # the compile stage comes first
        stages = dict(context.emit.seconds)
        context.manifest = replace(context.manifest, stages=stages).write(context.out)
        context.artifact = context.work.path / "artifact.tar.gz"
        context.digest = archive.pack(context.out, context.artifact)


def wait_for_go(context: CompileContext) -> None:
    """Up to here nothing left the work folder; go on once the runner has taken the job into its hands."""
    if sys.stdin.readline().strip() != "go":
        raise ResourceError(f"The runner of {context.name} went away.", hint="Create the job again.")


def upload(context: CompileContext) -> None:
    """Put the artifact where the request wants it."""
    assert context.artifact is not None  # from the cache or from `package`
    with context.emit.timed("upload"):
        try:
            context.store.put(context.artifact, context.output_uri, context.emit.progress("upload"))
        except ResourceError:
            raise
        except StorageError as error:
            raise OutputError(error.message, hint=error.hint, **error.fields) from error


def remember(context: CompileContext) -> None:
    """Keep the artifact for the next job of its kind; a full disk costs only that."""
    assert context.artifact is not None  # uploaded just now
    if context.cached_from:
        return
    try:
        _cache(context).put(cache_key(_key_parts(context)), context.artifact, context.report)
    except OSError as error:
        context.emit(LogLine(f"The artifact was not kept in the compile cache: {error}."))


def say_report(context: CompileContext) -> None:
    """The report event: the artifact's report, and what only this job knows."""
    assert context.artifact is not None  # uploaded just now
    job = {
        "job": context.name,
        "artifact": context.output_uri,
        "digest": context.digest,
        "artifact_bytes": context.artifact.stat().st_size,
        "cached": bool(context.cached_from),
        "cached_from": context.cached_from,
        "job_seconds": context.emit.seconds,
    }
    context.emit(ReportEvent({**context.report, **job}))


def result(context: CompileContext) -> dict[str, Any]:
    """The columns of the job that the runner writes when it is COMPLETED."""
    return {
        "artifacts": context.output_uri,
        "digest": context.digest,
        "derived_input_config": context.report.get("derived_input_config", ""),
    }


def _report(context: CompileContext) -> dict[str, Any]:
    """What holds for the artifact whoever asks for it, in JSON's types."""
    manifest = context.manifest
    assert manifest is not None  # the compile stage comes first
    shapes = {spec.name: _free_as_none(spec.shape) for spec in manifest.inputs}
    return {
        "framework": manifest.framework,
        "framework_version": manifest.framework_version,
        "target": dict(manifest.target),
        "inputs": [asdict(spec) for spec in manifest.inputs],
        "outputs": [asdict(spec) for spec in manifest.outputs],
        "weights_bytes": sum(spec.nbytes for spec in manifest.params),
        "derived_input_config": input_config.render(shapes),
        "verification": manifest.verification,
        "precision": dict(manifest.precision),
        "not_verified": context.not_verified,
        "tuning": context.tuning.report if context.tuning else {},
        "versions": dict(manifest.versions),
        "stages": dict(context.emit.seconds),
        "created": manifest.created,
    }


def _free_as_none(shape: tuple[int | str, ...]) -> tuple[int | None, ...]:
    return tuple(size if isinstance(size, int) else None for size in shape)


def _cache(context: CompileContext) -> CompileCache:
    return CompileCache(context.settings.folder("cache"), context.work.path)


def _key_parts(context: CompileContext) -> dict[str, Any]:
    """Everything the result depends on. The job's own name and places are not among it.

    What is known of kernels' timings is, as it was when this job asked, or had measured.
    """
    from neo_magics.artifact.manifest import FORMAT
    from neo_magics.compiler.fingerprint import compiler_digest, cpu_fingerprint, toolchain_versions

    options = asdict(context.options)
    del options["raw"], options["cache"], options["tune"]
    assert context.tuning is not None  # see look_up
    native = context.options.mcpu == "native"
    return {
        "archive": context.archive_digest,
        "framework": context.framework,
        "framework_version": context.framework_version,
        "input_config": context.input_config,
        "options": options,
        "target": asdict(context.device),
        "cpu": cpu_fingerprint() if native else "",
        "tools": toolchain_versions(),
        "compiler": compiler_digest(),
        "format": FORMAT,
        "tuning": context.tuning.digest,
    }


def _tuning(context: CompileContext) -> Tuning:
    """What is known of kernels on this job's target; only the machine that this is can be measured."""
    from neo_magics.compiler.fingerprint import cpu_fingerprint, kernels_digest, toolchain_versions
    from neo_magics.tuner.database import FILE, Place
    from neo_magics.tuner.session import Tuning

    options, device = context.options, context.device
    native = options.mcpu == "native"
    target = {
        "triple": device.triple,
        "mcpu": options.mcpu or device.mcpu,
        "mattr": options.mattr or device.mattr,
        "cpu": cpu_fingerprint() if native else "",
        "threads": options.threads or (cpu_count() if native else 0),
    }
    versions = {"apache-tvm": toolchain_versions().get("apache-tvm"), "kernels": kernels_digest()}
    place = Place(json.dumps(target, sort_keys=True), json.dumps(versions, sort_keys=True))
    elsewhere = "" if native else f"the target is {device.name}, not this machine"
    return Tuning(context.settings.home / FILE, place, context.emit, options.tune, elsewhere)
