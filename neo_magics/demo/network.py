"""The demo's network in PyTorch: two convolution blocks and a linear layer, about 26,000 weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from neo_magics.demo.digits import SEED, Digits

EPOCHS = 18
BATCH = 64


def build() -> Any:
    """A fresh network: float32 (n, 1, 8, 8) → scores (n, 10)."""
    from torch import nn

    class DigitsNet(nn.Sequential):  # type: ignore[misc]
        """Named for the job that compiles it."""

    return DigitsNet(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(256, 10),
    )


@contextmanager
def _one_thread() -> Iterator[None]:
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def train(digits: Digits, *, epochs: int = EPOCHS) -> Any:
    """The network trained on `digits`, in evaluation mode. Seeded: the caller's random state is kept.

    One thread: batches this small only wait for one another on more.
    """
    import torch

    with _one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        network = build()
        images, labels = torch.from_numpy(digits.train_images), torch.from_numpy(digits.train_labels)
        optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
        for _epoch in range(epochs):
            for rows in torch.randperm(len(labels)).split(BATCH):
                loss = torch.nn.functional.cross_entropy(network(images[rows]), labels[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            schedule.step()
    return network.eval()
