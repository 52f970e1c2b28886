"""One candidate as a kernel of its own: made, compiled and called in this process."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tvm
from tvm import te

from neo_magics.compiler.lowering import register_pipeline
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


class Arena:
    """One large array of numbers, of which all weights are pieces; each call reads on behind the last one.

    Data and results are the same for all candidates, as they would be in a model.
    """

    def __init__(self, size: int = ARENA_BYTES) -> None:
        self._numbers = numbers((size // 4,))
        self._operands: dict[tuple[str, tuple[int, ...]], Any] = {}
        self._cursor = 0.0  # where the last weights ended, as a part of the whole

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

    def turn(self, copies: int) -> int:
        """Which of so many evenly spread weights to read next: none that was just read."""
        place = math.ceil(self._cursor * copies - 1e-6) % copies
        self._cursor = (place + 1) / copies % 1.0
        return place

    def operand(self, name: str, shape: tuple[int, ...]) -> Any:
        """The tensor of this name and shape."""
        if (name, shape) not in self._operands:
            self._operands[name, shape] = to_tensor(numbers(shape), "float32")
        return self._operands[name, shape]

    def forget(self) -> None:
        """Another workload comes."""
        self._operands.clear()


@dataclass
class Runnable:
    """A compiled kernel and its operands; each call takes the weights from another place."""

    function: Callable[..., None]
    arena: Arena
    data: Any
    weights: list[Any]
    bias: Any
    out: Any

    def __call__(self) -> None:
        weight = self.weights[self.arena.turn(len(self.weights))]
        self.function(self.data, weight, self.bias, self.out)


def build(
    workload: Any, candidate: Any, target: tvm.target.Target, machine: Machine, arena: Arena
) -> Runnable:
    """Compile the candidate with an epilogue, by the passes that a model goes through."""
    operands, out = expression(workload, candidate)
    kernel = te.create_prim_func([*operands, out]).with_attr("global_symbol", _NAME)
    module = tvm.IRModule({_NAME: kernel})
    with target, tvm.transform.PassContext(opt_level=3):
        passes = [ScheduleKernels(RULES, machine, lambda _report: None), ExpandMath()]
        lowered = tvm.transform.Sequential(passes)(module)
        built = tvm.compile(lowered, target, tir_pipeline=register_pipeline())
    data, weight, bias = (shape_of(operand) for operand in operands)
    return Runnable(
        built[_NAME],
        arena,
        arena.operand("data", data),
        arena.weights(weight),
        arena.operand("bias", bias),
        arena.operand("out", shape_of(out)),
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
