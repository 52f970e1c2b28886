"""JAX: a jitted function with example arguments as a model archive.

The CompilationJob API has no name for JAX. The function travels as ONNX: its jaxpr is written in ONNX's
operators, and the graph is held against the function itself on the examples before it leaves. Beside it,
`model.jax` is the function as jax.export stores it, which verification and comparisons run.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from neo_magics.api.input_config import render
from neo_magics.capture.archive import ModelArchive
from neo_magics.capture.inputs import Arrays, bind_inputs, like_shape
from neo_magics.capture.jax_graph import JaxGraph
from neo_magics.capture.jax_trees import flattened
from neo_magics.capture.request import CaptureRequest
from neo_magics.capture.source_jax import FILE
from neo_magics.capture.source_proto import ProtoSource
from neo_magics.errors import CaptureError

_TOLERANCE = {"float64": 1e-8, "float32": 1e-4, "float16": 1e-2}


def capture_model(model: Any, request: CaptureRequest) -> ModelArchive:
    """A `ModelArchive` of framework ONNX; `model` is what `jax.jit` returned.

    Its arguments are arrays or trees of them, whose leaves become inputs. Shapes are those of the examples: a
    jaxpr has no free ones.
    """
    import jax

    names = _names(model)
    if request.inputs is not None:
        model, names, inputs = flattened(model, names, request.inputs)
        request = replace(request, inputs=inputs)
    examples = _examples(names, request)
    try:
        closed, shape = jax.make_jaxpr(model, return_shape=True)(*examples.values())
        exported = jax.export.export(model, platforms=("cpu",))(*examples.values())
    except Exception as error:
        raise CaptureError(
            f"JAX cannot trace the function: {type(error).__name__}: {' '.join(str(error).split())[:300]}",
            hint="Check that it runs on the example inputs.",
        ) from error
    used = dict(zip(examples, closed.in_avals, strict=True))
    examples = {name: array.astype(used[name].dtype) for name, array in examples.items()}
    proto, outputs = _graph(closed, list(examples), _output_names(shape))
    _check(proto, model, examples, outputs)
    return ModelArchive(
        framework="ONNX",
        framework_version=f"jax {jax.__version__}",
        data_input_config=render({name: tuple(array.shape) for name, array in examples.items()}),
        files={"model.onnx": proto.SerializeToString(deterministic=True), FILE: bytes(exported.serialize())},
        inputs=examples if request.inputs is not None else {},
        input_names=tuple(examples),
        output_names=tuple(outputs),
        input_dtypes={name: str(array.dtype) for name, array in examples.items()},
    )


def _names(model: Any) -> list[str]:
    if not (callable(model) and hasattr(model, "lower")):
        raise CaptureError(
            f"A {type(model).__name__} of JAX is not a model.",
            hint="Give a jitted function of arrays: jax.jit(lambda x: apply(parameters, x)).",
        )
    return list(inspect.signature(model).parameters)


def _examples(names: Sequence[str], request: CaptureRequest) -> Arrays:
    """The given examples, or generated ones of the given shapes."""
    if request.inputs is not None:
        examples = bind_inputs(request.inputs, names)
    else:
        shapes = request.shapes(names)
        examples = {name: like_shape(shapes[name], "float32", name, 1) for name in names if name in shapes}
    if list(examples) != list(names)[: len(examples)] or not examples:
        raise CaptureError(
            f"A JAX function needs an example for each of its arguments {', '.join(names)}.",
            hint="Give example inputs (--input x), a tuple in their order, or a dict by name.",
        )
    free = [name for name, shape in request.shapes(names).items() if None in shape]
    if free:
        raise CaptureError(
            f"Input {free[0]!r} has a free dimension, which a traced JAX function does not keep.",
            hint="Give the size, and compile the function once for each size that you need.",
        )
    return examples


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
    specs = {n: (str(a.dtype), tuple(a.shape)) for n, a in zip(inputs, closed.in_avals, strict=True)}
    dtypes = {n: str(a.dtype) for n, a in zip(outputs, closed.out_avals, strict=True)}
    return writer.maker.finish(specs, outputs, dtypes), outputs


def _check(proto: Any, model: Any, examples: Mapping[str, Any], outputs: Sequence[str]) -> None:
    """Hold the graph's results against the function's own."""
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
        same = got.shape == value.shape and got.dtype == value.dtype
        scale = max(1.0, float(np.abs(value[np.isfinite(value)]).max(initial=0.0))) if same else 1.0
        if not same or not np.allclose(got, value, rtol=bound, atol=bound * scale, equal_nan=True):
            raise CaptureError(
                f"The function's graph gives other results than JAX for {name}.",
                hint="This is a defect of neo_magics; please report it with the function.",
            )
