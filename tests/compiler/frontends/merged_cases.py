"""Many node cases of the onnx package as one model: one compilation holds all of them."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from neo_magics.api.compiler_options import CompilerOptions
from neo_magics.artifact.dtypes import carried
from neo_magics.compiler.frontends import import_model
from tests.compiler.frontends.node_cases import array_of, compared, structural, viewed
from tests.compiler.frontends.node_table import PASSED
from tests.compiler.models import run, x86_target


def hold(names: Sequence[str], known: dict[str, Any]) -> None:
    """Assert that the cases "test_" + name agree with ONNX, compiled together by the whole pipeline.

    They are all taken for the latest version among theirs.
    """
    graph = onnx.GraphProto(name="cases")
    feeds: dict[str, Any] = {}
    expected: list[Any] = []
    opsets: dict[str, int] = {}
    for number, name in enumerate(names):
        case = known[f"test_{name}"]
        fixed = structural(case, known)
        prefixed = onnx.compose.add_prefix_graph(case.model.graph, f"c{number}_")
        inputs, outputs = case.data_sets[0]
        values = dict(zip((value.name for value in prefixed.input), map(array_of, inputs), strict=True))
        constants = {f"c{number}_{each}" for each in fixed}
        feeds |= {key: array for key, array in values.items() if key not in constants}
        expected += map(array_of, outputs)
        _add(graph, prefixed, values, constants)
        for entry in case.model.opset_import:
            opsets[entry.domain] = max(entry.version, opsets.get(entry.domain, 0))
    opsets_proto = [onnx.helper.make_opsetid(domain, version) for domain, version in opsets.items()]
    model = onnx.helper.make_model(graph, opset_imports=opsets_proto, ir_version=10)
    _agrees(model, feeds, expected)


def _add(graph: Any, part: Any, values: dict[str, Any], constants: set[str]) -> None:
    graph.node.extend(part.node)
    graph.initializer.extend(part.initializer)
    graph.initializer.extend(onnx.numpy_helper.from_array(values[name], name) for name in sorted(constants))
    graph.input.extend(value for value in part.input if value.name not in constants)
    graph.output.extend(part.output)


def _agrees(model: Any, feeds: dict[str, Any], expected: Sequence[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        onnx.save(model, Path(folder) / "model.onnx")
        shapes = {name: array.shape for name, array in feeds.items()}
        imported = import_model(Path(folder), "ONNX", shapes, CompilerOptions())
    results = viewed(
        run(imported.module, [carried(array) for array in feeds.values()], x86_target()), imported
    )
    for spec, got, wanted in zip(imported.outputs, results, expected, strict=True):
        assert compared([got], [np.asarray(wanted)]) == (PASSED, ""), spec.name
