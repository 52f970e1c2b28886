"""Operators that move packed values without computing: joining, cutting, padding, resizing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import tvm
from tvm import relax

from neo_magics.compiler.kernels import INJECTIVE, OPAQUE
from neo_magics.compiler.kernels.channels import JOINS_BLOCKS, first_pixels, join_blocks, join_channels
from neo_magics.compiler.kernels.conv2d import unpack_channels
from neo_magics.compiler.kernels.resize import axis_weights, mix_columns, mix_rows, resize_bilinear
from neo_magics.compiler.passes import calls
from neo_magics.compiler.passes.resize_free import resize_free

if TYPE_CHECKING:
    from neo_magics.compiler.passes.pack_convolutions import Packer


def _channels(expression: Any) -> int:
    shape = calls.shape_of(expression)
    assert shape is not None  # a packed value's shape is known but for the batch
    return int(shape[1])


def concatenation(packer: Packer, call: Any) -> Any | None:
    """Parts one after the other: along the image as they are, along channels also where a block is shared."""
    fields, shape = calls.fields_of(call.args[0], packer.lookup_binding), calls.shape_of(call)
    if not fields or shape is None or len(shape) != 4:
        return None
    axis = int(call.attrs.axis or 0) % 4
    images = all(map(is_image, fields))
    if all(packer.packed(field) is None for field in fields) or not (
        images or _are_of_a_size(packer, fields)
    ):
        return None
    if axis != 1 and not images:
        return None
    parts = [packer.pack(field) for field in fields]
    counts = [_channels(field) for field in fields]
    whole = all(count % packer.lanes == 0 for count in counts)
    if axis == 1 and whole and shape[0] == 1 and images:
        # Nothing is fused with it: JoinInPlace takes it away.
        joined = packer.emit(join_blocks, *parts, pattern=OPAQUE, attrs={JOINS_BLOCKS: 1})
        return packer.keep(joined, int(shape[1]))
    if axis != 1 or whole:
        return packer.keep(relax.op.concat(parts, axis=axis), int(shape[1]))
    return packer.keep(packer.emit(join_channels, *parts, channels=counts, pattern=INJECTIVE), int(shape[1]))


def _are_of_a_size(packer: Packer, fields: Sequence[Any]) -> bool:
    """Whether all have known channels, and the same height and width, known or free."""
    return all(map(_has_channels, fields)) and len({packer.named(field) for field in fields}) == 1


def is_image(expression: Any) -> bool:
    """Whether it is [N, C, H, W] and all but N is known."""
    shape = calls.shape_of(expression)
    return shape is not None and len(shape) == 4 and all(isinstance(size, int) for size in shape[1:])


def cut(packer: Packer, call: Any) -> Any | None:
    """strided_slice of rows and columns, and of channels that are whole blocks."""
    data = packer.packed(call.args[0])
    fields = [calls.integers(operand) for operand in call.args[1:5]]
    known = [field for field in fields if field is not None]
    if data is None or not _has_channels(call):
        return None
    if len(known) != len(fields):
        return crop(packer, call)
    axes, begins, ends, *steps = known
    if not is_image(call) and [axis % 4 for axis in axes] != [1]:
        return None
    strides = steps[0] if steps else [1] * len(axes)
    axes, channels = [axis % 4 for axis in axes], _channels(call)
    if 1 in axes:
        place = axes.index(1)
        begin = begins[place] % _channels(call.args[0])
        if strides[place] != 1 or begin % packer.lanes or not _ends_block(packer, call, begin + channels):
            return None
        begins[place], ends[place] = begin // packer.lanes, -(-(begin + channels) // packer.lanes)
    return packer.keep(relax.op.strided_slice(data, axes, begins, ends, strides), channels)


def _has_channels(expression: Any) -> bool:
    shape = calls.shape_of(expression)
    return shape is not None and len(shape) == 4 and isinstance(shape[1], int) and shape[1] > 0


def _ends_block(packer: Packer, call: Any, end: int) -> bool:
    """Whether nothing but padding follows `end` in its block."""
    return end % packer.lanes == 0 or end == _channels(call.args[0])


def split_piece(packer: Packer, item: Any) -> Any | None:
    """One result of split along channels, where the pieces are whole blocks, as a slice."""
    value = item.tuple_value
    call = packer.lookup_binding(value) if isinstance(value, relax.Var) else value
    if calls.name_of(call) != "relax.split" or int(call.attrs.axis) % 4 != 1:
        return None
    if packer.packed(call.args[0]) is None:
        return None
    sizes = [_channels_of_type(field) for field in call.ty.fields]
    begin = sum(sizes[: item.index])
    piece = relax.op.strided_slice(call.args[0], [1], [begin], [begin + sizes[item.index]], [1])
    return cut(packer, packer.builder_.normalize(piece))


def _channels_of_type(tensor: Any) -> int:
    return int(tensor.shape.values[1])


def pad(packer: Packer, call: Any) -> Any | None:
    """A border around the image, or more images."""
    data = packer.packed(call.args[0])
    widths = calls.numbers(call.attrs.pad_width)
    if data is None or len(widths) != 8 or any(widths[2:4]) or min(widths) < 0 or not is_image(call):
        return None
    value = float(call.attrs.pad_value)
    return packer.keep(relax.op.nn.pad(data, [*widths, 0, 0], call.attrs.pad_mode, value), _channels(call))


def crop(packer: Packer, call: Any) -> Any | None:
    """The upper left part of an image of free size: strided_slice from 0 in steps of 1 that stays inside."""
    data, shape = packer.packed(call.args[0]), calls.shape_of(call)
    begins, steps = calls.integers(call.args[2]), calls.integers(call.args[4]) if len(call.args) > 4 else [1]
    axes = calls.integers(call.args[1]) or [0]
    plain = call.attrs.assume_inbound and not any(begins or [1]) and set(steps or [0]) == {1}
    if data is None or shape is None or not plain or min(axis % 4 for axis in axes) < 2:
        return None
    made = packer.emit(first_pixels, data, pattern=INJECTIVE, sizes={"size": packer.named(call)})
    return packer.keep(made, int(shape[1]))


def reshape(packer: Packer, call: Any) -> Any | None:
    """Of an image of free size, by the names of its sizes: TVM needs minutes to divide by ⌊(h + 1) / 2⌋."""
    data, source, shape = packer.packed(call.args[0]), call.args[0], calls.shape_of(call)
    if data is None or shape is None or is_image(source) or not packer.sizes.can_name(shape):
        return None
    size = {"size": packer.named(source)}
    image = packer.emit(unpack_channels, data, channels=_channels(source), sizes=size)
    named = packer.builder_.emit(relax.op.reshape(image, [packer.sizes.name(each) for each in shape]))
    return packer.builder_.match_cast(named, relax.TensorType(shape, calls.dtype_of(call)))


def take(packer: Packer, call: Any) -> Any | None:
    """Rows or columns by their numbers: resizing to the nearest, for one; or images."""
    data, axis = packer.packed(call.args[0]), call.attrs.axis
    if data is None or axis is None or int(axis) % 4 == 1 or not is_image(call):
        return None
    return packer.keep(tvm.ir.Call(call.op, [data, call.args[1]], call.attrs), _channels(call))


def resize(packer: Packer, call: Any) -> Any | None:
    """Bilinear, as two neighbours along each axis with weights that are known now."""
    data, shape, source = packer.packed(call.args[0]), calls.shape_of(call), calls.shape_of(call.args[0])
    attrs = call.attrs
    whole = [float(edge) for edge in attrs.roi] in ([], [0.0] * 4)
    if shape is None or source is None or attrs.layout != "NCHW" or not whole:
        return None
    if not (is_image(call) and is_image(call.args[0])):
        return resize_free(packer, call)
    if attrs.method != "linear":
        return None
    if data is None and not _grows(packer, call.args[0], shape):
        return None
    mode = str(attrs.coordinate_transformation_mode)
    tables: list[Any] = []
    for axis in (2, 3):
        found = axis_weights(int(source[axis]), int(shape[axis]), mode)
        if found is None:
            return None
        tables += [calls.make_constant(table) for table in found]
    # Whoever reads it unpacked, as a result of the model, gets it along rows, where vectors are whole lines.
    wide = packer.emit(mix_columns, call.args[0], *tables[3:], pattern=OPAQUE)
    image = packer.emit(mix_rows, wide, *tables[:3], pattern=INJECTIVE)
    data = packer.pack(call.args[0]) if data is None else data
    made = packer.emit(resize_bilinear, data, *tables, pattern=INJECTIVE)
    return packer.keep(made, _channels(call), unpacked=image)


def _grows(packer: Packer, image: Any, shape: Any) -> bool:
    """Whether packing the small image is cheaper than packing the large one, should that be wanted."""
    source = calls.shape_of(image) or ()
    floats = is_image(image) and calls.dtype_of(image) == "float32" and source[1] >= packer.lanes
    return bool(floats and source[2] * source[3] < shape[2] * shape[3])


MOVES: dict[str, Callable[[Packer, Any], Any | None]] = {
    "relax.concat": concatenation,
    "relax.strided_slice": cut,
    "relax.nn.pad": pad,
    "relax.reshape": reshape,
    "relax.take": take,
    "relax.image.resize2d": resize,
}
