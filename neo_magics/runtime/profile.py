"""Where the time of a compiled model goes: each kernel call, the layers that it came from, and the roofline.

The roofline (Williams, Waterman and Patterson, CACM 2009): no kernel is faster than its operations at the
machine's peak, nor than its bytes at the memory's bandwidth. Both are measured here, by kernels that the
artifact carries. Data that is still in a cache comes faster than that, so small kernels may pass 100 %.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from neo_magics.artifact.kernels import Call, Kernel, KernelTable, Source
from neo_magics.artifact.manifest import Manifest
from neo_magics.errors import UsageError
from neo_magics.runtime.machine import cpu_model
from neo_magics.runtime.ruler import Peaks, remembered
from neo_magics.runtime.sides import Side

SECONDS = 2.0
PEAKS = "peaks.json"  # in the home folder
_SLACK = 120.0


@dataclass(frozen=True)
class KernelCall:
    """One call of a kernel: median `seconds`, float operations, bytes of its tensors, and where it is from.

    `flops` and `bytes` are None for what the compiler did not count (a library function).
    """

    index: int
    kernel: str
    rule: str
    operators: tuple[str, ...]
    sources: tuple[Source, ...]
    seconds: float
    flops: int | None
    bytes: int | None

    @property
    def gflops(self) -> float | None:
        """Achieved 10⁹ float operations a second."""
        return self.flops / self.seconds * 1e-9 if self.flops is not None and self.seconds else None

    @property
    def gbytes(self) -> float | None:
        """Achieved 10⁹ bytes a second."""
        return self.bytes / self.seconds * 1e-9 if self.bytes is not None and self.seconds else None

    def least_seconds(self, peaks: Peaks) -> float | None:
        """The roofline: what the machine's peaks allow."""
        if self.flops is None or self.bytes is None:
            return None
        return max(self.flops / peaks.flops, self.bytes / peaks.bytes)

    def bound(self, peaks: Peaks) -> str:
        """What limits it, on paper: "compute" or "memory"; "" where nothing was counted."""
        if self.flops is None or self.bytes is None:
            return ""
        return "compute" if self.flops / peaks.flops >= self.bytes / peaks.bytes else "memory"


@dataclass(frozen=True)
class Profile:
    """The profile of one model. `calls` are in the order of execution; times are seconds.

    `plain_seconds` is a call that nobody watches, `watched_seconds` one that is watched; `floor_seconds` is
    what watching adds to each kernel, and is taken off already.
    """

    name: str
    calls: tuple[KernelCall, ...]
    plain_seconds: float
    watched_seconds: float
    floor_seconds: float
    runs: int
    peaks: Peaks
    threads: int
    cores: tuple[int, ...]
    cpu: str
    inputs: str
    created: str

    @property
    def kernel_seconds(self) -> float:
        """All kernels together."""
        return sum(call.seconds for call in self.calls)

    @property
    def other_seconds(self) -> float:
        """What a call takes besides its kernels: the virtual machine, allocations, arguments."""
        return max(0.0, self.plain_seconds - self.kernel_seconds)

    def share(self, call: KernelCall) -> float:
        """The part of all kernels' time that `call` takes."""
        return call.seconds / self.kernel_seconds if self.kernel_seconds else 0.0

    def roofline(self, call: KernelCall) -> float | None:
        """The time that the roofline allows as a part of the time that it took: 1 is as fast as can be."""
        least = call.least_seconds(self.peaks)
        return least / call.seconds if least is not None and call.seconds else None

    def rows(self) -> list[dict[str, Any]]:
        """One plain dict for each call, for tables: `pandas.DataFrame(profile.rows())`."""
        return [self._row(call) for call in self.calls]

    def _row(self, call: KernelCall) -> dict[str, Any]:
        return {
            "index": call.index,
            "kernel": call.kernel,
            "layers": list(dict.fromkeys(source.place for source in call.sources)),
            "operators": list(call.operators),
            "rule": call.rule,
            "milliseconds": 1000 * call.seconds,
            "share": self.share(call),
            "flops": call.flops,
            "bytes": call.bytes,
            "gflops": call.gflops,
            "gbytes": call.gbytes,
            "bound": call.bound(self.peaks),
            "roofline": self.roofline(call),
        }

    def to_frame(self) -> Any:
        """`rows` as a pandas.DataFrame."""
        try:
            import pandas  # type: ignore[import-untyped,import-not-found,unused-ignore]
        except ImportError as error:
            raise UsageError("pandas is not installed.", hint="pip install pandas, or use rows().") from error
        return pandas.DataFrame(self.rows())

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON; each call with the figures of its row."""
        body = asdict(self)
        for call, row in zip(body["calls"], self.rows(), strict=True):
            call |= {name: row[name] for name in ("share", "gflops", "gbytes", "bound", "roofline")}
        sums = {"kernel_seconds": self.kernel_seconds, "other_seconds": self.other_seconds}
        return {**body, **sums, "cores": list(self.cores)}

    def __repr__(self) -> str:
        from neo_magics.runtime.profile_text import profile_text

        return profile_text(self)


def profile(
    path: Path, x: Any = None, *, home: Path, seconds: float = SECONDS, threads: int | None = None
) -> Profile:
    """Profile the artifact at `path` in a fresh process, for about `seconds`.

    `x`: inputs as an array, tuple or dict; None: generated ones. `home` is the folder that keeps the
    machine's peaks. Raises as `compare` does, and ArtifactError for an artifact without `kernels.json`.
    """
    from neo_magics.runtime.exchange import save_arrays
    from neo_magics.runtime.inputs import choose_inputs
    from neo_magics.runtime.loading import opened
    from neo_magics.runtime.measuring import Conditions
    from neo_magics.runtime.worker_process import WorkerProcess

    conditions = Conditions.choose(threads, seconds)
    with opened(path) as folder, tempfile.TemporaryDirectory(prefix="neo-magics-") as scratch:
        manifest, table = Manifest.read(folder), KernelTable.read(folder)
        inputs, origin = choose_inputs(x, manifest.inputs)
        given = Path(scratch) / "inputs.npz"
        save_arrays(given, inputs)
        side = Side.artifact(folder, label=manifest.name)
        with WorkerProcess(side, threads=conditions.threads, cores=list(conditions.cores)) as worker:
            answer = worker.ask(
                "profile",
                _SLACK + 20 * seconds,
                folder=str(folder),
                inputs=str(given),
                threads=conditions.threads,
                cores=list(conditions.cores),
                lanes=table.lanes,
                seconds=seconds,
            )
    return Profile(
        name=manifest.name,
        calls=tuple(_calls(answer, table)),
        plain_seconds=answer["plain_seconds"],
        watched_seconds=answer["watched_seconds"],
        floor_seconds=answer["floor_seconds"],
        runs=answer["runs"],
        peaks=remembered(Peaks(**answer["peaks"]), home / PEAKS),
        threads=conditions.threads,
        cores=conditions.cores,
        cpu=cpu_model(),
        inputs=origin,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _calls(answer: Mapping[str, Any], table: KernelTable) -> list[KernelCall]:
    names: list[str] = answer["kernels"]
    kernels = {kernel.name: kernel for kernel in table.kernels}
    sources = sources_of(names, table.calls)
    return [
        _kernel_call(index, name, seconds, kernels.get(name), [tuple(shape) for shape in shapes], places)
        for index, (name, seconds, shapes, places) in enumerate(
            zip(names, answer["seconds"], answer["shapes"], sources, strict=True)
        )
    ]


def sources_of(names: list[str], recorded: tuple[Call, ...]) -> list[tuple[Source, ...]]:
    """The sources of each call that ran. The n-th call of a kernel is the n-th that the compiler wrote down;
    where a model takes decisions, and some are left out, a kernel's calls are not told apart."""
    by_kernel: dict[str, list[tuple[Source, ...]]] = {}
    for call in recorded:
        by_kernel.setdefault(call.kernel, []).append(call.sources)
    seen: dict[str, int] = {}
    found = []
    for name in names:
        written, number = by_kernel.get(name, []), seen.get(name, 0)
        seen[name] = number + 1
        if len(written) == names.count(name):
            found.append(written[number])
        else:
            found.append(tuple(dict.fromkeys(source for sources in written for source in sources)))
    return found


def _kernel_call(
    index: int,
    name: str,
    seconds: float,
    kernel: Kernel | None,
    shapes: list[tuple[int, ...]],
    sources: tuple[Source, ...],
) -> KernelCall:
    if kernel is None:
        return KernelCall(index, name, "", (name,), sources, seconds, None, None)
    sizes = kernel.sizes(shapes)
    moved = kernel.bytes_read.at(sizes) + kernel.bytes_written.at(sizes)
    return KernelCall(
        index, name, kernel.rule, kernel.operators, sources, seconds, kernel.flops.at(sizes), moved
    )
