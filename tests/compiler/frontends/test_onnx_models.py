"""ONNX through capture and import, numerically equal to ONNX Runtime; what would be wrong is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from onnx.helper import make_node

from neo_magics.compiler.frontends.onnx_importer import graph_to_module
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


@pytest.mark.parametrize(
    "sizes",
    [
        "batch = Shape<start=0, end=1>(x) size = Squeeze(batch) rows = Reshape(size, all)",
        "turned = Shape(x) both = Gather(turned, swapped) rows = Slice(both, last, end)",
        "turned = Shape(x) both = Gather(turned, swapped) row = Gather(both, one) rows = Reshape(row, all)",
    ],
    ids=["a list of one size", "sizes in another order", "one of them"],
)
def test_shapes_that_are_made_of_free_sizes(sizes: str) -> None:
    """As PyTorch's exporters and ONNX Runtime write them; there TVM failed, or made tensors of them."""
    text = f"""<ir_version: 9, opset_import: ["" : 18]> g (float[N, M, 3] x) => (float[N, 6] y)
        <int64[1] all = {{-1}}, int64[2] swapped = {{1, 0}}, int64 one = {{1}},
        int64[1] last = {{1}}, int64[1] end = {{2}}, int64[1] columns = {{6}}> {{
        {sizes} shape = Concat<axis=0>(rows, columns) y = Reshape(x, shape) }}"""
    _module, [result] = graph_to_module(onnx.parser.parse_model(text))
    assert [str(size) for size in result.shape.values] == ["N", "T.int64(6)"]


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize(
    ("free", "scales"), [([None, 3, 4, 7], "1, 1, 2.5, 1.3"), ([2, 3, None, None], "1, 1, 3, 2")]
)
def test_images_of_free_sizes_are_resized(mode: str, free: list[int | None], scales: str) -> None:
    """PyTorch's exporter writes the default policy, of which TVM knows nothing."""
    text = f"""<ir_version: 9, opset_import: ["" : 18]> g (float[N, 3, H, W] x) => (float[N, 3, A, B] y)
        <float[4] by = {{{scales}}}> {{
        y = Resize<mode="{mode}", nearest_mode="floor", keep_aspect_ratio_policy="stretch">(x, "", by) }}"""
    feeds = {"x": weight(3 if free[0] is None else 2, 3, *((4, 7) if free[0] is None else (5, 6)))}
    agrees(onnx.parser.parse_model(text), weight(2, 3, 4, 7), feeds=feeds, input_shape={"x": free})


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


def recurrent(
    kind: str,
    directions: int = 1,
    initial: bool = False,
    lengths: list[int] | None = None,
    **attributes: Any,
) -> Any:
    """x (5, batch, 3) → all states and the last ones, hidden size 4."""
    rows = 4 * KINDS[kind]
    weights = {
        "W": weight(directions, rows, 3), "R": weight(directions, rows, 4), "B": weight(directions, 2 * rows),
    }  # fmt: skip
    inputs = ["x", "W", "R", "B", "lengths" if lengths else "", *(["h0"] if initial else [])]
    if lengths:
        weights["lengths"] = np.array(lengths, "int32")
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

    def test_variants(self, kind: str) -> None:
        activations = {
            "LSTM": ["HardSigmoid", "Elu", "Relu"],
            "GRU": ["LeakyRelu", "Softsign"],
            "RNN": ["Relu"],
        }
        agrees(recurrent(kind, activations=activations[kind], clip=0.3), weight(5, 2, 3))

    def test_sequences_of_their_own_lengths(self, kind: str) -> None:
        agrees(recurrent(kind, 2, lengths=[3, 5], direction="bidirectional"), weight(5, 2, 3))


def test_an_activation_that_no_one_knows_is_refused_by_name() -> None:
    with pytest.raises((CompilationError, InputError), match="activation sine"):
        agrees(recurrent("RNN", activations=["Sine"]), weight(5, 2, 3))


def test_gru_with_the_reset_after_the_product() -> None:
    agrees(recurrent("GRU", linear_before_reset=1), weight(5, 2, 3))


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
def test_pixels_shuffled_into_images(mode: str) -> None:
    node = make_node("DepthToSpace", ["x"], ["y"], blocksize=2, mode=mode)
    agrees(model([node], {"x": ["n", 8, 3, 3]}, ["y"]), weight(2, 8, 3, 3))


@pytest.mark.parametrize("axes", [{}, {"axes": [-1, 1]}])
def test_slices_of_old_opsets(axes: dict[str, Any]) -> None:
    """Their starts and ends are attributes, and axes may be left out."""
    node = make_node("Slice", ["x"], ["y"], starts=[-3, 1], ends=[2**31, -1], **axes)
    agrees(model([node], {"x": [4, 6, 5]}, ["y"], opset=9), weight(4, 6, 5))


@pytest.mark.parametrize(("start", "end", "step"), [(8, -3, 2), (-9, -10, -1), (0, -9, -2), (2, 5, -1)])
def test_slices_that_begin_or_end_outside(start: int, end: int, step: int) -> None:
    """TVM: failed where none is left, and forgot the first element of a negative step from before it."""
    weights = {"s": np.array([start]), "e": np.array([end]), "a": np.array([1]), "t": np.array([step])}
    node = make_node("Slice", ["x", "s", "e", "a", "t"], ["y"])
    agrees(model([node], {"x": ["n", 7]}, ["y"], weights), weight(3, 7), input_shape={"x": [None, 7]})


def test_flattened_nothing() -> None:
    """TVM: found other sizes."""
    weights = {"places": np.zeros([0], "int64")}
    nodes = [make_node("Gather", ["x", "places"], ["none"], axis=1), make_node("Flatten", ["none"], ["y"])]
    agrees(model(nodes, {"x": [2, 3, 1]}, ["y"], weights), weight(2, 3, 1))


def test_slices_that_leave_all_of_a_free_dimension() -> None:
    """As TensorFlow's exporters write x[:, :2]; the size of the sum was not known any more."""
    weights = {"starts": np.array([0, 0]), "ends": np.array([2**31 - 1, 2]), "one": np.array([1])}
    nodes = [
        make_node("Slice", ["x", "starts", "ends"], ["part"]),
        make_node("ReduceSum", ["x", "one"], ["sums"]),
        make_node("Add", ["part", "sums"], ["both"]),
        make_node("ReduceMax", ["both"], ["y"], axes=[1]),
    ]
    proto = model(nodes, {"x": ["n", 4]}, ["y"], weights)
    agrees(proto, weight(2, 4), feeds={"x": weight(3, 4)}, input_shape='{"x": [null, 4]}')


def test_as_many_results_as_the_data_decide() -> None:
    """NonZero's size is a free dimension of the output."""
    nodes = [make_node("NonZero", ["x"], ["places"])]
    dtypes = {"places": TensorProto.INT64}
    result = agrees(model(nodes, {"x": [4, 5]}, ["places"], dtypes=dtypes), np.maximum(weight(4, 5), 0))
    assert result.outputs[0].shape[0] == 2
    assert isinstance(result.outputs[0].shape[1], str)


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


class TestRefusals:
    def test_all_unknown_operators_come_at_once_with_their_nodes(self) -> None:
        nodes = [
            make_node("RandomNormalLike", ["x"], ["d"], name="first"),
            make_node("RandomUniformLike", ["x"], ["m"], name="second"),
        ]
        proto = model(nodes, {"x": [2, 2]}, ["d", "m"])
        with pytest.raises(
            UnsupportedOperatorsError, match=r"implemented: \{RandomNormalLike, RandomUniformLike\}"
        ) as caught:
            self.importing(proto)
        assert "RandomNormalLike in first" in str(caught.value)
        assert caught.value.message.startswith("TVM cannot convert ONNX model.")
        assert caught.value.fields["operators"] == ["RandomNormalLike", "RandomUniformLike"]

    def test_an_operator_of_another_domain_is_named_with_it(self) -> None:
        proto = model([make_node("Gelu", ["x"], ["y"], domain="com.example")], {"x": [2]}, ["y"])
        proto.opset_import.append(onnx.helper.make_opsetid("com.example", 1))
        with pytest.raises(UnsupportedOperatorsError, match=r"com\.example\.Gelu"):
            self.importing(proto)

    def test_what_is_random_is_refused_by_name(self) -> None:
        node = make_node("Dropout", ["x", "ratio", "training"], ["y"])
        weights = {"ratio": np.float32(0.5), "training": np.array(True)}
        with pytest.raises(CompilationError, match=r"Dropout .* results are random"):
            self.importing(model([node], {"x": [3]}, ["y"], weights))

    @pytest.mark.parametrize(
        ("kind", "nodes", "message"),
        [
            ("seq(float[2, 1])", "y = SplitToSequence<axis=1>(x)", "output 'y' of the model is a sequence"),
            ("string[2, 3]", "y = Cast<to=8>(x)", "output 'y' of the model is text"),
            ("int64[2, 3]", "t = Cast<to=8>(x) y = Cast<to=7>(t)", "Cast .* cannot be converted to text"),
        ],
    )
    def test_what_is_no_tensor_of_numbers(self, kind: str, nodes: str, message: str) -> None:
        text = f'<ir_version: 9, opset_import: ["" : 18]> g (float[2, 3] x) => ({kind} y) {{ {nodes} }}'
        with pytest.raises((CompilationError, InputError), match=message):
            self.importing(onnx.parser.parse_model(text))

    def test_what_only_the_run_decides_is_refused_by_name(self) -> None:
        node = make_node("OneHot", ["x", "depth", "values"], ["y"])
        inputs = {"x": [3], "depth": [1], "values": [2]}
        with pytest.raises(CompilationError, match=r"OneHot .* a depth that only the run decides"):
            self.importing(model([node], inputs, ["y"]))

    def test_an_output_whose_shape_is_an_input(self) -> None:
        node = make_node("ConstantOfShape", ["shape"], ["y"])
        proto = model([node], {"shape": [3]}, ["y"], dtypes={"shape": TensorProto.INT64})
        proto.graph.input[0].type.tensor_type.elem_type = TensorProto.INT64
        with pytest.raises(CompilationError, match="depends on values"):
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
