"""`neo-magics profile`: where the time of a compiled model goes, kernel by kernel."""

from __future__ import annotations

import argparse
import json
from pathlib import Path


def main(words: list[str]) -> int:
    """Profile the artifact in a process of its own; NeoMagicsError says what is wrong."""
    args = _parser().parse_args(words)
    from neo_magics.cli.bench import read_given
    from neo_magics.runtime.profile import profile
    from neo_magics.settings import Settings

    result = profile(
        args.artifact,
        read_given(args.input),
        home=Settings.from_environment().home,
        seconds=args.seconds,
        threads=args.threads,
    )
    print(json.dumps(result.to_dict(), indent=2) if args.json else repr(result))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="neo-magics profile",
        description="Time each kernel of a compiled model on this machine, against the roofline.",
    )
    parser.add_argument("artifact", type=Path, help="compiled .tar.gz, or the folder it unpacks to")
    parser.add_argument(
        "--input", "-i", type=Path, help=".npz with an array for each input (default: generated)"
    )
    parser.add_argument("--seconds", type=float, default=2.0, help="how long to measure (default 2)")
    parser.add_argument("--threads", type=int, help="threads to use (default: one for each core)")
    parser.add_argument("--json", action="store_true", help="print one JSON object with every kernel call")
    return parser
