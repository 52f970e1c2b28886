"""An ONNX graph as a Relax module: our converters, and TVM's where they are right."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import tvm
from tvm import relax
from tvm.relax.frontend.onnx import onnx_frontend

from neo_magics.artifact.dtypes import carried, carrier, is_narrow
from neo_magics.artifact.kernels import Source
from neo_magics.compiler.frontends.equal_sizes import broadcast_equal
from neo_magics.compiler.frontends.onnx_fixes import CONTROL, CONVERTERS
from neo_magics.compiler.frontends.onnx_fixes.narrow import MOVERS
from neo_magics.compiler.frontends.onnx_fixes.node import Node, as_tensor, constant, constant_of
from neo_magics.compiler.frontends.onnx_fold import evaluated
from neo_magics.compiler.frontends.onnx_graph import attributes_of, element_name, element_types, key_of
from neo_magics.compiler.frontends.sources import with_sources
from neo_magics.compiler.frontends.unsupported import reason_of
from neo_magics.errors import CompilationError, NeoMagicsError

_COUNTERS = 16  # elements of what is computed while importing
# One value, a tuple, where other operators have several outputs.
_SEQUENCES = frozenset(
    ("SequenceConstruct", "SequenceEmpty", "SequenceErase", "SequenceInsert", "SplitToSequence")
)
# TVM's converters of these take shapes and sizes as such; the others get tensors.
_TAKES_SHAPES = frozenset(
    ("Reshape", "Resize", "ConstantOfShape", "Gather", "Slice", "Shape", "Expand", "Concat", "Equal")
) | frozenset(
    ("Where", "Cast", "CastLike", "Squeeze", "Unsqueeze", "Add", "Sub", "Mul", "Div", "Range", "Tile")
)

_ELEMENTWISE = frozenset(
    ("Add", "Sub", "Mul", "Div", "Mod", "Pow", "Min", "Max", "Sum", "Mean", "Where", "And", "Or", "Xor")
) | frozenset(("Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "BitwiseAnd", "BitwiseOr"))


class GraphImporter(onnx_frontend.ONNXGraphImporter):  # type: ignore[misc]
    """TVM's importer with our converters, errors that name the operator and its node, and sources."""

    def __init__(self, proto: Any) -> None:
        super().__init__({}, None, keep_params_in_input=False, sanitize=True)
        self._proto = proto
        self._depth = 0  # subgraphs around the node at work
        self.lost = ""  # the operator after which sizes are not known any more
        self._nodes: dict[str, Any] = {}
        self._types = element_types(proto)  # ONNX's element type of each value, by name
        self._made: dict[Any, Source] = {}  # what a node became
        self._stored = {tensor.name for tensor in proto.graph.initializer}

    def module(self, graph: Any, opset: int) -> tuple[Any, list[Any]]:
        """`graph` as an IRModule whose "main" returns a tuple, and the types of its outputs.

        The function's own type forgets sizes that only the run decides.
        """
        self.opset = opset
        self._parse_graph_initializers(graph)
        self._parse_graph_input(graph)
        params = list(self._inputs.values())
        with self.bb.function("main", params=params):
            with self.bb.dataflow():
                self._construct_nodes(graph)
                outputs = [as_tensor(self.bb, self._nodes[value.name]) for value in graph.output]
                types = [output.ty for output in outputs]
                self._check_sizes(graph, outputs)
                result = self.bb.emit_output(relax.Tuple(outputs))
            self.bb.emit_func_output(result)
        module = self.bb.get()
        module["main"] = module["main"].with_attr("num_input", len(params))
        return with_sources(module, self._sources(module)), types

    def _check_sizes(self, graph: Any, outputs: Sequence[Any]) -> None:
        """Raise CompilationError for an output of which not even the names of its sizes are known."""
        for value, output in zip(graph.output, outputs, strict=True):
            if _unsized(output):
                since = f", since {self.lost}" if self.lost else ""
                raise CompilationError(
                    f"The shape of the model's output {value.name!r} depends on values that are not "
                    f"known{since}.",
                    hint="Make the inputs that decide it (axes, sizes, masks) constants of the model, or fix "
                    "more sizes in DataInputConfig.",
                )

    def inlined(self, graph: Any, values: Sequence[Any]) -> list[Any]:
        """The outputs of a subgraph whose inputs are `values`; it sees the names around it."""
        outer = dict(self._nodes)
        self._depth += 1
        try:
            self._parse_graph_initializers(graph)
            self._nodes.update(zip((each.name for each in graph.input), values, strict=True))
            self._construct_nodes(graph)
            return [self._nodes[value.name] for value in graph.output]
        finally:
            self._nodes = outer
            self._depth -= 1

    def _sources(self, module: Any) -> dict[str, Source]:
        """The node that each variable of `main` came from, by the variable's name."""
        bindings = [binding for block in module["main"].body.blocks for binding in block.bindings]
        found = [
            (b.var, self._made.get(b.var) or self._made.get(getattr(b, "value", None))) for b in bindings
        ]
        return {str(var.name): source for var, source in found if source is not None}

    def _parse_graph_input(self, graph: Any) -> None:
        """TVM: takes a size of 0 for an unknown one."""
        sizes: dict[str, Any] = {}
        for value in graph.input:
            if value.name in self._nodes:
                continue
            dims = value.type.tensor_type.shape.dim
            shape = [
                int(dim.dim_value)
                if dim.HasField("dim_value")
                else sizes.setdefault(dim.dim_param, tvm.tirx.Var(dim.dim_param, "int64"))
                for dim in dims
            ]
            name = self._sanitize_name(value.name)
            dtype = carrier(element_name(value.type.tensor_type.elem_type))
            self._nodes[value.name] = relax.Var(name, relax.TensorType(shape, dtype))
            self._inputs[value.name] = self._nodes[value.name]

    def _parse_array(self, tensor_proto: Any) -> Any:
        return tvm.runtime.tensor(carried(onnx_frontend.get_numpy(tensor_proto)))

    def _construct_nodes(self, graph: Any) -> None:
        for proto in graph.node:
            node = self._node(proto)
            with _named(node, self.lost):
                known = self._known(node, proto)
                result = self._result(node, proto) if known is None else known
            self._keep(node, result)

    def _node(self, proto: Any) -> Node:
        return Node(
            builder=self.bb,
            operator=key_of(proto),
            inputs=[self._nodes[name] if name else None for name in proto.input],
            attributes=attributes_of(proto),
            opset=self.opset,
            outputs=list(proto.output),
            input_types=[self._types.get(name, "") for name in proto.input],
            output_types=[self._types.get(name, "") for name in proto.output],
            name=proto.name,
        )

    def _known(self, node: Node, proto: Any) -> Any:
        """The constants that a node in a subgraph computes, as a loop's counter is, or one that goes on with
        sizes that are known beside free ones; None for others. The rest was folded before.
        """
        values = [constant_of(value) for value in node.inputs if value is not None]
        if (
            not (self._depth or any(name not in self._stored for name in proto.input if name))
            or node.operator in _SEQUENCES
            or not all(value is not None and value.size <= _COUNTERS for value in values)
        ):
            return None
        if any(map(is_narrow, (*node.input_types, *node.output_types))):
            return None
        named = dict(zip(filter(None, proto.input), values, strict=True))
        found = evaluated(self._proto, proto, named)
        if found is None or any(array is None for array in found):
            return None
        return relax.Tuple([constant(array) for array in found])

    def _result(self, node: Node, proto: Any) -> Any:
        if node.operator in CONTROL:
            return CONTROL[node.operator](node, self.inlined)
        if node.operator in _ELEMENTWISE:
            node = self._with_equal_sizes(node)
        convert = CONVERTERS.get(node.operator)
        result = convert(node) if convert else None
        if result is not None:
            return self.bb.normalize(result) if isinstance(result, relax.Expr) else result
        narrow = next((t for t in (*node.input_types, *node.output_types) if is_narrow(t)), "")
        if narrow and node.operator not in MOVERS:
            raise node.unsupported(f"for the type {narrow}")
        return self._by_tvm(node, proto)

    def _with_equal_sizes(self, node: Node) -> Node:
        """TVM: forgets the shape where it cannot prove that sizes are equal. As in ONNX Runtime, the run
        finds out."""
        places = [k for k, value in enumerate(node.inputs) if _shaped(value)]
        if len(places) < 2 or not any(_free(node.inputs[k]) for k in places):
            return node
        equal = dict(zip(places, broadcast_equal([node.inputs[k] for k in places], self.bb), strict=True))
        return replace(node, inputs=[equal.get(k, value) for k, value in enumerate(node.inputs)])

    def _by_tvm(self, node: Node, proto: Any) -> Any:
        takes = node.operator in _TAKES_SHAPES
        inputs = onnx_frontend.onnx_input(
            value if takes or value is None else as_tensor(self.bb, value) for value in node.inputs
        )
        attributes = attributes_of(proto, for_tvm=True)
        attributes["tvm_custom"] = {"name": node.name, "num_outputs": len(node.outputs)}
        return self._convert_operator(node.operator, inputs, attributes, self.opset)

    def _keep(self, node: Node, result: Any) -> None:
        if isinstance(result, relax.Expr) and not isinstance(result, relax.Tuple | tvm.ir.GenericConst):
            self._made.setdefault(result, Source(node.name, "", node.operator))
        if node.operator in _SEQUENCES:
            result = [result]
        elif not isinstance(result, relax.Tuple) and isinstance(result.ty, relax.TupleType):
            result = [self.bb.emit(relax.TupleGetItem(result, k)) for k in range(len(result.ty.fields))]
        values = list(result) if isinstance(result, relax.Tuple | list) else [result]
        missing = [name for name in node.outputs[len(values) :] if name]
        if missing:
            raise node.unsupported(f"with its output {missing[0]!r}")
        self._nodes.update((name, value) for name, value in zip(node.outputs, values, strict=False) if name)
        if not self.lost and any(map(_unsized, values)) and not any(map(_unsized, node.inputs)):
            self.lost = f"{node.operator} (node {node.name or 'without a name'})"


def _unsized(value: Any) -> bool:
    """Whether it is a tensor of which TVM cannot tell the sizes, or such sizes."""
    kind = getattr(value, "ty", None)
    if isinstance(kind, relax.ShapeType):
        return not isinstance(value, relax.ShapeExpr)
    return isinstance(kind, relax.TensorType) and not isinstance(kind.shape, relax.ShapeExpr)


def _shaped(value: Any) -> bool:
    """Whether it is a tensor whose sizes are known or named."""
    kind = getattr(value, "ty", None)
    return isinstance(kind, relax.TensorType) and isinstance(kind.shape, relax.ShapeExpr)


def _free(value: Any) -> bool:
    return any(not hasattr(size, "value") for size in value.ty.shape.values)


def known_operators() -> frozenset[str]:
    """The operators that can be converted; those outside of standard ONNX with their domain."""
    return frozenset(onnx_frontend._get_convert_map()) | frozenset(CONVERTERS) | frozenset(CONTROL)


def graph_to_module(proto: Any) -> tuple[Any, list[Any]]:
    """`proto` (shapes fixed) as an IRModule whose "main" returns a tuple, and the types of its outputs."""
    opset = next((int(o.version) for o in proto.opset_import if o.domain in ("", "ai.onnx")), 1)
    # The importer prints the inputs of an operator that fails; the compile child's stdout is its log.
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return GraphImporter(proto).module(proto.graph, opset)
        except NeoMagicsError:
            raise
        except Exception as error:
            raise CompilationError(
                f"TVM cannot convert the ONNX model: {reason_of(error)}",
                hint="Fix all shapes in DataInputConfig, or save the model again with a newer exporter.",
            ) from error


@contextlib.contextmanager
def _named(node: Node, lost: str) -> Iterator[None]:
    """Whatever a converter raises names the operator and its node, and where its inputs' sizes got lost."""
    try:
        yield
    except NeoMagicsError:
        raise
    except Exception as error:
        if lost and any(map(_unsized, node.inputs)):
            raise CompilationError(
                f"The operator {node.operator} (node {node.name or 'without a name'}) needs sizes that are "
                f"not known since {lost}.",
                hint="Fix more sizes in DataInputConfig, or rewrite that part of the model.",
                operator=node.operator,
            ) from error
        raise CompilationError(
            f"TVM cannot convert the operator {node.operator} (node {node.name or 'without a name'}): "
            f"{reason_of(error)}",
            hint="Fix all shapes in DataInputConfig, or rewrite that part of the model.",
            operator=node.operator,
        ) from error
