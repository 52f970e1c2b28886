"""The choices of the "Compile…" form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from neo_magics.api.devices import DEVICES
from neo_magics.settings import LOCAL, SAGEMAKER

if TYPE_CHECKING:
    from neo_magics.client import Backend


def targets(backend: Backend) -> dict[str, Any]:
    """The targets that `backend` compiles for, this machine first, each with a word on what it is."""
    everything = backend.name == SAGEMAKER
    here = [] if everything else [{"name": LOCAL, "about": "this machine"}]
    devices = [
        {
            "name": device.name,
            "about": " ".join(filter(None, (device.arch, device.mcpu or device.accelerator))),
        }
        for device in DEVICES.values()
        if everything or device.compilable
    ]
    return {"backend": backend.name, "targets": here + devices}
