"""scikit-learn's models in files: skops, which runs no code of the file; a pickle where it is trusted."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from typing import Any

from neo_magics.errors import CaptureError, InputError, UntrustedPickleError

SKOPS = "model.skops"
PICKLE = "model.joblib"
# Classes of the libraries themselves that skops does not list yet; they hold numbers and nothing that runs.
_HARMLESS = (
    "numpy.dtype",
    "sklearn.tree._",
    "sklearn.ensemble._",
    "sklearn.neighbors._",
    "sklearn.metrics._dist_metrics.",
    "sklearn.neural_network._",
    "sklearn.calibration._",
    "sklearn.compose._column_transformer.",
    "sklearn.feature_selection._",
    "sklearn.utils._bunch.Bunch",
    "sklearn._loss.",
    "sklearn.utils.validation.check_array",
    "functools.partial",  # holds a function, which is listed by its own name
)
_EPOCH = (1980, 1, 1, 0, 0, 0)
_SCHEMA = "schema.json"
_ADDRESS = re.compile(r'("__id__": |"file": ")(\d+)')


def write_estimator(model: Any, *, trust_pickle: bool) -> tuple[str, bytes]:
    """The file's name and content; a pickle only with `trust_pickle` and where skops is not installed."""
    try:
        import skops.io
    except ImportError as error:
        if not trust_pickle:
            raise CaptureError(
                "Saving a scikit-learn model without a pickle needs skops, which is not installed.",
                hint="pip install 'neo-magics[sklearn]'; or --trust-pickle sends the model as a pickle.",
            ) from error
        return PICKLE, _pickled(model)
    try:
        return SKOPS, _reproducible(skops.io.dumps(model))
    except Exception as error:
        if trust_pickle:
            return PICKLE, _pickled(model)
        raise CaptureError(
            f"skops cannot save a {type(model).__name__}: {str(error).strip()[:300]}",
            hint="--trust-pickle sends the model as a pickle.",
        ) from error


def read_estimator(path: Path, *, trust_pickle: bool = False) -> Any:
    """The estimator in `path`.

    Raises `UntrustedPickleError` for a pickle, or a skops file with classes of others, that is not trusted.
    """
    if not zipfile.is_zipfile(path):
        return _unpickled(path, trust_pickle)
    import skops.io

    try:
        foreign = skops.io.get_untrusted_types(file=path)
        others = [name for name in foreign if not name.startswith(_HARMLESS)]
        if others and not trust_pickle:
            raise UntrustedPickleError(
                f"{path.name} names classes that are not scikit-learn's: {', '.join(others[:8])}.",
                hint="If you trust the file, say --trust-pickle.",
            )
        return skops.io.load(path, trusted=foreign)
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, AttributeError) as error:
        raise InputError(
            f"skops cannot read {path.name}: {str(error).strip()[:300]}",
            hint="Save the model again, with the version of scikit-learn that is installed here.",
        ) from error


def refitted(model: Any) -> Any:
    """The best estimator of a search, which is what it predicts with; any other model as it is."""
    return getattr(model, "best_estimator_", model) if hasattr(model, "cv_results_") else model


def features(model: Any) -> int:
    """How many columns a fitted estimator takes. `CaptureError` for what is none, or does not say."""
    name = type(model).__name__
    if not hasattr(model, "fit"):
        raise CaptureError(f"A {name} of scikit-learn is not a model.", hint="Give a fitted estimator.")
    steps = [step for _name, step in getattr(model, "steps", ()) if not isinstance(step, str)]
    counts = (getattr(part, "n_features_in_", None) for part in (model, *steps[:1]))
    count = next((each for each in counts if each is not None), None)
    if count is None and _is_fitted(model):
        raise CaptureError(
            f"This {name} does not say how many columns it takes, as one of texts or of single values.",
            hint="Compile the part behind it that takes a table of numbers.",
        )
    if count is None:
        raise CaptureError(f"This {name} is not fitted.", hint="Call fit first, on numbers in a table.")
    return int(count)


def _is_fitted(model: Any) -> bool:
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    try:
        check_is_fitted(model)
    except NotFittedError:
        return False
    return True


def _pickled(model: Any) -> bytes:
    import joblib

    stream = io.BytesIO()
    joblib.dump(model, stream)
    return stream.getvalue()


def _unpickled(path: Path, trust_pickle: bool) -> Any:
    if not trust_pickle:
        raise UntrustedPickleError(
            f"{path.name} is read by running a pickle, which runs whatever code is in it.",
            hint="Save the model with skops.io.dump(model, 'model.skops'); or, if you trust the file, "
            "say --trust-pickle.",
        )
    import joblib

    try:
        return joblib.load(path)
    except Exception as error:
        raise InputError(f"joblib cannot read {path.name}: {str(error).strip()[:300]}") from error


def _reproducible(content: bytes) -> bytes:
    """The same zip without the time of writing, and with numbers from 0 for the addresses of objects."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(stream, "w") as target:
        schema = source.read(_SCHEMA).decode()
        numbers: dict[str, str] = {}
        for found in _ADDRESS.finditer(schema):
            numbers.setdefault(found[2], str(len(numbers)))
        members = {_SCHEMA: _ADDRESS.sub(lambda m: m[1] + numbers[m[2]], schema).encode()}
        for name in source.namelist():
            stem, dot, suffix = name.partition(".")
            members.setdefault(numbers.get(stem, stem) + dot + suffix, source.read(name))
        for name, member in sorted(members.items()):
            target.writestr(zipfile.ZipInfo(name, _EPOCH), member, zipfile.ZIP_DEFLATED)
    return stream.getvalue()
