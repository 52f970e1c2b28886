"""A convolution of few output channels computes several pixels at once, so that its vectors are full."""

from __future__ import annotations

from typing import Any

import numpy as np
import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from neo_magics.compiler.kernels.computed_weights import moved_weights
from neo_magics.compiler.machine import Machine
from neo_magics.compiler.passes import calls
from neo_magics.compiler.passes.calls import Array

LEAST_GAIN = 1.5  # in products
LEAST_WORK = 200  # products of a pixel; with fewer, arranging the pixels costs what the arithmetic saves

Patch = tuple[int, int]  # rows and columns of pixels


@tvm.transform.module_pass(opt_level=0, name="FillLanes")
class FillLanes:
    """conv2d with O < lanes channels → conv2d of O · rows · columns channels in strides, and depth to space.

    Each channel of the new one is a channel of a pixel of the patch, whose weights are the old ones moved to
    that pixel. The window grows by rows - 1 and columns - 1, so a patch does rows · columns · taps products
    of (rows + height - 1) · (columns + width - 1) on lanes that would be empty: the last layers of networks
    that make images or sound. Stride 1, one group, float32; both sizes are known.
    """

    def __init__(self, machine: Machine) -> None:
        self.lanes = machine.lanes

    def transform_module(self, module: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Rewrite `main`."""
        return calls.rewrite_entry(_Filler(module, self.lanes), module)


@mutator
class _Filler(PyExprMutator):  # type: ignore[misc]
    def __init__(self, module: tvm.IRModule, lanes: int) -> None:
        super().__init__(module)
        self.lanes = lanes

    def visit_call_(self, call: Any) -> Any:
        call = self.builder_.normalize(self.visit_expr_post_order(call))
        if not _goes_step_by_step(call):
            return call
        weight, shape = calls.static_shape(call.args[1]), calls.shape_of(call)
        if weight is None or shape is None:
            return call
        if not calls.is_plain_convolution(call, "OIHW", (*weight, *shape[1:])):
            return call
        patch = best_patch(weight, (int(shape[2]), int(shape[3])), self.lanes)
        return call if patch is None else self._patched(call, patch)

    def _patched(self, call: Any, patch: Patch) -> Any:
        batch, channels, height, width = calls.shape_of(call) or ()
        rows, columns = (-(-size // part) for size, part in zip((height, width), patch, strict=True))
        top, left, bottom, right = calls.numbers(call.attrs.padding)
        made = relax.op.nn.conv2d(
            call.args[0],
            self._weights(call.args[1], patch),
            strides=patch,
            padding=(top, left, bottom + rows * patch[0] - height, right + columns * patch[1] - width),
        )
        parts = relax.op.reshape(self.builder_.emit(made), (batch, channels, *patch, rows, columns))
        image = relax.op.permute_dims(self.builder_.emit(parts), (0, 1, 4, 2, 5, 3))
        whole = (batch, channels, rows * patch[0], columns * patch[1])
        image = relax.op.reshape(self.builder_.emit(image), whole)
        if whole[2:] == (height, width):
            return image
        return relax.op.strided_slice(self.builder_.emit(image), [2, 3], [0, 0], [height, width])

    def _weights(self, weight: Any, patch: Patch) -> Any:
        array = calls.constant(weight)
        if array is not None:
            return calls.make_constant(moved(array, patch))
        return self.builder_.emit(
            self.builder_.call_te(moved_weights, weight, rows=patch[0], columns=patch[1])
        )


def best_patch(weight: tuple[int, ...], size: tuple[int, int], lanes: int) -> Patch | None:
    """The patch with the fewest products, for weights O I H W and an output of `size`; None: as it is."""
    channels, inner, *taps = weight
    if inner * taps[0] * taps[1] < LEAST_WORK:
        return None
    alone = size[0] * size[1] * taps[0] * taps[1]
    found: tuple[float, Patch] = (alone / LEAST_GAIN, (1, 1))
    for rows in range(1, lanes // channels + 1):
        for columns in range(1, lanes // (channels * rows) + 1):
            pieces = -(-size[0] // rows) * -(-size[1] // columns)
            products = pieces * (taps[0] + rows - 1) * (taps[1] + columns - 1)
            found = min(found, (products, (rows, columns)))
    return None if found[1] == (1, 1) else found[1]


def moved(weight: Array, patch: Patch) -> Array:
    """The weights [O · rows · columns, I, H + rows - 1, W + columns - 1] of all pixels of a patch."""
    channels, inner, height, width = weight.shape
    rows, columns = patch
    wide = np.zeros((channels, rows, columns, inner, height + rows - 1, width + columns - 1), weight.dtype)
    for row in range(rows):
        for column in range(columns):
            wide[:, row, column, :, row : row + height, column : column + width] = weight
    return wide.reshape(-1, *wide.shape[3:])


def _goes_step_by_step(call: Any) -> bool:
    """Whether it is a convolution of one group without strides or dilation."""
    if calls.name_of(call) != "relax.nn.conv2d":
        return False
    steps = {*calls.numbers(call.attrs.strides), *calls.numbers(call.attrs.dilation), int(call.attrs.groups)}
    return steps == {1} and len(call.attrs.padding) == 4
