"""One candidate as a kernel of its own: made, compiled and called in this process."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tvm
from tvm import te

from neo_magics.compiler.machine import Machine
from neo_magics.compiler.passes.expand_math import ExpandMath
from neo_magics.compiler.passes.schedule_kernels import ScheduleKernels
from neo_magics.compiler.schedules import RULES
from neo_magics.runtime.arrays import aligned_empty, to_tensor

# Weights are read once in a call of a model, and the caches hold others by then.
ARENA_BYTES = 64 << 20
MOST_COPIES = 64
_NAME = "kernel"
_TILE = 1 << 16  # random numbers that are repeated


@dataclass
class Runnable:
    """A compiled kernel and its operands; each call takes the weights from another place."""

    function: Callable[..., None]
    data: Any
    weights: list[Any]
    bias: Any
    out: Any
    calls: int = 0

    def __call__(self) -> None:
        self.calls += 1
        self.function(self.data, self.weights[self.calls % len(self.weights)], self.bias, self.out)


class Arena:
    """One large array of numbers, of which all weights are pieces."""

    def __init__(self, size: int = ARENA_BYTES) -> None:
        self._numbers = numbers((size // 4,))

    def weights(self, shape: tuple[int, ...]) -> list[Any]:
        """Tensors of this shape, evenly over the arena; one of their own where it is too small."""
        count = math.prod(shape)
        room = self._numbers.size // count
        if not room:
            return [to_tensor(numbers(shape), "float32")]
        copies = min(room, MOST_COPIES)
        step = self._numbers.size // copies // 16 * 16  # at multiples of 64 bytes
        starts = [copy * step for copy in range(copies)] if step >= count else [0]
        return [to_tensor(self._numbers[s : s + count].reshape(shape), "float32") for s in starts]


def build(
    workload: Any, candidate: Any, target: tvm.target.Target, machine: Machine, arena: Arena
) -> Runnable:
    """Compile the candidate with an epilogue, by the passes that a model goes through."""
    operands, out = expression(workload, candidate)
    kernel = te.create_prim_func([*operands, out]).with_attr("global_symbol", _NAME)
    module = tvm.IRModule({_NAME: kernel})
    with target, tvm.transform.PassContext(opt_level=3):
        passes = [ScheduleKernels(RULES, machine, lambda _report: None), ExpandMath()]
        built = tvm.compile(tvm.transform.Sequential(passes)(module), target)
    data, weight, bias = (shape_of(operand) for operand in operands)
    return Runnable(
        built[_NAME],
        to_tensor(numbers(data), "float32"),
        arena.weights(weight),
        to_tensor(numbers(bias), "float32"),
        to_tensor(numbers(shape_of(out)), "float32"),
    )


def expression(workload: Any, candidate: Any) -> tuple[list[Any], Any]:
    """The operands (data, weights, bias) and the result of the candidate with the workload's epilogue."""
    data, weight = (te.placeholder(shape, "float32") for shape in candidate.shapes)
    made = candidate.compute(data, weight)
    bias = te.placeholder(workload.bias(shape_of(made)), "float32")
    return [data, weight, bias], workload.epilogue(made, bias)


def shape_of(tensor: Any) -> tuple[int, ...]:
    """The numbers of a shape."""
    return tuple(int(size) for size in tensor.shape)


def numbers(shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """Normal numbers, and no zeros or tiny ones, which some processors treat differently."""
    made = aligned_empty(shape, np.dtype("float32"))
    flat = made.reshape(-1)
    few = np.random.default_rng(0).standard_normal(min(_TILE, flat.size)).astype("float32")
    for start in range(0, flat.size, _TILE):
        flat[start : start + _TILE] = few[: flat.size - start]
    return made
