"""Every estimator of scikit-learn: which work, which are refused by name.

    python -m tests.zoo.estimators [--only 'Ridge*' …] [--json out.json]

Each is fitted on a data set of scikit-learn with its defaults, captured, imported and compiled, and its
results are held against scikit-learn's own. The exit status is 1 where one is wrong or fails otherwise.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from neo_magics.errors import NeoMagicsError
from tests.compiler.frontends.oracle import agrees

WORKS, REFUSED, WRONG, FAILED, SKIPPED = "works", "refused", "wrong", "failed", "skipped"
TOLERANCE = 1e-6
_PARTS = ("estimator", "base_estimator")  # parameters that name the estimator inside
_POSITIVE = ("NB", "Chi2", "Gamma", "Poisson", "Tweedie", "NMF")


def estimators() -> dict[str, Any]:
    """Name → class of all classifiers, regressors and transformers."""
    from sklearn.utils import all_estimators

    kinds = ("classifier", "regressor", "transformer", "cluster")
    return dict(sorted({pair for kind in kinds for pair in all_estimators(type_filter=kind)}))


def made(kind: Any) -> Any:
    """An instance with its defaults; those that hold others hold linear models."""
    from inspect import signature

    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.preprocessing import StandardScaler
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    options: dict[str, Any] = {}
    names = signature(kind).parameters
    classifies = "Classif" in kind.__name__ or "Class" in kind.__name__ or kind.__name__ == "ClassifierChain"
    linear = LogisticRegression(max_iter=200) if classifies else Ridge()
    tree = (DecisionTreeClassifier if classifies else DecisionTreeRegressor)(max_depth=3, random_state=0)
    for part in _PARTS:
        if part in names and names[part].default is names[part].empty:
            options[part] = linear
    if "estimators" in names:
        options["estimators"] = [("linear", linear), ("tree", tree)]
    if "transformers" in names:
        options["transformers"] = [("scaled", StandardScaler(), [0, 1])]
    if "transformer_list" in names:
        options["transformer_list"] = [("scaled", StandardScaler())]
    if "param_grid" in names:
        options["param_grid"] = {"alpha": [0.1, 1.0]}
    if "param_distributions" in names:
        options |= {"param_distributions": {"alpha": [0.1, 1.0]}, "n_iter": 2}
    if "random_state" in names:
        options["random_state"] = 0
    if "n_estimators" in names:
        options["n_estimators"] = 5
    return kind(**options)


def outcome(kind: Any) -> tuple[str, str]:
    """What came of one estimator, and why."""
    try:
        model, x = _fitted(kind)
    except Exception as error:  # noqa: BLE001 - scikit-learn's own checks; there is nothing to compile
        return SKIPPED, f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    try:
        agrees(model, x, tolerance=TOLERANCE)
    except NeoMagicsError as error:
        return REFUSED, error.message
    except AssertionError as error:
        return WRONG, " ".join(str(error).split())[:300]
    except Exception as error:  # noqa: BLE001 - the list says so
        return FAILED, f"{type(error).__name__}: {error}"
    return WORKS, ""


def _fitted(kind: Any) -> tuple[Any, Any]:
    from sklearn import datasets
    from sklearn.base import is_regressor

    model = made(kind)
    load = datasets.load_diabetes if is_regressor(model) else datasets.load_iris
    x, y = load(return_X_y=True)
    # Rounded to 0.1, many flowers are equally far apart, and scikit-learn's tree picks any of those.
    x = x + np.random.default_rng(0).random(x.shape) * 1e-3
    if any(word in kind.__name__ for word in ("MultiTask", "MultiOutput", "RegressorChain", "CCA", "PLS")):
        y = np.stack([y, y[::-1]], 1)
    if "Isotonic" in kind.__name__:
        x = x[:, :1]
    if is_regressor(model) and any(word in kind.__name__ for word in _POSITIVE):
        y = np.abs(y) + 1
    return model.fit(x, y), x


def main(words: Sequence[str] | None = None) -> int:
    """Try them, print the list."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.zoo.estimators",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", nargs="*", default=["*"], help="names or patterns")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args(words)
    results: dict[str, tuple[str, str]] = {}
    for name, kind in estimators().items():
        if any(fnmatch.fnmatch(name, each) for each in args.only):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                results[name] = outcome(kind)
            print(f"{name:<34} {results[name][0]:<8} {results[name][1]}", flush=True)
            if args.json:
                args.json.write_text(json.dumps(results, indent=1))
    states = [state for state, _why in results.values()]
    print(", ".join(f"{states.count(each)} {each}" for each in (WORKS, REFUSED, WRONG, FAILED, SKIPPED)))
    return int(WRONG in states or FAILED in states)


if __name__ == "__main__":
    raise SystemExit(main())
