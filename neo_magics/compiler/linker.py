"""Object files → shared library, with whatever linker there is; none is needed to compile.

The library needs no C library at link time: what it calls (TVM's runtime, libm) is in the process that
loads it. So a bare linker does for every target: lld from the ziglang wheel, or the system's
for its own architecture.
"""

from __future__ import annotations

import importlib.util
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from neo_magics.errors import TargetError

# The linker's word for the output format of each architecture.
EMULATIONS = {
    "x86_64": "elf_x86_64",
    "i386": "elf_i386",
    "i686": "elf_i386",
    "aarch64": "aarch64linux",
    "arm": "armelf_linux_eabi",
    "armv7l": "armelf_linux_eabi",
    "armv7a": "armelf_linux_eabi",
    "armv7": "armelf_linux_eabi",
}
_HARDENED = ("-z", "noexecstack", "-z", "relro", "-z", "now")


@dataclass(frozen=True)
class Linker:
    """A linker and how to start it."""

    name: str
    command: tuple[str, ...]

    def link(self, objects: Sequence[Path], output: Path, triple: str) -> None:
        """Write the shared library `output`. Raises `TargetError` with what the linker said."""
        emulation = EMULATIONS[_arch(triple)]
        command = [*self.command, "-shared", "-m", emulation, *_HARDENED, "-soname", output.name]
        done = subprocess.run(
            [*command, "-o", str(output), *map(str, objects)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise TargetError(
                f"{self.name} could not link for {triple}: {done.stderr.strip()[-600:]}",
                hint='Install or repair the linker: pip install "neo-magics[cross]".',
            )


def find_linker(triple: str) -> Linker | None:
    """A linker for `triple`, or None: the object files themselves are then the result.

    Raises `TargetError` where there is none and the target is another machine, whose loader wants a library.
    """
    arch = _arch(triple)
    if arch in EMULATIONS and importlib.util.find_spec("ziglang"):
        return Linker("lld (ziglang)", (sys.executable, "-m", "ziglang", "ld.lld"))
    system = shutil.which("ld.lld") or (shutil.which("ld") if arch == platform.machine() else None)
    if arch in EMULATIONS and system:
        return Linker(Path(system).name, (system,))
    if arch != platform.machine():
        raise TargetError(
            f"There is no linker for {triple} on this machine.",
            hint='Install one: pip install "neo-magics[cross]".',
        )
    return None


def _arch(triple: str) -> str:
    return triple.split("-", 1)[0]
