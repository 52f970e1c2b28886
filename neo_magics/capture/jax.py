"""JAX: a jitted function with example arguments as a model archive.

The CompilationJob API has no name for JAX. The function travels as ONNX: its jaxpr is written in ONNX's
operators, and the graph is held against the function itself on the examples before it leaves. Beside it,
`model.jax` is the function as jax.export stores it, which verification and comparisons run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from neo_magics.api.input_config import Shape, render
from neo_magics.capture.archive import ModelArchive
from neo_magics.capture.inputs import SAMPLE_SIZE, Arrays, bind_inputs, like_shape
from neo_magics.capture.jax_complex import is_complex
from neo_magics.capture.jax_free import resized, with_free_sizes
from neo_magics.capture.jax_graph import JaxGraph
from neo_magics.capture.jax_modules import function_of
from neo_magics.capture.jax_sizes import is_known
from neo_magics.capture.jax_trees import flattened
from neo_magics.capture.request import CaptureRequest
from neo_magics.capture.source_jax import FILE
from neo_magics.capture.source_proto import ProtoSource
from neo_magics.errors import CaptureError

_TOLERANCE = {"float64": 1e-8, "float32": 1e-4, "float16": 1e-2}
_NARROW = 2e-2  # with bfloat16 inside, which XLA does not round after every operator


def capture_model(model: Any, request: CaptureRequest) -> ModelArchive:
    """A `ModelArchive` of framework ONNX; `model` is what `jax.jit` returned, or a module of flax or equinox.

    Its arguments are arrays or trees of them, whose leaves become inputs. Shapes are those of the examples,
    but for the sizes that `request.input_shape` leaves free: a free first size is the same for all inputs.
    """
    import jax

    given = request.inputs
    model, names = function_of(model, len(given) if isinstance(given, tuple | list) else 1)
    if request.inputs is not None:
        model, names, inputs = flattened(model, names, request.inputs)
        request = replace(request, inputs=inputs)
    examples = _examples(names, request)
    traced = with_free_sizes(examples, request.shapes(list(examples)))
    try:
        closed, shape = jax.make_jaxpr(model, return_shape=True)(*traced.values())
        leaves = jax.jit(
            lambda *values: jax.tree_util.tree_leaves(model(*values))
        )  # named tuples do not travel
        exported = jax.export.export(leaves, platforms=("cpu",))(*traced.values())
    except Exception as error:
        free = any(traced[name] is not examples[name] for name in traced)
        hint = (
            "Give numbers for the free dimensions." if free else "Check that it runs on the example inputs."
        )
        raise CaptureError(
            f"JAX cannot trace the function: {type(error).__name__}: {' '.join(str(error).split())[:300]}",
            hint=hint,
        ) from error
    _check_dtypes(closed)
    used = dict(zip(examples, closed.in_avals, strict=True))
    examples = {name: array.astype(used[name].dtype) for name, array in examples.items()}
    proto, outputs = _graph(closed, list(examples), _output_names(shape))
    least = _NARROW if "bf16[" in str(closed) else 0.0
    _check(proto, model, examples, outputs, least)
    shapes = {name: _shape_of(aval) for name, aval in zip(examples, closed.in_avals, strict=True)}
    if any(None in shape for shape in shapes.values()):
        _check(proto, model, resized(examples, shapes), outputs, least)
    return ModelArchive(
        framework="ONNX",
        framework_version=f"jax {jax.__version__}",
        data_input_config=render(shapes),
        files={"model.onnx": proto.SerializeToString(deterministic=True), FILE: bytes(exported.serialize())},
        inputs=examples if request.inputs is not None else {},
        input_names=tuple(examples),
        output_names=tuple(outputs),
        input_dtypes={name: str(array.dtype) for name, array in examples.items()},
    )


def _examples(names: Sequence[str], request: CaptureRequest) -> Arrays:
    """The given examples, or generated ones of the given shapes."""
    if request.inputs is not None:
        examples = bind_inputs(request.inputs, names)
    else:
        shapes = request.shapes(names)
        given = [name for name in names if name in shapes]
        examples = {name: like_shape(shapes[name], "float32", name, SAMPLE_SIZE) for name in given}
    if list(examples) != list(names)[: len(examples)] or not examples:
        raise CaptureError(
            f"A JAX function needs an example for each of its arguments {', '.join(names)}.",
            hint="Give example inputs (--input x), a tuple in their order, or a dict by name.",
        )
    return examples


def _shape_of(aval: Any) -> Shape:
    return tuple(int(size) if is_known(size) else None for size in aval.shape)


def _check_dtypes(closed: Any) -> None:
    """Raise `CaptureError` for inputs and results of kinds that compiled models do not have."""
    for what, avals in (("takes", closed.in_avals), ("returns", closed.out_avals)):
        for aval in avals:
            if str(aval.dtype) == "bfloat16" or is_complex(aval.dtype):
                other = "their real and imaginary parts" if is_complex(aval.dtype) else "float32"
                raise CaptureError(
                    f"The function {what} {aval.dtype}, which only inner values can be.",
                    hint=f"Let the function {'take' if what == 'takes' else 'return'} {other} there.",
                )


def _output_names(shape: Any) -> list[str]:
    """The keys of a returned dict, joined by dots; else output0, output1, …"""
    import jax

    paths = [path for path, _leaf in jax.tree_util.tree_flatten_with_path(shape)[0]]
    if paths and all(path and hasattr(path[0], "key") for path in paths):
        return [".".join(str(getattr(k, "key", getattr(k, "idx", k))) for k in path) for path in paths]
    return [f"output{index}" for index in range(len(paths))]


def _graph(closed: Any, inputs: Sequence[str], names: Sequence[str]) -> tuple[Any, list[str]]:
    writer = JaxGraph()
    names = [f"{name}_out" if name in inputs else name for name in names]
    results = writer.convert(closed, inputs)
    outputs = [writer.maker.rename(result, name) for result, name in zip(results, names, strict=True)]
    specs = {n: (str(a.dtype), _sizes(a)) for n, a in zip(inputs, closed.in_avals, strict=True)}
    dtypes = {n: str(a.dtype) for n, a in zip(outputs, closed.out_avals, strict=True)}
    return writer.maker.finish(specs, outputs, dtypes), outputs


def _sizes(aval: Any) -> list[int | str]:
    return [int(size) if is_known(size) else str(size) for size in aval.shape]


def _check(proto: Any, model: Any, examples: Mapping[str, Any], outputs: Sequence[str], least: float) -> None:
    """Hold the graph's results against the function's own, with a tolerance of at `least` that much."""
    import jax

    expected = jax.tree_util.tree_leaves(model(*examples.values()))
    try:
        found = ProtoSource(proto, None).run(examples)
    except Exception as error:
        if not (isinstance(error, RuntimeError) or type(error).__module__.startswith("onnxruntime")):
            raise
        raise CaptureError(
            f"The function computes what ONNX Runtime lacks: {str(error).strip()[:200]}",
            hint="Compute in float32; --dtype bf16 lowers the products of the compiled model.",
        ) from error
    for name, value in zip(outputs, map(np.asarray, expected), strict=True):
        got = found[name]
        bound = _TOLERANCE.get(str(value.dtype), 0.0)
        bound = max(bound, least) if bound else 0.0
        same = got.shape == value.shape and got.dtype == value.dtype
        scale = max(1.0, float(np.abs(value[np.isfinite(value)]).max(initial=0.0))) if same else 1.0
        if not same or not np.allclose(got, value, rtol=bound, atol=bound * scale, equal_nan=True):
            raise CaptureError(
                f"The function's graph gives other results than JAX for {name}.",
                hint="This is a defect of neo_magics; please report it with the function.",
            )
