"""%neo jobs, show, logs, profile, stop and delete."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from neo_magics.errors import UsageError
from neo_magics.job import Job
from neo_magics.magics.options import did_you_mean
from neo_magics.magics.panels import linger

if TYPE_CHECKING:
    from neo_magics.client import Backend
    from neo_magics.magics.shell import NeoMagics
    from neo_magics.runtime.profile import Profile
    from neo_magics.widgets.table import Table

STATUSES = ("STARTING", "INPROGRESS", "COMPLETED", "FAILED", "STOPPING", "STOPPED")


def jobs(owner: NeoMagics, args: argparse.Namespace) -> Table:
    """The jobs of the backend, the newest first."""
    from neo_magics.widgets.jobs_table import jobs_table

    return jobs_table(owner.backend_for(args.backend), args.lines, _filters(args))


def _filters(args: argparse.Namespace) -> dict[str, Any]:
    filters: dict[str, Any] = {}
    if args.status:
        filters["StatusEquals"] = args.status.upper()
        if args.status.upper() not in STATUSES:
            hint = did_you_mean(args.status.upper(), STATUSES, f"One of {', '.join(STATUSES)}.")
            raise UsageError(f"There is no status {args.status!r}.", hint=hint)
    if args.name_contains:
        filters["NameContains"] = args.name_contains
    return filters


def show(owner: NeoMagics, args: argparse.Namespace) -> None:
    """A job's panel: live while it runs, with the comparison on record when it has ended."""
    from neo_magics.widgets.job_panel import snapshot

    job = _job(owner, args)
    if job.status in ("COMPLETED", "FAILED", "STOPPED"):
        from neo_magics.widgets.output import show_bundle

        html, text = snapshot(job)
        show_bundle({"text/html": html, "text/plain": text})
        return
    linger(owner, owner.follow(job, measure=owner.compare))


def logs(owner: NeoMagics, args: argparse.Namespace) -> None:
    """The last lines of a job's log, which outlives the job's record."""
    lines = _job(owner, args, Job.open_logged).logs()
    if len(lines) > args.lines:
        print(f"… {len(lines) - args.lines} earlier lines: -n {len(lines)} shows all")
    print("\n".join(lines[-args.lines :]) or "The log is empty.")


def profile(owner: NeoMagics, args: argparse.Namespace) -> Profile:
    """Where the time of a job's compiled model goes."""
    from neo_magics.magics.expressions import resolve

    x = resolve(args.input, owner.shell.user_ns, "--input") if args.input else None
    return _job(owner, args).profile(x, seconds=args.seconds, threads=args.threads)


def stop(owner: NeoMagics, args: argparse.Namespace) -> None:
    """Ask a job to stop."""
    job = _job(owner, args)
    job.stop()
    print(f"{job.name} is stopping.")


def delete(owner: NeoMagics, args: argparse.Namespace) -> None:
    """Delete a job's record."""
    job = _job(owner, args)
    job.delete()
    print(f"{job.name} is deleted; its artifact and its log stay.")


def _job(owner: NeoMagics, args: argparse.Namespace, opened: Callable[[str, Backend], Job] = Job.open) -> Job:
    variable = owner.shell.user_ns.get(args.name) if args.name else None
    if isinstance(variable, Job):
        return variable
    backend = owner.backend_for(args.backend)
    name = args.name or _latest(backend)
    try:
        return opened(name, backend)
    except UsageError as error:
        hint = did_you_mean(name, names(backend), error.hint)
        raise UsageError(error.message, hint=hint) from error


def names(backend: Backend) -> list[str]:
    """The names of the newest jobs."""
    with backend.translated():
        answer = backend.sagemaker.list_compilation_jobs(
            SortBy="CreationTime", SortOrder="Descending", MaxResults=100
        )
    return [str(summary["CompilationJobName"]) for summary in answer["CompilationJobSummaries"]]


def _latest(backend: Backend) -> str:
    known = names(backend)
    if not known:
        raise UsageError("There are no jobs yet.", hint="%%compile files one; %%compile --help says how.")
    return known[0]
