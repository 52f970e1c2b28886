"""Calling a compiled model: arrays and tensors in every form, and refusals that show what was expected."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

from neo_magics.artifact.manifest import TensorSpec
from neo_magics.errors import RuntimeInputError
from neo_magics.runtime import load
from neo_magics.runtime.binding import Binder
from tests.runtime.conftest import HELD, mlp_reference

RNG = np.random.default_rng(0)
X = RNG.standard_normal((5, 8)).astype("float32")


def close(result, x=X):
    np.testing.assert_allclose(result, mlp_reference(np.asarray(x)), rtol=1e-4, atol=1e-4)


def test_inputs_by_position_by_name_and_as_a_dict(model):
    close(model(X))
    close(model(x=X))
    close(model({"x": X}))
    assert list(model.run({"x": X})) == ["y"]
    close(model.run({"x": X})["y"])


def test_torch_tensors_in_torch_tensors_out(model):
    result = model(torch.from_numpy(X))
    assert isinstance(result, torch.Tensor)
    assert result.dtype == torch.float32
    close(result.numpy())
    assert not isinstance(model(X), torch.Tensor)


def test_a_parameter_that_requires_grad_is_an_input_like_any_other(model):
    close(model(torch.nn.Parameter(torch.from_numpy(X))).numpy())


@pytest.mark.parametrize(
    "make",
    [
        lambda: np.asfortranarray(X),
        lambda: np.repeat(X, 2, axis=1)[:, ::2],
        lambda: X[::-1][::-1],
        lambda: np.frombuffer(X.tobytes(), "float32").reshape(X.shape),  # read-only
        lambda: np.frombuffer(b"\0" + X.tobytes(), "uint8")[1:].view("float32").reshape(X.shape),  # unaligned
        lambda: torch.from_numpy(X).t().contiguous().t(),
        lambda: torch.cat([torch.zeros(1), torch.from_numpy(X).flatten()])[1:].view(5, 8),  # unaligned
    ],
    ids=["fortran", "strided", "reversed", "read-only", "unaligned", "torch strided", "torch unaligned"],
)
def test_any_layout_in_memory_gives_the_same(model, make):
    close(model(make()))


def test_inputs_are_not_changed(model):
    x = X.copy()
    model(x)
    np.testing.assert_array_equal(x, X)


def test_lists_and_numbers_take_the_dtype_of_the_input(model, mixed):
    close(model(X.tolist()))
    total, scaled = load(mixed)([[1, 2, 3]], [[True, False, True]], 2)
    assert total.tolist() == [[2, 2, 4]]
    assert total.dtype == np.int64
    assert scaled.tolist() == [[2.0, 4.0, 6.0]]


def test_several_inputs_several_outputs_and_a_scalar(mixed):
    model = load(mixed)
    a = np.arange(6).reshape(2, 3)
    keep = np.array([[True, False, True]] * 2)
    total, scaled = model(a, keep, np.float32(0.5))
    np.testing.assert_array_equal(total, a + keep)
    np.testing.assert_array_equal(scaled, a * np.float32(0.5))
    by_name = model.run({"scale": np.array(0.5, "float32"), "a": a, "keep": keep})
    assert list(by_name) == ["total", "scaled"]
    torch_total, _ = model(torch.from_numpy(a), torch.from_numpy(keep), torch.tensor(0.5))
    np.testing.assert_array_equal(torch_total.numpy(), total)


def test_results_of_earlier_calls_stay_as_they_were(model):
    first = model(X)
    kept = first.copy()
    for _ in range(3):
        model(RNG.standard_normal((5, 8)).astype("float32"))
    np.testing.assert_array_equal(first, kept)


def test_what_the_model_hands_through_is_copied(handed_through):
    model = load(handed_through)
    x = np.ones((2, 2), "float32")
    same, weight, _twice = model(x)
    same[0, 0] = weight[0, 0] = 99
    assert x[0, 0] == 1
    np.testing.assert_array_equal(model(x)[1], HELD)


def test_a_free_dimension_takes_any_size(model):
    for rows in (1, 2, 7, 64):
        x = RNG.standard_normal((rows, 8)).astype("float32")
        close(model(x), x)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda m: m(), r"has 1 input, and missing 'x'. Expected: x: float32\[n, 8\]"),
        (lambda m: m(z=X), "missing 'x', unknown 'z'"),
        (lambda m: m(X, X), "2 arrays were given"),
        (lambda m: m(X, x=X), "'x' was given twice"),
        (
            lambda m: m(X.astype("float64")),
            r"expected float32\[n, 8\], got float64\[5, 8\].*astype\('float32'\)",
        ),
        (lambda m: m(torch.from_numpy(X).double()), r"got float64\[5, 8\].*to\(torch\.float32\)"),
        (lambda m: m(X.astype("int64")), r"got int64\[5, 8\]"),
        (lambda m: m(X[0]), "it has 1 dimensions in place of 2"),
        (lambda m: m(X[:, :7]), r"expected shape \[n, 8\], got \[5, 7\]: dimension 1 must be 8"),
        (lambda m: m("text"), "x"),
        (lambda m: m(None), "is a NoneType, which is no array"),
        (lambda m: m([[1.0], [2.0, 3.0]]), "uneven lengths"),
        (lambda m: m(torch.from_numpy(X).to("meta")), "on meta.*on the CPU"),
        (lambda m: m(torch.from_numpy(X).to_sparse()), "dense"),
    ],
)
def test_wrong_inputs_are_refused_with_both_sides_shown(model, call, words):
    with pytest.raises(RuntimeInputError, match=f"(?s){words}"):
        call(model)


def test_a_float_for_an_integer_input_is_not_cut_off(mixed):
    with pytest.raises(RuntimeInputError, match=r"expected int64\[n, 3\], got float64"):
        load(mixed)([[1.5, 2.0, 3.0]], [[True, False, True]], 1.0)


def test_a_free_dimension_is_one_number(mixed):
    a = np.zeros((2, 3), "int64")
    with pytest.raises(RuntimeInputError, match="'n' is 2 in 'a' and 4 here"):
        load(mixed)(a, np.zeros((4, 3), bool), np.float32(1))


def test_threads_take_turns(model):
    inputs = [RNG.standard_normal((3, 8)).astype("float32") for _ in range(8)]
    results: dict[int, np.ndarray] = {}

    def work(index: int) -> None:
        for _ in range(50):
            results[index] = model(inputs[index])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(inputs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for index, x in enumerate(inputs):
        close(results[index], x)


def test_the_summary_names_inputs_outputs_and_weights(model):
    text = repr(model)
    for words in ("LINUX_X86_64", "x: float32[n, 8]", "y: float32[n, 4]", "3 tensors, 832 B"):
        assert words in text
    html = model._repr_html_()
    assert "<table>" in html
    assert "x: float32[n, 8]" in html


def test_the_summary_escapes_what_a_manifest_says(artifact):
    from dataclasses import replace

    from neo_magics.artifact.manifest import Manifest

    replace(Manifest.read(artifact), name="<script>alert(1)</script>").write(artifact)
    assert "<script>" not in load(artifact)._repr_html_()


def test_the_demo_network_computes_what_its_source_computes(digits, digits_source):
    from tests.runtime.conftest import run_source

    model = load(digits)
    image = RNG.random((1, 1, 8, 8), dtype="float32")
    expected = run_source(digits_source, {"image": image})["scores"]
    np.testing.assert_allclose(model(image), expected, rtol=1e-4, atol=1e-4)


def test_unaligned_inputs_of_changing_length():
    binder = Binder((TensorSpec("x", ("n", 2), "float32"),))
    memory = np.arange(101, dtype="float32")
    for rows in (3, 5, 5, 1):
        for start in range(1, 17):
            x = memory[start : start + 2 * rows].reshape(rows, 2)
            [tensor] = binder.tensors([x])
            assert tensor.data_ptr() % 64 == 0
            np.testing.assert_array_equal(np.from_dlpack(tensor), x)


def test_unaligned_inputs_are_copied_to_the_same_place_in_each_call():
    binder = Binder((TensorSpec("x", X.shape, "float32"),))
    unaligned = np.zeros(X.size + 33, "float32")
    start = next(n for n in range(1, 33) if unaligned[n:].__array_interface__["data"][0] % 64)
    x = unaligned[start : start + X.size].reshape(X.shape)
    places = set()
    for factor in (1, 2):
        x[...] = factor * X
        [tensor] = binder.tensors([x])
        places.add(tensor.data_ptr())
        np.testing.assert_array_equal(np.from_dlpack(tensor), factor * X)
    assert len(places) == 1
    assert places.pop() % 64 == 0
