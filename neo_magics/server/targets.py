"""The choices of the "Compile…" form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from neo_magics.api.compiler_options import DTYPES
from neo_magics.api.devices import DEVICES
from neo_magics.compilation import dtype_option
from neo_magics.settings import LOCAL, SAGEMAKER

if TYPE_CHECKING:
    from neo_magics.client import Backend


def choices(backend: Backend) -> dict[str, Any]:
    """The targets that `backend` compiles for, this machine first, and its dtypes, each with a word on it."""
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
    dtypes = [
        {"name": name, "about": about}
        for name, about in DTYPES.items()
        if not (everything and dtype_option(name).get("precision"))
    ]
    return {"backend": backend.name, "targets": here + devices, "dtypes": dtypes}
