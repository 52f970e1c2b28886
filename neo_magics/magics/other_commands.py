"""%neo ui, targets, config and doctor."""

from __future__ import annotations

import argparse
from dataclasses import fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from neo_magics.magics.shell import NeoMagics
    from neo_magics.widgets.table import Table


def ui(owner: NeoMagics, args: argparse.Namespace) -> None:
    """The compile form."""
    from neo_magics.magics.compile_form import open_form

    open_form(owner, args.model or "")


def targets(_owner: NeoMagics, args: argparse.Namespace) -> Table:
    """What can be compiled for."""
    from neo_magics.api.devices import DEVICES, PLATFORMS
    from neo_magics.widgets.table import Table

    known = [*DEVICES.values(), *PLATFORMS.values()]
    rows = [("local", "this machine", "its own CPU", "")]
    rows += [
        (device.name, device.arch, device.mcpu or device.accelerator, device.refused)
        for device in known
        if device.compilable or (args.all and device.name in DEVICES)
    ]
    if args.all:
        return Table(("target", "architecture", "CPU", "refused because"), rows)
    refused = sum(not device.compilable for device in DEVICES.values())
    note = f"{refused} more devices cannot be compiled for here: %neo targets --all says why."
    return Table(("target", "architecture", "CPU"), [row[:3] for row in rows], note=note)


def config(owner: NeoMagics, _args: argparse.Namespace) -> Table:
    """The settings in force, and where each can be changed."""
    from neo_magics.widgets.table import Table

    settings = owner.backend_for().settings
    traits = {"backend": "backend", "bucket": "bucket", "role_arn": "role"}
    rows = [
        (
            field.name,
            str(getattr(settings, field.name)),
            f"NEO_MAGICS_{field.name.upper()}",
            f"%config NeoMagics.{traits[field.name]}" if field.name in traits else "",
        )
        for field in fields(settings)
    ]
    rows += [
        (name, str(getattr(owner, name)), "", f"%config NeoMagics.{name}")
        for name in ("target", "compare", "refresh_seconds")
    ]
    return Table(("setting", "value", "environment", "in this notebook"), rows)


def doctor(owner: NeoMagics, _args: argparse.Namespace) -> Table:
    """Checks of this installation."""
    from neo_magics.doctor import examine
    from neo_magics.widgets.table import Table

    checks = examine(owner.backend_for().settings)
    rows = [("✓" if check.ok else "✕", check.name, check.found, check.hint) for check in checks]
    bad = sum(not check.ok for check in checks)
    note = "All is well." if not bad else f"{bad} of {len(checks)} checks found something."
    return Table(("", "check", "found", "next step"), rows, note=note)
