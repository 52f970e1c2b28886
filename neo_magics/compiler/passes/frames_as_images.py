"""Volumes and videos are batches of images: one kind of convolution for them too.

A convolution of [N, C, D, H, W] reads, for each frame of the result, a few frames of the data. Those become
the channels of one image, [N·D, taps·C, H, W], and the convolution one of images, which the kernels pack,
tile and do with Winograd. The copies of frames cost little beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from neo_magics.compiler.passes import calls
from neo_magics.compiler.passes.frame_windows import Depth, depth_of, frames_out, frames_read
from neo_magics.compiler.passes.frames_transposed import transposed_convolution

_SWAP = (0, 2, 1, 3, 4)  # N C D H W ↔ N D C H W
_RANK = 5


@tvm.transform.module_pass(opt_level=0, name="FramesAsImages")
class FramesAsImages:
    """conv3d(x, w) and pooling become those of images [N·D, C, H, W], with a transpose on each side.

    Batch norm, means and what is element by element or joined moves to the other side of such a transpose,
    so that those between two convolutions cancel. The shapes must be known and the weights constant.
    """

    def transform_module(self, module: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Rewrite `main`; transposes that nothing reads any more are left to dead code elimination."""
        return calls.rewrite_entry(_Framer(module), module)


@mutator
class _Framer(PyExprMutator):  # type: ignore[misc]
    def visit_call_(self, call: Any) -> Any:
        call = self.builder_.normalize(self.visit_expr_post_order(call))
        move = _MOVES.get(calls.name_of(call).removeprefix("relax."))
        shape = calls.static_shape(call) if move and isinstance(call.ty, relax.TensorType) else None
        images = move(self, call) if move and shape else None
        return call if images is None else self.shaped(images, shape or ())

    def visit_tuple_getitem_(self, item: Any) -> Any:
        item = self.visit_expr_post_order(item)
        norm = calls.batch_norm_of(item, self.lookup_binding)
        images = None if norm is None else self.images(norm.args[0])
        if norm is None or images is None:
            return item
        made = self.builder_.emit(tvm.ir.Call(norm.op, [images, *norm.args[1:]], norm.attrs))
        return self.shaped(relax.TupleGetItem(made, 0), calls.static_shape(norm.args[0]) or ())

    def images(self, value: Any) -> Any | None:
        """The images [N·D, C, H, W] whose frames `value` is; None where it is not made of any."""
        moved: Any = self.lookup_binding(value) if isinstance(value, relax.Var) else None
        if calls.name_of(moved) != "relax.permute_dims" or calls.numbers(moved.attrs.axes or ()) != _SWAP:
            return None
        parted: Any = self.lookup_binding(moved.args[0]) if isinstance(moved.args[0], relax.Var) else None
        source = parted.args[0] if calls.name_of(parted) == "relax.reshape" else None
        own, shape = calls.static_shape(source) if source is not None else None, calls.static_shape(value)
        if own is None or shape is None or own[1:] != (shape[1], *shape[3:]):
            return None
        return source

    def as_images(self, value: Any) -> Any:
        """`value`, [N, C, D, H, W], as [N·D, C, H, W]."""
        found = self.images(value)
        if found is not None:
            return found
        batch, channels, depth, height, width = calls.static_shape(value) or ()
        moved = self.builder_.emit(relax.op.permute_dims(value, _SWAP))
        return self.builder_.emit(relax.op.reshape(moved, [batch * depth, channels, height, width]))

    def shaped(self, images: Any, shape: Sequence[int]) -> Any:
        """The images in the shape that the rest of the model knows."""
        images = self.builder_.emit(images)
        if len(shape) != _RANK:
            return relax.op.reshape(images, list(shape))
        batch, channels, depth, height, width = shape
        parted = self.builder_.emit(relax.op.reshape(images, [batch, depth, channels, height, width]))
        return relax.op.permute_dims(parted, _SWAP)

    def taps(self, value: Any, depth: Depth, *, repeat: bool) -> list[Any]:
        """For each tap of a window along the depth, the image that each frame of the result reads there.

        Beyond the ends an image is zero, or `repeat`s the nearest one that the window also reads.
        """
        images, shape = self.as_images(value), calls.static_shape(value) or ()
        batch, frames = shape[0], shape[2]
        if depth == Depth(1, 1, 1, (0, 0)):
            return [images]
        front, back = depth.padding
        if batch == 1 and not (repeat and (front or back)):
            return self._slices(self.bordered(images, front, back), depth, frames_out(depth, frames))
        places = frames_read(depth, batch, frames, repeat=repeat)
        if any((place == batch * frames).any() for place in places):  # that is where a zero image is added
            images = self.bordered(images, 0, 1)
        return [
            self.builder_.emit(relax.op.take(images, calls.make_constant(place), axis=0, mode="clip"))
            for place in places
        ]

    def bordered(self, images: Any, front: int, back: int) -> Any:
        """Zero images before and behind."""
        if not front and not back:
            return images
        return self.builder_.emit(relax.op.nn.pad(images, [front, back, 0, 0, 0, 0, 0, 0], "constant", 0.0))

    def _slices(self, images: Any, depth: Depth, count: int) -> list[Any]:
        begins = [tap * depth.dilation for tap in range(depth.taps)]
        last = (count - 1) * depth.stride + 1
        return [
            self.builder_.emit(relax.op.strided_slice(images, [0], [begin], [begin + last], [depth.stride]))
            for begin in begins
        ]


def _is_plain(call: Any, *layouts: str) -> bool:
    attrs, names = call.attrs, ("data_layout", "kernel_layout", "out_layout")
    own = [getattr(attrs, name) for name in names] if len(layouts) > 1 else [attrs.layout]
    return own == list(layouts) and calls.dtype_of(call.args[0]) == "float32"


def _convolution(framer: _Framer, call: Any) -> Any | None:
    weight, shape = calls.constant(call.args[1]), calls.static_shape(call.args[0])
    if weight is None or shape is None or not _is_plain(call, "NCDHW", "OIDHW", "NCDHW"):
        return None
    attrs, groups = call.attrs, int(call.attrs.groups)
    taps = framer.taps(call.args[0], depth_of(attrs, weight.shape[2]), repeat=False)

    def convolved(data: Any, part: Any) -> Any:
        window = _window(attrs, "strides", "dilation")
        return relax.op.nn.conv2d(data, calls.make_constant(part), groups=groups, **window)

    if groups == 1:  # one sum over all taps, which are channels
        joined = framer.builder_.emit(relax.op.concat(taps, 1)) if len(taps) > 1 else taps[0]
        out, inner, depth, *window = weight.shape
        return convolved(joined, weight.transpose(0, 2, 1, 3, 4).reshape(out, depth * inner, *window))
    parts = [convolved(data, weight[:, :, tap]) for tap, data in enumerate(taps)]
    return _folded(framer, relax.op.add, parts)


def _window(attrs: Any, *names: str) -> dict[str, Any]:
    """What of a window concerns height and width."""
    _front, top, left, _back, bottom, right = calls.numbers(attrs.padding)
    sizes = {name: calls.numbers(getattr(attrs, name))[1:] for name in names}
    return {**sizes, "padding": [top, left, bottom, right]}


def _folded(framer: _Framer, operator: Callable[[Any, Any], Any], parts: Sequence[Any]) -> Any:
    total = framer.builder_.emit(parts[0])
    for part in parts[1:]:
        total = framer.builder_.emit(operator(total, framer.builder_.emit(part)))
    return total


def _pooling(operator: Callable[..., Any], joined: Callable[[Any, Any], Any]) -> Callable[..., Any | None]:
    """Over the images, then over the frames. A mean beyond the ends of the depth is left to TVM."""

    def move(framer: _Framer, call: Any) -> Any | None:
        attrs, shape, made = call.attrs, calls.static_shape(call.args[0]), calls.static_shape(call)
        if shape is None or made is None or not _is_plain(call, "NCDHW"):
            return None
        depth, mean = depth_of(attrs, calls.numbers(attrs.pool_size)[0]), joined is relax.op.add
        if frames_out(depth, shape[2]) != made[2] or (mean and depth.padding != (0, 0)):
            return None
        options = _window(attrs, "pool_size", "strides", "dilation")
        options |= {name: bool(getattr(attrs, name)) for name in ("ceil_mode", "count_include_pad")}
        pooled = operator(framer.as_images(call.args[0]), **options)
        flat = framer.builder_.emit(framer.shaped(pooled, (*shape[:3], *made[3:])))
        total = _folded(framer, joined, framer.taps(flat, depth, repeat=not mean))
        share = relax.const(1 / depth.taps, "float32")
        return relax.op.multiply(total, share) if mean and depth.taps > 1 else total

    return move


def _elementwise(framer: _Framer, call: Any) -> Any | None:
    if all(framer.images(value) is None for value in call.args):
        return None
    shape = calls.static_shape(call) or ()
    operands = [_operand(framer, value, shape) for value in call.args]
    return None if any(each is None for each in operands) else tvm.ir.Call(call.op, operands, call.attrs)


def _operand(framer: _Framer, value: Any, shape: Sequence[int]) -> Any | None:
    """An operand beside images; None where that is not possible."""
    own = calls.static_shape(value) if isinstance(value.ty, relax.TensorType) else ()
    if own == ():  # a number
        return value
    if own == tuple(shape):
        return framer.as_images(value)
    whole = (1,) * (_RANK - len(own)) + own if own else ()
    if len(whole) != _RANK or whole[2] != 1 or (whole[0] != 1 and shape[0] != 1):
        return None
    alike = [whole[0], whole[1], *whole[3:]]  # the same for all frames
    array, found = calls.constant(value), framer.images(value)
    if found is not None:
        return found
    if array is not None:
        return calls.make_constant(array.reshape(alike))
    return framer.builder_.emit(relax.op.reshape(value, alike))


def _concat(framer: _Framer, call: Any) -> Any | None:
    fields = calls.fields_of(call.args[0], framer.lookup_binding)
    axis = int(call.attrs.axis or 0) % _RANK
    if len(calls.static_shape(call) or ()) != _RANK or axis in (0, 2):
        return None
    if all(framer.images(value) is None for value in fields):
        return None
    return relax.op.concat([framer.as_images(value) for value in fields], 1 if axis == 1 else axis - 1)


def _mean(framer: _Framer, call: Any) -> Any | None:
    """Over depth, height and width."""
    images, shape = framer.images(call.args[0]), calls.static_shape(call.args[0])
    axes = call.attrs.axis
    if images is None or shape is None or axes is None:
        return None
    if sorted(axis % _RANK for axis in calls.numbers(axes)) != [2, 3, 4]:
        return None
    each = framer.builder_.emit(relax.op.mean(images, [2, 3], keepdims=True))
    parted = framer.builder_.emit(relax.op.reshape(each, [shape[0], shape[2], shape[1], 1]))
    return framer.builder_.emit(relax.op.mean(parted, [1], keepdims=True))


_MOVES: dict[str, Callable[[_Framer, Any], Any | None]] = {
    **dict.fromkeys((*calls.UNARY, *calls.BINARY, *calls.COMPARISONS, "where"), _elementwise),
    "concat": _concat,
    "mean": _mean,
    "nn.conv3d": _convolution,
    "nn.conv3d_transpose": transposed_convolution,
    "nn.max_pool3d": _pooling(relax.op.nn.max_pool2d, relax.op.maximum),
    "nn.avg_pool3d": _pooling(relax.op.nn.avg_pool2d, relax.op.add),
}
