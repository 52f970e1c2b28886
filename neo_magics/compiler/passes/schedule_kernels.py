"""Each kernel gets the schedule of the first rule that wants it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import tvm
from tvm import tirx
from tvm.s_tir import SBlockRealize
from tvm.s_tir.schedule import ScheduleError

from neo_magics.compiler.machine import Machine
from neo_magics.compiler.schedules import Rule

SCHEDULED = "tirx.is_scheduled"  # TVM's own tag; running the pass again is harmless


@dataclass(frozen=True)
class KernelReport:
    """What became of one kernel: the rule that scheduled it ("" for none), what others could not do."""

    kernel: str
    rule: str
    refusals: tuple[str, ...]
    done: int
    total: int


@tvm.transform.module_pass(opt_level=0, name="ScheduleKernels")
class ScheduleKernels:
    """Try `rules` in order on each unscheduled kernel; `observe` hears about every one."""

    def __init__(
        self, rules: Sequence[Rule], machine: Machine, observe: Callable[[KernelReport], None]
    ) -> None:
        self.rules = rules
        self.machine = machine
        self.observe = observe

    def transform_module(self, module: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """PrimFuncs without the tag → with a schedule and the tag."""
        waiting = [(var, func) for var, func in module.functions_items() if _is_unscheduled(func)]
        updated = tvm.IRModule(dict(module.functions_items()), attrs=module.attrs)
        for number, (var, func) in enumerate(waiting, start=1):
            scheduled, rule, refusals = self._schedule(func)
            self.observe(KernelReport(str(var.name_hint), rule, refusals, number, len(waiting)))
            updated[var] = scheduled
        return updated

    def _schedule(self, func: tirx.PrimFunc) -> tuple[tirx.PrimFunc, str, tuple[str, ...]]:
        refusals: list[str] = []
        if not isinstance(func.body, SBlockRealize):  # written as plain loops, a sort for instance
            return func, "", ()
        for rule in self.rules:
            try:
                schedule = rule.apply(func, self.machine)
            except (ScheduleError, ValueError, tvm.error.InternalError) as error:
                # The rule matched and TVM refused a step, or one of its own checks failed there (a product of
                # which the epilogue reads a part): the next rule is slower, never wrong.
                refusals.append(f"{rule.name}: {_first_line(error)}")
                continue
            if schedule is not None:
                return schedule.mod["main"].with_attr(SCHEDULED, True), rule.name, tuple(refusals)
        return func, "", tuple(refusals)


def _is_unscheduled(func: Any) -> bool:
    if not isinstance(func, tirx.PrimFunc):
        return False
    return not (func.attrs and SCHEDULED in func.attrs and func.attrs[SCHEDULED])


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if line.startswith(("ScheduleError", "Error"))]
    return (told or lines or [type(error).__name__])[0][:300]
