"""`neo-magics jobs`: the jobs of the backend, from a shell."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neo_magics.job import Job


def main(words: list[str]) -> int:
    """List jobs, or act on one."""
    args = _parser().parse_args(words)
    if args.action == "list":
        return _list(args)
    from neo_magics.job import Job

    opened = Job.open_logged if args.action == "logs" else Job.open  # a log outlives its job's record
    job = opened(args.name, args.backend)
    {"show": _show, "logs": _logs, "wait": _wait, "stop": _stop, "delete": _delete}[args.action](job, args)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="neo-magics jobs", description="List, show and end compilation jobs."
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--backend", help="local, sagemaker or an endpoint URL")
    common.add_argument("--json", action="store_true", help="print JSON")
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    parser.set_defaults(action="list", backend=None, json=False, number=20)
    listing = actions.add_parser("list", parents=[common], help="the newest jobs (the default)")
    listing.add_argument("-n", "--number", type=int, default=20, help="at most so many (default 20)")
    helps = {
        "show": "a job and its comparison",
        "logs": "a job's whole log",
        "wait": "wait for a job's end",
        "stop": "ask a job to stop",
        "delete": "delete the record of a job that has ended",
    }
    for name, text in helps.items():
        actions.add_parser(name, parents=[common], help=text).add_argument("name", help="the job's name")
    return parser


def _list(args: argparse.Namespace) -> int:
    from neo_magics.job import resolve_backend
    from neo_magics.widgets.jobs_table import jobs_table

    table = jobs_table(resolve_backend(args.backend), args.number)
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    print(json.dumps(rows, indent=2) if args.json else table)
    return 0


def _show(job: Job, args: argparse.Namespace) -> None:
    from neo_magics.widgets.job_panel import snapshot

    print(_described(job) if args.json else snapshot(job)[1])


def _described(job: Job) -> str:
    answer: dict[str, Any] = job.describe()
    answer.pop("ResponseMetadata", None)
    return json.dumps({**answer, "Report": job.report}, indent=2, default=str)


def _logs(job: Job, args: argparse.Namespace) -> None:
    lines = job.logs()
    print(json.dumps(lines, indent=2) if args.json else "\n".join(lines))


def _wait(job: Job, args: argparse.Namespace) -> None:
    job.wait()
    _show(job, args)


def _stop(job: Job, _args: argparse.Namespace) -> None:
    job.stop()
    print(f"{job.name} is stopping.")


def _delete(job: Job, _args: argparse.Namespace) -> None:
    job.delete()
    print(f"{job.name} is deleted; its artifact and its log stay.")
