"""One function of machine code that calls the kernels one after the other, without the virtual machine.

The idea is that of TVM's former ahead-of-time executor. The virtual machine interprets: for every kernel it
makes a tensor object, looks weights up in a tuple, and drops what was used last. That is some tenths of a
microsecond each, which small models notice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tvm
from tvm import relax, tirx

from neo_magics.artifact.kernels import DIRECT, DIRECT_WORKSPACE
from neo_magics.compiler.passes import calls

_ALIGNMENT = 64  # bytes


@tvm.transform.module_pass(opt_level=0, name="AddDirectEntry")
class AddDirectEntry:
    """Adds `DIRECT`(inputs…, outputs…, addresses: int64[weights], workspace: uint8[bytes]), where it can.

    `DIRECT_WORKSPACE`(inputs…) says how many bytes, at least 1. It matches a `main` whose memory is planned
    and that is a straight line: storages, kernels, and tensors that see another's memory in another shape,
    all of sizes that the inputs have. Outputs must be tensors that kernels write, all different. Anything
    else (branches, functions of the runtime, sizes that data decide) stays with the virtual machine, which
    is in the artifact in each case.
    """

    def transform_module(self, module: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """`module`, perhaps with one function more."""
        try:
            line = _Line(module)
            added = {DIRECT: line.function(), DIRECT_WORKSPACE: line.size()}
        except _NotStraight:
            return module
        extended = tvm.IRModule(dict(module.functions_items()), attrs=module.attrs)
        for name, function in added.items():
            extended[tvm.ir.GlobalVar(name)] = function
        return extended


class _NotStraight(Exception):
    """`main` needs the virtual machine."""


class _Place(NamedTuple):
    """Memory: that of an input or output, of a weight (its number), or of the workspace (None)."""

    root: Any
    offset: Any = 0  # bytes


class _Line:
    """The bindings of `main` in order; `places` says where each variable's tensor lies."""

    def __init__(self, module: tvm.IRModule) -> None:
        self.module = module
        self.main = module[calls.ENTRY]
        count = int(self.main.attrs["num_input"])
        self.inputs = list(self.main.params[:count])
        self.weights = list(self.main.params[count:])  # none, or the one tuple
        self.places: dict[Any, _Place] = {var: _Place(var) for var in self.inputs}
        self.own: set[Any] = set()  # tensors outside of the planned memory: outputs
        self.tuples: dict[Any, Sequence[Any]] = {}
        self.workspace: Any = 0  # bytes, a number or an expression
        self.calls: list[tuple[str, list[Any]]] = []  # (kernel, arguments)
        for block in self.main.body.blocks:
            for binding in block.bindings:
                self._take(binding)

    def _take(self, binding: Any) -> None:
        if not isinstance(binding, relax.VarBinding):
            raise _NotStraight
        var, value = binding.var, binding.value
        if isinstance(value, relax.Var):
            self._alias(var, value)
        elif isinstance(value, relax.Tuple):
            self.tuples[var] = list(value.fields)
        elif isinstance(value, relax.TupleGetItem):
            self._item(var, value)
        elif isinstance(value, tvm.ir.Call) and isinstance(value.op, tvm.ir.GlobalVar):
            self._call(value)
        elif isinstance(value, tvm.ir.Call) and calls.name_of(value) in _TAKEN:
            _TAKEN[calls.name_of(value)](self, var, value)
        elif not isinstance(value, relax.ShapeExpr):
            raise _NotStraight

    def _alias(self, var: Any, value: Any) -> None:
        if value in self.tuples:
            self.tuples[var] = self.tuples[value]
        else:
            self.places[var] = self._place(value)

    def _place(self, value: Any) -> _Place:
        if value not in self.places:
            raise _NotStraight
        return self.places[value]

    def _item(self, var: Any, value: Any) -> None:
        if value.tuple_value in self.weights:
            self.places[var] = _Place(value.index)
        elif value.tuple_value in self.tuples:
            self._alias(var, self.tuples[value.tuple_value][value.index])
        else:
            raise _NotStraight

    def _call(self, value: Any) -> None:
        if not isinstance(self.module[value.op], tirx.PrimFunc):
            raise _NotStraight
        for argument in value.args:
            self._place(argument)
            if str(argument.ty.dtype) == "bfloat16":  # TVM calls it uint16 here, which the kernel refuses
                raise _NotStraight
        self.calls.append((value.op.name_hint, list(value.args)))

    def _storage(self, var: Any, value: Any) -> None:
        [size] = value.args[0].values
        self.places[var] = _Place(None, self.workspace)
        self.workspace = self.workspace + (size + _ALIGNMENT - 1) // _ALIGNMENT * _ALIGNMENT

    def _piece(self, var: Any, value: Any) -> None:
        storage = self._place(value.args[0])
        self.places[var] = _Place(None, storage.offset + int(value.args[1]))

    def _own(self, var: Any, _value: Any) -> None:
        self.places[var] = _Place(var)
        self.own.add(var)

    def _view(self, var: Any, value: Any) -> None:
        self.places[var] = self._place(value.args[0])

    def outputs(self) -> list[Any]:
        """The variables that `main` returns, each the memory of its own of a kernel's result."""
        result = self.main.body.body
        found = list(self.tuples.get(result, [result]))
        roots = {self._place(var).root for var in found}
        if len(roots) < len(found) or not roots <= self.own:
            raise _NotStraight
        return found

    def function(self) -> tirx.PrimFunc:
        """The function; raises `_NotStraight` where a size is not known from the inputs."""
        outputs = self.outputs()
        if not self.calls or len(outputs) < len(self.own):
            raise _NotStraight
        params = {var: _buffer(var, f"x{n}") for n, var in enumerate(self.inputs)}
        for number, var in enumerate(outputs):
            params[self.places[var].root] = _buffer(var, f"y{number}")
        count = len(self.weights[0].ty.fields) if self.weights else 0
        addresses = tirx.decl_buffer((max(count, 1),), "int64", "addresses")
        workspace = tirx.decl_buffer((tirx.Var("bytes", "int64"),), "uint8", "workspace")
        memory = _Memory(params, addresses, workspace)
        statements = [
            tirx.Evaluate(
                tirx.call_cpacked(name, *(memory.tensor(self.places[each], each) for each in arguments))
            )
            for name, arguments in self.calls
        ]
        body = tirx.SeqStmt(statements) if len(statements) > 1 else statements[0]
        return self._sized([*params.values(), addresses, workspace], body)

    def size(self) -> tirx.PrimFunc:
        """The function of the inputs that returns the bytes of the workspace, as int64."""
        params = [_buffer(var, f"x{n}") for n, var in enumerate(self.inputs)]
        total = tirx.const(1, "int64") + self.workspace
        return self._sized(params, tirx.Return(total), total.ty)

    def _sized(self, params: Sequence[Any], body: Any, result: Any = None) -> tirx.PrimFunc:
        """The function, if each free dimension in it is one of an input."""
        known = {size for var in self.inputs for size in _shape(var) if isinstance(size, tirx.Var)}
        if set(tirx.analysis.undefined_vars(body, params)) - known:
            raise _NotStraight
        return tirx.PrimFunc(params, body, result)


_TAKEN: dict[str, Callable[[_Line, Any, Any], None]] = {
    "relax.memory.alloc_storage": _Line._storage,
    "relax.memory.alloc_tensor": _Line._piece,
    "relax.builtin.alloc_tensor": _Line._own,
    "relax.reshape": _Line._view,
}


class _Memory(NamedTuple):
    """The function's parameters, and tensors on their memory."""

    params: dict[Any, Any]
    addresses: Any
    workspace: Any

    def tensor(self, place: _Place, var: Any) -> Any:
        """A DLTensor on the stack, of the shape and dtype of `var`."""
        shape = tirx.tvm_stack_make_shape(*_shape(var))
        dtype = tirx.const(0, calls.dtype_of(var))
        return tirx.tvm_stack_make_array(self.address(place), shape, 0, len(_shape(var)), dtype, 0)

    def address(self, place: _Place) -> Any:
        """The pointer to the first byte."""
        if place.root is None:
            return tirx.handle_add_byte_offset(tirx.buffer_data(self.workspace), place.offset)
        if isinstance(place.root, int):
            return tirx.reinterpret("handle", self.addresses[place.root])
        return tirx.buffer_data(self.params[place.root])


def _shape(var: Any) -> list[Any]:
    shape = calls.shape_of(var)
    if shape is None:
        raise _NotStraight
    return [tirx.IntImm("int64", size) if isinstance(size, int) else size for size in shape]


def _buffer(var: Any, name: str) -> Any:
    return tirx.decl_buffer(_shape(var), calls.dtype_of(var), name)
