"""Code that was written for DLR runs with one import changed."""

from __future__ import annotations

import numpy as np
import pytest

from neo_magics.artifact.archive import pack
from neo_magics.errors import ArtifactError, RuntimeInputError, UsageError
from neo_magics.runtime import DLRModel
from tests.runtime.conftest import mlp_reference

X = np.random.default_rng(0).standard_normal((5, 8))


def test_what_a_device_script_does(mlp):
    model = DLRModel(str(mlp), "cpu", 0)
    assert model.get_input_names() == ["x"]
    assert model.get_input_dtypes() == ["float32"]
    assert model.get_output_names() == ["y"]
    assert model.get_output_dtypes() == ["float32"]
    assert (model.get_input_name(0), model.get_input_dtype(0)) == ("x", "float32")
    assert (model.get_output_name(0), model.get_output_dtype(0)) == ("y", "float32")
    assert model.get_version().startswith("0.27")
    assert model.has_metadata()
    for values in ({"x": X}, X, [X]):
        outputs = model.run(values)
        assert isinstance(outputs, list)
        np.testing.assert_allclose(outputs[0], mlp_reference(X), rtol=1e-3, atol=1e-3)


def test_float32_inputs_are_cast_and_others_must_match(mixed):
    model = DLRModel(mixed)
    a, keep = np.ones((2, 3), "int64"), np.ones((2, 3), bool)
    assert model.run([a, keep, np.float64(3)])[1].tolist() == [[3.0] * 3] * 2
    with pytest.raises(RuntimeInputError, match="expected int64"):
        model.run([a.astype("int32"), keep, 1])


def test_the_current_value_of_an_input(mlp):
    model = DLRModel(mlp)
    with pytest.raises(RuntimeInputError, match="was not set yet"):
        model.get_input("x")
    model.run(X)
    np.testing.assert_array_equal(model.get_input("x"), X.astype("float32"))
    assert model.get_input("x", shape=[8, 5]).shape == (8, 5)


def test_inputs_keep_their_values_between_calls(mixed):
    model = DLRModel(mixed)
    model.run({"a": np.ones((1, 3), "int64"), "keep": np.ones((1, 3), bool), "scale": 2.0})
    assert model.run({"scale": 5.0})[1].tolist() == [[5.0] * 3]
    with pytest.raises(RuntimeInputError, match="missing"):
        DLRModel(mixed).run({"scale": 5.0})


def test_a_failed_call_changes_no_input(mlp):
    model = DLRModel(mlp)
    model.run(X)
    with pytest.raises(RuntimeInputError):
        model.run(X[:, :3])
    np.testing.assert_array_equal(model.get_input("x"), X.astype("float32"))


def test_archives_and_defaults(mlp, tmp_path):
    pack(mlp, tmp_path / "m.tar.gz")
    assert DLRModel(tmp_path / "m.tar.gz", None, None).get_input_names() == ["x"]


def test_refusals(mlp, tmp_path):
    with pytest.raises(UsageError, match="not on 'gpu'"):
        DLRModel(mlp, "gpu")
    with pytest.raises(ArtifactError):
        DLRModel(tmp_path / "missing")
    with pytest.raises(RuntimeInputError, match="2 arrays were given, and the model has 1 inputs"):
        DLRModel(mlp).run([X, X])
