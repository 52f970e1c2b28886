"""The model of a cell: its last expression, else the only one that it defined."""

from pathlib import Path

import onnx
import pytest
import torch
from torch import nn

from neo_magics.errors import UsageError
from neo_magics.magics.models import choose, defined, is_model


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 2)


@pytest.mark.parametrize(
    "value",
    [
        Net(),
        nn.ReLU(),
        onnx.ModelProto(),
        "net.onnx",
        Path("a/net.pt2"),
        torch.export.export(nn.ReLU(), (torch.zeros(2),)),
    ],
    ids=lambda v: type(v).__name__,
)
def test_models(value):
    assert is_model(value)


@pytest.mark.parametrize(
    "value",
    [
        None,
        3,
        "text",
        torch.zeros(2),
        Net,
        nn.CrossEntropyLoss(),
        [Net()],
        torch.optim.SGD(Net().parameters()),
    ],
    ids=lambda v: type(v).__name__,
)
def test_others(value):
    assert not is_model(value)


def test_defined_are_the_new_and_the_changed_but_not_their_parts():
    old, net, layer = Net(), Net(), nn.Linear(1, 1)
    net.layer = layer
    after = {"old": old, "net": net, "layer": layer, "_hidden": Net(), "x": 1, "loss": nn.MSELoss()}
    assert defined({"old": old, "net": Net()}, after) == {"net": net}


def test_the_last_expression_comes_first():
    net, other = Net(), Net()
    assert choose(net, {"other": other}) is net
    assert choose(None, {"other": other}) is other
    assert choose(0.97, {"other": other}) is other


def test_two_names_of_one_model_are_one():
    net = Net()
    assert choose(None, {"net": net, "model": net}) is net


def test_an_ambiguous_cell_lists_its_candidates():
    with pytest.raises(UsageError, match=r"several models: a, b.*--model NAME"):
        choose(None, {"b": Net(), "a": Net()})


def test_a_cell_without_a_model_says_what_it_ended_with():
    with pytest.raises(UsageError, match=r"holds no model.*type int.*--model NAME"):
        choose(3, {})
