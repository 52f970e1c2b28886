"""The parts of a concatenation are computed where they stand in the joined tensor: nothing is copied.

The whole blocks of channels of one image lie one after the other, so a part is a piece of the joined
tensor's memory. A tensor that is joined again and again, as in DenseNet, grows in one piece of memory.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import tvm
import tvm_ffi
from tvm import relax, tirx

from neo_magics.compiler.kernels.channels import JOINS_BLOCKS
from neo_magics.compiler.passes import calls

ALIGNMENT = 64  # bytes; kernels may read whole vectors there


@tvm.transform.module_pass(opt_level=0, name="JoinInPlace")
class JoinInPlace:
    """Drops the calls of kernels.channels.join_blocks whose parts only kernels write and read.

    It comes after CallTIRRewrite, when each tensor has an allocation, and before memory is planned: joined
    tensors get storage of their own. A kernel whose tensor begins inside of another takes its offset from
    the tensor at hand.
    """

    def transform_module(self, module: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Rewrite `main` and the kernels that meet a part."""
        tensors = _Tensors(module)
        places = _Places(tensors)
        for part, whole in reversed(tensors.joins):
            places.join(part, whole)
        if not places.dropped:
            return module
        updated = tvm.IRModule(dict(module.functions_items()), attrs=module.attrs)
        for kernel, positions in places.moved().items():
            updated[kernel] = _anywhere(module[kernel], sorted(positions))
        updated[calls.ENTRY] = places.rewritten(module[calls.ENTRY])
        return relax.transform.DeadCodeElimination([calls.ENTRY])(updated)


class _Tensors:
    """The allocations of `main`, and which kernels use them."""

    def __init__(self, module: tvm.IRModule) -> None:
        function = module[calls.ENTRY]
        self.kernels: list[tuple[Any, list[Any]]] = []  # (kernel, the allocations among its arguments)
        self.joins: list[tuple[list[Any], Any]] = []  # (parts, whole)
        self.calls: dict[Any, int] = {}  # whole → number of the binding that joins
        self.size: dict[Any, int] = {}  # bytes
        self.shared: set[Any] = set()  # also used by something else than a kernel
        self._same: dict[Any, Any] = {}
        for number, binding in enumerate(_bindings(function)):
            self._add(number, binding, module)
        self._use(function.body.body)

    def _add(self, number: int, binding: Any, module: tvm.IRModule) -> None:
        value = binding.value
        if isinstance(value, relax.Var):
            self._same[binding.var] = self._same.get(value, value)
        elif calls.name_of(value) == "relax.builtin.alloc_tensor":
            shape = calls.static_shape(binding.var)
            if shape is not None:
                self.size[binding.var] = (
                    math.prod(shape) * tvm.DataType(calls.dtype_of(binding.var)).bits // 8
                )
        elif isinstance(value, tvm.ir.Call) and isinstance(value.op, tvm.ir.GlobalVar):
            found = [self._same.get(argument, argument) for argument in value.args]
            self.kernels.append((value.op, found))
            kernel = module[value.op]
            if isinstance(kernel, tirx.PrimFunc) and kernel.attrs and JOINS_BLOCKS in kernel.attrs:
                self.joins.append((found[:-1], found[-1]))
                self.calls[found[-1]] = number
        else:
            self._use(value)

    def _use(self, value: Any) -> None:
        free = relax.analysis.free_vars(value)
        self.shared |= {self._same.get(var, var) for var in free}

    def movable(self, tensor: Any) -> bool:
        """Whether nothing but kernels knows where it lies."""
        return tensor in self.size and tensor not in self.shared


@dataclass
class _Places:
    """Where tensors lie: in the memory of which joined tensor, and how many bytes from its start."""

    tensors: _Tensors
    places: dict[Any, tuple[Any, int]] = field(default_factory=dict)
    dropped: set[int] = field(default_factory=set)

    def join(self, parts: Sequence[Any], whole: Any) -> None:
        """Place the parts in `whole`, if all can be; the last joins of a model come first."""
        tensors = self.tensors
        sizes = [tensors.size.get(part, 0) for part in parts]
        starts = [sum(sizes[:index]) for index in range(len(parts))]
        aligned = not any(start % ALIGNMENT for start in starts)
        if not aligned or not all(map(tensors.movable, [*parts, whole])) or len(set(parts)) < len(parts):
            return
        if all(part in self.places for part in parts) and whole not in self.places:
            found = [self.places[part] for part in parts]
            root, begin = found[0]
            if found != [(root, begin + start) for start in starts]:
                return
            self.places[whole] = root, begin
        elif not any(part in self.places for part in parts):
            root, begin = self.places.setdefault(whole, (whole, 0))
            for part, start in zip(parts, starts, strict=True):
                self.places[part] = root, begin + start
        else:
            return
        self.dropped.add(tensors.calls[whole])

    def moved(self) -> dict[Any, set[int]]:
        """The arguments of kernels that do not begin where their storage does."""
        found: dict[Any, set[int]] = {}
        for kernel, arguments in self.tensors.kernels:
            for position, argument in enumerate(arguments):
                if argument in self.places and self.places[argument][1]:
                    found.setdefault(kernel, set()).add(position)
        return found

    def rewritten(self, function: Any) -> Any:
        """`main` with one storage for each root, and no copies."""
        storages: dict[Any, Any] = {}
        bindings: list[Any] = []
        for number, binding in enumerate(_bindings(function)):
            if number in self.dropped:
                continue
            if binding.var not in self.places:
                bindings.append(binding)
                continue
            root, begin = self.places[binding.var]
            if root not in storages:
                bindings.append(_storage(self.tensors.size[root]))
                storages[root] = bindings[-1].var
            shape, dtype = binding.var.ty.shape, calls.dtype_of(binding.var)
            piece = relax.op.memory.alloc_tensor(storages[root], begin, shape, dtype)
            bindings.append(relax.VarBinding(binding.var, piece))
        body = relax.SeqExpr([relax.BindingBlock(bindings)], function.body.body)
        return relax.Function(
            function.params, body, function.ret_ty, is_pure=function.is_pure, attrs=function.attrs
        )


def _bindings(function: Any) -> list[Any]:
    return [binding for block in function.body.blocks for binding in block.bindings]


def _storage(size: int) -> Any:
    made = relax.op.memory.alloc_storage(relax.ShapeExpr([size]), 0, "global", "uint8")
    made = relax.BlockBuilder().normalize(made)
    return relax.VarBinding(relax.Var("joined", made.ty), made)


def _anywhere(func: tirx.PrimFunc, positions: Sequence[int]) -> tirx.PrimFunc:
    """`func` with parameters that may begin anywhere in their memory, at whole vectors."""
    fresh: dict[Any, Any] = {}
    for position in positions:
        buffer = func.params[position]
        offset = tirx.Var(f"offset{position}", "int64")
        factor = ALIGNMENT * 8 // int(buffer.dtype.bits)
        fresh[buffer] = tirx.decl_buffer(
            buffer.shape, buffer.dtype, buffer.name, elem_offset=offset, offset_factor=factor
        )
    parameters = [fresh.get(param, param) for param in func.params]
    moved = (tvm.ir.Var, lambda var: fresh.get(var, var))
    return tirx.PrimFunc(parameters, tvm_ffi.structural_map(func.body, [moved]), func.ret_type, func.attrs)
