"""What one model gave on every peer, and how it compares."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from math import exp, log
from typing import Any

from neo_magics.runtime.compare import SideResult
from neo_magics.runtime.statistics import ratio_interval
from tests.benchmarks.peers import OURS, REFERENCE


@dataclass(frozen=True)
class PeerResult:
    """One peer's figures, or the reason why there are none.

    `wrong`: how its outputs differ from PyTorch's beyond tolerance. `slow`: far slower than the others, so
    timed by a few calls outside the rounds.
    """

    peer: str
    error: str = ""
    side: SideResult | None = None
    compile_seconds: float = 0.0
    compile_memory_bytes: int = 0
    size_bytes: int = 0
    max_difference: float | None = None
    wrong: str = ""
    slow: bool = False
    stages: Mapping[str, float] = field(default_factory=dict)

    @property
    def median_ms(self) -> float:
        """Infinite where there is no figure."""
        return self.side.median_ms if self.side else float("inf")

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        side = self.side.to_dict() if self.side else None
        return {**{name: value for name, value in self.__dict__.items() if name != "side"}, "side": side}

    @classmethod
    def from_dict(cls, body: Mapping[str, Any]) -> PeerResult:
        """The inverse of `to_dict`."""
        side = SideResult.from_dict(body["side"]) if body["side"] else None
        return cls(**{**body, "side": side})


@dataclass(frozen=True)
class Ratio:
    """A peer's median over ours: above 1 we are faster. `low` to `high` is the 95 % interval."""

    peer: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class ModelResult:
    """Every peer's figures for one model."""

    model: str
    kind: str
    peers: tuple[PeerResult, ...]

    def of(self, peer: str) -> PeerResult | None:
        """The figures of `peer`, None where it was not asked for or failed."""
        return next((each for each in self.peers if each.peer == peer and each.side), None)

    @property
    def best(self) -> PeerResult | None:
        """The fastest of the others."""
        others = [each for each in self.peers if each.peer != OURS and each.side]
        return min(others, key=lambda each: each.median_ms, default=None)

    @property
    def ratio(self) -> Ratio | None:
        """The best peer's time over ours."""
        return self.ratio_to(self.best)

    @property
    def ratio_to_eager(self) -> Ratio | None:
        """PyTorch eager's time over ours."""
        return self.ratio_to(self.of(REFERENCE))

    def ratio_to(self, other: PeerResult | None) -> Ratio | None:
        """`other`'s time over ours, with the interval of the rounds they shared."""
        ours = self.of(OURS)
        if other is None or ours is None or other.side is None or ours.side is None:
            return None
        value = other.median_ms / ours.median_ms
        if other.slow or ours.slow:
            return Ratio(other.peer, value, value, value)
        low, high = ratio_interval(other.side.rounds_ms, ours.side.rounds_ms)
        return Ratio(other.peer, value, min(low, value), max(high, value))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        ratios = {"ratio": self.ratio, "ratio_to_eager": self.ratio_to_eager}
        return {
            "model": self.model,
            "kind": self.kind,
            **{name: asdict(ratio) if ratio else None for name, ratio in ratios.items()},
            "peers": [peer.to_dict() for peer in self.peers],
        }

    @classmethod
    def from_dict(cls, body: Mapping[str, Any]) -> ModelResult:
        """The inverse of `to_dict`."""
        return cls(body["model"], body["kind"], tuple(map(PeerResult.from_dict, body["peers"])))


def geometric_means(results: Iterable[ModelResult]) -> dict[str, float]:
    """The geometric mean of the ratios to the best peer, by kind of model."""
    by_kind: dict[str, list[float]] = {}
    for result in results:
        if ratio := result.ratio:
            by_kind.setdefault(result.kind, []).append(log(ratio.value))
    return {kind: exp(sum(values) / len(values)) for kind, values in by_kind.items()}
