"""scikit-learn: a fitted estimator or pipeline, or its file, as a model archive."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from neo_magics.capture.archive import ModelArchive
from neo_magics.capture.estimator_file import read_estimator, write_estimator
from neo_magics.capture.request import CaptureRequest
from neo_magics.capture.tabular import table_archive
from neo_magics.errors import CaptureError


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
    name, content = write_estimator(model, trust_pickle=request.trust_pickle)
    return table_archive(
        "SKLEARN", str(sklearn.__version__), {name: content}, _features(model), request, "float64"
    )


def _features(model: Any) -> int:
    if not hasattr(model, "fit"):
        raise CaptureError(
            f"A {type(model).__name__} of scikit-learn is not a model.", hint="Give a fitted estimator."
        )
    count = getattr(model, "n_features_in_", None)
    if count is None:
        raise CaptureError(
            f"This {type(model).__name__} is not fitted.", hint="Call fit first, on numbers in a table."
        )
    return int(count)
