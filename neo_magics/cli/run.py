"""`neo-magics run`: a compiled model on inputs from a file, with TVM's runtime alone."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neo_magics.errors import UsageError

if TYPE_CHECKING:
    from neo_magics.runtime.arrays import Array
    from neo_magics.runtime.model import CompiledModel

_SHOWN = 5  # largest elements of an output


def main(words: list[str]) -> int:
    """Run the artifact once and show its outputs; NeoMagicsError where artifact or inputs are wrong."""
    args = _parser().parse_args(words)
    from neo_magics.runtime.libraries import keep_torch_out

    keep_torch_out()
    from neo_magics.runtime.exchange import load_arrays
    from neo_magics.runtime.loading import load

    began = time.perf_counter()
    inputs = read_inputs(args.input, load_arrays)
    model = load(args.artifact, threads=args.threads)
    loaded = time.perf_counter()
    outputs = model.run(name_inputs(inputs, model))
    ended = time.perf_counter()
    if args.output:
        _write(args.output, outputs)
    report = _report(model, outputs, loaded - began, ended - loaded, args.output)
    print(json.dumps(report, indent=2) if args.json else _text(report))
    return 0


def read_inputs(path: Path, load_arrays: Any) -> dict[str, Array]:
    """The arrays of an .npz, or the one of an .npy under the name ""."""
    if path.suffix != ".npy":
        return dict(load_arrays(path))
    import numpy as np

    try:
        return {"": np.load(path, allow_pickle=False)}
    except (OSError, ValueError, EOFError) as error:
        raise UsageError(
            f"{path} cannot be read as an .npy file: {error}.", hint="Write it with numpy.save."
        ) from error


def name_inputs(inputs: Mapping[str, Array], model: CompiledModel) -> dict[str, Array]:
    """Inputs by the model's names: an array without a name is the model's only input."""
    nameless = set(inputs) in ({""}, {"arr_0"})  # of an .npy; of numpy.savez without a keyword
    if nameless and len(model.inputs) == 1:
        return {model.inputs[0].name: next(iter(inputs.values()))}
    return dict(inputs)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="neo-magics run", description="Run a compiled model once on inputs from a file."
    )
    parser.add_argument("artifact", type=Path, help="compiled .tar.gz, or the folder it unpacks to")
    parser.add_argument(
        "--input",
        "-i",
        type=Path,
        required=True,
        help=".npz with an array for each input, or .npy of the only one",
    )
    parser.add_argument("--output", "-o", type=Path, help="write the outputs to this .npz")
    parser.add_argument("--threads", type=int, help="threads to use (default: one for each core)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def _write(path: Path, outputs: Mapping[str, Array]) -> None:
    """A plain .npz by the outputs' names, so that `numpy.load` reads it."""
    import numpy as np

    try:
        with path.open("wb") as file:
            np.savez(file, allow_pickle=False, **{name: _plain(array) for name, array in outputs.items()})
    except (OSError, TypeError, ValueError) as error:
        raise UsageError(f"{path} cannot be written: {error}.", hint="Name another file.") from error


def _plain(array: Array) -> Array:
    """NumPy's files do not keep the dtypes of ml_dtypes: float32 holds their values."""
    import numpy as np

    return array if array.dtype.kind in "biufc" else array.astype(np.float32)


def _report(
    model: CompiledModel,
    outputs: Mapping[str, Array],
    load_seconds: float,
    run_seconds: float,
    written: Path | None,
) -> dict[str, Any]:
    return {
        "model": model.manifest.name,
        "threads": model.threads,
        "load_seconds": round(load_seconds, 4),
        "run_seconds": round(run_seconds, 6),
        "outputs": [_describe(name, array) for name, array in outputs.items()],
        "written": str(written) if written else None,
    }


def _describe(name: str, array: Array) -> dict[str, Any]:
    import numpy as np

    flat = _plain(array).reshape(-1)
    body: dict[str, Any] = {"name": name, "shape": list(array.shape), "dtype": str(array.dtype)}
    if flat.size == 0 or flat.dtype.kind not in "iuf":
        return body
    finite = bool(np.all(np.isfinite(flat)))
    top = [int(index) for index in np.argsort(flat, kind="stable")[::-1][:_SHOWN]]
    figures = {"min": float(flat.min()), "max": float(flat.max()), "mean": float(flat.mean(dtype=np.float64))}
    shown = figures if finite else {}
    return {
        **body,
        **shown,
        "finite": finite,
        "largest": [{"index": i, "value": float(flat[i])} for i in top if finite],
    }


def _text(report: Mapping[str, Any]) -> str:
    from neo_magics.runtime.tables import milliseconds, threads_text

    lines = []
    for output in report["outputs"]:
        lines.append(f"{output['name']}: {output['dtype']}{output['shape']}")
        if output.get("finite") is False:
            lines.append("  holds values that are infinite or not a number")
        if "mean" in output:
            lines.append(f"  from {output['min']:.6g} to {output['max']:.6g}, mean {output['mean']:.6g}")
        largest = ", ".join(f"[{item['index']}] {item['value']:.6g}" for item in output.get("largest", ()))
        lines += [f"  largest: {largest}"] if largest else []
    lines += [f"outputs written to {report['written']}"] if report["written"] else []
    load_ms, run_ms = milliseconds(1000 * report["load_seconds"]), milliseconds(1000 * report["run_seconds"])
    lines.append(
        f"loaded in {load_ms} ms, ran in {run_ms} ms ({threads_text(report['threads'])}, first call)"
    )
    return "\n".join(lines)
