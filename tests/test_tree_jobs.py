"""Models over tables as whole jobs: from the object in a cell to a loaded artifact, verified and compared."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import neo_magics
from neo_magics.client import Backend


@pytest.mark.slow
def test_xgboost_from_the_cell_to_the_comparison(settings):
    xgboost = pytest.importorskip("xgboost")
    x, y = load_diabetes(return_X_y=True)
    model = xgboost.train({"max_depth": 4, "nthread": 1}, xgboost.DMatrix(x, y), 20)
    job = neo_magics.compile(model, inputs=x, backend=Backend(settings), wait=True)
    assert job.report["verification"]["max_abs_difference"] == 0
    assert job.report["verification"]["reference"].startswith("xgboost")
    compiled = job.load()
    for rows in (1, 100):
        np.testing.assert_array_equal(compiled(x[:rows]), model.inplace_predict(x[:rows]))
    comparison = job.compare(x[:10], seconds=0.3)
    assert comparison.difference["max_abs"] == 0
    assert comparison.before.label == "XGBoost"


@pytest.mark.slow
def test_a_pipeline_with_texts_as_labels(settings):
    x, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])
    model = make_pipeline(StandardScaler(), RandomForestClassifier(5, random_state=0)).fit(x, names[y])
    job = neo_magics.compile(model, inputs=x, backend=Backend(settings), wait=True)
    compiled = job.load()
    label, probability = compiled(x)
    assert compiled.classes == {"label": ("setosa", "versicolor", "virginica")}
    np.testing.assert_array_equal(np.array(compiled.classes["label"])[label], model.predict(x))
    np.testing.assert_allclose(probability, model.predict_proba(x), atol=1e-12)


def test_importing_neo_magics_imports_no_framework():
    names = "xgboost", "lightgbm", "sklearn", "skops", "scipy"
    code = f"import sys, neo_magics, neo_magics.capture; print([n for n in {names} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
