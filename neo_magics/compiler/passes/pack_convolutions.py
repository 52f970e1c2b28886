"""Channels are packed over the whole graph: into vectors at the first convolution, back at the borders.

Every packed value also gets an unpacked twin, for whoever needs it; a twin that nobody reads is dead code,
and vanishes. So an operator only has to say whether it works on packed channels (the table in packable.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import chain
from typing import Any

import tvm
from tvm import relax, tirx
from tvm.relax.expr_functor import PyExprMutator, mutator

from neo_magics.compiler.kernels import FUSES_ELEMENTWISE, OPAQUE
from neo_magics.compiler.kernels.conv2d import Window, pack_channels, unpack_channels
from neo_magics.compiler.kernels.conv2d_candidates import Convolution
from neo_magics.compiler.kernels.sizes import is_one
from neo_magics.compiler.machine import Machine
from neo_magics.compiler.passes import calls
from neo_magics.compiler.passes.bindings import Bindings
from neo_magics.compiler.passes.narrow_operand import read
from neo_magics.compiler.passes.pack_computed import pack_computed
from neo_magics.compiler.passes.pack_conv2d_transpose import pack_conv2d_transpose
from neo_magics.compiler.passes.pack_depthwise import pack_depthwise, pack_filters
from neo_magics.compiler.passes.pack_dot_convolutions import narrow_wins, pack_dot_conv2d
from neo_magics.compiler.passes.pack_free import pack_free_conv2d
from neo_magics.compiler.passes.packable import REWRITES
from neo_magics.compiler.passes.packable_moves import split_piece
from neo_magics.compiler.passes.size_names import SizeNames
from neo_magics.compiler.tuning import Choose


@tvm.transform.module_pass(opt_level=0, name="PackConvolutions")
class PackConvolutions:
    """Convolutions with float32 weights, constant or computed, work on N C/v H W v, and so does what follows.

    Channels that do not fill the last block are padded with zero weights. `strict`: each result is a plain
    sum of products, so no Winograd. `choose` decides between the kernels that can do a convolution.
    """

    def __init__(self, machine: Machine, *, strict: bool = False, choose: Choose | None = None) -> None:
        self.machine = machine
        self.strict = strict
        self.choose = choose or Choose()

    def transform_module(self, module: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Rewrite `main`; dead twins are left for DeadCodeElimination."""
        packer = Packer(module, self.machine, strict=self.strict, choose=self.choose)
        return packer.sizes.bind(calls.rewrite_entry(packer, module))


@mutator
class Packer(PyExprMutator):  # type: ignore[misc]
    """Rewrites call by call; `packed` answers whether a value is at hand in packed form."""

    def __init__(self, module: tvm.IRModule, machine: Machine, *, strict: bool, choose: Choose) -> None:
        super().__init__(module)
        self.choose = choose
        self._expanding = expanding(module[calls.ENTRY])
        self.lanes = machine.lanes
        self.machine = machine
        self.strict = strict
        self.sizes = SizeNames(module[calls.ENTRY])
        self._twins: dict[Any, Any] = {}

    def visit_call_(self, call: Any) -> Any:
        expands = call in self._expanding
        call = self.visit_expr_post_order(call)
        if calls.name_of(call) == "relax.nn.conv2d":
            result = self._convolution(call, expands=expands)
        elif calls.name_of(call) == "relax.nn.conv2d_transpose":
            result = pack_conv2d_transpose(self, self.builder_.normalize(call))
        else:
            rewrite = REWRITES.get(calls.name_of(call))
            result = rewrite(self, self.builder_.normalize(call)) if rewrite else None
        return call if result is None else result

    def packed(self, value: Any) -> Any | None:
        """The packed twin of a rebuilt value, else None."""
        while isinstance(value, relax.Var):
            if value in self._twins:
                return self._twins[value]
            value = self.lookup_binding(value)
        return None

    def pack(self, value: Any) -> Any:
        """The packed form of any N C H W value: its twin, or a packed copy."""
        found = self.packed(value)
        if found is not None:
            return found
        return self.emit(pack_channels, value, lanes=self.lanes, sizes={"size": self.named(value)})

    def named(self, value: Any) -> tuple[Any, Any]:
        """Height and width of an image N C H W, free ones by their names."""
        _batch, _channels, height, width = calls.shape_of(value) or ()
        return self.sizes.name(height), self.sizes.name(width)

    def keep(self, packed: Any, channels: int, unpacked: Any = None) -> Any:
        """Register a packed value; returns its unpacked twin, which stands for it in the graph.

        `unpacked` is that twin where there is a better way to it than to unpack.
        """
        packed = packed if isinstance(packed, relax.Var) else self.builder_.emit(packed)
        batch, blocks, height, width, lanes = packed.ty.shape.values
        if unpacked is not None:
            twin = unpacked
        elif int(blocks) * int(lanes) == channels and is_one(height) and is_one(width):
            twin = self.builder_.emit(relax.op.reshape(packed, [batch, channels, 1, 1]))  # the same memory
        else:
            size = self.sizes.meaning(height), self.sizes.meaning(width)
            twin = self.emit(unpack_channels, packed, channels=channels, sizes={"size": size})
        self._twins[twin] = packed
        return twin

    def emit(
        self,
        kernel: Any,
        *operands: Any,
        fuses: bool = False,
        pattern: int | None = None,
        name: str = "",
        attrs: dict[str, Any] | None = None,
        sizes: dict[str, Any] | None = None,
        **options: Any,
    ) -> Any:
        """A call of a tensor expression, bound to a variable; `fuses`: it takes element-wise followers.

        `sizes` are options that may hold free sizes.
        """
        compute = partial(kernel, **options)  # call_te would convert options, and knows few types
        pattern = FUSES_ELEMENTWISE if fuses else pattern
        if not self._sizes_are_read(operands, sizes or {}):
            pattern = OPAQUE  # FuseTIR cannot fuse what has to be told a size
        marks = {**({} if pattern is None else {"op_pattern": pattern}), **(attrs or {})}
        made = self.builder_.call_te(
            compute, *operands, primfunc_name_hint=name or kernel.__name__, primfunc_attrs=marks or None,
            **{option: list(pair) for option, pair in (sizes or {}).items()},
        )  # fmt: skip
        return self.builder_.emit(made)

    def _sizes_are_read(self, operands: Sequence[Any], sizes: dict[str, Any]) -> bool:
        """Whether all free sizes that a kernel uses are dimensions of its operands."""
        shapes = [size for operand in operands for size in calls.shape_of(operand) or ()]
        names = [size for size in shapes if isinstance(size, tirx.Var)]
        used = [size for size in (*shapes, *chain(*sizes.values())) if isinstance(size, tirx.Expr)]
        return all(
            any(var.same_as(name) for name in names)
            for size in used
            for var in tirx.analysis.undefined_vars(size)
        )

    def visit_tuple_getitem_(self, item: Any) -> Any:
        item = self.visit_expr_post_order(item)
        piece = split_piece(self, item)
        return item if piece is None else piece

    def _convolution(self, call: Any, *, expands: bool) -> Any | None:
        weight = calls.constant(call.args[1])
        shape = calls.shape_of(call.args[0])
        if shape is None or not calls.is_plain_convolution(call, "OIHW", shape[1:2]):
            return None
        window = _window(call.attrs)
        if not all(isinstance(size, int) and size > 0 for size in shape[2:]):
            known = self.sizes.can_name([*shape[2:], *(calls.shape_of(call) or ())[2:]])
            return pack_free_conv2d(self, call, weight, window) if known and weight is not None else None
        if weight is None:
            return pack_computed(self, call, window)
        groups, channels = int(call.attrs.groups), weight.shape[0]
        size = int(shape[2]), int(shape[3])
        if groups == channels == shape[1]:
            out_w = window.out_size(*size, weight.shape[2:])[1]
            filters = calls.make_constant(pack_filters(weight, self.lanes))
            return pack_depthwise(self, call.args[0], filters, channels, window, out_w)
        batch = shape[0] if isinstance(shape[0], int) else None
        narrow = read(call.args[0], self.lookup_binding) if self.machine.dots else None
        value = call.args[0] if narrow is None else narrow[0]
        packed = self.packed(value)
        inner, taps = int(shape[1]), (weight.shape[2], weight.shape[3])
        at_hand = packed is not None
        work = Convolution(batch, (inner, channels), size, taps, window, groups, at_hand, self.strict)
        # A kernel that becomes part of another one is not what would be measured.
        way = work.candidates(self.machine)[0] if expands else self.choose(work, self.machine)
        if narrow is not None and groups == 1 and narrow_wins(way, self.machine, narrow[1].dot):
            return pack_dot_conv2d(self, value, weight, window, narrow[1])
        data = self.pack(value) if way.packs else value
        operands = data, calls.make_constant(way.pack(weight))
        return self.keep(self.emit(way.compute, *operands, fuses=True, name=way.kernel), channels)


def _window(attrs: Any) -> Window:
    pad = calls.numbers(attrs.padding)
    top, left, bottom, right = pad if len(pad) == 4 else (*pad, *pad) if len(pad) == 2 else pad * 4
    stride, dilation = calls.numbers(attrs.strides), calls.numbers(attrs.dilation)
    return Window((stride[0], stride[-1]), (top, left, bottom, right), (dilation[0], dilation[-1]))


def expanding(function: Any) -> set[Any]:
    """The 1×1 convolutions whose result a depthwise one reads, perhaps activated: FuseDepthwise's."""
    bindings = Bindings(function)
    found: set[Any] = set()
    for _var, call in bindings.calls("relax.nn.conv2d"):
        shape, value = calls.shape_of(call), bindings.value(call.args[0])
        if shape is None or int(call.attrs.groups) != shape[1]:
            continue
        while calls.name_of(value) and calls.name_of(value) != "relax.nn.conv2d":
            value = bindings.value(value.args[0]) if value.args else None
        if calls.name_of(value) and (calls.static_shape(value.args[1]) or ())[2:] == (1, 1):
            found.add(value)
    return found
