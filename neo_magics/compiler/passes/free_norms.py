"""Group and instance norms over images of free size, which TVM's own lowering divides by for minutes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from neo_magics.compiler.passes import calls
from neo_magics.compiler.passes.pack_norms import is_over_images


@tvm.transform.module_pass(opt_level=0, name="FreeNorms")
class FreeNorms:
    """nn.group_norm and nn.instance_norm of [N, C, …free…] → means over the image, then over the channels.

    A group's variance is the mean of its channels' variances and of the squared distances between their means
    and the group's. Norms over known sizes, and those that PackConvolutions took, stay as they are.
    """

    def transform_module(self, module: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Rewrite `main`."""
        return calls.rewrite_entry(_Parted(module), module)


@mutator
class _Parted(PyExprMutator):  # type: ignore[misc]
    def visit_call_(self, call: Any) -> Any:
        call = self.builder_.normalize(self.visit_expr_post_order(call))
        name, shape = calls.name_of(call), calls.shape_of(call)
        if name not in ("relax.nn.group_norm", "relax.nn.instance_norm") or shape is None:
            return call
        if not _is_of_free_images(call, shape):
            return call
        groups = int(call.attrs.num_groups) if name == "relax.nn.group_norm" else int(shape[1])
        return self._normed(call, shape, groups)

    def _normed(self, call: Any, shape: Sequence[Any], groups: int) -> Any:
        """(x - mean of the group) · scale / √(variance + ε) + shift."""
        emit, op = self.builder_.emit, relax.op
        x, scale, shift = call.args
        batch, channels, *image = shape
        parts, ones = [batch, groups, channels // groups], [1] * len(image)
        axes = list(range(2, len(shape)))
        means = emit(op.mean(x, axes, keepdims=True))
        apart = emit(op.subtract(x, means))
        spread = emit(op.mean(emit(op.multiply(apart, apart)), axes))
        own = emit(op.reshape(means, parts))
        middle = emit(op.mean(own, [2], keepdims=True))
        distance = emit(op.subtract(own, middle))
        inside = emit(op.add(emit(op.reshape(spread, parts)), emit(op.multiply(distance, distance))))
        variance = emit(op.mean(inside, [2], keepdims=True))
        epsilon = relax.const(float(call.attrs.epsilon), calls.dtype_of(call))
        root = emit(op.rsqrt(emit(op.add(variance, epsilon))))
        factor = emit(op.multiply(root, emit(op.reshape(scale, [1, *parts[1:]]))))
        whole = [batch, channels, *ones]
        centred = emit(op.subtract(x, emit(op.reshape(emit(op.broadcast_to(middle, parts)), whole))))
        scaled = emit(op.multiply(centred, emit(op.reshape(factor, whole))))
        return op.add(scaled, emit(op.reshape(shift, [1, channels, *ones])))


def _is_of_free_images(call: Any, shape: Sequence[Any]) -> bool:
    free = any(not isinstance(size, int) for size in shape[2:])
    return free and isinstance(shape[1], int) and is_over_images(call, shape)
