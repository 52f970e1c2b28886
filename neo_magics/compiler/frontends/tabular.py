"""Models over a table: one input [rows, features], and a Relax function that is built step by step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tvm import relax, tirx

from neo_magics.api.input_config import InputConfig
from neo_magics.artifact.manifest import TensorSpec
from neo_magics.capture.archive import read_capture
from neo_magics.capture.tabular import INPUT
from neo_magics.compiler.frontends.imported import ImportedModel
from neo_magics.compiler.frontends.relax_tools import main_tensors, shape_of
from neo_magics.compiler.frontends.shapes import by_name, check_shape, config_of
from neo_magics.errors import InputError

Array = np.ndarray[Any, Any]
ROWS_NAME = "n"  # of the free batch dimension


class Graph:
    """The function "main" in the making. `x` is its input; `rows` its number of rows, as Relax wants it."""

    def __init__(self, features: int, dtype: str, fixed_rows: int | None) -> None:
        self.builder = relax.BlockBuilder()
        self.rows = tirx.Var(ROWS_NAME, "int64") if fixed_rows is None else tirx.IntImm("int64", fixed_rows)
        self.x = relax.Var(INPUT, relax.TensorType((self.rows, features), dtype))

    def const(self, array: Any, dtype: str | None = None) -> Any:
        """A constant; `dtype` in place of the array's own."""
        values = np.array(array, dtype, order="C")
        return relax.const(values, str(values.dtype))  # without it, float64 becomes float32

    def emit(self, expression: Any) -> Any:
        """Bind `expression` to a variable."""
        return self.builder.emit(expression)

    def call_kernel(
        self, kernel: Any, name: str, arguments: Sequence[Any], shape: Sequence[Any], dtype: str
    ) -> Any:
        """Call our own PrimFunc."""
        function = self.builder.add_func(kernel, name)
        return self.emit(relax.call_tir(function, list(arguments), relax.TensorType(shape, dtype)))

    def dtype(self, value: Any) -> str:
        """The dtype of an expression that `emit` returned."""
        return str(value.ty.dtype)

    def width(self, value: Any) -> int:
        """The number of columns."""
        return int(value.ty.shape[1])

    def cast(self, value: Any, dtype: str) -> Any:
        """`value` in `dtype`."""
        return value if self.dtype(value) == dtype else self.emit(relax.op.astype(value, dtype))

    def repeat_rows(self, row: Array) -> Any:
        """`row` for every row of the input."""
        return self.emit(relax.op.broadcast_to(self.const(row[None, :]), (self.rows, len(row))))

    def flat(self, value: Any) -> Any:
        """[rows, 1] → [rows]."""
        return self.emit(relax.op.squeeze(value, [1]))

    def columns(self, value: Any, begin: int, end: int) -> Any:
        """Columns `begin` to `end` (not included)."""
        return self.emit(relax.op.strided_slice(value, [1], [begin], [end]))

    def interpolate(self, column: Any, points: Array, values: Array) -> Any:
        """What `numpy.interp` makes of `column` [rows, 1] in float64; `points` rise, the ends stay level.

        Each stretch between two points adds its share of the rise, so that no search is needed.
        """
        points, values = np.asarray(points, np.float64), np.asarray(values, np.float64)
        if len(points) == 1:
            return self.emit(relax.op.full_like(self.cast(column, "float64"), self.const(values[0])))
        steps = np.diff(points)
        past = self.emit(relax.op.subtract(self.cast(column, "float64"), self.const(points[None, :-1])))
        share = self.emit(relax.op.divide(past, self.const(np.where(steps > 0, steps, 1.0)[None])))
        inside = self.emit(relax.op.clip(share, 0.0, 1.0))
        rise = self.emit(relax.op.matmul(inside, self.const(np.diff(values)[:, None])))
        return self.emit(relax.op.add(rise, self.const(values[:1])))


def build(
    graph: Graph,
    outputs: Callable[[Graph], Mapping[str, Any]],
    framework_version: str,
    classes: Mapping[str, Sequence[str]] | None = None,
) -> ImportedModel:
    """The model whose outputs, by name, `outputs` emits; `classes`: what numbers of an output stand for."""
    builder = graph.builder
    with builder.function("main", [graph.x]):
        with builder.dataflow():
            named = outputs(graph)
            result = builder.emit_output(relax.Tuple(list(named.values())))
        builder.emit_func_output(result)
    module = builder.finalize()
    params, results = main_tensors(module)
    pairs = zip(named, results, strict=True)
    spec = TensorSpec(INPUT, shape_of(params[0]), str(params[0].dtype))
    return ImportedModel(
        module=module,
        inputs=(spec,),
        outputs=tuple(TensorSpec(name, shape_of(tensor), str(tensor.dtype)) for name, tensor in pairs),
        framework_version=framework_version,
        derived_input_config=config_of({INPUT: spec.shape}),
        classes={name: tuple(values) for name, values in (classes or {}).items()},
    )


def input_graph(folder: Path, config: InputConfig | None, features: int, default_dtype: str) -> Graph:
    """The input as DataInputConfig and the captured examples want it; free rows where neither says."""
    declared = (ROWS_NAME, features)
    rows: int | None = None
    if config is not None:
        shape = by_name(config, [INPUT], by_position=True)[INPUT]
        check_shape(INPUT, shape, declared)
        rows = shape[0]
        if shape[1] is None:
            raise InputError(
                f"Input {INPUT!r}: the number of features cannot be free; the model has {features}.",
                hint=f'Give {{"{INPUT}": [null, {features}]}}.',
                input=INPUT,
            )
    dtype = read_capture(folder).get("input_dtypes", {}).get(INPUT, default_dtype)
    return Graph(features, dtype if dtype in ("float32", "float64") else default_dtype, rows)
