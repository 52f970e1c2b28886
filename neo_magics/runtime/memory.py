"""Resident memory of this process, without a package for it: a device has none."""

from __future__ import annotations

import resource
import sys
from pathlib import Path


def resident_bytes() -> int:
    """Now; where the system does not say, the peak."""
    return _status("VmRSS") or peak_bytes()


def private_bytes() -> int:
    """What of it is this process's alone: without pages of files, which processes share and the system may
    drop, such as libraries and mapped weights. 0 where the system does not say."""
    return _status("RssAnon")


def peak_bytes() -> int:
    """The most since the process started."""
    unit = 1 if sys.platform == "darwin" else 1024
    return _status("VmHWM") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _status(field: str) -> int:
    try:
        text = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    for line in text.splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    return 0
