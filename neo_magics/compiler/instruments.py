"""Timings and dumps of the pipeline. They hang on TVM's pass instrumentation, so no pass knows of them."""

from __future__ import annotations

import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from tvm.ir.instrument import pass_instrument


@pass_instrument
class Timings:
    """Seconds per pass name. Passes that run inside others are counted in both."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._began: list[float] = []

    def run_before_pass(self, _module: Any, _info: Any) -> None:
        """Start a clock; passes may nest."""
        self._began.append(time.perf_counter())

    def run_after_pass(self, _module: Any, info: Any) -> None:
        """Stop the clock that was started last."""
        self.seconds[str(info.name)] += time.perf_counter() - self._began.pop()

    def slowest(self, count: int) -> list[tuple[str, float]]:
        """The `count` names that took longest, the pipeline as a whole left out."""
        named = [(name, seconds) for name, seconds in self.seconds.items() if name != "sequential"]
        return sorted(named, key=lambda pair: -pair[1])[:count]


@pass_instrument
class Dumps:
    """The module after each pass, as `NNN_PassName.py` in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0
        folder.mkdir(parents=True, exist_ok=True)

    def run_after_pass(self, module: Any, info: Any) -> None:
        """Write what the pass left."""
        self.count += 1
        path = self.folder / f"{self.count:03d}_{info.name}.py"
        path.write_text(module.script(show_meta=False), encoding="utf-8")
