"""What a comparison found: the figures of each side, and each one's ratio to the first."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neo_magics.errors import UsageError

if TYPE_CHECKING:
    from neo_magics.runtime.measuring import Measured


@dataclass(frozen=True)
class SideResult:
    """One side's figures. Times are of calls with NumPy arrays in and out, in milliseconds, by round.

    `load_seconds` is from the start of a Python process to a model that can be called, imports included;
    `private_memory_bytes` what of the memory no other process can share (mapped weights can be);
    `accuracy` the share of labels that were right, or None where none were given.
    """

    label: str
    rounds_ms: tuple[tuple[float, ...], ...]
    median_ms: float
    p95_ms: float
    mean_ms: float
    min_ms: float
    spread: float
    size_bytes: int
    load_seconds: float
    memory_bytes: int
    peak_memory_bytes: int
    versions: Mapping[str, str]
    accuracy: float | None = None
    private_memory_bytes: int = 0

    @property
    def samples_ms(self) -> list[float]:
        """All samples, in the order they were taken."""
        return [sample for samples in self.rounds_ms for sample in samples]

    @classmethod
    def of(cls, measured: Measured) -> SideResult:
        """The figures of a finished measurement."""
        from neo_magics.runtime.statistics import summarize

        rounds = tuple(tuple(round(sample, 6) for sample in samples) for samples in measured.samples_ms)
        return cls(
            label=measured.side.label,
            rounds_ms=rounds,
            **asdict(summarize([sample for samples in rounds for sample in samples])),
            size_bytes=measured.side.size_bytes,
            load_seconds=measured.load_seconds,
            memory_bytes=measured.memory_bytes,
            peak_memory_bytes=measured.peak_memory_bytes,
            versions=measured.versions,
            accuracy=measured.accuracy,
            private_memory_bytes=measured.private_memory_bytes,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values; `samples_ms` holds all samples in one list, `round_sizes` their number by round."""
        body = asdict(self)
        del body["rounds_ms"]
        return {
            **body,
            "samples_ms": self.samples_ms,
            "round_sizes": [len(samples) for samples in self.rounds_ms],
        }

    @classmethod
    def from_dict(cls, body: Mapping[str, Any]) -> SideResult:
        """The inverse of `to_dict`."""
        values, samples = {**body}, iter(body["samples_ms"])
        sizes = values.pop("round_sizes")
        del values["samples_ms"]
        return cls(rounds_ms=tuple(tuple(next(samples) for _ in range(size)) for size in sizes), **values)


@dataclass(frozen=True)
class Rival:
    """A further side, held against `before` as `Comparison` holds `after`."""

    side: SideResult
    ratio: float
    ratio_interval: tuple[float, float]
    verdict: str
    difference: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        interval, difference = list(self.ratio_interval), dict(self.difference)
        return {**plain, "side": self.side.to_dict(), "ratio_interval": interval, "difference": difference}

    @classmethod
    def from_dict(cls, body: Mapping[str, Any]) -> Rival:
        """The inverse of `to_dict`."""
        low, high = body["ratio_interval"]
        return cls(**{**body, "side": SideResult.from_dict(body["side"]), "ratio_interval": (low, high)})


@dataclass(frozen=True)
class Comparison:
    """Sides measured together. `ratio` is median before over median after: above 1 is faster.

    `ratio_interval` holds 95 % of what the rounds support, and the usual difference between two processes
    of one model (`statistics.PROCESS_SPREAD`). `difference` compares the outputs: `max_abs`, `max_rel` (a
    share of the largest value), `within_tolerance`, and `outputs` one by one. `others` are further sides
    of the same measurement, each against `before`.
    """

    before: SideResult
    after: SideResult
    ratio: float
    ratio_interval: tuple[float, float]
    verdict: str
    difference: Mapping[str, Any]
    inputs: str
    threads: int
    cores: tuple[int, ...]
    rounds: int
    cpu: str
    load_average: float
    python: str
    created: str
    others: tuple[Rival, ...] = ()

    @property
    def rivals(self) -> tuple[Rival, ...]:
        """Every side but the first, `after` in front."""
        after = Rival(self.after, self.ratio, self.ratio_interval, self.verdict, self.difference)
        return (after, *self.others)

    @property
    def sides(self) -> tuple[SideResult, ...]:
        """All sides, `before` in front."""
        return (self.before, *(rival.side for rival in self.rivals))

    def pair(self, index: int) -> Comparison:
        """`before` and the rival at `index` alone."""
        rival = self.rivals[index]
        figures = {f.name: getattr(rival, f.name) for f in fields(rival) if f.name != "side"}
        return replace(self, after=rival.side, others=(), **figures)

    def rows(self) -> list[dict[str, Any]]:
        """One plain dict for each side, for tables; `ratio` and what follows it is to the first side."""
        first = {"ratio": 1.0, "ratio_low": None, "ratio_high": None, "max_abs_difference": None}
        rows = [_row(self.before) | first]
        for rival in self.rivals:
            low, high = rival.ratio_interval
            against = {"ratio": rival.ratio, "ratio_low": low, "ratio_high": high}
            rows.append(_row(rival.side) | against | {"max_abs_difference": rival.difference.get("max_abs")})
        return rows

    def to_frame(self) -> Any:
        """`rows` as a pandas.DataFrame, by label.

        Raises:
            UsageError: pandas is not installed.
        """
        try:
            import pandas  # type: ignore[import-untyped,import-not-found,unused-ignore]
        except ImportError as error:
            raise UsageError("pandas is not installed.", hint="pip install pandas, or use rows().") from error
        return pandas.DataFrame(self.rows()).set_index("label")

    def to_json(self, path: str | Path | None = None) -> str:
        """Everything, samples included, as JSON; also written to `path` if given."""
        return _kept(json.dumps(self.to_dict()), path)

    def to_svg(self, path: str | Path | None = None) -> str:
        """The distributions as a picture that stands alone; also written to `path` if given."""
        from neo_magics.runtime.picture import comparison_svg

        return _kept(comparison_svg(self), path)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        plain |= {"ratio_interval": list(self.ratio_interval), "cores": list(self.cores)}
        plain |= {"before": self.before.to_dict(), "after": self.after.to_dict()}
        plain |= {"others": [rival.to_dict() for rival in self.others]}
        return {**plain, "difference": dict(self.difference)}

    @classmethod
    def from_dict(cls, body: Mapping[str, Any]) -> Comparison:
        """The inverse of `to_dict`."""
        low, high = body["ratio_interval"]
        sides = {name: SideResult.from_dict(body[name]) for name in ("before", "after")}
        known = {f.name: body[f.name] for f in fields(cls) if f.name != "others"}
        others = tuple(Rival.from_dict(each) for each in body.get("others", ()))
        known |= {**sides, "ratio_interval": (low, high), "cores": tuple(body["cores"]), "others": others}
        return cls(**known)

    def __repr__(self) -> str:
        from neo_magics.runtime.tables import comparison_text

        return comparison_text(self)


def _row(side: SideResult) -> dict[str, Any]:
    body = asdict(side)
    for name in ("rounds_ms", "versions"):
        del body[name]
    return {**body, "calls": len(side.samples_ms)}


def _kept(text: str, path: str | Path | None) -> str:
    if path is not None:
        Path(path).write_text(text, encoding="utf-8")
    return text
