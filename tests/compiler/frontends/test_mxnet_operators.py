"""MXNet's operators one by one; recurrent layers against PyTorch's, which have MXNet's gates and order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from neo_magics.capture import capture
from neo_magics.capture.mxnet_graph import Network
from neo_magics.capture.source_mxnet import MxnetSource
from neo_magics.errors import InputError, UnsupportedOperatorsError
from tests.compiler.frontends.mxnet_files import write
from tests.compiler.frontends.oracle import agrees

X = np.random.default_rng(0).standard_normal((5, 2, 4)).astype("float32")
LAYERS = {
    "lstm": lambda **given: nn.LSTM(4, 3, **given),
    "gru": lambda **given: nn.GRU(4, 3, **given),
    "rnn_tanh": lambda **given: nn.RNN(4, 3, **given),
    "rnn_relu": lambda **given: nn.RNN(4, 3, nonlinearity="relu", **given),
}


def options(mode: str, depth: int, both: bool, **more: Any) -> dict[str, Any]:
    plain = {"mode": mode, "state_size": 3, "num_layers": depth, "bidirectional": both, "state_outputs": True}
    return plain | more


@pytest.mark.parametrize("mode", LAYERS)
@pytest.mark.parametrize(("depth", "both"), [(1, False), (2, True)])
def test_fused_recurrent_layers(tmp_path: Path, mode: str, depth: int, both: bool) -> None:
    """Weights as the vector that MXNet keeps: all matrices, layer by layer, then all biases."""
    torch.manual_seed(0)
    layer = LAYERS[mode](num_layers=depth, bidirectional=both)
    named = list(layer.named_parameters())
    vector = torch.cat(
        [p.flatten() for name, p in named if name.startswith("weight")]
        + [p.flatten() for name, p in named if name.startswith("bias")]
    )
    state = np.random.default_rng(1).standard_normal((depth * (1 + both), 2, 3)).astype("float32")
    names = ["data", "vector", "h", *(["c"] if mode == "lstm" else [])]
    nodes: list[Any] = [("null", name, [], {}) for name in names]
    nodes.append(("RNN", "rnn", list(range(len(names))), options(mode, depth, both)))
    last = len(names)
    path = write(tmp_path, nodes, {"vector": vector.detach()}, [(last, k) for k in range(last - 1)])
    inputs = dict.fromkeys(names[2:], state) | {"data": X}
    first = torch.from_numpy(state)
    with torch.no_grad():
        output, after = layer(torch.from_numpy(X), (first, first) if mode == "lstm" else first)
    expected = [output, *(after if mode == "lstm" else [after])]
    result = agrees(path, inputs)
    got = MxnetSource(Network(path, tmp_path / "net-0000.params"), 1).run(inputs)
    assert len(result.outputs) == len(expected)
    for value, wanted in zip(got.values(), expected, strict=True):
        np.testing.assert_allclose(value, wanted.numpy(), atol=1e-6)


def test_a_gluon_layer_s_parameters_are_joined_and_its_first_state_is_zero(tmp_path: Path) -> None:
    torch.manual_seed(0)
    layer = nn.GRU(4, 3)
    params = {name: value.detach() for name, value in layer.named_parameters()}
    order = ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"]
    nodes: list[Any] = [("null", "data", [], {})]
    nodes += [("null", name, [], {}) for name in order]
    nodes += [("Reshape", f"flat{k}", [k + 1], {"shape": "(-1,)"}) for k in range(4)]
    nodes.append(("_rnn_param_concat", "joined", [5, 6, 7, 8], {"dim": 0, "num_args": 4}))
    nodes.append(("_zeros", "begin", [], {"shape": "(1, 0, 3)"}))
    nodes.append(("RNN", "rnn", [0, 9, 10], options("gru", 1, False, state_outputs=False)))
    path = write(tmp_path, nodes, params, [(11, 0)])
    agrees(path, X)
    with torch.no_grad():
        expected = layer(torch.from_numpy(X))[0].numpy()
    got = MxnetSource(Network(path, tmp_path / "net-0000.params"), 1).run({"data": X})
    np.testing.assert_allclose(got["rnn_output"], expected, atol=1e-6)


def test_weights_of_no_width_are_refused(tmp_path: Path) -> None:
    nodes: list[Any] = [("null", name, [], {}) for name in ("data", "vector", "h")]
    nodes.append(("RNN", "rnn", [0, 1, 2], options("gru", 1, False)))
    path = write(tmp_path, nodes, {"vector": np.ones(50)}, [(3, 0)])
    with pytest.raises(InputError, match="has 50 weights, which fit no width of its input"):
        capture(path, inputs={"data": X, "h": np.zeros((1, 2, 3), "float32")})


Case = tuple[str, Mapping[str, Any], Sequence[np.ndarray], np.ndarray]
ROWS = X[0]
OTHER = np.random.default_rng(2).standard_normal((2, 4)).astype("float32")
CASES: dict[str, Case] = {
    "sum of several": ("add_n", {"num_args": 2}, [ROWS, OTHER], ROWS + OTHER),
    "old sum of several": ("ElementWiseSum", {"num_args": 2}, [ROWS, OTHER], ROWS + OTHER),
    "above another": ("broadcast_greater", {}, [ROWS, OTHER], (ROWS > OTHER).astype("f4")),
    "unlike a number": ("_not_equal_scalar", {"scalar": 0.0}, [ROWS], (ROWS != 0).astype("f4")),
    "where": ("where", {}, [ROWS > 0, ROWS, OTHER], np.where(ROWS > 0, ROWS, OTHER)),
    "ones": ("ones_like", {}, [ROWS], np.ones_like(ROWS)),
    "place of the largest": ("argmax", {"axis": 1}, [ROWS], ROWS.argmax(1).astype("f4")),
    "largest two": ("topk", {"k": 2, "ret_typ": "value"}, [ROWS], -np.sort(-ROWS, 1)[:, :2]),
    "smallest's place": ("topk", {"k": 1, "is_ascend": 1}, [ROWS], ROWS.argmin(1)[:, None].astype("f4")),
    "rows taken": ("take", {"axis": 1}, [ROWS, np.array([3.0, 0.0])], ROWS[:, [3, 0]]),
    "repeated": ("tile", {"reps": "(1, 2)"}, [ROWS], np.tile(ROWS, (1, 2))),
    "length of a row": (
        "L2Normalization",
        {"mode": "instance"},
        [ROWS],
        ROWS / np.sqrt((ROWS * ROWS).sum(1, keepdims=True) + 1e-10),
    ),
    "hard sigmoid": ("hard_sigmoid", {"alpha": 0.3}, [ROWS], np.clip(ROWS * 0.3 + 0.5, 0, 1)),
}


@pytest.mark.parametrize("name", CASES)
def test_operator(tmp_path: Path, name: str) -> None:
    operator, given, arrays, expected = CASES[name]
    names = [f"x{k}" for k in range(len(arrays))]
    nodes: list[Any] = [("null", each, [], {}) for each in names]
    nodes.append((operator, "made", list(range(len(arrays))), given))
    path = write(tmp_path, nodes, {}, [(len(arrays), 0)])
    inputs = {each: np.asarray(array, "float32") for each, array in zip(names, arrays, strict=True)}
    agrees(path, inputs)
    got = MxnetSource(Network(path, tmp_path / "net-0000.params"), 1).run(inputs)
    np.testing.assert_allclose(got["made_output"], expected, atol=1e-6)


@pytest.mark.parametrize(
    ("operator", "given", "what"),
    [
        ("Pooling", {"kernel": "(2, 2)", "pooling_convention": "same"}, "pooling_convention=same"),
        ("Pooling", {"kernel": "(2, 2)", "layout": "NHWC"}, "layout=NHWC"),
        ("Deconvolution", {"kernel": "(2, 2)", "target_shape": "(8, 8)"}, "target_shape"),
        ("mean", {"axis": 1, "exclude": True}, "exclude=True"),
        ("softmax", {"use_length": True}, "use_length=True"),
        ("_zeros", {"shape": "(1, 2)"}, "_zeros"),
    ],
)
def test_options_that_would_change_the_result_are_refused(
    tmp_path: Path, operator: str, given: dict[str, Any], what: str
) -> None:
    """They were read over before."""
    nodes: list[Any] = [("null", "data", [], {}), (operator, "made", [0], given)]
    if operator == "_zeros":
        nodes = [nodes[0], (operator, "made", [], given), ("elemwise_add", "sum", [0, 1], {})]
    path = write(tmp_path, nodes, {}, [(len(nodes) - 1, 0)])
    with pytest.raises(UnsupportedOperatorsError, match=what):
        capture(path, inputs=np.zeros((1, 1, 4, 4), "float32"))
