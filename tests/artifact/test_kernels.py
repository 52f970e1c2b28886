"""kernels.json: what is written is read again; what is malformed is refused by the field's name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neo_magics.artifact.kernels import KERNELS, Call, Count, Kernel, KernelTable, Source
from neo_magics.errors import ArtifactError

CONV = Source("layer1.conv", "Conv2d", "conv2d")
NORM = Source("layer1.bn", "BatchNorm2d", "batch_norm")
KERNEL = Kernel(
    name="fused_conv2d_add",
    rule="packed convolution",
    operators=("conv2d", "add"),
    flops=Count(((1000, ("n",)), (7, ()))),
    bytes_read=Count(((64, ("n",)),)),
    bytes_written=Count(((32, ("n",)),)),
    arguments=(("n", 16), (16,)),
)
TABLE = KernelTable((KERNEL,), (Call(KERNEL.name, (CONV, NORM)), Call(KERNEL.name, (NORM,))), 16)


def test_a_table_comes_back_as_it_was(tmp_path: Path) -> None:
    TABLE.write(tmp_path)
    assert KernelTable.read(tmp_path) == TABLE


def test_a_source_of_many_calls_is_written_once(tmp_path: Path) -> None:
    TABLE.write(tmp_path)
    assert len(json.loads((tmp_path / KERNELS).read_text())["sources"]) == 2


def test_free_dimensions_count_with_the_size_that_a_call_has() -> None:
    sizes = KERNEL.sizes([(3, 16), (16,)])
    assert sizes == {"n": 3}
    assert KERNEL.flops.at(sizes) == 3007


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("n", 5),
        ("(n + 3) // 4 * 4", 8),
        ("n * 2 - 1", 9),
        ("m", 1),
        ("open('x')", 1),
        ("n // 0", 1),
        ("(", 1),
    ],
)
def test_a_size_may_be_an_expression_and_is_never_run_as_code(text: str, expected: int) -> None:
    assert Count(((1, (text,)),)).at({"n": 5}) == expected


@given(st.lists(st.tuples(st.integers(0, 10**12), st.sampled_from([(), ("n",), ("n", "s")]))))
def test_a_count_of_known_sizes_is_the_sum_of_its_terms(terms: list[tuple[int, tuple[str, ...]]]) -> None:
    expected = sum(number * {0: 1, 1: 2, 2: 10}[len(names)] for number, names in terms)
    assert Count(tuple(terms)).at({"n": 2, "s": 5}) == expected


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("format", 99, "format 99"),
        ("lanes", "16", "lanes"),
        ("kernels", [{"name": "k"}], "flops"),
        ("calls", [{"kernel": "k", "sources": [5]}], "sources"),
        ("calls", [{"kernel": "k", "sources": [-1]}], "sources"),
        ("sources", [{"layer": 1}], "layer"),
    ],
)
def test_malformed_tables_are_refused(tmp_path: Path, field: str, value: object, message: str) -> None:
    TABLE.write(tmp_path)
    body = json.loads((tmp_path / KERNELS).read_text())
    (tmp_path / KERNELS).write_text(json.dumps({**body, field: value}))
    with pytest.raises(ArtifactError, match=message):
        KernelTable.read(tmp_path)


def test_an_older_artifact_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"kernels\.json") as found:
        KernelTable.read(tmp_path)
    assert "compile the model again" in found.value.hint


def test_a_layer_that_is_a_number_says_its_class():
    assert [Source(layer, "Conv2d", "conv2d").place for layer in ("0", "features.3", "conv1", "")] == [
        "0 Conv2d",
        "features.3 Conv2d",
        "conv1",
        "conv2d",
    ]
    assert Source("0", "", "conv2d").place == "0"
