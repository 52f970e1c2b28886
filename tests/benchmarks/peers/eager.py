"""PyTorch as it runs a module: inference mode, `torch.set_num_threads`.

Settings after PyTorch's "Performance Tuning Guide" (inference mode, one thread a core). Channels-last, which
the guide names for convolutions, is faster for some networks and slower for others: `torch.compile` chooses
layouts by itself, so eager stays as its users run it.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.benchmarks.peers.common import Options, Sources, TorchCall, load_module


def prepare(sources: Sources, out: Path, options: Options) -> None:
    """Nothing is compiled."""
    shutil.copy(sources.module, out / sources.module.name)


def open_model(folder: Path, threads: int, trust_pickle: bool) -> TorchCall:
    """The module."""
    import torch

    torch.set_num_threads(threads)
    return TorchCall(load_module(folder / "module.pt"), Options.read(folder).dtype)
