"""%%compile, %compile and %neo."""

from __future__ import annotations

from typing import Any


def load(shell: Any) -> None:
    """Add the magics, their completion and their displays to an InteractiveShell; again is harmless."""
    from neo_magics.magics.shell import NeoMagics

    unload(shell)
    magics = NeoMagics(shell)
    shell.register_magics(magics)
    magics.attach()


def unload(shell: Any) -> None:
    """Take the magics away. Running jobs and their panels go on."""
    magics = shell.magics_manager.registry.pop("NeoMagics", None)
    if magics is not None:
        magics.detach()
        for kind, name in (("cell", "compile"), ("line", "compile"), ("line", "neo")):
            shell.magics_manager.magics[kind].pop(name, None)
