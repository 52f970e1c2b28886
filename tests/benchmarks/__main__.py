"""Latency, memory and compile time beside the runtimes that a user could pick instead.

    python -m tests.benchmarks [--models 'resnet*'] [--peers ours,openvino] [--threads 2] [--dtype bf16|int8]

Each peer compiles in a process of its own, is tried once, and is timed in fresh processes that take turns,
on the same cores and with as many threads. What was compiled is kept below --folder and used again while
versions and sources stay the same; --fresh compiles all of it anew. `pip install ".[bench]"` brings the
peers.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from neo_magics.errors import NeoMagicsError
from neo_magics.runtime.machine import cpu_model
from neo_magics.runtime.threads import default_threads
from tests.benchmarks.models import Case, select
from tests.benchmarks.peers import PEERS, Peer
from tests.benchmarks.peers.common import Options
from tests.benchmarks.picture import svg
from tests.benchmarks.prepare import prepared, sources_of
from tests.benchmarks.report import details, markdown, overview
from tests.benchmarks.results import ModelResult
from tests.benchmarks.suite import measure

SECONDS, QUICK_SECONDS = 12.0, 2.0
DTYPES = {"float32": "float32", "bf16": "bfloat16", "bfloat16": "bfloat16", "int8": "int8"}


def main(words: Sequence[str] | None = None) -> int:
    """Measure, print, write; 1 where a peer that was asked for failed."""
    parser = _parser()
    args = parser.parse_args(words)
    try:
        cases, peers = select(args.models), _peers(args.peers, quick=args.quick)
    except ValueError as error:
        parser.error(str(error))
    options = Options(args.threads or default_threads(), DTYPES[args.dtype])
    seconds = args.seconds or (QUICK_SECONDS if args.quick else SECONDS)
    results: list[ModelResult] = []
    for case in cases:
        if args.fresh:
            shutil.rmtree(args.folder / case.name, ignore_errors=True)
        try:
            if args.prepare:
                _prepare(case, peers, options, args.folder)
                continue
            results.append(measure(case, peers, options, seconds, args.folder, _say))
        except NeoMagicsError as error:
            print(f"{case.name}: {error}", file=sys.stderr)
            continue
        print(details(results[-1]), end="\n\n", flush=True)
        _write(results, options, args)
    if args.prepare:
        return 0
    print(overview(results))
    complete = len(results) == len(cases)
    return int(not complete or any(each.error for result in results for each in result.peers))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--models", nargs="*", default=[], help='names or patterns; "all"; default: batch 1')
    parser.add_argument("--peers", default="", help=f"of {', '.join(PEERS)}; default: all")
    parser.add_argument("--threads", type=int, help="default: the cores of this machine")
    parser.add_argument("--dtype", choices=sorted(DTYPES), default="float32")
    parser.add_argument("--seconds", type=float, help=f"of timing for each model, default {SECONDS:.0f}")
    parser.add_argument("--quick", action="store_true", help="a short look: no TVM default, 2 s a model")
    parser.add_argument("--prepare", action="store_true", help="compile what is missing, measure nothing")
    parser.add_argument("--fresh", action="store_true", help="compile everything again")
    parser.add_argument("--folder", type=Path, default=Path(".bench"), help="what was compiled; .bench")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--svg", type=Path, metavar="FILE")
    parser.add_argument("--markdown", type=Path, metavar="FILE")
    return parser


def _prepare(case: Case, peers: Sequence[Peer], options: Options, folder: Path) -> None:
    sources = sources_of(case.name, folder, _say)
    for peer in filter(lambda peer: peer.installed, peers):
        _out, cost = prepared(peer, sources, options, _say)
        _say(f"{case.name}, {peer.label}: {cost.get('error') or round(cost['seconds'], 1)}")


def _peers(text: str, *, quick: bool) -> list[Peer]:
    keys = text.split(",") if text else [key for key in PEERS if not (quick and key == "tvm_default")]
    unknown = [key for key in keys if key not in PEERS]
    if unknown:
        raise ValueError(f"There is no peer {', '.join(unknown)}. There are: {', '.join(PEERS)}.")
    return [peer for key, peer in PEERS.items() if key in keys]


def _write(results: list[ModelResult], options: Options, args: argparse.Namespace) -> None:
    if args.json:
        body: dict[str, Any] = {
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "cpu": cpu_model(),
            "python": platform.python_version(),
            "threads": options.threads,
            "dtype": options.dtype,
            "results": [result.to_dict() for result in results],
        }
        args.json.write_text(json.dumps(body, indent=1), encoding="utf-8")
    if args.svg:
        args.svg.write_text(svg(results), encoding="utf-8")
    if args.markdown:
        args.markdown.write_text(markdown(results), encoding="utf-8")


def _say(text: str) -> None:
    print(f"[{datetime.now():%H:%M:%S}] {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
