"""`neo-magics bench`: the latency of a compiled model on this machine."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any


def main(words: list[str]) -> int:
    """Measure the artifact in a process of its own; NeoMagicsError says what is wrong."""
    args = _parser().parse_args(words)
    from neo_magics.runtime.benchmark import benchmark

    show = _say if sys.stderr.isatty() and not args.json else None
    result = benchmark(
        args.artifact, read_given(args.input), seconds=args.seconds, threads=args.threads, progress=show
    )
    if show:
        show("")
    print(json.dumps(result.to_dict(), indent=2) if args.json else repr(result))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="neo-magics bench", description="Measure the latency of a compiled model on this machine."
    )
    parser.add_argument("artifact", type=Path, help="compiled .tar.gz, or the folder it unpacks to")
    parser.add_argument(
        "--input", "-i", type=Path, help=".npz with an array for each input (default: generated)"
    )
    parser.add_argument("--seconds", type=float, default=3.0, help="how long to measure (default 3)")
    parser.add_argument("--threads", type=int, help="threads to use (default: one for each core)")
    parser.add_argument("--json", action="store_true", help="print one JSON object, raw samples included")
    return parser


def read_given(path: Path | None) -> Any:
    """The inputs in an .npz by name, the one of an .npy, or None without a path."""
    if path is None:
        return None
    from neo_magics.cli.run import read_inputs
    from neo_magics.runtime.exchange import load_arrays

    arrays = read_inputs(path, load_arrays)
    nameless = set(arrays) in ({""}, {"arr_0"})
    return next(iter(arrays.values())) if nameless else arrays


def _say(text: str) -> None:
    print(f"\r\x1b[2K{text}", end="", file=sys.stderr, flush=True)
