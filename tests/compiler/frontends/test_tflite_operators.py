"""Operators of TFLite that TVM's importer lacks, refuses or gets wrong, against LiteRT."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("tflite")
pytest.importorskip("ai_edge_litert")

from neo_magics.capture import capture
from neo_magics.errors import InputError, UnsupportedOperatorsError
from tests.compiler.frontends.oracle import agrees
from tests.compiler.frontends.tflite_builder import GraphBuilder

RNG = np.random.default_rng(0)


def one(kind: str, data: np.ndarray, constants: list[Any], results: list[list[int]], **options: Any) -> bytes:
    """A model of one operator on `data` and `constants`."""
    builder = GraphBuilder()
    x = builder.tensor(list(data.shape), str(data.dtype), "x")
    others = [builder.constant(np.asarray(each, "int32")) for each in constants]
    outputs = [builder.tensor(shape, str(data.dtype)) for shape in results]
    first = [*others, x] if kind == "SPLIT" else [x, *others]
    builder.add(kind, first, outputs, **options)
    return builder.content([x], outputs)


STRIDES: dict[str, Any] = {"table": "StridedSliceOptions", "shrinkAxisMask": 2}
MOVES: dict[str, tuple[list[Any], list[list[int]], dict[str, Any]]] = {
    "STRIDED_SLICE": ([[0, 1, 0], [2, 2, 4], [1, 1, 2]], [[2, 2]], STRIDES),
    "SLICE": ([[0, 1, 2], [2, 2, -1]], [[2, 2, 2]], {"table": "SliceOptions"}),
    "SPLIT": ([2], [[2, 3, 2], [2, 3, 2]], {"table": "SplitOptions", "numSplits": 2}),
    "SPLIT_V": ([[1, 3], 2], [[2, 3, 1], [2, 3, 3]], {"table": "SplitVOptions", "numSplits": 2}),
    "TRANSPOSE": ([[2, 0, 1]], [[4, 2, 3]], {"table": "TransposeOptions"}),
    "GATHER": ([[2, 0]], [[2, 2, 4]], {"table": "GatherOptions", "axis": 1}),
    "TILE": ([[1, 2, 1]], [[2, 6, 4]], {"table": "TileOptions"}),
    "PAD": ([[[0, 0], [1, 0], [0, 2]]], [[2, 4, 6]], {"table": "PadOptions"}),
    "EXPAND_DIMS": ([1], [[2, 1, 3, 4]], {"table": "ExpandDimsOptions"}),
    "UNPACK": ([], [[2, 4]] * 3, {"table": "UnpackOptions", "num": 3, "axis": 1}),
    "REVERSE_V2": ([[1]], [[2, 3, 4]], {"table": "ReverseV2Options"}),
}


@pytest.mark.parametrize("kind", MOVES)
def test_bytes_are_moved_as_they_are(kind: str) -> None:
    """TVM: refuses most of these for quantised numbers."""
    constants, results, options = MOVES[kind]
    data = RNG.integers(-128, 128, (2, 3, 4)).astype("int8")
    agrees(one(kind, data, constants, results, **options), data, tolerance=0)


@pytest.mark.parametrize("shape", [[2, 1, 1, 6], [2, 3, 2]])
def test_products_make_rows_of_what_has_more_dimensions(shape: list[int]) -> None:
    """TVM: the first keeps its four dimensions, the second does not convert."""
    builder = GraphBuilder()
    x, y = builder.tensor(shape, name="x"), builder.tensor([2, 5])
    weight = builder.constant(RNG.standard_normal((5, 6)).astype("float32"))
    builder.add("FULLY_CONNECTED", [x, weight, -1], [y], table="FullyConnectedOptions")
    agrees(builder.content([x], [y]), RNG.standard_normal(shape).astype("float32"))


@pytest.mark.parametrize("turned", [{}, {"adjX": True, "adjY": True}])
def test_products_of_batches_and_constants(turned: dict[str, bool]) -> None:
    """TVM: fails for the constant."""
    builder = GraphBuilder()
    shapes = ([2, 3, 4], [3, 4, 5]) if not turned else ([2, 4, 3], [3, 5, 4])
    x, y = builder.tensor(shapes[0], name="x"), builder.tensor([3, 2, 3, 5])
    wide = builder.tensor([1, *shapes[0]])
    builder.add("RESHAPE", [x, builder.constant(np.int32([1, *shapes[0]]))], [wide], table="ReshapeOptions")
    weight = builder.constant(RNG.standard_normal((3, 1, *shapes[1][1:])).astype("float32"))
    builder.add("BATCH_MATMUL", [wide, weight], [y], table="BatchMatMulOptions", **turned)
    agrees(builder.content([x], [y]), RNG.standard_normal(shapes[0]).astype("float32"))


@pytest.mark.parametrize("axes", [[-3], [-4, -3], []])
def test_axes_that_count_from_the_end_behind_a_convolution(axes: list[int]) -> None:
    """TVM: moving the channels first fails with std::bad_alloc (openWakeWord's spectra)."""
    builder = GraphBuilder()
    x, y = builder.tensor([1, 4, 6, 3], name="x"), builder.tensor([1, 1, 6, 5])
    weight = builder.constant(RNG.standard_normal((5, 4, 1, 3)).astype("float32"))
    bias = builder.constant(np.zeros(5, "float32"))
    builder.add("CONV_2D", [x, weight, bias], [y], table="Conv2DOptions", padding=1, strideH=1, strideW=1)
    less = builder.tensor([1, 6, 5] if axes == [-3] else [6, 5])
    builder.add("SQUEEZE", [y], [less], table="SqueezeOptions", squeezeDims=axes)
    agrees(builder.content([x], [less]), RNG.standard_normal((1, 4, 6, 3)).astype("float32"))


def test_a_custom_operator_is_refused_by_its_name() -> None:
    builder = GraphBuilder()
    x, y = builder.tensor([1, 4], name="x"), builder.tensor([1, 4])
    builder.add("CUSTOM", [x], [y], custom=b"Landmarks")
    with pytest.raises((UnsupportedOperatorsError, InputError), match="Landmarks"):
        agrees(builder.content([x], [y]), np.zeros((1, 4), "float32"))


class TestVariables:
    """Streaming models keep a state, which goes in and comes out of the compiled one."""

    @staticmethod
    def model(*, first: bool = True) -> bytes:
        """state ← 0.5 · state + x, twice; the result is its sine."""
        builder = GraphBuilder()
        begin = builder.graph()
        x, y = builder.tensor([1, 4], name="x"), builder.tensor([1, 4], name="y")
        TestVariables.handle(builder, None)
        half = builder.constant(np.float32([0.5]))
        builder.add("CALL_ONCE", [], [], table="CallOnceOptions", initSubgraphIndex=1)
        for _ in range(2):
            old, less, new = (builder.tensor([1, 4]) for _ in range(3))
            builder.add("READ_VARIABLE", [2], [old], table="ReadVariableOptions")
            builder.add("MUL", [old, half], [less], table="MulOptions")
            builder.add("ADD", [less, x], [new], table="AddOptions")
            builder.add("ASSIGN_VARIABLE", [2, new], [], table="AssignVariableOptions")
        builder.add("SIN", [new], [y])
        if first:
            handle = TestVariables.handle(builder, begin)
            value = builder.constant(np.full((1, 4), 0.25, "float32"), begin)
            builder.add("ASSIGN_VARIABLE", [handle, value], [], begin, table="AssignVariableOptions")
        return builder.content([x], [y])

    @staticmethod
    def handle(builder: GraphBuilder, graph: Any) -> int:
        number = builder.tensor([], "resource", graph=graph)
        options = {"table": "VarHandleOptions", "sharedName": b"heard", "container": b""}
        builder.add("VAR_HANDLE", [], [number], graph, **options)
        return number

    def test_they_become_inputs_and_outputs(self) -> None:
        result = agrees(self.model(), RNG.standard_normal((1, 4)).astype("float32"))
        assert [spec.name for spec in result.inputs] == ["x", "heard"]
        assert [spec.name for spec in result.outputs] == ["y", "heard_next"]

    def test_the_first_state_is_the_model_s_own(self) -> None:
        archive = capture(self.model(), inputs=np.zeros((1, 4), "float32"))
        np.testing.assert_array_equal(archive.inputs["heard"], np.full((1, 4), 0.25, "float32"))

    def test_steps_are_those_that_litert_makes_with_its_variables(self) -> None:
        from ai_edge_litert.interpreter import Interpreter

        from neo_magics.capture.tflite_file import read_tflite

        file = read_tflite(self.model(), "model.tflite")
        runners = [Interpreter(model_content=content) for content in (self.model(), file.content)]
        for runner in runners:
            runner.allocate_tensors()
        state = file.state["heard"]
        for _ in range(3):
            x = RNG.standard_normal((1, 4)).astype("float32")
            for runner, values in zip(runners, ([x], [x, state]), strict=True):
                for detail, value in zip(runner.get_input_details(), values, strict=True):
                    runner.set_tensor(detail["index"], value)
                runner.invoke()
            whole, apart = ([r.get_tensor(d["index"]) for d in r.get_output_details()] for r in runners)
            np.testing.assert_array_equal(whole[0], apart[0])
            state = apart[1]

    def test_a_state_without_a_first_value_is_refused(self) -> None:
        with pytest.raises(InputError, match="how its variables begin: heard"):
            capture(self.model(first=False), inputs=np.zeros((1, 4), "float32"))
