"""Where the windows of JAX's gathers and scatters lie: the place of each number in the flattened operand."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from neo_magics.capture.jax_step import Shape, Step


@dataclass(frozen=True)
class Windows:
    """Windows of `operand`, one for each place of the shape `outer`.

    `sizes`: of a window along each axis; `inner`: those of its axes that are kept. `axes`: which axis each
    column of the indices counts along. `batched`: axes of the operand that go along with one of the places.
    """

    operand: Shape
    outer: Shape
    sizes: Shape
    inner: Shape
    axes: tuple[int, ...]
    batched: Mapping[int, int]

    @property
    def steps(self) -> list[int]:
        """How many places a step along each axis is, in the flattened operand."""
        return [math.prod(self.operand[axis + 1 :]) for axis in range(len(self.operand))]

    def offsets(self) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
        """The places within a window, counted from its first."""
        counted = np.zeros(self.sizes, np.int64)
        for axis, step in enumerate(self.steps):
            row = np.arange(self.sizes[axis]) * step
            counted += row.reshape([-1 if k == axis else 1 for k in range(len(self.sizes))])
        return counted.reshape(self.inner)


def places(step: Step, windows: Windows) -> tuple[str, str]:
    """The places [*outer, *inner], moved inside, and which windows were inside, "" where that is not asked.

    `step` has the indices as its second input and the mode among its parameters.
    """
    indices, zero = step.cast(step.inputs[1], np.int64), step.number(0, np.int64)
    base, inside = step.maker.constant(_along(windows)), ""
    for column, axis in enumerate(windows.axes):
        start = step.add("Gather", indices, step.number(column, np.int64), axis=len(windows.outer))
        last = step.number(windows.operand[axis] - windows.sizes[axis], np.int64)
        within = step.add("Min", step.add("Max", start, zero), last)
        if "CLIP" not in str(step.params["mode"]).upper():
            here = step.add("Equal", start, within)
            inside = step.add("And", inside, here) if inside else here
        base = step.add("Add", base, step.add("Mul", within, step.number(windows.steps[axis], np.int64)))
    apart = [*windows.outer, *[1] * len(windows.inner)]
    found = step.add("Add", step.reshape(base, apart), step.maker.constant(windows.offsets()))
    return found, step.reshape(inside, apart) if inside else ""


def _along(windows: Windows) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """What the batched axes add to each place."""
    counted = np.zeros(windows.outer, np.int64)
    for axis, along in windows.batched.items():
        row = np.arange(windows.operand[axis]) * windows.steps[axis]
        counted += row.reshape([-1 if k == along else 1 for k in range(len(windows.outer))])
    return counted
