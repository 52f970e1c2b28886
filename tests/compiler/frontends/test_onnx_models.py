"""ONNX through capture and import, numerically equal to ONNX Runtime; what would be wrong is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from onnx.helper import make_node

from neo_magics.errors import CompilationError, InputError, UnsupportedOperatorsError
from tests.capture.onnx_models import model, perceptron, save_apart
from tests.compiler.frontends.oracle import agrees, imported, run

RNG = np.random.default_rng(0)
IMAGE = RNG.standard_normal((2, 3, 8, 8)).astype("float32")


def weight(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype("float32")


def test_a_perceptron_keeps_the_user_s_names() -> None:
    result = agrees(perceptron(), weight(2, 4))
    assert [str(spec) for spec in result.inputs] == ["x: float32[2, 4]"]
    assert [str(spec) for spec in result.outputs] == ["scores/out: float32[2, 3]"]
    assert result.framework_version == "opset 17"


@pytest.mark.parametrize("size", [1, 5])
def test_a_free_batch(size: int) -> None:
    result = agrees(
        perceptron("N"), weight(2, 4), feeds={"x": weight(size, 4)}, input_shape='{"x": [null, 4]}'
    )
    assert result.inputs[0].shape == ("N", 4)
    assert result.outputs[0].shape == ("N", 3)
    assert result.derived_input_config == '{"x":[null,4]}'


def test_names_that_are_no_identifiers() -> None:
    nodes = [make_node("Relu", ["1.input/x:0"], ["a b"]), make_node("Neg", ["a b"], ["0"])]
    result = agrees(model(nodes, {"1.input/x:0": [2]}, ["a b", "0"]), np.float32([1, -1]))
    assert result.inputs[0].name == "1.input/x:0"
    assert [spec.name for spec in result.outputs] == ["a b", "0"]


def test_a_residual_network() -> None:
    weights = {"w": weight(8, 3, 3, 3), "v": weight(8, 8, 3, 3)}
    weights |= {name: np.abs(weight(8)) + k for k, name in enumerate(("scale", "shift", "mean", "var"))}
    nodes = [
        make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
        make_node("BatchNormalization", ["c", "scale", "shift", "mean", "var"], ["n"]),
        make_node("Relu", ["n"], ["r"]),
        make_node("Conv", ["r", "v"], ["d"], pads=[1, 1, 1, 1]),
        make_node("Add", ["r", "d"], ["s"]),
        make_node("GlobalAveragePool", ["s"], ["p"]),
        make_node("Flatten", ["p"], ["y"]),
    ]
    agrees(model(nodes, {"x": [2, 3, 8, 8]}, ["y"], weights), IMAGE, tolerance=1e-4)


def test_arithmetic_on_shapes_is_folded() -> None:
    nodes = [
        make_node("Shape", ["x"], ["s"]),
        make_node("Gather", ["s", "zero"], ["n"]),
        make_node("Unsqueeze", ["n", "axis"], ["n1"]),
        make_node("Concat", ["n1", "rest"], ["target"], axis=0),
        make_node("Reshape", ["x", "target"], ["y"]),
    ]
    weights = {"zero": np.array(0), "axis": np.array([0]), "rest": np.array([-1])}
    agrees(model(nodes, {"x": ["batch", 3, 8, 8]}, ["y"], weights), IMAGE)


KINDS = {"LSTM": 4, "GRU": 3, "RNN": 1}


def recurrent(kind: str, directions: int = 1, initial: bool = False, **attributes: Any) -> Any:
    """x (5, batch, 3) → all states and the last ones, hidden size 4."""
    rows = 4 * KINDS[kind]
    weights = {
        "W": weight(directions, rows, 3), "R": weight(directions, rows, 4), "B": weight(directions, 2 * rows),
    }  # fmt: skip
    inputs = ["x", "W", "R", "B", "", *(["h0"] if initial else [])]
    if initial:
        weights["h0"] = weight(directions, 2, 4)
    node = make_node(kind, inputs, ["y", "last"], hidden_size=4, **attributes)
    return model([node], {"x": [5, "batch", 3]}, ["y", "last"], weights)


@pytest.mark.parametrize("kind", KINDS)
class TestRecurrent:
    """TVM's importer has no recurrent operator of ONNX."""

    def test_forward(self, kind: str) -> None:
        agrees(recurrent(kind), weight(5, 2, 3))

    def test_bidirectional(self, kind: str) -> None:
        agrees(recurrent(kind, 2, direction="bidirectional"), weight(5, 2, 3))

    def test_reverse_with_a_first_state(self, kind: str) -> None:
        agrees(recurrent(kind, initial=True, direction="reverse"), weight(5, 2, 3))

    def test_a_free_batch(self, kind: str) -> None:
        feeds = {"x": weight(5, 6, 3)}
        agrees(recurrent(kind), weight(5, 2, 3), feeds=feeds, input_shape='{"x": [5, null, 3]}')

    def test_variants_are_refused_by_name(self, kind: str) -> None:
        activations = ["Relu"] if kind == "RNN" else ["Sigmoid", "Relu"] + ["Tanh"] * (kind == "LSTM")
        with pytest.raises(CompilationError, match=f"the operator {kind} .*Relu"):
            agrees(recurrent(kind, activations=activations), weight(5, 2, 3))


def test_gru_with_the_reset_after_the_product() -> None:
    agrees(recurrent("GRU", linear_before_reset=1), weight(5, 2, 3))


def test_weights_in_a_file_of_their_own(tmp_path: Path) -> None:
    save_apart(perceptron(), tmp_path / "net.onnx")
    agrees(tmp_path / "net.onnx", weight(2, 4))


def test_the_importer_leaves_the_model_s_folder_as_it_was(tmp_path: Path) -> None:
    onnx.save(perceptron(), str(tmp_path / "model.onnx"))
    imported(tmp_path, "ONNX")
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


def test_a_real_network_with_real_weights() -> None:
    magika = pytest.importorskip("magika")
    path = Path(magika.__file__).parent / "models" / "standard_v3_3" / "model.onnx"
    rows = RNG.integers(0, 257, (1, 2048)).astype("int32")
    result = agrees(path, rows)
    assert str(result.outputs[0]) == "target_label: float32[1, 214]"


WRONG = {
    "NonMaxSuppression": make_node("NonMaxSuppression", ["x", "s"], ["y"]),
    "LayerNormalization with its mean": make_node("LayerNormalization", ["x", "s"], ["y", "mean"]),
    "Dropout with its mask": make_node("Dropout", ["x"], ["y", "mask"]),
    "DepthToSpace with mode=CRD": make_node("DepthToSpace", ["x"], ["y"], blocksize=2, mode="CRD"),
    "IsInf with detect_negative=0": make_node("IsInf", ["x"], ["y"], detect_negative=0),
    "ConvTranspose with output_shape": make_node("ConvTranspose", ["x", "s"], ["y"], output_shape=[9, 9]),
    "RoiAlign with mode=max": make_node("RoiAlign", ["x", "s", "i"], ["y"], mode="max"),
    "MaxPool with storage_order=1": make_node(
        "MaxPool", ["x"], ["y"], kernel_shape=[2, 2], storage_order=1
    ),
    "BatchNormalization in training": make_node(
        "BatchNormalization", ["x", "s", "s", "s", "s"], ["y", "m", "v"], training_mode=1
    ),
}  # fmt: skip


class TestRefusals:
    def test_all_unknown_operators_come_at_once_with_their_nodes(self) -> None:
        nodes = [
            make_node("Det", ["x"], ["d"], name="first"),
            make_node("MelWeightMatrix", ["a", "b", "c", "e", "f"], ["m"], name="second"),
        ]
        proto = model(nodes, {"x": [2, 2], "a": [], "b": [], "c": [], "e": [], "f": []}, ["d", "m"])
        with pytest.raises(
            UnsupportedOperatorsError, match=r"implemented: \{Det, MelWeightMatrix\}"
        ) as caught:
            self.importing(proto)
        assert "Det in first" in str(caught.value)
        assert caught.value.message.startswith("TVM cannot convert ONNX model.")
        assert caught.value.fields["operators"] == ["Det", "MelWeightMatrix"]

    def test_an_operator_of_another_domain_is_named_with_it(self) -> None:
        proto = model([make_node("Gelu", ["x"], ["y"], domain="com.example")], {"x": [2]}, ["y"])
        proto.opset_import.append(onnx.helper.make_opsetid("com.example", 1))
        with pytest.raises(UnsupportedOperatorsError, match=r"com\.example\.Gelu"):
            self.importing(proto)

    @pytest.mark.parametrize("reason", WRONG)
    def test_what_tvm_converts_wrongly_is_refused_by_name(self, reason: str) -> None:
        node = WRONG[reason]
        inputs = {name: [1, 4, 4, 4] for name in dict.fromkeys(node.input)}
        with pytest.raises(UnsupportedOperatorsError, match=reason):
            self.importing(model([node], inputs, list(node.output)))

    def test_an_output_whose_shape_depends_on_values(self) -> None:
        proto = model(
            [make_node("NonZero", ["x"], ["y"])], {"x": [3]}, ["y"], dtypes={"y": TensorProto.INT64}
        )
        with pytest.raises(CompilationError, match=r"NonZero|depends on values"):
            self.importing(proto)

    @staticmethod
    def importing(proto: Any) -> None:
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "model.onnx").write_bytes(proto.SerializeToString())
            imported(Path(folder), "ONNX")


class TestShapes:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        onnx.save(perceptron("batch"), str(tmp_path / "model.onnx"))
        return tmp_path

    def test_an_open_shape_needs_data_input_config(self, folder: Path) -> None:
        with pytest.raises(InputError, match=r"shape of input 'x' open: \[null, 4\]"):
            imported(folder, "ONNX")

    def test_a_wrong_shape_names_input_expected_and_got(self, folder: Path) -> None:
        with pytest.raises(InputError, match=r"'x': the model expects shape \[batch, 4\].*\[2, 5\]"):
            imported(folder, "ONNX", '{"x": [2, 5]}')

    def test_a_wrong_name_is_answered_with_the_right_one(self, folder: Path) -> None:
        with pytest.raises(InputError, match="names the input 'X', which the model does not have") as caught:
            imported(folder, "ONNX", '{"X": [2, 4]}')
        assert "'x'" in caught.value.hint

    def test_static_shapes_are_derived(self, tmp_path: Path) -> None:
        onnx.save(perceptron(3), str(tmp_path / "model.onnx"))
        result = imported(tmp_path, "ONNX")
        assert result.derived_input_config == '{"x":[3,4]}'
        assert run(result, {"x": weight(3, 4)})["scores/out"].shape == (3, 3)

    def test_shapes_that_contradict_the_graph(self, tmp_path: Path) -> None:
        nodes = [make_node("MatMul", ["x", "w"], ["y"])]
        proto = model(nodes, {"x": ["a", "b"]}, ["y"], {"w": weight(4, 3)})
        onnx.save(proto, str(tmp_path / "model.onnx"))
        with pytest.raises(InputError, match="ONNX Runtime cannot load the model with these shapes"):
            imported(tmp_path, "ONNX", '{"x": [2, 5]}')

    @pytest.mark.parametrize("data", [b"", b"junk", bytes(200)])
    def test_a_file_that_is_no_model(self, tmp_path: Path, data: bytes) -> None:
        (tmp_path / "model.onnx").write_bytes(data)
        with pytest.raises(InputError, match="not an ONNX model that can be read"):
            imported(tmp_path, "ONNX", '{"x": [2, 4]}')
