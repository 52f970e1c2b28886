"""Tab completion of the magics' options, targets, job names and variables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from neo_magics.api.compiler_options import DTYPES
from neo_magics.api.states import JobStatus
from neo_magics.errors import NeoMagicsError
from neo_magics.magics.models import is_model
from neo_magics.magics.options import BACKENDS, COMPILE
from neo_magics.magics.own_names import own_names
from neo_magics.settings import LOCAL

Names = Callable[[], Iterable[str]]


# What follows an option of %neo.
_NEO_VALUES = {"--status": "statuses", "--input": "variables", "--backend": "backends"}


class Completer:
    """Finds what may come next on a line of %%compile, %compile or %neo."""

    def __init__(
        self, namespace: Mapping[str, Any], jobs: Names, commands: Mapping[str, tuple[str, ...]]
    ) -> None:
        self._namespace = namespace
        self._jobs = jobs
        self._commands = commands  # %neo's subcommands, each with the kinds of its arguments

    def candidates(self, line: str) -> list[str]:
        """What can stand in place of the last word of `line`, which ends at the cursor."""
        words = line.split()
        if not words:
            return []
        unfinished = words[-1] if not line[-1].isspace() else ""
        before = words[1:-1] if unfinished else words[1:]
        if words[0] in ("%%compile", "%compile"):
            return self._compile(before, unfinished, words[0])
        return self._neo(before, unfinished) if words[0] in ("%neo", "%%neo") and line != words[0] else []

    def _compile(self, before: list[str], unfinished: str, magic: str) -> list[str]:
        takes = {flag: option for option in COMPILE for flag in option.flags if option.metavar}
        if before and before[-1] in takes:
            return self._values(takes[before[-1]].values, unfinished)
        flag, equals, value = unfinished.partition("=")
        if equals and flag in takes:
            return [f"{flag}={name}" for name in self._values(takes[flag].values, value)]
        if unfinished.startswith("-") or before or magic == "%%compile":
            flags = [flag for option in COMPILE for flag in option.flags if flag not in before]
            return _starting(unfinished, [*flags, "--help"])
        return self._values("models", unfinished)

    def _neo(self, before: list[str], unfinished: str) -> list[str]:
        if not before:
            return _starting(unfinished, [*self._commands, "help"])
        if before == ["help"]:
            return _starting(unfinished, self._commands)
        if before[-1] in _NEO_VALUES:
            return self._values(_NEO_VALUES[before[-1]], unfinished)
        kinds = self._commands.get(before[0], ())
        return [name for kind in kinds for name in self._values(kind, unfinished)]

    def _values(self, kind: str, unfinished: str) -> list[str]:
        # Several targets are separated by commas: the last one is completed.
        done, comma, rest = unfinished.rpartition(",") if kind == "targets" else ("", "", unfinished)
        return [f"{done}{comma}{name}" for name in _starting(rest, self._names(kind))]

    def _names(self, kind: str) -> Iterable[str]:
        if kind.startswith("-"):
            return [kind]
        finders: dict[str, Names] = {
            "targets": _targets,
            "platforms": _platforms,
            "frameworks": _frameworks,
            "dtypes": lambda: DTYPES,
            "backends": lambda: BACKENDS,
            "statuses": lambda: [status.value for status in JobStatus],
            "jobs": self._known_jobs,
            "variables": self._variables,
            "models": lambda: [n for n in self._variables() if is_model(self._namespace[n])],
        }
        return finders[kind]() if kind in finders else []

    def _variables(self) -> list[str]:
        return sorted(own_names(self._namespace))

    def _known_jobs(self) -> Iterable[str]:
        try:
            return list(self._jobs())
        except NeoMagicsError:
            return []  # a backend that is out of reach has no names to offer


def _starting(prefix: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(prefix)]


def _targets() -> list[str]:
    from neo_magics.api.devices import DEVICES

    return [LOCAL, *sorted(name for name, device in DEVICES.items() if device.compilable)]


def _platforms() -> list[str]:
    from neo_magics.api.devices import PLATFORMS

    return sorted(device.name for device in PLATFORMS.values() if device.compilable)


def _frameworks() -> tuple[str, ...]:
    from neo_magics.api.frameworks import LOCAL_FRAMEWORKS

    return LOCAL_FRAMEWORKS


def matcher(complete: Completer) -> Any:
    """`complete` as a matcher of IPython's completer, for lines of these magics only."""
    from IPython.core.completer import SimpleCompletion, context_matcher

    @context_matcher()  # type: ignore[untyped-decorator]
    def neo_magics_matcher(context: Any) -> Any:
        line = context.text_until_cursor
        if not line.lstrip().startswith(("%%compile ", "%compile ", "%neo ")):
            line = line.rpartition("= ")[2] if "= %compile " in line else ""
        found = complete.candidates(line.lstrip()) if line else []
        word = line.split()[-1] if line and not line[-1].isspace() else ""
        return {
            "completions": [SimpleCompletion(text=name, type="magic option") for name in found],
            "matched_fragment": word,
            "suppress": bool(found),
            "ordered": True,
        }

    return neo_magics_matcher
