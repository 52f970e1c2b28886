"""This project: a compilation job on a local service of its own, cache empty, from Create to COMPLETED."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.peers.common import (
    Arrays,
    Options,
    Sources,
    calibration,
    load_module,
    numbered,
)
from tests.benchmarks.watch import PeakMemory

ARTIFACT = "artifact"


class NeoMagicsCall:
    """The compiled model, fed by position."""

    def __init__(self, folder: Path, threads: int) -> None:
        from neo_magics.runtime import load
        from neo_magics.runtime.libraries import keep_torch_out

        keep_torch_out()
        self._model = load(folder, threads=threads)
        self.versions = dict(self._model.manifest.versions)
        self.input_specs = ()

    def run(self, inputs: Mapping[str, np.ndarray[Any, Any]]) -> Arrays:
        """The outputs, numbered."""
        results = self._model(*inputs.values())
        return numbered(list(results) if isinstance(results, tuple) else [results])


def prepare(sources: Sources, out: Path, options: Options) -> dict[str, Any]:
    """Compile in a job; seconds are the job's own, memory that of all its processes together."""
    import torch

    from neo_magics.artifact.archive import unpack
    from neo_magics.runtime.exchange import load_arrays
    from neo_magics.runtime.loading import UNPACKED_LIMIT

    inputs = tuple(map(torch.from_numpy, load_arrays(sources.inputs).values()))
    with tempfile.TemporaryDirectory(prefix="neo-magics-") as home:
        os.environ["NEO_MAGICS_HOME"] = home
        with PeakMemory(f"NEO_MAGICS_HOME={home}") as memory:
            job = _job(load_module(sources.module), inputs, options)
        told = job.describe()
        unpack(job.artifact, out / ARTIFACT, limit_bytes=UNPACKED_LIMIT)
        stages = job.report["stages"]
    seconds = (told["CompilationEndTime"] - told["CreationTime"]).total_seconds()
    return {"seconds": seconds, "peak_memory_bytes": memory.peak, "stages": stages}


def _job(module: Any, inputs: tuple[Any, ...], options: Options) -> Any:
    import neo_magics

    lower: dict[str, Any] = {}
    if options.dtype != "float32":
        # Random weights lose more digits than trained ones; the table itself says which outputs are wrong.
        lower = {"dtype": options.dtype, "tolerance": 0.5}
    if options.dtype == "int8":
        named = {f"input{index}": tensor.numpy() for index, tensor in enumerate(inputs)}
        lower["calibration"] = [tuple(call.values()) for call in calibration(named)]
    return neo_magics.compile(module, inputs=inputs, target="local", wait=True, **lower)


def open_model(folder: Path, threads: int, trust_pickle: bool) -> NeoMagicsCall:
    """The artifact."""
    return NeoMagicsCall(folder / ARTIFACT, threads)
