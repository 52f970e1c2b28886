"""ONNX models with free sizes, as exporters write them, numerically equal to ONNX Runtime."""

from __future__ import annotations

from typing import Any

import onnx
import pytest

import neo_magics
from neo_magics.errors import CompilationError, ExecutionError
from tests.capture.onnx_models import model
from tests.compiler.frontends.oracle import agrees, imported
from tests.compiler.frontends.test_onnx_models import KINDS, weight


def parsed(body: str) -> Any:
    return onnx.parser.parse_model(f'<ir_version: 9, opset_import: ["" : 18]> g {body}')


@pytest.mark.parametrize("rows", [1, 3])
def test_a_size_is_compared_with_numbers(rows: int) -> None:
    """TVM: no size of a shape equals a number, so 3 was not 3, nor a batch of 1 one."""
    body = """(float[N, 3] x) => (int64[2] y, int64[1] z)
        <int64[2] numbers = {1, 3}, int64[1] none = {-1}> {
        s = Shape(x) same = Equal(s, numbers) y = Cast<to=7>(same)
        n = Shape<start=0, end=1>(x) never = Equal(n, none) z = Cast<to=7>(never) }"""
    agrees(parsed(body), weight(2, 3), feeds={"x": weight(rows, 3)}, input_shape={"x": [None, 3]})


def test_a_branch_is_chosen_by_a_size_that_is_known_beside_a_free_one() -> None:
    """As PyTorch exports x.squeeze(-1)."""
    body = """(float[N, 4, 1] x) => (float[N, M] y)
        <int64[1] last = {-1}, int64[1] one = {1}> {
        s = Shape(x) size = Gather(s, last) is_one = Equal(size, one)
        y = If(is_one) <then_branch = g1 () => (float[N, M] a) { a = Squeeze(x, last) },
                        else_branch = g2 () => (float[N, M] b) { b = Identity(x) }> }"""
    feeds = {"x": weight(5, 4, 1)}
    agrees(parsed(body), weight(2, 4, 1), feeds=feeds, input_shape={"x": [None, 4, 1]})


def test_places_of_a_grid_are_counted_beside_a_free_batch() -> None:
    """As detectors do for their anchors. TVM: the number of places was one that only the run knows."""
    body = """(float[N, 2, 3, 5] x) => (float[N, 2, 3, 5] y)
        <int64 axis = {3}, float zero = {0}, float one = {1}, float half = {0.5}> {
        s = Shape(x) width = Gather(s, axis) end = Cast<to=1>(width)
        places = Range(zero, end, one) middles = Add(places, half) y = Add(x, middles) }"""
    result = agrees(
        parsed(body),
        weight(2, 2, 3, 5),
        feeds={"x": weight(4, 2, 3, 5)},
        input_shape={"x": [None, 2, 3, 5]},
    )
    assert result.outputs[0].shape == ("N", 2, 3, 5)


def test_a_state_is_made_for_a_batch_that_is_known_beside_free_steps() -> None:
    """As Paddle's exporter writes the zeros that a GRU begins with."""
    body = """(float[2, L, 3] x) => (float[2, L, 3] y)
        <int64[1] first = {0}, int64[1] end = {1}, int64[2] rest = {1, 3}, float zero = {1}> {
        s = Shape(x) rows = Slice(s, first, end) row = Squeeze(rows, first) same = Identity(row)
        again = Reshape(same, end) size = Unsqueeze(again, first) flat = Reshape(size, end)
        target = Concat<axis=0>(flat, rest) ones = Expand(zero, target) y = Add(x, ones) }"""
    agrees(parsed(body), weight(2, 4, 3), feeds={"x": weight(2, 7, 3)}, input_shape={"x": [2, None, 3]})


HALVED = """(float[1, 2, H, W] x) => (float[1, 4, H, W] y)
    <float[4] twice = {1, 1, 2, 2}> {
    half = MaxPool<kernel_shape=[2, 2], strides=[2, 2]>(x)
    whole = Resize<coordinate_transformation_mode="asymmetric", nearest_mode="floor">(half, "", twice)
    y = Concat<axis=1>(whole, x) }"""


def test_parts_whose_sizes_are_equal_for_some_images_only() -> None:
    """As in U-Nets. TVM: forgot the shape, and failed in whatever came next."""
    free = [1, 2, None, None]
    agrees(parsed(HALVED), weight(1, 2, 4, 6), feeds={"x": weight(1, 2, 8, 2)}, input_shape={"x": free})


def test_an_image_for_which_they_are_not_is_refused_when_it_comes() -> None:
    """ONNX Runtime fails too."""
    job = neo_magics.compile(parsed(HALVED), input_shape={"x": [1, 2, None, None]}, wait=True)
    with pytest.raises(ExecutionError, match=r"sizes do not fit the model: \(1, 2, 8, 3\)\. Parts of it"):
        job.load()(weight(1, 2, 8, 3))


@pytest.mark.parametrize("rows", [4, 6])
def test_sums_of_sizes_that_only_the_run_can_compare(rows: int) -> None:
    """TVM: forgot the shape, and the model's output was refused."""
    body = """(float[N, 3] x, float[M, 1] y, bool[3] mask) => (float[K, 3] z, float[K, 3] w, bool[K, 3] b)
        { z = Add(x, y) w = Where(mask, z, y) b = Less(y, x) }"""
    shapes = {"x": [None, 3], "y": [None, 1], "mask": [3]}
    inputs = {"x": weight(2, 3), "y": weight(2, 1), "mask": weight(3) > 0}
    feeds = {"x": weight(rows, 3), "y": weight(rows, 1), "mask": weight(3) < 0}
    agrees(parsed(body), inputs, feeds=feeds, input_shape=shapes)


def test_summands_that_do_not_fit_are_refused_when_they_come() -> None:
    body = "(float[N, 3] x, float[M, 3] y) => (float[K, 3] z) { z = Add(x, y) }"
    shapes = {"x": [None, 3], "y": [None, 3]}
    job = neo_magics.compile(parsed(body), input_shape=shapes, wait=True)
    with pytest.raises(ExecutionError, match="sizes do not fit the model"):
        job.load()(weight(4, 3), weight(2, 3))


def test_lists_of_sizes_are_reckoned_with() -> None:
    """As for x[:, : x.shape[1] // 2], and sizes for a resizing. TVM: reckoned with single ones only."""
    body = """(float[N, L] x) => (float[N, M] y, float[A, B] z, float[A, B] t)
        <int64[1] one = {1}, int64[1] two = {2}, int64[1] zero = {0}, int64[2] pair = {2, 1},
         float half = {0.5}> {
        s = Shape(x) long = Gather(s, one) middle = Div(long, two) y = Slice(x, zero, middle, one)
        more = Mul(s, pair) most = Add(more, pair) z = Expand(half, most)
        repeats = Div(s, s) twice = Mul(repeats, pair) t = Tile(x, twice) }"""
    agrees(parsed(body), weight(2, 6), feeds={"x": weight(3, 9)}, input_shape={"x": [None, None]})


@pytest.mark.parametrize("width", [6, 9])
def test_places_of_a_grid_are_as_many_as_its_free_sides(width: int) -> None:
    """As YOLOv8's anchors for images of any size. TVM: had the run count them, and no sum had a shape."""
    body = """(float[N, 2, H, W] x) => (float[N, 2, H, W] y)
        <int64 axis = {3}, float zero = {0}, float one = {1}, float half = {0.5}> {
        s = Shape(x) width = Gather(s, axis) end = Cast<to=1>(width)
        places = Range(zero, end, one) middles = Add(places, half) y = Add(x, middles) }"""
    result = agrees(
        parsed(body),
        weight(2, 2, 3, 5),
        feeds={"x": weight(1, 2, 4, width)},
        input_shape={"x": [None, 2, None, None]},
    )
    assert result.outputs[0].shape == ("N", 2, "H", "W")


def test_elements_are_counted() -> None:
    body = """(float[N, 3, 4] x) => (float[M] y) <int64[1] one = {1}> {
        n = Size(x) all = Reshape(n, one) y = Reshape(x, all) }"""
    agrees(parsed(body), weight(2, 3, 4), feeds={"x": weight(5, 3, 4)}, input_shape={"x": [None, 3, 4]})


@pytest.mark.parametrize("kind", KINDS)
def test_a_recurrent_layer_takes_any_number_of_steps(kind: str) -> None:
    rows = 4 * KINDS[kind]
    weights = {"W": weight(2, rows, 3), "R": weight(2, rows, 4), "B": weight(2, 2 * rows)}
    extra = {"linear_before_reset": 1} if kind == "GRU" else {}
    node = onnx.helper.make_node(
        kind, ["x", "W", "R", "B"], ["y", "last"], hidden_size=4, direction="bidirectional", **extra
    )
    proto = model([node], {"x": ["steps", 2, 3]}, ["y", "last"], weights)
    agrees(proto, weight(5, 2, 3), feeds={"x": weight(9, 2, 3)}, input_shape={"x": [None, 2, 3]})


def test_a_branch_that_cannot_be_converted_says_that_both_are(tmp_path: Any) -> None:
    """As a model for two sampling rates, whose other branch does not fit these shapes."""
    body = """(bool c, int64[2] i, int64 n, float[2] v) => (float[2, M] y) {
        y = If(c) <then_branch = g1 () => (float[2, M] a) { a = OneHot(i, n, v) },
                   else_branch = g2 () => (float[2, M] b) { b = OneHot(i, n, v) }> }"""
    (tmp_path / "model.onnx").write_bytes(parsed(body).SerializeToString())
    with pytest.raises(CompilationError, match=r"then branch of the If .* OneHot") as caught:
        imported(tmp_path, "ONNX")
    assert "make the condition a constant" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("counts", "size"),
    [(1, 7), pytest.param(1, 6, marks=pytest.mark.slow), pytest.param(0, 7, marks=pytest.mark.slow)],
)
def test_windows_rounded_up_over_a_free_size(counts: int, size: int) -> None:
    """TVM: the size is a condition, which no later pass knows."""
    body = f"""(float[1, 2, 8, W] x) => (float[1, 2, A, B] y, float[1, 2, A, B] z) {{
        y = MaxPool<ceil_mode=1, kernel_shape=[2, 2], pads=[1, 1, 1, 1], strides=[2, 2]>(x)
        z = AveragePool<ceil_mode=1, count_include_pad={counts}, kernel_shape=[2, 2], pads=[1, 1, 1, 1],
            strides=[2, 2]>(x) }}"""
    free = [1, 2, 8, None]
    feeds = {"x": weight(1, 2, 8, size)}
    agrees(parsed(body), weight(1, 2, 8, 10), feeds=feeds, input_shape={"x": free})


def test_where_sizes_got_lost_is_named(tmp_path: Any) -> None:
    """It said that shape_of expects a tensor, or only that the output's shape is not known."""
    body = """(float[2, C, 3] x) => (float[2, C, 3] y) <float[3] scale = {1, 2, 3}, int64 one = {1}> {
        z = InstanceNormalization(x, scale, scale)
        s = Shape(z) n = Gather(s, one) f = Cast<to=1>(n) y = Add(z, f) }"""
    onnx.save(parsed(body), str(tmp_path / "m.onnx"))
    with pytest.raises(CompilationError, match=r"not known.*since InstanceNormalization"):
        imported(tmp_path, "ONNX", '{"x": [2, null, 3]}')
