"""`neo-magics doctor`: what is there, what is missing, and what to do about it."""

from __future__ import annotations

import argparse
import json


def main(words: list[str]) -> int:
    """Print the checks; 1 where one of them found something."""
    from neo_magics.doctor import examine
    from neo_magics.settings import Settings

    parser = argparse.ArgumentParser(prog="neo-magics doctor", description="Check this installation.")
    parser.add_argument("--json", action="store_true", help="print the checks as one JSON object")
    args = parser.parse_args(words)
    checks = examine(Settings.from_environment())
    ok = all(check.ok for check in checks)
    if args.json:
        print(json.dumps({"ok": ok, "checks": [check.to_dict() for check in checks]}, indent=2))
        return int(not ok)
    width = max(len(check.name) for check in checks)
    for check in checks:
        print(f"{'✓' if check.ok else '✕'} {check.name.ljust(width)}  {check.found}")
        if check.hint:
            print(f"  {' ' * width}  → {check.hint}")
    return int(not ok)
