"""Operators that work on packed channels as well: how each is rewritten, or that it is not (None).

Padded channels hold whatever the operators make of zeros; they meet zero weights, and so do no harm as long
as they are finite. Behind operators that can make them infinite (division, exp, log) they become zeros again.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import tvm
from tvm import relax

from neo_magics.compiler.kernels import INJECTIVE
from neo_magics.compiler.kernels.channels import scale_channels
from neo_magics.compiler.passes import calls
from neo_magics.compiler.passes.pack_norms import group_norm, instance_norm
from neo_magics.compiler.passes.pack_pooling import pool
from neo_magics.compiler.passes.packable_moves import MOVES, is_image

if TYPE_CHECKING:
    from neo_magics.compiler.passes.pack_convolutions import Packer

Rewrite = Callable[["Packer", Any], Any]
PACKED_RANK = 5


def channels_of(call: Any) -> int:
    shape = calls.shape_of(call)
    assert shape is not None  # a packed value's shape is known but for the batch
    return int(shape[1])


def unary(packer: Packer, call: Any) -> Any | None:
    """f(x) and f(x, constants…), element by element."""
    data = packer.packed(call.args[0])
    return None if data is None else _kept(packer, call, [data, *call.args[1:]])


def _kept(packer: Packer, call: Any, operands: list[Any]) -> Any:
    """`call` of packed operands; padded channels of which it may make infinities are zeros after it."""
    made, channels = tvm.ir.Call(call.op, operands, call.attrs), channels_of(call)
    blocks = -(-channels // packer.lanes)
    if calls.name_of(call).removeprefix("relax.") in _UNBOUNDED and blocks * packer.lanes > channels:
        real = np.arange(blocks * packer.lanes).reshape(1, blocks, 1, 1, packer.lanes) < channels
        zero = relax.const(0, calls.dtype_of(call))
        made = relax.op.where(calls.make_constant(real), packer.builder_.emit(made), zero)
    return packer.keep(made, channels)


def binary(packer: Packer, call: Any) -> Any | None:
    """f(x, y, …) with at least one packed operand; the others are packed too, or constant per channel."""
    shape = calls.shape_of(call)
    if all(packer.packed(operand) is None for operand in call.args) or shape is None or len(shape) != 4:
        return None
    operands = [_operand(packer, operand, int(shape[1])) for operand in call.args]
    if any(operand is None for operand in operands):
        return None
    if call.op.name == "relax.multiply" and _one_is_a_gate(operands):
        image, gate = operands if _pixels(operands[1]) == 1 else operands[::-1]
        return packer.keep(packer.emit(scale_channels, image, gate, pattern=INJECTIVE), int(shape[1]))
    return _kept(packer, call, operands)


def _one_is_a_gate(operands: list[Any]) -> bool:
    """Whether a computed value per channel meets an image."""
    computed = [operand for operand in operands if calls.constant(operand) is None]
    sizes = [_pixels(operand) for operand in computed]
    return len(sizes) == 2 and sizes.count(1) == 1


def _pixels(operand: Any) -> int:
    """Of a packed image; 0 for everything else, and where they are not known."""
    shape = calls.shape_of(operand) or ()
    size = shape[2:4] if len(shape) == PACKED_RANK else ()
    return math.prod(size) if size and all(isinstance(each, int) for each in size) else 0


def quotient(packer: Packer, call: Any) -> Any | None:
    """x / constants as x · (1 / constants), where those are neither zero nor tiny; x / y as it is."""
    array = calls.constant(call.args[1])
    if array is None or array.dtype != np.float32 or not _is_invertible(array):
        return binary(packer, call)
    inverse = calls.make_constant((1 / array.astype("float64")).astype("float32"))
    product = packer.builder_.normalize(relax.op.multiply(call.args[0], inverse))
    return binary(packer, product)


def _is_invertible(array: Any) -> bool:
    size = np.abs(array)
    return bool(np.all(np.isfinite(size)) and np.all(size > 1e-30) and np.all(size < 1e30))


def _operand(packer: Packer, operand: Any, channels: int) -> Any | None:
    """`operand` so that it broadcasts against packed channels."""
    array = calls.constant(operand)
    if array is not None:
        return _packed_constant(array, channels, packer.lanes)
    shape = calls.shape_of(operand)
    if shape == ():
        return operand
    if shape is None or len(shape) != 4 or not isinstance(shape[1], int):
        return None
    if shape[1] == channels:
        return packer.pack(operand)
    if shape[1] == 1:  # one channel for all: its own packed form would have zeros in the other lanes
        return packer.builder_.emit(relax.op.reshape(operand, [*shape[:2], *packer.named(operand), 1]))
    return None


def _packed_constant(array: Any, channels: int, lanes: int) -> Any | None:
    if array.size == 1:
        return calls.make_constant(array.reshape(()))
    if array.ndim > 4:
        return None
    array = array.reshape((1,) * (4 - array.ndim) + array.shape)
    batch, own, height, width = array.shape
    if own == 1:
        return calls.make_constant(array.reshape(batch, 1, height, width, 1))
    filled = np.pad(array, [(0, 0), (0, -channels % lanes), (0, 0), (0, 0)])
    blocked = filled.reshape(batch, -1, lanes, height, width).transpose(0, 1, 3, 4, 2)
    return calls.make_constant(blocked)


def pooling(operator: Callable[..., Any], *names: str) -> Rewrite:
    """Our own kernel, or TVM's: pooling is the same in each lane, only the layout's name changes."""

    def rewrite(packer: Packer, call: Any) -> Any | None:
        ours = pool(packer, call) if "pool_size" in names else None
        if ours is not None:
            return ours
        data = packer.packed(call.args[0])
        if data is None or call.attrs.layout != "NCHW" or not is_image(call):
            return None
        options = {name: getattr(call.attrs, name) for name in names}
        made = operator(data, **options, layout=f"NCHW{packer.lanes}c")
        return packer.keep(made, channels_of(call))

    return rewrite


def over_the_image(packer: Packer, call: Any) -> Any | None:
    """The mean, sum or an extreme over height and width."""
    data = packer.packed(call.args[0])
    axes = call.attrs.axis
    if data is None or axes is None or sorted(axis % 4 for axis in calls.numbers(axes)) != [2, 3]:
        return None
    operator = getattr(relax.op, calls.name_of(call).removeprefix("relax."))
    kept = packer.keep(operator(data, [2, 3], keepdims=True), channels_of(call))
    shape = calls.shape_of(call)
    return kept if call.attrs.keepdims else relax.op.reshape(kept, list(shape or ()))


_POOL = ("pool_size", "strides", "padding", "dilation", "ceil_mode", "count_include_pad")
_BINARY = ("add", "subtract", "multiply", "power", "maximum", "minimum", "where", *calls.COMPARISONS)
_UNBOUNDED = frozenset(("divide", "exp", "log", "power", "rsqrt", "sqrt", "square"))

REWRITES: dict[str, Rewrite] = {
    **MOVES,
    # A cast of an operand says that it is to be narrow (narrow_operand.read): it stays beside its product.
    **{f"relax.{name}": unary for name in calls.UNARY if name != "astype"},
    **{f"relax.{name}": binary for name in _BINARY},
    "relax.divide": quotient,
    "relax.nn.max_pool2d": pooling(relax.op.nn.max_pool2d, *_POOL),
    "relax.nn.avg_pool2d": pooling(relax.op.nn.avg_pool2d, *_POOL),
    "relax.nn.adaptive_avg_pool2d": pooling(relax.op.nn.adaptive_avg_pool2d, "output_size"),
    **dict.fromkeys((f"relax.{name}" for name in calls.REDUCTIONS), over_the_image),
    "relax.nn.instance_norm": instance_norm,
    "relax.nn.group_norm": group_norm,
}
