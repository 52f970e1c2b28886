"""`neo-magics demo`: a real job on real data, and what it gained or lost."""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neo_magics.demo.digits import Digits
    from neo_magics.job import Job


def main(words: list[str]) -> int:
    """Run the demonstration; NeoMagicsError where a step fails."""
    from neo_magics.client import Backend
    from neo_magics.settings import LOCAL, Settings

    args = _parser().parse_args(words)
    backend = Backend(Settings.from_environment(backend=LOCAL, home=args.home))
    progress = Progress(quiet=args.json)
    try:
        result = run_demo(backend, progress, cache=args.cache)
    finally:
        progress.end()
    print(json.dumps(result, indent=2) if args.json else demo_text(result))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="neo-magics demo",
        description="Train (or take) a small network for handwritten digits, compile it in a job of the local"
        " service, run it, and measure it before and after. Needs no network.",
    )
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    parser.add_argument("--home", type=Path, help="folder for all state (default: NEO_MAGICS_HOME)")
    parser.add_argument("--cache", action="store_true", help="reuse an artifact that was compiled before")
    return parser


class Progress:
    """One line on stderr that says what is being done, rewritten in place on a terminal."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._terminal = sys.stderr.isatty()
        self._quiet = quiet
        self._last = ""

    def say(self, text: str) -> None:
        """Show `text`."""
        if self._quiet or text == self._last:
            return
        self._last = text
        ending = "\r\x1b[2K" if self._terminal else ""
        print(f"{ending}{text}", end="" if self._terminal else "\n", file=sys.stderr, flush=True)

    def job(self, job: Job) -> None:
        """Show the stage that `job` is in."""
        from neo_magics.api.events import StageEvent

        stages = [e for _when, e in job.events() if isinstance(e, StageEvent)]
        self.say(f"Compiling: {stages[-1].stage if stages else 'waiting for a runner'}…")

    def end(self) -> None:
        """Leave the line."""
        if self._terminal and self._last:
            print("\r\x1b[2K", end="", file=sys.stderr, flush=True)


def run_demo(backend: Any, progress: Progress, *, cache: bool = False) -> dict[str, Any]:
    """Train, compile, measure; the result as plain values (seconds, milliseconds, bytes, shares)."""
    from neo_magics.compilation import compile
    from neo_magics.demo.digits import load_digits

    digits = load_digits()
    model = _model(digits, progress)
    progress.say("Capturing the model…")
    began = time.monotonic()
    job = compile(
        model,
        inputs=digits.test_images[:1],
        name=_name(),
        backend=backend,
        cache=cache,
    )
    job.wait(progress=progress.job)
    seconds = time.monotonic() - began
    progress.say("Measuring before and after, in processes of their own…")
    comparison = job.compare(digits.test_images, digits.test_labels)
    return _result(job, comparison, seconds, isinstance(model, Path))


def _name() -> str:
    from neo_magics.compilation import job_name
    from neo_magics.settings import LOCAL

    return job_name("digits-demo", LOCAL)


def _model(digits: Digits, progress: Progress) -> Any:
    """The network trained on the spot where torch is installed, else the shipped ONNX file."""
    if importlib.util.find_spec("torch") is None:
        return Path(__file__).parents[1] / "demo" / "assets" / "digits.onnx"
    from neo_magics.demo.network import train

    progress.say("Training a small network on handwritten digits…")
    return train(digits)


def _result(job: Job, comparison: Any, seconds: float, from_onnx: bool) -> dict[str, Any]:
    from neo_magics.widgets.comparison_view import comparison_view

    view = comparison_view(comparison)
    description = job.describe()
    before, after = view.sides
    return {
        "job": job.name,
        "artifact": str(job.artifact),
        "model": "the shipped ONNX file" if from_onnx else "a PyTorch module trained here",
        "before": _side(before),
        "after": _side(after),
        "verdict": view.verdict,
        "ratio": view.ratio,
        "certainty": view.certainty,
        "difference": view.sides[1].difference,
        "conditions": view.conditions,
        "compile_seconds": round(_job_seconds(description), 3),
        "seconds_with_capture": round(seconds, 3),
        "stages": job.report.get("job_seconds", {}),
        "cached": bool(job.report.get("cached")),
    }


def _side(side: Any) -> dict[str, Any]:
    return {
        "label": side.label,
        "median_ms": side.median,
        "p95_ms": side.p95,
        "runs": len(side.samples),
        "accuracy": side.accuracy,
        "size_bytes": side.size,
        "load_seconds": side.load,
        "peak_memory_bytes": side.memory,
    }


def _job_seconds(description: dict[str, Any]) -> float:
    """From Create to the job's end, as the service's own clock says."""
    passed = description["CompilationEndTime"] - description["CreationTime"]
    return float(passed.total_seconds())


def demo_text(result: dict[str, Any]) -> str:
    """The result as a table and a few sentences."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"Handwritten digits: {result['model']}", title_justify="left", title_style="bold")
    table.add_column("")
    for side in (result["before"], result["after"]):
        table.add_column(side["label"], justify="right")
    for name, before, after in demo_rows(result):
        table.add_row(name, before, after)
    console = Console(width=None if sys.stdout.isatty() else 78, file=sys.stdout)
    with console.capture() as captured:
        console.print(table)
        console.print(f"[bold]{result['verdict']}[/] ({result['certainty']}). {result['conditions']}")
        console.print(f"job       {result['job']}", highlight=False, soft_wrap=True)
        console.print(f"artifact  {result['artifact']}", highlight=False, soft_wrap=True)
    return captured.get().rstrip()


def demo_rows(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Name, before and after of each row of the table."""
    from neo_magics.widgets.style import milliseconds, size

    before, after = result["before"], result["after"]

    def both(name: str, show: Any, key: str) -> tuple[str, str, str]:
        shown = ["" if side[key] is None else str(show(side[key])) for side in (before, after)]
        return name, shown[0], shown[1]

    rows = [
        both("median", lambda value: f"{milliseconds(value)} ms", "median_ms"),
        both("p95", lambda value: f"{milliseconds(value)} ms", "p95_ms"),
        both("accuracy on held-out digits", lambda value: f"{value:.1%}", "accuracy"),
        both("size", size, "size_bytes"),
        both("load time", lambda value: f"{value:.2f} s", "load_seconds"),
        both("peak memory", size, "peak_memory_bytes"),
    ]
    rows = [row for row in rows if row[1] or row[2]]
    cached = " (from the cache)" if result["cached"] else ""
    return [
        *rows,
        ("largest difference", "", result["difference"]),
        ("compilation", "", f"{result['compile_seconds']:.1f} s{cached}"),
    ]
