"""The choice between the ways in which a kernel can be made: workloads, their candidates, and who chooses.

A workload knows its candidates in the order of the model of registers and caches. `Choose` answers which one
is built: the first, or what was measured to be faster (neo_magics.tuner). It is passed down; there is no
global state.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np

from neo_magics.compiler.machine import Machine

if TYPE_CHECKING:
    from neo_magics.compiler.targets import CpuTarget

Array = np.ndarray[Any, Any]


class Candidate(Protocol):
    """One way to make a kernel for a workload: the operands' layout and the tensor expression."""

    @property
    def label(self) -> str:
        """What tells it from the others, for people and for the database: "kind: details"."""

    @property
    def shapes(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Of the data and of the packed weights."""

    def pack(self, weight: Array) -> Array:
        """The source model's weights in the layout that `compute` reads."""

    def compute(self, data: Any, weight: Any) -> Any:
        """The tensor expression, without an epilogue."""


class Workload(Protocol):
    """Something to compute, with all that decides which candidate is fastest; a frozen dataclass."""

    operator: ClassVar[str]

    @property
    def title(self) -> str:
        """What it is, for people."""

    @property
    def operations(self) -> float:
        """Multiply-adds, about: what is large is tuned first."""

    def candidates(self, machine: Machine) -> Sequence[Any]:
        """The ways to do it, the model's choice first; at least one."""

    def epilogue(self, made: Any, bias: Any) -> Any:
        """`made` as most models go on with it, for timing."""

    def bias(self, shape: Sequence[int]) -> tuple[int, ...]:
        """The shape of the epilogue's operand, for a result of `shape`."""


def key(workload: Any) -> str:
    """The workload as one line of JSON: what the database knows it by."""
    body = {"operator": workload.operator, **asdict(workload)}
    return json.dumps(body, sort_keys=True, separators=(",", ":"))


class Tuning(Protocol):
    """What is known of kernels' timings, and seconds to learn more."""

    seconds: float

    @property
    def measures(self) -> bool:
        """Whether this compilation may time candidates."""

    def spend(self, discover: Callable[[Choose], object], target: CpuTarget) -> None:
        """Time the candidates of the workloads that `discover` asks for."""

    def choose(self) -> Choose:
        """A fresh choice from what is known now."""

    def conclude(self, choose: Choose) -> None:
        """Hear what the compilation asked."""


class Choose:
    """Answers from `known` (key → label), else with the model's first candidate. Keeps what it was asked.

    What is known of another version of a kernel may name a candidate that there is no more: it counts as
    unknown.
    """

    def __init__(self, known: Mapping[str, str] | None = None) -> None:
        self.known = dict(known or {})
        self.met: dict[str, Any] = {}
        self.uses: Counter[str] = Counter()

    def __call__(self, workload: Any, machine: Machine) -> Any:
        """The candidate to build for `workload`."""
        name = key(workload)
        self.met[name] = workload
        self.uses[name] += 1
        found = workload.candidates(machine)
        wanted = self.known.get(name)
        return next((candidate for candidate in found if candidate.label == wanted), found[0])
