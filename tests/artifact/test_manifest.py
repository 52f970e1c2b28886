"""The manifest is written whole and read strictly."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neo_magics.artifact.archive import digest
from neo_magics.artifact.manifest import FORMAT, MANIFEST, Manifest, ParamSpec, TensorSpec
from neo_magics.artifact.meta import META
from neo_magics.errors import ArtifactError

SAMPLE = Manifest(
    name="net",
    framework="PYTORCH",
    framework_version="2.13",
    inputs=(TensorSpec("x", ("n", 3, 8, 8), "float32"), TensorSpec("mask", (), "bool")),
    outputs=(TensorSpec("y", ("n", 10), "bfloat16"),),
    params=(ParamSpec("p0", (3, 4), "float32", 64, 48),),
    target={
        "device": "ml_c5",
        "os": "LINUX",
        "arch": "X86_64",
        "mcpu": "skylake-avx512",
        "mattr": ["+avx512f"],
    },
    source_digest="ab" * 32,
    options={"dtype": "float32"},
    versions={"apache-tvm": "0.27"},
    verification={"max_abs_difference": 1e-6, "inputs": "given"},
    stages={"import": 0.5, "build": 1},
    created="2026-01-01T00:00:00+00:00",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a library and weights."""
    (tmp_path / "compiled.so").write_bytes(b"code")
    (tmp_path / "compiled.params").write_bytes(bytes(112))
    return tmp_path


def test_what_is_written_is_read(folder):
    written = SAMPLE.write(folder)
    assert Manifest.read(folder) == written
    assert replace(written, files={}) == SAMPLE


def test_every_file_has_its_digest(folder):
    written = SAMPLE.write(folder)
    assert set(written.files) == {"compiled.so", "compiled.params", META}
    assert all(digest(folder / name) == value for name, value in written.files.items())


def test_writing_again_takes_what_changed(folder):
    first = SAMPLE.write(folder)
    (folder / "report.json").write_text("{}")
    second = replace(first, verification=None).write(folder)
    assert "report.json" in second.files
    assert Manifest.read(folder).verification is None


def test_object_files_are_named_where_there_is_no_library(folder):
    (folder / "compiled.o").write_bytes(b"1")
    (folder / "compiled.1.o").write_bytes(b"2")
    assert replace(SAMPLE, library="compiled.o").write(folder).objects == ("compiled.1.o", "compiled.o")
    assert SAMPLE.write(folder).objects == ()


@pytest.mark.parametrize(
    "name", sorted({*json.loads(json.dumps(vars(SAMPLE), default=str))} - {"classes", "precision"})
)
def test_a_missing_field_is_named(folder, name):
    SAMPLE.write(folder)
    body = json.loads((folder / MANIFEST).read_text())
    del body[name]
    with pytest.raises(ArtifactError, match=f"manifest.json: the field {name!r} is missing"):
        Manifest.from_json(json.dumps(body))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": 3}, "'name' must be a text, got 3"),
        ({"inputs": {}}, "'inputs' must be a list of objects"),
        ({"inputs": [{"name": "x", "dtype": "float32"}]}, r"inputs\[0\]: the field 'shape' is missing"),
        (
            {"inputs": [{"name": "x", "dtype": "f4", "shape": [-1]}]},
            r"inputs\[0\]: 'shape' must be a list of whole",
        ),
        (
            {"params": [{"name": "w", "dtype": "f4", "shape": ["n"], "offset": 0, "nbytes": 4}]},
            "whole numbers only",
        ),
        (
            {"params": [{"name": "w", "dtype": "f4", "shape": [1], "offset": True, "nbytes": 4}]},
            "'offset' must be",
        ),
        ({"files": {"compiled.so": 1}}, "'files' must be an object of str values"),
        ({"stages": {"import": "fast"}}, "'stages' must be an object of float values"),
        ({"format": FORMAT + 1}, f"has format {FORMAT + 1}; this version of neo_magics reads up to {FORMAT}"),
    ],
)
def test_wrong_fields_are_named_with_what_was_expected(folder, change, words):
    SAMPLE.write(folder)
    body = json.loads((folder / MANIFEST).read_text())
    with pytest.raises(ArtifactError, match=words):
        Manifest.from_json(json.dumps({**body, **change}))


def test_fields_of_a_later_minor_version_are_passed_over(folder):
    SAMPLE.write(folder)
    body = json.loads((folder / MANIFEST).read_text())
    assert Manifest.from_json(json.dumps({**body, "colour": "blue"})) == Manifest.read(folder)


@given(
    text=st.one_of(st.text(), st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps))
)
def test_any_other_text_is_an_artifact_error(text):
    with pytest.raises(ArtifactError, match=r"manifest\.json"):
        Manifest.from_json(text)


def test_a_deeply_nested_text_is_an_artifact_error():
    with pytest.raises(ArtifactError, match="not valid JSON"):
        Manifest.from_json("[" * 100_000)


def test_a_folder_without_a_manifest(tmp_path):
    with pytest.raises(ArtifactError, match=r"has no manifest\.json") as caught:
        Manifest.read(tmp_path)
    assert "compiled .tar.gz" in caught.value.hint


def test_the_meta_file_says_what_dlr_reads(folder):
    SAMPLE.write(folder)
    meta = json.loads((folder / META).read_text())
    assert meta["Requirements"] == {"TargetDevice": "ml_c5", "TargetDeviceType": "cpu"}
    assert meta["Model"]["Inputs"][0] == {"name": "x", "dtype": "float32", "shape": [-1, 3, 8, 8]}
    assert meta["Model"]["Outputs"] == [{"name": "y", "dtype": "bfloat16", "shape": [-1, 10]}]


def test_a_spec_reads_as_a_person_writes_it():
    assert str(SAMPLE.inputs[0]) == "x: float32[n, 3, 8, 8]"
    assert math.prod(SAMPLE.params[0].shape) * 4 == SAMPLE.params[0].nbytes


def test_class_labels_are_kept_and_older_artifacts_have_none(folder):
    named = replace(SAMPLE, classes={"label": ("a", "b")})
    assert Manifest.read(named.write(folder) and folder).classes == {"label": ("a", "b")}
    body = json.loads((folder / MANIFEST).read_text())
    del body["classes"]
    assert Manifest.from_json(json.dumps(body)).classes == {}
