"""scikit-learn: a fitted estimator or pipeline, or its file, as a model archive."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from neo_magics.capture.archive import ModelArchive
from neo_magics.capture.estimator_file import features, read_estimator, refitted, write_estimator
from neo_magics.capture.request import CaptureRequest
from neo_magics.capture.tabular import table_archive


def capture_model(model: Any, request: CaptureRequest) -> ModelArchive:
    """A `ModelArchive` of framework SKLEARN with the model in skops' format."""
    import sklearn

    if isinstance(model, str | Path) and Path(model).suffix.lower() == ".txt":
        from neo_magics.capture import lightgbm

        return lightgbm.capture_model(lightgbm.read_text(Path(model)), request)
    if isinstance(model, str | Path):
        model = read_estimator(Path(model), trust_pickle=request.trust_pickle)
    if any(base.__module__.startswith("lightgbm") for base in type(model).__mro__):
        from neo_magics.capture import lightgbm

        return lightgbm.capture_model(model, request)
    model = refitted(model)
    name, content = write_estimator(model, trust_pickle=request.trust_pickle)
    return table_archive(
        "SKLEARN", str(sklearn.__version__), {name: content}, features(model), request, "float64"
    )
