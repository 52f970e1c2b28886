"""What a converter of an ONNX operator gets: the node with its inputs as Relax."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tvm
from tvm import relax

from neo_magics.errors import CompilationError

Convert = Callable[["Node"], Any]


@dataclass(frozen=True)
class Node:
    """One node. Its converter emits with `builder` and returns an expression, or a relax.Tuple of outputs.

    `inputs` are Relax expressions, None for one that is left out; `attributes` are Python values, texts
    decoded, subgraphs as GraphProto. `input_types` and `output_types` are ONNX's element types by name
    ("float32", "int4", "float8_e4m3fn"; "" where not known), which Relax carries in a wider one where
    LLVM has none like it. `outputs` has "" for an output that nothing uses.
    """

    builder: Any
    operator: str
    inputs: Sequence[Any]
    attributes: Mapping[str, Any]
    opset: int
    outputs: Sequence[str] = ()
    input_types: Sequence[str] = ()
    output_types: Sequence[str] = ()
    name: str = ""

    def emit(self, expression: Any) -> Any:
        """A variable bound to `expression`."""
        return self.builder.emit(expression)

    def has(self, index: int) -> bool:
        """Whether input `index` is given."""
        return index < len(self.inputs) and self.inputs[index] is not None

    def tensor(self, index: int) -> Any:
        """Input `index` as a tensor; what TVM keeps as a shape or a size becomes one."""
        return as_tensor(self.builder, self.inputs[index])

    def attribute(self, name: str, default: Any = None) -> Any:
        """An attribute's value, or ONNX's `default`."""
        return self.attributes.get(name, default)

    def constant(self, index: int) -> np.ndarray[Any, Any] | None:
        """The value of input `index` where the model says it, else None."""
        return constant_of(self.inputs[index]) if self.has(index) else None

    def known(self, index: int, what: str) -> list[Any]:
        """Input `index` as a list of numbers; refused by name where it is only known at run time."""
        value = self.constant(index)
        if value is None:
            raise self.unsupported(f"with {what} that only the run decides")
        return list(np.ravel(value).tolist())

    def sizes(self, index: int, what: str) -> list[Any]:
        """As `known`, for sizes: free dimensions are TIR expressions in it."""
        value = self.inputs[index]
        if isinstance(value, relax.ShapeExpr):
            return [int(s) if hasattr(s, "value") else s for s in value.values]
        if tvm.ir.is_prim_expr(value):
            return [int(value) if hasattr(value, "value") else value]
        return self.known(index, what)

    def uses(self, index: int) -> bool:
        """Whether output `index` is used."""
        return index < len(self.outputs) and bool(self.outputs[index])

    def unsupported(self, why: str) -> CompilationError:
        """The error for a form of the operator that is not converted."""
        return CompilationError(
            f"The operator {self.operator} (node {self.name or 'without a name'}) cannot be converted {why}.",
            hint="Make what decides shapes a constant of the model, or run that part outside of it.",
            operator=self.operator,
        )


def constant_of(value: Any) -> np.ndarray[Any, Any] | None:
    """The array that `value` is known to be, else None."""
    if isinstance(value, tvm.ir.GenericConst):
        return np.asarray(value.value.numpy())
    if isinstance(value, relax.ShapeExpr) and all(hasattr(size, "value") for size in value.values):
        return np.array([int(size) for size in value.values], "int64")
    if tvm.ir.is_prim_expr(value) and hasattr(value, "value"):
        return np.array(int(value.value), "int64")
    return None


def constant(array: Any) -> Any:
    """`array` in its own dtype; relax.const makes a float32 of a float64 that comes without one."""
    return relax.const(array, str(array.dtype))


def as_tensor(builder: Any, value: Any) -> Any:
    """`value` as a tensor: TVM's importer keeps arithmetic on shapes as shapes and sizes."""
    known = constant_of(value)
    if known is not None:
        return constant(known) if not isinstance(value, tvm.ir.GenericConst) else value
    if isinstance(value, relax.ShapeExpr) or isinstance(getattr(value, "ty", None), relax.ShapeType):
        return builder.emit(relax.op.shape_to_tensor(value))
    if tvm.ir.is_prim_expr(value):
        tensor = builder.emit(relax.op.shape_to_tensor(relax.ShapeExpr([value])))
        return builder.emit(relax.op.squeeze(tensor, [0]))
    return value


def shape_of(tensor: Any) -> list[Any]:
    """The shape of a tensor: numbers, and TIR expressions for free dimensions."""
    return [int(size) if hasattr(size, "value") else size for size in tensor.ty.shape.values]


def dtype_of(tensor: Any) -> str:
    """The dtype that Relax has for a tensor."""
    return str(tensor.ty.dtype)


def normal_axis(axis: int, rank: int) -> int:
    """`axis` counted from the front."""
    return axis + rank if axis < 0 else axis


def cast(node: Node, tensor: Any, dtype: str) -> Any:
    """`tensor` as `dtype`."""
    return tensor if dtype_of(tensor) == dtype else node.emit(relax.op.astype(tensor, dtype))


def by_tvm(
    node: Node,
    operator: str,
    inputs: Sequence[Any],
    attributes: Mapping[str, Any] | None = None,
    opset: int | None = None,
) -> Any:
    """What TVM's converter of `operator` makes of `inputs`; `attributes` are the node's unless given."""
    from tvm.relax.frontend.onnx import onnx_frontend

    given = node.attributes if attributes is None else attributes
    encoded = {name: _for_tvm(value) for name, value in given.items()}
    encoded["tvm_custom"] = {"name": node.name, "num_outputs": len(node.outputs)}
    converter = onnx_frontend._get_convert_map()[operator].get_converter(opset or node.opset)
    result = converter(node.builder, onnx_frontend.onnx_input(inputs), encoded, [{}, {}])
    return node.builder.normalize(result) if isinstance(result, relax.Expr) else result


def _for_tvm(value: Any) -> Any:
    """An attribute as TVM's converters take it."""
    if isinstance(value, str):
        return value.encode()
    return tuple(map(_for_tvm, value)) if isinstance(value, list) else value
