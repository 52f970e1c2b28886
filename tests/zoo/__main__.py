"""Run the zoo: every model through a whole job, compared with its own framework.

    python -m tests.zoo [--only 'xgboost/*' …] [--quick] [--measure SECONDS] [--json out.json] [--list]
    python -m tests.zoo --tabulate out.json …          # README's table of several runs; runs nothing

Prints passed, refused (why), wrong, failed or skipped for each model. The exit status is 1 where a model
ended otherwise than its entry says. With --measure, latency in the framework itself and compiled is measured;
--home keeps the jobs, so that a second run finds what the first one compiled and can measure alone.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from neo_magics.client import Backend
from neo_magics.settings import Settings
from tests.zoo.entry import entries
from tests.zoo.outcome import Outcome, outcome
from tests.zoo.table import figures, line, table


def main(words: Sequence[str] | None = None) -> int:
    """Run what was asked for; 1 where an outcome is not the expected one."""
    args = _parser().parse_args(words)
    if args.tabulate:
        print(figures(_read(args.tabulate)))
        return 0
    chosen = entries(args.only, quick=args.quick)
    if args.list:
        print("\n".join(map(str, chosen)))
        return 0
    results: list[Outcome] = []
    with tempfile.TemporaryDirectory() as home:
        backend = Backend(Settings.from_environment(home=args.home or Path(home)))
        for entry in chosen:
            results.append(outcome(entry, backend, args.measure))
            print(line(results[-1]), flush=True)
            if args.json:
                args.json.write_text(json.dumps([asdict(each) for each in results], indent=1))
    print(table(results), figures(results), sep="\n\n")
    return int(not all(result.expected for result in results))


def _read(paths: Sequence[Path]) -> list[Outcome]:
    """The outcomes of several runs; of a model that is in two, the last one."""
    found = {}
    for path in paths:
        for each in json.loads(path.read_text()):
            found[each["framework"], each["name"]] = Outcome(**each)
    return list(found.values())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.zoo", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="*", default=[], help="framework/name, or patterns of them")
    parser.add_argument("--quick", action="store_true", help="only those that CI runs")
    parser.add_argument("--measure", type=float, default=0.0, help="seconds of timing for each model")
    parser.add_argument("--home", type=Path, help="keep the jobs here")
    parser.add_argument("--tabulate", nargs="+", type=Path, help="print README's table from these outcomes")
    parser.add_argument("--json", type=Path, help="write the outcomes here")
    parser.add_argument("--list", action="store_true", help="say which models there are")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
