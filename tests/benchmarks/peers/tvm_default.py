"""TVM's own default pipeline for CPUs (`tvm.compile` with nothing else), for this CPU.

It imports what our pipeline imports, so that what differs is passes and schedules.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.peers.common import Arrays, Options, Sources, UnsupportedError, load_module, numbered

LIBRARY = "model.so"


class TvmCall:
    """The virtual machine of an exported library, fed by position."""

    def __init__(self, path: Path, threads: int) -> None:
        import tvm
        from tvm import relax

        from neo_magics.runtime.threads import process_pools

        process_pools().use(threads)
        self._machine = relax.VirtualMachine(tvm.runtime.load_module(str(path)), tvm.cpu())
        self._tvm = tvm
        self.versions = {"apache-tvm": str(tvm.__version__)}
        self.input_specs = ()

    def run(self, inputs: Mapping[str, np.ndarray[Any, Any]]) -> Arrays:
        """The outputs, numbered."""
        result = self._machine["main"](*map(self._tvm.runtime.tensor, inputs.values()))
        results = [result] if hasattr(result, "numpy") else list(result)
        return numbered([tensor.numpy() for tensor in results])


def prepare(sources: Sources, out: Path, options: Options) -> None:
    """Import, compile and export."""
    if options.dtype != "float32":
        raise UnsupportedError("The default pipeline computes in the model's own dtype.")
    import tvm

    from neo_magics.api.compiler_options import CompilerOptions
    from neo_magics.api.devices import resolve
    from neo_magics.capture.registry import capture
    from neo_magics.compiler.frontends import import_model
    from neo_magics.compiler.targets import resolve_target
    from neo_magics.runtime.exchange import load_arrays

    inputs = tuple(map(_tensor, load_arrays(sources.inputs).values()))
    archive = capture(load_module(sources.module), inputs=inputs)
    archive.unpack_into(out / "source")
    native = CompilerOptions(mcpu="native")
    target = resolve_target(resolve({"TargetPlatform": {"Os": "LINUX", "Arch": "X86_64"}}), native)
    imported = import_model(out / "source", archive.framework, None, native)
    tvm.compile(imported.module, target.tvm).export_library(str(out / LIBRARY))
    shutil.rmtree(out / "source")


def open_model(folder: Path, threads: int, trust_pickle: bool) -> TvmCall:
    """The virtual machine."""
    return TvmCall(folder / LIBRARY, threads)


def _tensor(array: Any) -> Any:
    import torch

    return torch.from_numpy(array)
