"""torch.compile with Inductor, weights frozen.

Freezing inlines the weights, folds batch norm and packs them for oneDNN; PyTorch's documentation of Inductor
on CPUs recommends it for inference, and its GEMM templates ("Max-autotune Support on CPU with GEMM Template")
ask for it. Static shapes. The generated C++ is built for this CPU.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from tests.benchmarks.peers.common import Options, Sources, TorchCall, load_module


def prepare(sources: Sources, out: Path, options: Options) -> None:
    """Compile with empty caches, by the first call."""
    from neo_magics.runtime.exchange import load_arrays

    shutil.copy(sources.module, out / sources.module.name)
    _compiled(out, options.threads, options.dtype).run(load_arrays(sources.inputs))


def open_model(folder: Path, threads: int, trust_pickle: bool) -> TorchCall:
    """The compiled module; its first call finds the kernels in the cache."""
    return _compiled(folder, threads, Options.read(folder).dtype)


def _compiled(folder: Path, threads: int, dtype: str) -> TorchCall:
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(folder.absolute() / "cache")
    import torch

    torch.set_num_threads(threads)
    module: Any = torch.compile(load_module(folder / "module.pt"), dynamic=False, options={"freezing": True})
    return TorchCall(module, dtype)
