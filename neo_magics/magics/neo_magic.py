"""%neo: a table of small commands on jobs, targets and settings."""

from __future__ import annotations

import argparse
from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from neo_magics.errors import UsageError
from neo_magics.magics.options import HelpRequestedError, Parser, amount, count, did_you_mean
from neo_magics.magics.placeholders import filled
from neo_magics.magics.words import split

if TYPE_CHECKING:
    from neo_magics.magics.shell import NeoMagics


@dataclass(frozen=True)
class Command:
    """One subcommand: `arguments` are argparse's, `completes` what Tab offers after it."""

    name: str
    help: str
    run: Callable[[NeoMagics, argparse.Namespace], Any]
    arguments: Sequence[tuple[tuple[str, ...], dict[str, Any]]] = ()
    completes: tuple[str, ...] = ()

    def parser(self) -> Parser:
        parser = Parser(prog=f"%neo {self.name}", description=self.help, add_help=False, allow_abbrev=False)
        for flags, keywords in self.arguments:
            parser.add_argument(*flags, **keywords)
        return parser


class NeoMagic:
    """One call of %neo."""

    def __init__(self, owner: NeoMagics) -> None:
        self._owner = owner

    def run(self, line: str, scope: Mapping[str, Any] | None = None) -> Any:
        """Run the subcommand that the line names; what it returns is shown.

        `scope`: the variables of the function that holds the call.

        Raises:
            HelpRequestedError: help was asked for.
            UsageError: an unknown subcommand or argument.
        """
        words = filled(split(line), ChainMap(dict(scope or {}), self._owner.shell.user_ns)) or ["help"]
        name = words[0]
        if name in ("help", "--help", "-h"):
            raise HelpRequestedError(self._help(words[1:]))
        return self._command(name).run(self._owner, self._command(name).parser().read(words[1:]))

    def _command(self, name: str) -> Command:
        found = next((command for command in COMMANDS if command.name == name), None)
        if found is None:
            names = [command.name for command in COMMANDS]
            hint = did_you_mean(name, names, f"One of {', '.join(names)}, help.")
            raise UsageError(f"%neo has no command {name!r}.", hint=hint)
        return found

    def _help(self, words: Sequence[str]) -> str:
        if words:
            return self._command(words[0]).parser().format_help()
        lines = [f"  %neo {command.name:<8} {command.help}" for command in COMMANDS]
        more = "%neo COMMAND --help says more; %%compile --help is about compiling."
        return "\n".join(["Compilation jobs, targets and settings:", *lines, more])


def _commands() -> tuple[Command, ...]:
    from neo_magics.magics import job_commands as jobs
    from neo_magics.magics import other_commands as others

    name = (
        ("name",),
        {"nargs": "?", "metavar": "NAME", "help": "a job, or a variable that holds one; default: the latest"},
    )
    backend = (("--backend",), {"metavar": "NAME", "help": "local, sagemaker or an endpoint URL"})
    status = (("--status",), {"metavar": "STATUS", "help": "only jobs with this status, such as FAILED"})
    contains = (("--name-contains",), {"metavar": "TEXT", "help": "only jobs whose name has this in it"})
    lines = (
        ("-n", "--lines"),
        {"type": count, "default": 20, "metavar": "N", "help": "at most N lines (default 20)"},
    )
    given = (("--input",), {"metavar": "VALUE", "help": "inputs: a variable, a tuple or a dict of them"})
    seconds = (
        ("--seconds",),
        {"type": amount, "default": 2.0, "metavar": "S", "help": "how long to measure (default 2)"},
    )
    threads = (
        ("--threads",),
        {"type": count, "metavar": "N", "help": "threads (default: one for each core)"},
    )
    model = (("model",), {"nargs": "?", "metavar": "MODEL", "help": "a variable that holds a model"})
    every = (
        ("--all",),
        {"action": "store_true", "help": "also the targets that cannot be compiled for here"},
    )
    return (
        Command(
            "jobs",
            "list jobs, the newest first",
            jobs.jobs,
            (status, contains, lines, backend),
            ("--status", "--name-contains", "--lines", "--backend"),
        ),
        Command("show", "a job's panel", jobs.show, (name, backend), ("jobs",)),
        Command("logs", "a job's log", jobs.logs, (name, lines, backend), ("jobs",)),
        Command(
            "profile",
            "where the time of a job's compiled model goes, kernel by kernel",
            jobs.profile,
            (name, given, seconds, threads, backend),
            ("jobs", "--input", "--seconds", "--threads", "--backend"),
        ),
        Command("stop", "ask a job to stop", jobs.stop, (name, backend), ("jobs",)),
        Command(
            "delete",
            "delete the record of a job that has ended",
            jobs.delete,
            ((("name",), {"metavar": "NAME", "help": "a job, or a variable that holds one"}), backend),
            ("jobs",),
        ),
        Command("ui", "a form that compiles a model", others.ui, (model,), ("models",)),
        Command("targets", "list the targets", others.targets, (every,), ("--all",)),
        Command("config", "show the settings in force", others.config),
        Command("doctor", "check this installation", others.doctor),
    )


COMMANDS = _commands()
