"""The shell command `neo-magics`. Each subcommand's code is imported when it is chosen, not before."""

from __future__ import annotations

import sys
from importlib import import_module

# Subcommand, a module of this package with a function `main(words)` → one line of help.
COMMANDS = {
    "demo": "compile a small network on handwritten digits and measure it",
    "doctor": "check this installation",
    "jobs": "list, show, stop and delete compilation jobs",
    "run": "run a compiled model on inputs from a file",
    "bench": "measure a compiled model",
    "profile": "show where the time of a compiled model goes",
    "serve": "offer the local service over HTTP",
}


def main(arguments: list[str] | None = None) -> None:
    """Entry point of `neo-magics`; exits with 1 for an error that a user can meet, 2 for wrong usage."""
    words = sys.argv[1:] if arguments is None else arguments
    if words and words[0] == "--version":
        from neo_magics import __version__

        print(__version__)
        return
    if not words or words[0] in ("--help", "-h", "help") or words[0] not in COMMANDS:
        raise SystemExit(_usage(words))
    raise SystemExit(_run(words[0], words[1:]))


def _usage(words: list[str]) -> int:
    import difflib

    unknown = bool(words) and words[0] not in ("--help", "-h", "help")
    out = sys.stderr if unknown or not words else sys.stdout
    if unknown:
        near = difflib.get_close_matches(words[0], COMMANDS, n=1)
        print(
            f"neo-magics: there is no command {words[0]!r}." + (f" Did you mean {near[0]}?" if near else ""),
            file=out,
        )
    lines = [f"  {name:<8} {text}" for name, text in COMMANDS.items()]
    print("usage: neo-magics COMMAND [--help] …", "", *lines, sep="\n", file=out)
    return 2 if unknown or not words else 0


def _run(name: str, words: list[str]) -> int:
    from neo_magics.errors import NeoMagicsError

    command = import_module(f"neo_magics.cli.{name}")
    try:
        return int(command.main(words) or 0)
    except NeoMagicsError as error:
        print("\n".join(error._render_traceback_()), file=sys.stderr)
        return 1
    except KeyboardInterrupt as interrupt:
        print(str(interrupt) or "Interrupted.", file=sys.stderr)
        return 130
