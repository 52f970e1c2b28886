"""The node tests that ship in the onnx package, through our whole pipeline.

    python -m tests.compiler.frontends.node_cases [--only 'test_conv*'] [--json FILE]

prints the pass rate by operator family and what does not pass, with the reason. In scope is every case whose
inputs and outputs are tensors, outside the training and preview domains. Inputs that a model has to know as
constants (shapes, axes, repeats) are made constants where the import says so. A case that fails behind the
import is compiled by TVM's default pipeline too, which tells our passes' faults from the importer's.
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
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

PASSED, REFUSED, FAILED, WRONG = "passed", "refused", "failed", "wrong"
_DOMAINS = ("", "ai.onnx", "ai.onnx.ml")
_START = "start "


@dataclass(frozen=True)
class Outcome:
    """How a case ended: "passed"; "refused" by the import, with a reason; "failed" or "wrong" behind it.

    `default` is how TVM's default pipeline ended where ours did not pass behind the import, else "".
    """

    case: str
    operator: str
    result: str
    reason: str = ""
    default: str = ""


def cases() -> dict[str, Any]:
    """Every case in scope by name."""
    import warnings

    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy's, about the infinities that some cases are made of
        found = collect_testcases(None)
    return {case.name: case for case in found if _in_scope(case)}


def _in_scope(case: Any) -> bool:
    graph = case.model.graph
    tensors = all(value.type.WhichOneof("value") == "tensor_type" for value in (*graph.input, *graph.output))
    return tensors and all(entry.domain in _DOMAINS for entry in case.model.opset_import)


def operator_of(case: Any) -> str:
    """The operator that a case is about: cases of expanded functions are named after theirs."""
    return str(case.model.graph.node[0].op_type if "_expanded" not in case.name else "functions, expanded")


def try_case(case: Any, target: Any) -> Outcome:
    """Import, compile and run one case."""
    from neo_magics.errors import NeoMagicsError
    from tests.compiler.models import run

    operator = operator_of(case)
    try:
        imported, arrays, expected = _imported(case)
    except NeoMagicsError as error:
        return Outcome(case.name, operator, REFUSED, _line(error))
    except Exception as error:  # noqa: BLE001  whatever the importer raises is the outcome
        return Outcome(case.name, operator, REFUSED, f"{type(error).__name__}: {_line(error)}")
    found, reason = _ended(lambda: run(imported, arrays, target), expected)
    default = "" if found == PASSED else _ended(lambda: _by_default(imported, arrays), expected)[0]
    return Outcome(case.name, operator, found, reason, default)


def _imported(case: Any) -> tuple[Any, list[Any], list[Any]]:
    """The module, its inputs in order, and the outputs that it should have."""
    from neo_magics.errors import NeoMagicsError

    inputs, expected = case.data_sets[0]
    names = [value.name for value in case.model.graph.input]
    arrays = dict(zip(names, map(np.asarray, inputs), strict=True))
    try:
        return _import(case.model, arrays, []), list(arrays.values()), list(expected)
    except NeoMagicsError:
        fixed = [name for name, array in list(arrays.items())[1:] if array.dtype.kind in "iub"]
        fixed += [name for name, array in list(arrays.items())[1:] if array.size <= 4 and name not in fixed]
        if not fixed:
            raise
    module = _import(case.model, arrays, fixed)
    return module, [array for name, array in arrays.items() if name not in fixed], list(expected)


def _import(model: Any, arrays: dict[str, Any], fixed: Sequence[str]) -> Any:
    """The Relax module of `model` with the inputs `fixed` as constants."""
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
        return import_model(Path(folder), "ONNX", None, CompilerOptions()).module


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
    try:
        for got, wanted in zip(results, expected, strict=True):
            assert got.dtype == np.asarray(wanted).dtype, f"dtype {got.dtype}"
            np.testing.assert_allclose(
                got.astype("f8"), np.asarray(wanted).astype("f8"), rtol=1e-3, atol=1e-5, equal_nan=True
            )
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
        print(json.dumps(asdict(try_case(known[name], target))), flush=True)


def table(outcomes: Sequence[Outcome]) -> str:
    """The pass rate, the operators that pass in part or not at all, and why."""
    by_result = {name: sum(o.result == name for o in outcomes) for name in (PASSED, REFUSED, WRONG, FAILED)}
    counts = ", ".join(f"{count} {name}" for name, count in by_result.items())
    lines = [f"{len(outcomes)} cases: {counts} ({by_result[PASSED] / max(1, len(outcomes)):.1%} pass)"]
    for operator in sorted({o.operator for o in outcomes if o.result != PASSED}):
        own = [o for o in outcomes if o.operator == operator]
        bad = [o for o in own if o.result != PASSED]
        lines.append(f"{operator or 'crashed'}: {len(own) - len(bad)} of {len(own)} pass")
        lines += [f"    {word}" for word in sorted({_why(o) for o in bad})]
    return "\n".join(lines)


def _why(outcome: Outcome) -> str:
    worse = "; TVM's default passes" if outcome.default == PASSED else ""
    return f"{outcome.case}: {outcome.result}, {outcome.reason}{worse}"


def main() -> None:
    """Sweep and print, or be the child of a sweep."""
    parser = argparse.ArgumentParser(prog="python -m tests.compiler.frontends.node_cases")
    parser.add_argument("--only", default="*", help="a pattern of case names")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        _child(sys.stdin.read().split())
        return
    outcomes = sweep(sorted(fnmatch.filter(cases(), args.only)), args.processes)
    print(table(outcomes))
    if args.json:
        args.json.write_text(json.dumps([asdict(outcome) for outcome in outcomes], indent=1))


if __name__ == "__main__":
    main()
