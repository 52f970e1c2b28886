"""scikit-learn's estimators and pipelines, and LightGBM's models, which travel under the same name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from tvm import relax

from neo_magics.api.compiler_options import CompilerOptions
from neo_magics.api.input_config import InputConfig
from neo_magics.capture.classes import class_names, class_numbers
from neo_magics.capture.estimator_file import features, read_estimator
from neo_magics.capture.files import model_file
from neo_magics.capture.lightgbm import FILE
from neo_magics.capture.source_sklearn import TRANSFORMED
from neo_magics.capture.tabular import LABEL, PREDICTION, PROBABILITY, SCORE
from neo_magics.compiler.frontends import lightgbm
from neo_magics.compiler.frontends.estimators.common import WIDE, Classes
from neo_magics.compiler.frontends.estimators.outliers import Outliers
from neo_magics.compiler.frontends.estimators.registry import convert, parts, problems
from neo_magics.compiler.frontends.imported import ImportedModel
from neo_magics.compiler.frontends.tabular import Graph, build, input_graph
from neo_magics.compiler.frontends.unsupported import unsupported


def import_folder(folder: Path, input_config: InputConfig | None, options: CompilerOptions) -> ImportedModel:
    """The estimator in `folder`: label and probability, prediction, or transformed."""
    if (folder / FILE).is_file():
        return lightgbm.import_folder(folder, input_config)
    import sklearn

    model = read_estimator(model_file(folder, "SKLEARN"), trust_pickle=options.trust_pickle)
    _check(model)
    graph = input_graph(folder, input_config, features(model), WIDE)

    def outputs(graph: Graph) -> Mapping[str, Any]:
        return _named(graph, model, convert(graph, model, graph.x))

    return build(graph, outputs, str(sklearn.__version__), _class_names(model))


def _check(model: Any) -> None:
    """Refuse all estimators and options that are not supported, at once, with the way to each."""
    missing: dict[str, list[str]] = {}
    for where, part in _walk(model, ""):
        for problem in problems(part):
            missing.setdefault(problem, []).append(where)
    if missing:
        raise unsupported("SKLEARN", missing)


def _walk(model: Any, where: str) -> Iterator[tuple[str, Any]]:
    yield where, model
    for name, part in parts(model):
        yield from _walk(part, f"{where}.{name}" if where else name)


def _named(graph: Graph, model: Any, result: Any) -> dict[str, Any]:
    if isinstance(result, list):
        found: dict[str, Any] = {}
        for number, part in enumerate(result):
            found |= _labelled(graph, part, np.asarray(model.classes_[number]), str(number))
        return found
    if isinstance(result, Classes):
        return _labelled(graph, result, np.asarray(model.classes_), "")
    if isinstance(result, Outliers):
        signs = relax.op.where(result.inside, graph.const(1, "int64"), graph.const(-1, "int64"))
        return {LABEL: graph.emit(signs), SCORE: result.score}
    value = graph.cast(result, WIDE)
    if not hasattr(model, "predict"):
        return {TRANSFORMED: value}
    return {PREDICTION: value if graph.width(value) > 1 else graph.flat(value)}


def _labelled(graph: Graph, result: Classes, classes: np.ndarray[Any, Any], suffix: str) -> dict[str, Any]:
    numbers = class_numbers(classes)
    label = result.place
    if not np.array_equal(numbers, np.arange(len(numbers))):
        label = graph.emit(relax.op.take(graph.const(numbers), label, 0))
    found = {f"{LABEL}{suffix}": label}
    if result.probability is not None:
        found[f"{PROBABILITY}{suffix}"] = graph.cast(result.probability, WIDE)
    return found


def _class_names(model: Any) -> dict[str, tuple[str, ...]]:
    classes = getattr(model, "classes_", None)
    if classes is None:
        return {}
    listed = (
        {f"{LABEL}{n}": c for n, c in enumerate(classes)} if isinstance(classes, list) else {LABEL: classes}
    )
    return {name: class_names(values) for name, values in listed.items() if class_names(values)}
