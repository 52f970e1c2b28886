"""Modules that take dicts, lists and tuples of tensors."""

from __future__ import annotations

import io
from typing import Any

import pytest
import torch
from torch import nn

from neo_magics.capture import capture
from neo_magics.errors import CaptureError

X = torch.randn(2, 4, generator=torch.Generator().manual_seed(1))


class Recommender(nn.Module):
    """Takes a dict of features, one of them a list, and a plain tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, features: dict[str, Any], scale: torch.Tensor) -> torch.Tensor:
        return (self.layer(features["dense"]) + features["parts"][1]) * scale


FEATURES = {"dense": X, "parts": [torch.ones(3), torch.arange(3.0)]}
SCALE = torch.tensor(2.0)


@pytest.mark.parametrize("inputs", [(FEATURES, SCALE), {"features": FEATURES, "scale": SCALE}])
def test_each_tensor_is_an_input_called_by_the_way_to_it(inputs: Any) -> None:
    model = Recommender()
    archive = capture(model, inputs=inputs)
    assert archive.input_names == ("features_dense", "features_parts_0", "features_parts_1", "scale")
    program = torch.export.load(io.BytesIO(archive.files["model.pt2"])).module()
    leaves = [torch.from_numpy(archive.inputs[name]) for name in archive.input_names]
    torch.testing.assert_close(program(*leaves), model(FEATURES, SCALE))


def test_one_argument_may_be_given_as_its_dict_and_its_sizes_may_be_free() -> None:
    class Sum(nn.Module):
        def forward(self, pair: dict[str, torch.Tensor]) -> torch.Tensor:
            return pair["a"] + pair["b"]

    free = {"pair_a": [None, 4], "pair_b": [None, 4]}
    archive = capture(Sum(), inputs={"a": X, "b": X}, input_shape=free)
    assert archive.data_input_config == '{"pair_a":[null,4],"pair_b":[null,4]}'


def test_two_tensors_of_one_name_are_refused() -> None:
    class Odd(nn.Module):
        def forward(self, given: dict[str, torch.Tensor]) -> torch.Tensor:
            return given["a.b"] + given["a_b"]

    with pytest.raises(CaptureError, match="no names of their own among given_a_b, given_a_b"):
        capture(Odd(), inputs=({"a.b": X, "a_b": X},))


def test_one_example_too_many_is_refused_as_among_plain_tensors() -> None:
    with pytest.raises(CaptureError, match="3 example inputs were given; the model takes 2"):
        capture(Recommender(), inputs=(FEATURES, SCALE, X))
