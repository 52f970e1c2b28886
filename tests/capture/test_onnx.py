"""Capturing ONNX: messages and paths, shapes from the model or the user, weights beside the model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from neo_magics.capture import capture
from neo_magics.errors import CaptureError, InputError, UnsafeArchiveError
from tests.capture.onnx_models import model, perceptron, save_apart


def test_a_model_proto_brings_its_names_and_shapes() -> None:
    archive = capture(perceptron())
    assert archive.framework == "ONNX"
    assert archive.data_input_config == '{"x":[2,4]}'
    assert (archive.input_names, archive.output_names) == (("x",), ("scores/out",))
    assert onnx.load_from_string(archive.files["model.onnx"]).graph.output[0].name == "scores/out"


def test_initialisers_that_are_listed_as_inputs_are_not_the_user_s() -> None:
    proto = perceptron()
    proto.graph.input.append(onnx.helper.make_tensor_value_info("w", onnx.TensorProto.FLOAT, [4, 3]))
    assert capture(proto).input_names == ("x",)


def test_example_inputs_fix_what_the_model_leaves_open() -> None:
    archive = capture(perceptron("batch"), inputs=np.ones((5, 4), np.float32))
    assert archive.data_input_config == '{"x":[5,4]}'


def test_null_keeps_the_batch_free() -> None:
    archive = capture(perceptron("batch"), inputs=np.ones((5, 4)), input_shape='{"x": [null, 4]}')
    assert archive.data_input_config == '{"x":[null,4]}'
    assert archive.inputs["x"].dtype == np.float32  # NumPy's float64 is brought to the model's type


def test_an_open_shape_asks_for_one() -> None:
    with pytest.raises(CaptureError, match=r"shape of input 'x' open: \[null, 4\]") as caught:
        capture(perceptron("batch"))
    assert "--input-shape" in caught.value.hint


@pytest.mark.parametrize("shape", [(2, 5), (2, 4, 1), (3, 4)])
def test_an_example_that_does_not_fit_names_input_expected_and_got(shape: tuple[int, ...]) -> None:
    with pytest.raises(CaptureError, match=r"Input 'x' of the model has shape \[2, 4\], got"):
        capture(perceptron(), inputs=np.ones(shape, np.float32))


def test_an_example_of_another_dtype_is_refused() -> None:
    with pytest.raises(CaptureError, match="Input 'x' of the model is float32; the example is int64"):
        capture(perceptron(), inputs=np.ones((2, 4), np.int64))


def test_a_wrong_input_name_is_answered_with_the_right_one() -> None:
    with pytest.raises(CaptureError, match="no input named 'X'"):
        capture(perceptron(), inputs={"X": np.ones((2, 4), np.float32)})


def test_a_path_gives_the_same_archive_each_time(tmp_path: Path) -> None:
    onnx.save(perceptron(), str(tmp_path / "net.onnx"))
    first = capture(tmp_path / "net.onnx").write(tmp_path / "a")
    assert capture(str(tmp_path / "net.onnx")).write(tmp_path / "b") == first


def test_weights_in_a_file_of_their_own_travel_along(tmp_path: Path) -> None:
    save_apart(perceptron(), tmp_path / "net.onnx")
    archive = capture(tmp_path / "net.onnx")
    assert sorted(archive.files) == ["model.onnx", "weights.bin"]


def test_missing_weights_are_named(tmp_path: Path) -> None:
    save_apart(perceptron(), tmp_path / "net.onnx")
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(InputError, match=r"weights\.bin, which is not beside it"):
        capture(tmp_path / "net.onnx")


@pytest.mark.parametrize("location", ["/etc/passwd", "../secret", "a/../../b", "C:\\x"])
def test_weights_outside_the_model_s_folder_are_refused(tmp_path: Path, location: str) -> None:
    save_apart(perceptron(), tmp_path / "net.onnx")
    proto = onnx.load(str(tmp_path / "net.onnx"), load_external_data=False)
    for entry in proto.graph.initializer[0].external_data:
        if entry.key == "location":
            entry.value = location
    (tmp_path / "evil.onnx").write_bytes(proto.SerializeToString())
    with pytest.raises(UnsafeArchiveError, match="outside its folder"):
        capture(tmp_path / "evil.onnx")


@pytest.mark.parametrize("data", [b"", b"not a model", bytes(range(256)) * 4])
def test_a_file_that_is_no_model(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "net.onnx").write_bytes(data)
    with pytest.raises(InputError, match="not an ONNX model that can be read"):
        capture(tmp_path / "net.onnx")


def test_a_cut_model(tmp_path: Path) -> None:
    data = perceptron().SerializeToString()
    (tmp_path / "net.onnx").write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError):
        capture(tmp_path / "net.onnx")


def test_text_inputs_are_refused() -> None:
    proto = perceptron()
    proto.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.STRING
    with pytest.raises(InputError, match="is text"):
        capture(proto)


def test_an_input_without_elements_is_refused_as_that() -> None:
    nodes = [onnx.helper.make_node("Concat", ["x", "none"], ["y"], axis=0)]
    proto = model(nodes, {"x": [2, 3], "none": [0, 3]}, ["y"])
    examples = {"x": np.ones((2, 3), "float32"), "none": np.ones((0, 3), "float32")}
    with pytest.raises(CaptureError, match=r"Input 'none' has no elements: its shape is \[0, 3\]"):
        capture(proto, inputs=examples)
