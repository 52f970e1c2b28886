"""An ExportedProgram as a Relax module: TVM's importer, with our converters where TVM's are wrong."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tvm import relax
from tvm.relax.frontend.torch.exported_program_translator import ExportedProgramImporter

from neo_magics.artifact.kernels import Source
from neo_magics.capture.quiet import quiet_torch
from neo_magics.capture.torch_names import node_value, program_inputs, user_input_nodes
from neo_magics.capture.torch_recurrent import by_shapes, recurrent_operators
from neo_magics.compiler.frontends.sources import with_sources
from neo_magics.compiler.frontends.torch_complex import has_complex, without_complex
from neo_magics.compiler.frontends.torch_decompositions import decomposition_table, whole_layers
from neo_magics.compiler.frontends.torch_fixes import CONVERTERS
from neo_magics.compiler.frontends.unsupported import reason_of, unsupported
from neo_magics.errors import CompilationError, InputError, NeoMagicsError

# Out of training; their converters look, and recurrent layers with dropout in effect are taken apart.
_NOT_RANDOM = ("dropout.default", "native_dropout.default", "lstm.input", "gru.input", "rnn_tanh.input")
_OF_MASKS = ("masked_select.default",)
Convert = Callable[[Any], Any]


class ProgramImporter(ExportedProgramImporter):  # type: ignore[misc]
    """TVM's importer: all unknown operators at once, and the layer of each; `sources` by variable."""

    def __init__(self) -> None:
        super().__init__()
        self.sources: dict[str, Source] = {}

    def create_convert_map(self) -> dict[str, Convert]:
        """TVM's converters, ours over them, each named where it fails."""
        converters = {name: self._bound(convert) for name, convert in CONVERTERS.items()}
        known = {**super().create_convert_map(), **converters}
        return {name: self._named(name, convert) for name, convert in known.items()}

    def _bound(self, convert: Callable[[Any, Any], Any]) -> Convert:
        return lambda node: convert(node, self)

    def _named(self, name: str, convert: Convert) -> Convert:
        def converted(node: Any) -> Any:
            try:
                result = _checked(self, node, convert(node))
            except NeoMagicsError:
                raise
            except Exception as error:
                raise CompilationError(
                    f"TVM cannot convert the operator {name}{place(node)}: {reason_of(error)}",
                    hint="Rewrite that part of the model with other operators.",
                    operator=name,
                ) from error
            if isinstance(result, relax.Var):
                self.sources.setdefault(str(result.name), Source(*layer(node), name.partition(".")[0]))
            return result

        return converted

    def _check_unsupported_func_type(self, nodes: Any) -> None:
        """All operators at once that are not known, give random or complex numbers."""
        missing: dict[str, list[str]] = {}
        for node in nodes:
            if node.op == "call_function" and (what := _refused(node, self.convert_map)):
                missing.setdefault(what, []).append(place(node).strip(" ()"))
        if missing:
            raise unsupported("PyTorch", missing)


def _refused(node: Any, known: Mapping[str, Any]) -> str:
    """What of `node` cannot be converted; "" if nothing.

    TVM itself takes some random operators for plain ones: aten.exponential for exp.
    """
    import torch

    name = str(node.target.__name__)
    if name == "with_effects":  # a check of what the operator in question found
        return str(node.args[1])
    if name in _OF_MASKS:  # TVM's converters look at a shape that is not known
        return f"{name}, whose size depends on values"
    complex_ = getattr(getattr(node.meta.get("val"), "dtype", None), "is_complex", False)
    if complex_:
        return f"{name} of complex numbers"
    random = torch.Tag.nondeterministic_seeded in getattr(node.target, "tags", ())
    if random and name not in _NOT_RANDOM:
        return f"{name}, whose result is random"
    return "" if name in known else name


def real_program(program: Any) -> Any:
    """`program`, or where complex numbers are in it, one that computes their parts."""
    _refuse_complex_inputs(program)
    return without_complex(_decomposed(program)) if has_complex(program) else program


def program_to_module(program: Any) -> Any:
    """`program` as an IRModule whose "main" returns a tuple, with its weights as constants."""
    decomposed = _decomposed(program)
    _make_contiguous(decomposed)
    _keep_tensors(decomposed)
    _refuse_fixed_sizes(decomposed, _in_steps(program))
    importer = ProgramImporter()
    importer._check_unsupported_func_type(decomposed.graph.nodes)  # before the inputs, where TVM would fail
    module = importer.from_exported_program(
        decomposed,
        keep_params_as_input=False,
        unwrap_unit_return_tuple=False,
        no_bind_return_tuple=False,
        custom_convert_map=None,
    )
    module["main"] = module["main"].without_attr("tir_var_lower_bound")  # export assumes ≥ 2; 1 is fine
    return with_sources(module, importer.sources)


def _decomposed(program: Any) -> Any:
    from torch._subclasses.fake_tensor import UnsupportedOperatorException

    try:
        with quiet_torch(), _without_stack_traces(), by_shapes(whole_layers(program)):
            return program.run_decompositions(decomposition_table(program))
    except UnsupportedOperatorException as error:
        name = str(error.func).removeprefix("aten.")
        nodes = [node for node in program.graph.nodes if str(node.target) == str(error.func)]
        raise unsupported("PyTorch", {name: [place(node).strip(" ()") for node in nodes]}) from error
    except Exception as error:
        reason = str(error).strip().partition("\n")[0]
        raise CompilationError(
            f"PyTorch cannot take the program apart: {type(error).__name__}: {reason[:250]}",
            hint="Sizes that depend on values are the usual cause: use torch.where, not masks as indices.",
        ) from error


@contextlib.contextmanager
def _without_stack_traces() -> Iterator[None]:
    """No line of Python for each operator, which nobody reads: a quarter of the time of taking apart."""
    from torch.fx import config

    kept = config.do_not_emit_stack_traces
    try:
        config.do_not_emit_stack_traces = True
        yield
    finally:
        config.do_not_emit_stack_traces = kept


def _refuse_complex_inputs(program: Any) -> None:
    found = [info.name for info in program_inputs(program) if info.dtype.startswith("complex")]
    if found:
        raise InputError(
            f"Input {found[0]!r} is of complex numbers, which a compiled model does not have.",
            hint="Take the real and the imaginary part as two inputs, or as one with a last dimension of 2.",
            input=found[0],
        )


def _in_steps(program: Any) -> list[str]:
    """Where `program` has recurrent layers that PyTorch takes apart into their steps, of a fixed number."""
    apart = set(recurrent_operators()) - set(whole_layers(program))
    return [place(node) for node in program.graph.nodes if node.target in apart]


def _refuse_fixed_sizes(program: Any, in_steps: list[str]) -> None:
    """PyTorch may find a free size equal to another one for this example, and takes it as fixed then."""
    for node in user_input_nodes(program):
        for axis, size in enumerate(getattr(node_value(node), "shape", ())):
            if not isinstance(size, int) and not size.node.expr.free_symbols:
                raise InputError(
                    f"Input {node.name!r}: PyTorch takes its free dimension {axis} as {size}, the example's.",
                    hint=f"Give its size: the recurrent layer{in_steps[0]} is taken apart into its steps, as "
                    "those with a projection, ReLU, or another dtype than float32 are."
                    if in_steps
                    else "Export the model with an example of another size, or give that dimension's size.",
                    input=node.name,
                )


def place(node: Any) -> str:
    """The innermost layer that `node` comes from, as " (layers.0, Linear)"; "" where it is not known."""
    words = ", ".join(filter(None, layer(node)))
    return f" ({words})" if words else ""


def layer(node: Any) -> tuple[str, str]:
    """The path and the class of the innermost layer that `node` comes from; "" where they are not known."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    if not stack:
        return "", ""
    path, kind = stack[-1]
    name = kind.rpartition(".")[2] if isinstance(kind, str) else kind.__name__
    return path.removeprefix("L['self'].").replace("L['self']", ""), name


def _checked(importer: Any, node: Any, result: Any) -> Any:
    """`result` if it has the shape and, after a cast, the dtype that PyTorch computed for `node`."""
    expected = node.meta.get("val")
    if not (hasattr(expected, "dtype") and hasattr(expected, "shape") and isinstance(result, relax.Expr)):
        return result
    tensor = getattr(result, "ty", None)
    if not isinstance(tensor, relax.TensorType):
        return result
    _check_shape(node, list(expected.shape), tensor)
    dtype = importer._convert_data_type(expected.dtype)
    if str(tensor.dtype) == dtype:
        return result
    return importer.block_builder.emit(relax.op.astype(result, dtype))


def _check_shape(node: Any, expected: list[Any], tensor: Any) -> None:
    if tensor.shape is None or not hasattr(tensor.shape, "values"):
        return
    got = [int(s) if hasattr(s, "value") else None for s in tensor.shape.values]
    wrong = len(got) != len(expected) or any(
        isinstance(e, int) and g is not None and e != g for e, g in zip(expected, got, strict=True)
    )
    if wrong:
        raise CompilationError(
            f"TVM converts the operator {node.target.__name__}{place(node)} to a tensor of shape "
            f"{[str(s) for s in tensor.shape.values]}; PyTorch computes {[str(s) for s in expected]}.",
            hint="Rewrite that part of the model with other operators.",
            operator=node.target.__name__,
        )


def _keep_tensors(program: Any) -> None:
    """Leave only the user's tensors among inputs and outputs: None and numbers are no tensors, and what
    a module writes into its own buffers is not returned."""
    signature = program.graph_signature
    tensors = [spec for spec in signature.input_specs if type(spec.arg).__name__ != "ConstantArgument"]
    signature.input_specs[:] = tensors
    output = next(node for node in reversed(program.graph.nodes) if node.op == "output")
    pairs = [
        (value, spec)
        for value, spec in zip(output.args[0], signature.output_specs, strict=True)
        if spec.kind.name in ("USER_OUTPUT", "LOSS_OUTPUT") and hasattr(value, "meta")
    ]
    if not pairs:
        hint = "Return a tensor, a tuple or a dict of tensors."
        raise InputError("The model returns no tensor.", hint=hint)
    output.args = (tuple(value for value, _spec in pairs),)
    signature.output_specs[:] = [spec for _value, spec in pairs]


def _make_contiguous(program: Any) -> None:
    """TVM reads a weight's memory in order, so a transposed view would be read wrongly."""
    for tensors in (program.state_dict, program.constants):
        for name, tensor in list(tensors.items()):
            if hasattr(tensor, "is_contiguous") and not tensor.is_contiguous():
                tensors[name] = tensor.detach().contiguous()
