"""The shipped digits and network: they are what they claim, small, and made by the script beside them."""

from importlib.resources import files

import numpy as np
import onnxruntime
import torch

from neo_magics.demo.digits import HELD_OUT, load_digits
from neo_magics.demo.make_assets import write_digits, write_onnx
from neo_magics.demo.network import train


def test_digits_are_those_of_scikit_learn(tmp_path):
    write_digits(tmp_path / "digits.npz")
    with (
        np.load(tmp_path / "digits.npz") as made,
        files("neo_magics.demo").joinpath("assets/digits.npz").open("rb") as file,
        np.load(file) as shipped,
    ):
        assert np.array_equal(made["images"], shipped["images"])
        assert np.array_equal(made["labels"], shipped["labels"])


def test_digits_are_split_without_overlap():
    digits = load_digits()
    assert len(digits.test_labels) == HELD_OUT
    assert len(digits.train_labels) + HELD_OUT == 1797
    assert digits.test_images.dtype == np.float32
    assert digits.test_images.shape[1:] == (1, 8, 8)
    assert 0 <= digits.train_images.min() < digits.train_images.max() == 1


def test_assets_are_small():
    sizes = {
        name: len(files("neo_magics.demo").joinpath("assets", name).read_bytes())
        for name in ("digits.npz", "digits.onnx")
    }
    assert sizes["digits.npz"] < 60_000
    assert sizes["digits.onnx"] < 200_000


def test_shipped_network_reads_held_out_digits():
    digits = load_digits()
    model = files("neo_magics.demo").joinpath("assets/digits.onnx").read_bytes()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    guesses = [session.run(None, {"image": image[None]})[0].argmax() for image in digits.test_images]
    assert np.mean(np.array(guesses) == digits.test_labels) >= 0.97


def test_training_reaches_the_same_and_leaves_the_random_state_alone(tmp_path):
    digits = load_digits()
    torch.manual_seed(7)
    state = torch.random.get_rng_state()
    network = train(digits)
    assert torch.equal(torch.random.get_rng_state(), state)
    with torch.no_grad():
        scores = network(torch.from_numpy(digits.test_images)).numpy()
    assert np.mean(scores.argmax(1) == digits.test_labels) >= 0.97

    write_onnx(network, tmp_path / "digits.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "digits.onnx", providers=["CPUExecutionProvider"])
    (written,) = session.run(None, {"image": digits.test_images[:1]})
    assert np.allclose(written, scores[:1], atol=1e-4)
