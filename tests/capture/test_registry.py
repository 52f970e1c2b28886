"""What is recognised, what is refused by name, and that nothing is imported to look at an object."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from neo_magics.capture import capture
from neo_magics.capture.registry import FRAMEWORKS, Framework, parse_shapes, recognise
from neo_magics.errors import CaptureError, UsageError

NEO = {"TENSORFLOW", "KERAS", "MXNET", "ONNX", "PYTORCH", "XGBOOST", "TFLITE", "DARKNET", "SKLEARN"}


def of_module(name: str, *bases: type) -> object:
    """An object whose class says that it comes from `name`."""
    return type("Model", bases or (), {"__module__": name})()


def test_all_nine_frameworks_of_neo_are_known() -> None:
    assert {entry.name for entry in FRAMEWORKS} == NEO | {"JAX"}  # which travels as ONNX


def test_each_framework_can_be_captured_here() -> None:
    assert all(entry.module for entry in FRAMEWORKS)


@pytest.mark.parametrize(
    ("module", "framework"),
    [
        ("keras.src.models", "KERAS"),
        ("tensorflow.python.module", "TENSORFLOW"),
        ("mxnet.gluon", "MXNET"),
        ("tflite.Model", "TFLITE"),
    ],
)
def test_objects_are_known_by_the_module_of_their_class(module: str, framework: str) -> None:
    assert recognise(of_module(module)).name == framework


def test_an_estimator_of_xgboost_is_xgboost_s_and_not_scikit_learn_s() -> None:
    estimator = type("Base", (), {"__module__": "sklearn.base"})
    assert recognise(of_module("xgboost.sklearn", estimator)).name == "XGBOOST"


def test_a_keras_model_with_the_torch_backend_is_keras() -> None:
    torch_module = type("Module", (), {"__module__": "torch.nn"})
    assert recognise(of_module("keras.src.models", torch_module)).name == "KERAS"


@pytest.mark.parametrize(
    ("name", "framework"),
    [("m.pb", "TENSORFLOW"), ("m.h5", "KERAS"), ("m.cfg", "DARKNET"), ("net-symbol.json", "MXNET")],
)
def test_files_are_known_by_their_names(tmp_path: Path, name: str, framework: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    assert recognise(tmp_path / name).name == framework
    assert recognise((tmp_path / name, tmp_path / "other")).name == framework


def test_the_bytes_of_a_tflite_model_are_known() -> None:
    assert recognise(b"\x1c\0\0\0TFL3").name == "TFLITE"


def test_a_package_adds_a_framework_by_an_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    added = Framework("PADDLE", ("paddle",), (".pdmodel",), "a paddle.nn.Layer", "paddle_neo.capture")
    asked: list[str] = []

    class Entry:
        name = "paddle"

        def load(self) -> Framework:
            return added

    def entry_points(*, group: str) -> list[Entry]:
        asked.append(group)
        return [Entry()]

    monkeypatch.setattr("neo_magics.capture.registry.entry_points", entry_points)
    assert recognise(of_module("paddle.nn.layer")) is added
    assert asked == ["neo_magics.frameworks"]
    with pytest.raises(CaptureError) as caught:
        capture({})
    assert "PADDLE: a paddle.nn.Layer" in caught.value.hint


def test_an_unknown_object_lists_what_is_known() -> None:
    with pytest.raises(CaptureError, match=r"an object of builtins\.dict") as caught:
        capture({})
    assert "torch.nn.Module" in caught.value.hint
    assert "onnx.ModelProto" in caught.value.hint


def test_a_missing_file_and_an_unknown_suffix_say_so(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="There is no file"):
        capture(tmp_path / "missing.onnx")
    (tmp_path / "m.txt").write_text("x")
    with pytest.raises(CaptureError, match="No framework is known for"):
        capture(tmp_path / "m.txt")


def test_an_unknown_framework_name_lists_the_names() -> None:
    with pytest.raises(UsageError, match="no framework 'CAFFE'"):
        capture({}, framework="CAFFE")


@pytest.mark.parametrize(
    "given",
    ['{"x": [null, 3]}', "{'x': [None, 3]}", {"x": (None, 3)}, {"x": [None, 3]}, {"x": [-1, 3]}],
)
def test_shapes_are_read_in_every_form_that_users_write(given: object) -> None:
    assert parse_shapes(given) == {"x": (None, 3)}


def test_a_wrong_shape_is_a_capture_error_that_names_the_input() -> None:
    with pytest.raises(CaptureError, match="input 'x'"):
        parse_shapes('{"x": [0, 3]}')


def test_importing_capture_imports_no_framework() -> None:
    code = (
        "import sys, neo_magics.capture\n"
        "neo_magics.capture.registry.recognise(type('B', (), {'__module__': 'keras.x'})())\n"
        "print([m for m in ('torch', 'onnx', 'onnxruntime', 'tvm', 'keras') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
