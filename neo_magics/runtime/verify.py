"""The numerical check of decision 4: the compiled model, run alone in a fresh process, against its source.

    python -m neo_magics.runtime.verify FOLDER INPUTS.npz REFERENCE.npz [INPUTS.npz REFERENCE.npz …]

prints one JSON object and exits with 0 where every output passes, 1 where one does not, 2 where it could not
run. The process loads neither the compiler nor a framework, so that it sees what a device would see, and a
crash of the compiled code ends only that process.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neo_magics.errors import ExecutionError, NeoMagicsError, VerificationError
from neo_magics.runtime import child
from neo_magics.runtime.exchange import load_arrays, save_arrays

if TYPE_CHECKING:
    from neo_magics.runtime.numerics import Array

TIMEOUT_SECONDS = 600.0
_HINT = (
    'If the difference is acceptable to you, raise CompilerOptions {"tolerance": …}; '
    "else report it with the model."
)


@dataclass(frozen=True)
class Verification:
    """What was measured. `outputs` holds one mapping for each output (see `numerics.Difference`)."""

    max_abs_difference: float
    max_rel_difference: float
    outputs: tuple[Mapping[str, Any], ...]
    seconds: float
    load_seconds: float

    @property
    def agreement(self) -> dict[str, float]:
        """By output that names classes, the share of rows whose first class is the source model's."""
        return {
            output["name"]: output["agreement"]
            for output in self.outputs
            if output.get("agreement") is not None
        }

    def sentence(self, reference: str) -> str:
        """The largest difference from `reference` beside what is allowed, and the agreement on classes."""
        worst = max(self.outputs, key=lambda output: output["max_abs"], default={"limit": 0.0})
        agreed = "".join(f", {share:.1%} of the top classes agree" for share in self.agreement.values())
        figure, limit = self.max_abs_difference, worst["limit"]
        return f"Largest difference from {reference}: {figure:.2g}, {limit:.2g} is allowed{agreed}"

    def for_manifest(self, *, tolerance: float | None, inputs: str, reference: str) -> dict[str, Any]:
        """The manifest's `verification`; `inputs` is "given" or "generated"."""
        return {
            "max_abs_difference": self.max_abs_difference,
            "max_rel_difference": self.max_rel_difference,
            "tolerance": tolerance,
            "limits": {output["name"]: output["limit"] for output in self.outputs},
            "agreement": self.agreement,
            "inputs": inputs,
            "reference": reference,
        }


def verify(  # noqa: PLR0913 - what a comparison depends on, by name
    folder: Path,
    inputs: Mapping[str, Array],
    reference: Mapping[str, Array],
    *,
    tolerance: float | None = None,
    precision: str = "",
    rounding: Mapping[str, float] | None = None,
    threads: int | None = None,
    timeout: float = TIMEOUT_SECONDS,
    more: Sequence[tuple[Mapping[str, Array], Mapping[str, Array]]] = (),
) -> Verification:
    """Run the artifact in `folder` on `inputs` in a fresh process; compare with `reference`, both by name.

    `more` are further inputs and their references: of each output the worst counts, and agreement is that of
    all calls.

    `tolerance` replaces the relative part of `numerics.DEFAULT_TOLERANCES`; `precision` is the lowest dtype
    that the model computes in, where that is not its outputs' own; `rounding` as in `numerics.differences`.
    Raises `VerificationError` with the figures where an output has NaN, a wrong shape or dtype, or is over
    tolerance, and where the process crashed.
    """
    with tempfile.TemporaryDirectory(prefix="neo-magics-verify-") as name:
        paths = []
        for number, arrays in enumerate(chain((inputs, reference), *more)):
            paths.append(Path(name) / f"{number}.npz")
            save_arrays(paths[-1], arrays)
        options = _options(tolerance, precision, threads)
        options += [f"--rounding={json.dumps(dict(rounding))}"] if rounding else []
        answer = _run([str(folder), *map(str, paths), *options], timeout)
    return _judge(answer)


def _options(tolerance: float | None, precision: str, threads: int | None) -> list[str]:
    options = [f"--tolerance={tolerance}"] if tolerance is not None else []
    options += [f"--precision={precision}"] if precision else []
    return options + ([f"--threads={threads}"] if threads else [])


def _run(arguments: Sequence[str], timeout: float) -> dict[str, Any]:
    command = child.command("neo_magics.runtime.verify", *arguments)
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout, env=child.environment(), check=False
        )
    except subprocess.TimeoutExpired as error:
        raise VerificationError(
            f"The compiled model did not finish within {timeout:.0f} s.",
            hint="Verify with smaller example inputs.",
        ) from error
    if done.returncode not in (0, 1, 2) or not done.stdout.strip():
        raise VerificationError(
            str(child.ended_early("the compiled model", done.returncode, done.stderr)),
            status=done.returncode,
        )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _judge(answer: Mapping[str, Any]) -> Verification:
    if "error" in answer:
        raise VerificationError(f"The compiled model cannot be run: {answer['error']}", hint=answer["hint"])
    wrong = [output for output in answer["outputs"] if output["problem"]]
    if wrong:
        listing = "; ".join(f"{output['name']}: {output['problem']}" for output in wrong)
        raise VerificationError(
            f"The compiled model's outputs differ from the source model's: {listing}.",
            hint=_HINT,
            outputs=answer["outputs"],
        )
    return Verification(
        max_abs_difference=max((output["max_abs"] for output in answer["outputs"]), default=0.0),
        max_rel_difference=max((output["max_rel"] for output in answer["outputs"]), default=0.0),
        outputs=tuple(answer["outputs"]),
        seconds=answer["seconds"],
        load_seconds=answer["load_seconds"],
    )


def main(words: Sequence[str] | None = None) -> int:
    """The child: print the comparison as JSON."""
    parser = argparse.ArgumentParser(prog="python -m neo_magics.runtime.verify")
    parser.add_argument("folder", type=Path)
    parser.add_argument("arrays", type=Path, nargs="+", help="inputs, reference, inputs, reference, …")
    parser.add_argument("--tolerance", type=float)
    parser.add_argument("--precision", default="")
    parser.add_argument("--rounding", type=json.loads, default={})
    parser.add_argument("--threads", type=int)
    args = parser.parse_args(words)
    try:
        answer = _check(args)
    except NeoMagicsError as error:
        print(json.dumps({"error": error.message, "hint": error.hint}))
        return 2
    print(json.dumps(answer))
    return int(any(output["problem"] for output in answer["outputs"]))


def _check(args: argparse.Namespace) -> dict[str, Any]:
    from neo_magics.runtime.libraries import keep_torch_out

    keep_torch_out()
    from neo_magics.runtime.loading import load
    from neo_magics.runtime.numerics import differences, worst_of

    began = time.perf_counter()
    model = load(args.folder, threads=args.threads)
    loaded = time.perf_counter()
    try:
        results = [model.run(load_arrays(path)) for path in args.arrays[::2]]
    except ValueError as error:
        raise ExecutionError(f"The outputs do not fit the manifest: {error}.") from error
    ran = time.perf_counter()
    found = [
        differences(
            load_arrays(path),
            result,
            precision=args.precision,
            relative=args.tolerance,
            rounding=args.rounding,
        )
        for path, result in zip(args.arrays[1::2], results, strict=True)
    ]
    return {
        "outputs": [difference.to_dict() for difference in worst_of(found)],
        "load_seconds": loaded - began,
        "seconds": ran - loaded,
    }


if __name__ == "__main__":
    sys.exit(main())
