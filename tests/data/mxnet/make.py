"""Makes the models of this folder with MXNet 1.9.1, in an environment of its own: python make.py.

python3 -m venv mx && mx/bin/pip install mxnet==1.9.1 numpy==1.23.5
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mxnet as mx
import numpy as np

S = mx.sym
STEM = str(Path(__file__).parent)


def filled(name: str, shape: tuple[int, ...], rng: Any) -> Any:
    """Numbers for one parameter; scales and variances are positive."""
    positive = name.endswith(("gamma", "moving_var", "moving_mean"))
    fan = max(1, int(np.prod(shape[1:])))
    return mx.nd.array(rng.uniform(0.5, 1, shape) if positive else rng.standard_normal(shape) / np.sqrt(fan))


def save(name: str, symbol: Any, **shapes: tuple[int, ...]) -> None:
    """The two files, and the inputs and outputs of MXNet."""
    rng = np.random.RandomState(0)
    arguments, _, auxiliary = symbol.infer_shape(**shapes)
    named = list(zip(symbol.list_arguments(), arguments)) + list(
        zip(symbol.list_auxiliary_states(), auxiliary)
    )
    inputs = {key: rng.standard_normal(shape).astype("f4") for key, shape in shapes.items()}
    kept = {key: filled(key, s, rng) for key, s in named if key not in shapes and not key.endswith("label")}
    extra = set(symbol.list_auxiliary_states())
    symbol.save(f"{STEM}/{name}-symbol.json")
    labelled = {f"{'aux' if key in extra else 'arg'}:{key}": value for key, value in kept.items()}
    mx.nd.save(f"{STEM}/{name}-0000.params", labelled)
    bound = symbol.simple_bind(mx.cpu(), **shapes)
    for key, value in {**kept, **inputs}.items():
        (bound.aux_dict if key in extra else bound.arg_dict)[key][:] = value
    outputs = [value.asnumpy() for value in bound.forward(is_train=False)]
    arrays = {f"in_{key}": value for key, value in inputs.items()}
    arrays |= {f"out_{key}": value for key, value in zip(symbol.list_outputs(), outputs)}
    np.savez(f"{STEM}/{name}.npz", **arrays)


def cnn() -> Any:
    """A classifier with each kind of layer that image models have."""
    x = S.Convolution(S.var("data"), num_filter=8, kernel=(3, 3), stride=(2, 2), pad=(1, 1), no_bias=True)
    x = S.Activation(S.BatchNorm(x, fix_gamma=False), act_type="relu")
    x = S.Pooling(x, kernel=(3, 3), stride=(2, 2), pool_type="max", pooling_convention="full")
    y = S.Convolution(x, num_filter=8, kernel=(3, 3), pad=(1, 1), num_group=8)
    x = x + S.LeakyReLU(S.BatchNorm(y), act_type="prelu", name="p1") * 0.5
    x = S.concat(x, S.Pooling(x, kernel=(3, 3), stride=(1, 1), pad=(1, 1), pool_type="avg"), dim=1)
    x = S.Deconvolution(x, kernel=(4, 4), stride=(2, 2), pad=(1, 1), num_filter=4, name="d1")
    x = S.clip(S.UpSampling(x, scale=2, sample_type="nearest"), a_min=0, a_max=6)
    x = S.Flatten(S.Pooling(x, global_pool=True, pool_type="avg", kernel=(1, 1)))
    return S.SoftmaxOutput(S.FullyConnected(S.Dropout(x), num_hidden=5), name="softmax")


def attention() -> Any:
    """Two outputs; products of batches, slices, reductions."""
    x = S.LayerNorm(S.Embedding(S.var("ids"), input_dim=10, output_dim=6))
    query = S.FullyConnected(x, num_hidden=6, flatten=False)
    x = S.batch_dot(S.softmax(S.batch_dot(query, x, transpose_b=True) / 2.0), x)
    x = S.slice_axis(S.mean(S.transpose(x, axes=(0, 2, 1)), axis=2), axis=1, begin=1, end=5)
    first, second = S.split(S.reshape(x, shape=(0, 2, -1)), num_outputs=2, axis=1, squeeze_axis=True)
    return S.Group([S.broadcast_add(first, S.exp(second)), S.sigmoid(x)])


if __name__ == "__main__":
    save("cnn", cnn(), data=(2, 3, 16, 16))
    save("attention", attention(), ids=(2, 4))
