"""A peer's form of a model, made in a process of its own and kept for the next run.

    python -m tests.benchmarks.prepare PEER CASE FOLDER --threads N --dtype D

is the child. It prints what it cost as JSON, or the reason why the peer cannot.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

from neo_magics.errors import InputError
from tests.benchmarks.peers import OURS, PEERS, Peer
from tests.benchmarks.peers.common import Options, Sources, UnsupportedError

LIMIT_SECONDS = 900
_NOTE = "prepared.json"
_PACKAGES = ("torch", "onnxruntime", "openvino", "apache-tvm", "onnx", "onnxscript")
_MODELS = Path(__file__).parent / "models"

Say = Callable[[str], None]


def sources_of(case: str, folder: Path, say: Say) -> Sources:
    """The case's files below `folder`, made again where the models have changed.

    Raises `InputError` where the model cannot be made, for one because its package is missing.
    """
    from neo_magics.artifact.archive import digest

    sources = Sources(case, folder / case / "source")
    wanted = {path.name: digest(path) for path in sorted(_MODELS.glob("*.py"))}
    note = sources.folder / _NOTE
    if not note.is_file() or json.loads(note.read_text()) != wanted:
        say(f"{case}: exporting")
        shutil.rmtree(folder / case, ignore_errors=True)
        answer = _child(["-m", "tests.benchmarks.prepare", "source", case, str(folder)], 1)
        if "error" in answer:
            raise InputError(f"The model {case} cannot be made: {answer['error']}")
        note.write_text(json.dumps(wanted))
    return sources


def prepared(peer: Peer, sources: Sources, options: Options, say: Say) -> tuple[Path, dict[str, Any]]:
    """The folder that the peer opens, and what making it cost: "seconds", "peak_memory_bytes".

    What an earlier run made of the same sources with the same versions is used again. A peer that cannot
    has "error" in its answer.
    """
    out = sources.folder.parent / f"{peer.key}-{options.dtype}-{options.threads}"
    key, note = _key(peer), out / _NOTE
    if note.is_file() and (known := json.loads(note.read_text()))["key"] == key:
        return out, known
    say(f"{sources.case}: compiling for {peer.label}")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    options.write(out)
    words = [peer.key, sources.case, str(sources.folder.parent.parent), "--dtype", options.dtype]
    answer = _child(
        ["-m", "tests.benchmarks.prepare", *words, "--threads", str(options.threads)], options.threads
    )
    answer["size_bytes"] = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    note.write_text(json.dumps({**answer, "key": key}))
    return out, answer


def _key(peer: Peer) -> dict[str, Any]:
    key: dict[str, Any] = {"versions": {name: _version(name) for name in _PACKAGES}}
    key["peer"] = Path(str(import_module(peer.module).__file__)).read_text(encoding="utf-8")
    if peer.key == OURS:
        from neo_magics.compiler.fingerprint import compiler_digest

        key["compiler"] = compiler_digest()
    return key


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _child(words: list[str], threads: int) -> dict[str, Any]:
    from neo_magics.runtime import child

    try:
        done = subprocess.run(
            [sys.executable, *words],
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            env=child.environment(threads),
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"error": f"It took over {LIMIT_SECONDS} s."}
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        last = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), "")
        return {"error": f"{child.describe_exit(done.returncode)}: {last.strip()[:300]}"}
    answer: dict[str, Any] = json.loads(lines[-1])
    return answer


def _make(peer: str, case: str, folder: Path, options: Options) -> dict[str, Any]:
    sources = Sources(case, folder / case / "source")
    if peer == "source":
        sources.write()
        return {}
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.threads])
    out = folder / case / f"{peer}-{options.dtype}-{options.threads}"
    module = import_module(PEERS[peer].module)
    began = time.perf_counter()
    try:
        told = module.prepare(sources, out, options)
    except UnsupportedError as error:
        return {"error": str(error)}
    own = {"seconds": time.perf_counter() - began, "peak_memory_bytes": _peak()}
    return {**own, **(told or {})}


def _peak() -> int:
    """The largest resident memory of this process or of any process that it started."""
    whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(who).ru_maxrss for who in whose) * 1024


def main() -> None:
    """The child."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.prepare")
    parser.add_argument("peer")
    parser.add_argument("case")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dtype", default="float32")
    args = parser.parse_args()
    answer = _make(args.peer, args.case, args.folder, Options(args.threads, args.dtype))
    print()
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
