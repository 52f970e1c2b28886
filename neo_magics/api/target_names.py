"""The names of targets as users type them."""

from __future__ import annotations

import difflib
import platform
from collections.abc import Iterable, Mapping

from neo_magics.api.devices import DEVICES, PLATFORMS, machine_platform
from neo_magics.errors import TargetError
from neo_magics.settings import LOCAL


def platform_named(given: str | Mapping[str, str] | None) -> Mapping[str, str]:
    """The TargetPlatform of a name such as LINUX_ARM64, or of a mapping; `TargetError` gives the nearest."""
    if isinstance(given, Mapping):
        return given
    for os, arch, accelerator in PLATFORMS:
        if "_".join(filter(None, (os, arch, accelerator))) == str(given).upper():
            return {"Os": os, "Arch": arch, **({"Accelerator": accelerator} if accelerator else {})}
    names = sorted(device.name for device in PLATFORMS.values() if device.compilable)
    raise TargetError(f"There is no platform {given!r}.", hint=_near(str(given).upper(), names))


def this_machine() -> Mapping[str, str]:
    """The TargetPlatform of this machine."""
    return machine_platform(platform.machine())


def device_named(name: str) -> str:
    """`name`, if it is a TargetDevice. Raises `TargetError` with the nearest one."""
    if name in DEVICES:
        return name
    raise TargetError(f"There is no target {name!r}.", hint=_near(name, [LOCAL, *DEVICES]))


def nearest(word: str, known: Iterable[str]) -> str:
    """The one of `known` that is most like `word`, large and small letters being alike; "" if none is."""
    names = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower(), names, n=1)
    return names[near[0]] if near else ""


def _near(name: str, known: Iterable[str]) -> str:
    near = nearest(name, known)
    return f"Did you mean {near}?" if near else "%neo targets lists them."
