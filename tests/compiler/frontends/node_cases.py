"""The node tests that ship in the onnx package, through our whole pipeline.

    python -m tests.compiler.frontends.node_cases [--only 'test_conv*' …] [--failing FILE] [--json FILE]

prints what passes by family as a table, and what does not pass, with the reason. In scope is every case whose
inputs and outputs are tensors of numbers, outside the training and preview domains. Inputs that decide
shapes (STRUCTURAL: shapes, axes, repeats) are made constants where the import refuses to take them as inputs;
no other input is. A case that fails behind the import is compiled by TVM's default pipeline too, which tells
our passes' faults from the importer's.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from neo_magics.artifact.dtypes import carried, is_narrow, uncarried
from neo_magics.runtime.arrays import numpy_dtype
from tests.compiler.frontends.node_table import (
    EXPANDED,
    FAILED,
    PASSED,
    REFUSED,
    WRONG,
    Outcome,
    by_family,
    table,
)

_DOMAINS = ("", "ai.onnx", "ai.onnx.ml")
_TOLERANCE = {"bfloat16": {"rtol": 2e-2, "atol": 1e-2}}  # 8 bits; others: the onnx package's own
# The inputs that decide shapes, or how often something is done, by operator. Reduce… has its axes at 1.
STRUCTURAL: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(
        ("AffineGrid", "CenterCropPad", "CumProd", "CumSum", "Expand", "OneHot", "Reshape"), (1,)
    ),
    **dict.fromkeys(("Split", "Squeeze", "Tile", "TopK", "Unsqueeze", "Upsample"), (1,)),
    **dict.fromkeys(("BlackmanWindow", "ConstantOfShape", "HammingWindow", "HannWindow"), (0,)),
    "Col2Im": (1, 2),
    "DFT": (1, 2),
    "Dropout": (1, 2),
    "Loop": (0, 1),
    "MaxUnpool": (2,),
    "MelWeightMatrix": (0, 1, 2, 3, 4),
    "NonMaxSuppression": (2,),
    "Pad": (1, 3),
    "Range": (0, 1, 2),
    "Resize": (1, 2, 3),
    "STFT": (1, 3),
    "Slice": (1, 2, 3, 4),
}
_START = "start "


def cases() -> dict[str, Any]:
    """Every case in scope by name."""
    import warnings

    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy's, about the infinities that some cases are made of
        found = collect_testcases(None)
    return {case.name: case for case in found if _in_scope(case)}


def _in_scope(case: Any) -> bool:
    import onnx

    graph = case.model.graph
    types = [value.type for value in (*graph.input, *graph.output)]
    tensors = all(
        kind.WhichOneof("value") == "tensor_type" and kind.tensor_type.elem_type != onnx.TensorProto.STRING
        for kind in types
    )
    return tensors and all(entry.domain in _DOMAINS for entry in case.model.opset_import)


def operator_of(case: Any) -> str:
    """The operator that a case is about: cases of expanded functions are named after theirs."""
    return str(case.model.graph.node[0].op_type if "_expanded" not in case.name else EXPANDED)


def structural(case: Any, known: dict[str, Any]) -> list[str]:
    """The inputs of a case that decide shapes; an expanded function's are those of the function."""
    node = known.get(case.name.split("_expanded")[0], case).model.graph.node[0]
    places = (1,) if node.op_type.startswith("Reduce") else STRUCTURAL.get(node.op_type, ())
    inputs = {value.name for value in case.model.graph.input}
    return [node.input[k] for k in places if k < len(node.input) and node.input[k] in inputs]


def try_case(case: Any, fixed: Sequence[str], target: Any) -> Outcome:
    """Import, compile and run one case; the inputs `fixed` may become constants."""
    from neo_magics.errors import NeoMagicsError
    from tests.compiler.models import run

    operator = operator_of(case)
    inputs, outputs = case.data_sets[0]
    names = [value.name for value in case.model.graph.input]
    arrays, expected = dict(zip(names, map(array_of, inputs), strict=True)), list(map(array_of, outputs))
    try:
        model, arrays = _imported(case.model, arrays, fixed)
    except NeoMagicsError as error:
        return Outcome(case.name, operator, REFUSED, _line(error))
    except Exception as error:  # noqa: BLE001  whatever the importer raises is the outcome
        return Outcome(case.name, operator, REFUSED, f"{type(error).__name__}: {_line(error)}")
    values = [carried(array) for array in arrays.values()]
    found, reason = _ended(lambda: viewed(run(model.module, values, target), model), expected)
    default = (
        ""
        if found == PASSED
        else _ended(lambda: viewed(_by_default(model.module, values), model), expected)[0]
    )
    return Outcome(case.name, operator, found, reason, default)


def array_of(value: Any) -> Any:
    """A case's input or output; those of types that NumPy lacks are TensorProtos."""
    import onnx

    return onnx.numpy_helper.to_array(value) if hasattr(value, "data_type") else np.asarray(value)


def viewed(results: Sequence[Any], model: Any) -> list[Any]:
    """Outputs in the dtypes that the model promises; narrow ones come in their carriers."""
    pairs = zip(results, model.outputs, strict=True)
    return [
        uncarried(array, numpy_dtype(spec.dtype)) if is_narrow(spec.dtype) else array for array, spec in pairs
    ]


def _imported(model: Any, arrays: dict[str, Any], fixed: Sequence[str]) -> tuple[Any, dict[str, Any]]:
    """The imported model and its inputs in order."""
    from neo_magics.errors import NeoMagicsError

    try:
        return _import(model, arrays, []), arrays
    except NeoMagicsError:
        if not fixed:
            raise
    left = {name: array for name, array in arrays.items() if name not in fixed}
    return _import(model, arrays, fixed), left


def _import(model: Any, arrays: dict[str, Any], fixed: Sequence[str]) -> Any:
    """`model` with the inputs `fixed` as constants, imported."""
    import onnx

    from neo_magics.api.compiler_options import CompilerOptions
    from neo_magics.compiler.frontends import import_model

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    kept = [value for value in copy.graph.input if value.name not in fixed]
    del copy.graph.input[:]
    copy.graph.input.extend(kept)
    copy.graph.initializer.extend(onnx.numpy_helper.from_array(arrays[name], name) for name in fixed)
    with tempfile.TemporaryDirectory() as folder:
        onnx.save(copy, Path(folder) / "model.onnx")
        config = {name: array.shape for name, array in arrays.items() if name not in fixed}
        return import_model(Path(folder), "ONNX", config if _has_empty(arrays) else None, CompilerOptions())


def _has_empty(arrays: dict[str, Any]) -> bool:
    """Whether a size is 0, which stands in a model for one that is not known."""
    return any(array.size == 0 for array in arrays.values())


def _by_default(module: Any, arrays: Sequence[Any]) -> list[Any]:
    import tvm
    from tvm import relax

    machine = relax.VirtualMachine(tvm.compile(module, "llvm"), tvm.cpu())
    result = machine["main"](*(tvm.runtime.tensor(np.asarray(array, order="C")) for array in arrays))
    return [tensor.numpy() for tensor in ([result] if hasattr(result, "numpy") else result)]


def _ended(compute: Any, expected: Sequence[Any]) -> tuple[str, str]:
    try:
        results = compute()
    except Exception as error:  # noqa: BLE001  whatever TVM raises is the outcome
        return FAILED, f"{type(error).__name__}: {_line(error)}"
    return compared(results, expected)


def compared(results: Sequence[Any], expected: Sequence[Any]) -> tuple[str, str]:
    """PASSED, or WRONG and what differs: shapes and dtypes count too."""
    try:
        for got, wanted in zip(results, expected, strict=True):
            assert got.dtype == wanted.dtype, f"dtype {got.dtype}, not {wanted.dtype}"
            assert got.shape == wanted.shape, f"shape {got.shape}, not {wanted.shape}"
            near = _TOLERANCE.get(str(wanted.dtype), {"rtol": 1e-3, "atol": 1e-5})
            np.testing.assert_allclose(got.astype("f8"), wanted.astype("f8"), equal_nan=True, **near)
    except (AssertionError, ValueError) as error:
        return WRONG, " ".join(str(error).split())[:160]
    return PASSED, ""


def _line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines and lines[0].startswith("Traceback") else (lines or [""])[0])[:200]


def sweep(names: Sequence[str], processes: int) -> list[Outcome]:
    """The outcomes of all `names`, in processes of their own: one that crashes is the outcome of its case."""
    parts = [list(names[index::processes]) for index in range(processes)]
    with ThreadPoolExecutor(processes) as pool:
        return sorted((each for part in pool.map(_part, parts) for each in part), key=lambda o: o.case)


def _part(names: list[str]) -> list[Outcome]:
    outcomes: list[Outcome] = []
    left = list(names)
    while left:
        done = subprocess.run(
            [sys.executable, "-m", "tests.compiler.frontends.node_cases", "--child"],
            input="\n".join(left),
            capture_output=True,
            text=True,
            check=False,
        )
        lines = done.stdout.splitlines()
        outcomes += [Outcome(**json.loads(line)) for line in lines if line.startswith("{")]
        finished = {outcome.case for outcome in outcomes}
        begun = [line.removeprefix(_START) for line in lines if line.startswith(_START)]
        left = [name for name in left if name not in finished]
        if left and not begun:
            raise RuntimeError(f"the sweep did not start: {done.stderr[-500:]}")
        if left and begun[-1] in left:
            left.remove(begun[-1])
            outcomes.append(Outcome(begun[-1], "", FAILED, f"the process ended with {done.returncode}"))
    return outcomes


def _child(names: Iterable[str]) -> None:
    from neo_magics.runtime.libraries import keep_torch_out

    keep_torch_out()
    from tests.compiler.models import x86_target

    known, target = cases(), x86_target()
    for name in names:
        print(f"{_START}{name}", flush=True)
        print(json.dumps(asdict(try_case(known[name], structural(known[name], known), target))), flush=True)


def main() -> None:
    """Sweep and print, or be the child of a sweep."""
    parser = argparse.ArgumentParser(prog="python -m tests.compiler.frontends.node_cases")
    parser.add_argument("--only", nargs="+", default=["*"], help="patterns of case names")
    parser.add_argument("--failing", type=Path, help="only what did not pass in this JSON file of a sweep")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        _child(sys.stdin.read().split())
        return
    names = {name for pattern in args.only for name in fnmatch.filter(cases(), pattern)}
    if args.failing:
        before = json.loads(args.failing.read_text())
        names &= {outcome["case"] for outcome in before if outcome["result"] != PASSED}
    outcomes = sweep(sorted(names), args.processes)
    print(by_family(outcomes))
    print(table(outcomes))
    if args.json:
        args.json.write_text(json.dumps([asdict(outcome) for outcome in outcomes], indent=1))


if __name__ == "__main__":
    main()
