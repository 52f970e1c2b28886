"""What this machine can do at most, measured with the two kernels that each artifact carries for it.

A busy machine only ever looks slower than it is, so the highest figures seen are kept, by machine and
threads.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neo_magics.artifact.kernels import (
    RULER_FLOPS,
    RULER_READ,
    RULER_STREAMS,
    RULER_SUMS,
    RULER_THREADS,
)
from neo_magics.errors import ArtifactError
from neo_magics.runtime.arrays import to_tensor
from neo_magics.runtime.libraries import find_function

_STEPS = 200_000  # multiply-adds of each register in one run: about a millisecond
_READ_BYTES = 192 << 20  # more than any cache that a core has to itself
_RUNS = 12


@dataclass(frozen=True)
class Peaks:
    """Float32 operations and bytes read from memory, each a second: of one thread, and of `threads`."""

    threads: int
    flops_one: float
    flops: float
    bytes_one: float
    bytes: float

    def raised(self, other: Peaks) -> Peaks:
        """The higher figures of both."""
        mine, others = self.to_dict(), other.to_dict()
        return Peaks(**{name: max(mine[name], others[name]) for name in mine})

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def measure_peaks(library: Any, lanes: int, threads: int) -> Peaks:
    """Run the ruler's kernels of a loaded library; takes a few tenths of a second.

    Raises `ArtifactError` where the library was built without them.
    """
    flops, reads = _function(library, RULER_FLOPS), _function(library, RULER_READ)
    factors = to_tensor(np.full(2 * lanes, 0.5, np.float32), "float32")
    sums = to_tensor(np.zeros((RULER_THREADS, RULER_SUMS * lanes), np.float32), "float32")
    data = to_tensor(np.ones(_READ_BYTES // 4, np.float32), "float32")
    found = to_tensor(np.zeros((RULER_THREADS, RULER_STREAMS * lanes), np.float32), "float32")

    def multiply_adds(count: int) -> float:
        done = 2.0 * count * _STEPS * RULER_SUMS * lanes
        return done / _best(lambda: flops(factors, sums, count, _STEPS))

    def read(count: int) -> float:
        return _READ_BYTES / _best(lambda: reads(data, found, count))

    counts = (1, min(threads, RULER_THREADS))
    return Peaks(threads, *map(multiply_adds, counts), *map(read, counts))


def remembered(peaks: Peaks, path: Path) -> Peaks:
    """The highest figures of `peaks` and of those kept in the file `path`, which is brought up to date."""
    key = f"{machine_fingerprint()}-{peaks.threads}"
    path.parent.mkdir(parents=True, exist_ok=True)
    known = _read(path)
    try:
        best = peaks.raised(Peaks(**known[key])) if key in known else peaks
    except TypeError:
        best = peaks  # another version's entry
    if known.get(key) != best.to_dict():
        partial = path.with_suffix(f".{os.getpid()}.partial")
        partial.write_text(json.dumps({**known, key: best.to_dict()}, indent=2), encoding="utf-8")
        partial.replace(path)
    return best


def machine_fingerprint() -> str:
    """A digest of what the processor is and can do."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = [platform.processor()]
    wanted = ("model name", "flags", "features", "cpu part", "cpu implementer", "cache size")
    said = sorted({line for line in lines if line.split(":")[0].strip().lower() in wanted})
    return hashlib.blake2b("\n".join([platform.machine(), *said]).encode(), digest_size=8).hexdigest()


def _function(library: Any, name: str) -> Any:
    found = find_function(library, name)
    if found is None:
        raise ArtifactError(
            "This artifact has no kernels that measure the machine.",
            hint="It was compiled by an older version: compile the model again.",
        )
    return found


def _best(run: Callable[[], object]) -> float:
    """Seconds of the fastest of a few runs."""
    seconds = []
    for _ in range(_RUNS):
        began = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def _read(path: Path) -> dict[str, Any]:
    """What the file holds; nothing where it is missing or damaged: it is only ever measured again."""
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return body if isinstance(body, dict) else {}
