"""Tree ensembles beside their own libraries and tl2cgen, at batch 1, 100 and 10,000.

    python -m tests.benchmarks.trees [--only 'xgboost*'] [--threads 2] [--folder DIR] [--prepare]

Each side is a process of its own; they take turns, on the same rows and with as many threads. Batch 1 is one
row of the table after the other. tl2cgen is given its matrices beforehand, the others plain arrays. `pip
install treelite tl2cgen` and a C compiler bring that peer; --prepare only makes the models and compiles them.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import multiprocessing
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from statistics import median
from time import perf_counter_ns, sleep
from typing import Any

import numpy as np

BATCHES = (1, 100, 10_000)
SIDES = ("ours", "library", "tl2cgen")
SINGLES = 512  # rows that are predicted one by one
ROUNDS = 3
REST = 0.25  # seconds between two sides: threads of the one before spin for a while


def cases() -> dict[str, Callable[[], tuple[Any, Any]]]:
    """Name → the fitted model and its table."""
    import lightgbm
    import xgboost
    from sklearn import ensemble

    common = {"n_estimators": 100, "n_jobs": 2}
    quiet = {**common, "verbose": -1}
    return {
        "xgboost_regression": lambda: _fit(xgboost.XGBRegressor(**common, max_depth=6), "diabetes"),
        "xgboost_binary": lambda: _fit(xgboost.XGBClassifier(**common, max_depth=6), "breast_cancer"),
        "xgboost_digits": lambda: _fit(xgboost.XGBClassifier(**common, max_depth=6), "digits"),
        "lightgbm_regression": lambda: _fit(lightgbm.LGBMRegressor(**quiet), "diabetes"),
        "lightgbm_binary": lambda: _fit(lightgbm.LGBMClassifier(**quiet), "breast_cancer"),
        "lightgbm_digits": lambda: _fit(lightgbm.LGBMClassifier(**quiet), "digits"),
        "sklearn_forest": lambda: _fit(ensemble.RandomForestClassifier(**common, random_state=0), "digits"),
        "sklearn_forest_regression": lambda: _fit(
            ensemble.RandomForestRegressor(**common, random_state=0), "diabetes"
        ),
        "sklearn_boosting": lambda: _fit(ensemble.GradientBoostingRegressor(random_state=0), "diabetes"),
        "sklearn_histogram": lambda: _fit(ensemble.HistGradientBoostingClassifier(), "breast_cancer"),
    }


def _fit(model: Any, data: str) -> tuple[Any, Any]:
    from sklearn import datasets

    x, y = getattr(datasets, f"load_{data}")(return_X_y=True)
    x = x.astype(np.float32 if "xgboost" in type(model).__module__ else np.float64)
    return model.fit(x, y), x


def prepare(name: str, folder: Path) -> None:
    """Fit the model, compile it with ours and with tl2cgen; what is there already is kept."""
    if (folder / "x.npy").is_file():
        return
    model, x = cases()[name]()
    _prepare_ours(model, x, folder)
    _prepare_tl2cgen(model, folder / "tl2cgen.so")
    np.save(folder / "x.npy", x)


def _prepare_ours(model: Any, x: Any, folder: Path) -> None:
    from neo_magics.api import devices
    from neo_magics.api.compiler_options import CompilerOptions
    from neo_magics.capture import capture
    from neo_magics.compiler.pipeline import CompileRequest, compile_model

    archive = capture(model, inputs=x)
    for part in ("source", "out"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    archive.unpack_into(folder / "source")
    (folder / "framework").write_text(archive.framework)
    device = devices.resolve({"TargetPlatform": {"Os": "LINUX", "Arch": "X86_64"}})
    options = CompilerOptions(mcpu="native", raw={"mcpu": "native"})
    request = CompileRequest(folder / "source", archive.framework, None, device, options, folder / "out")
    compile_model(request, lambda _event: None)


def _prepare_tl2cgen(model: Any, path: Path) -> None:
    try:
        import tl2cgen
        import treelite
    except ImportError:
        return
    kind = type(model).__module__.partition(".")[0]
    if kind == "xgboost":
        read = treelite.frontend.from_xgboost(model.get_booster())
    elif kind == "lightgbm":
        read = treelite.frontend.from_lightgbm(model.booster_)
    else:
        read = treelite.sklearn.import_model(model)
    options = {"parallel_comp": 16}
    tl2cgen.export_lib(read, toolchain="gcc", libpath=path, params=options, nthread=2, verbose=False)


def caller(side: str, folder: Path, threads: int, given: Sequence[Any]) -> Callable[[], Any]:
    """A call without arguments that predicts one of `given` after the other."""
    if side == "ours":
        from neo_magics.runtime import load

        compiled = load(folder / "out", threads=threads)
        turns = cycle(given)
        return lambda: compiled(next(turns))
    if side == "library":
        from neo_magics.capture.source import open_source

        source = open_source(folder / "source", (folder / "framework").read_text(), threads=threads)
        named = cycle([{"input": x} for x in given])
        return lambda: source.run(next(named))
    import tl2cgen

    predictor = tl2cgen.Predictor(folder / "tl2cgen.so", nthread=threads)
    matrices = cycle([tl2cgen.DMatrix(x, dtype=str(predictor.threshold_type)) for x in given])
    return lambda: predictor.predict(next(matrices))


def batches(table: Any, rows: int) -> list[Any]:
    """What is predicted in turns: a single row is another one in each call, as in use.

    Were it the same, a processor would foresee every branch of a tree that is compiled to branches.
    """
    if rows > 1:
        return [np.resize(table, (rows, table.shape[1]))]
    order = np.random.default_rng(0).permutation(len(table))[:SINGLES]
    return [np.ascontiguousarray(table[place : place + 1]) for place in order]


def _serve(side: str, folder: Path, threads: int, pipe: Any) -> None:
    table = np.load(folder / "x.npy")
    calls = {n: caller(side, folder, threads, batches(table, n)) for n in BATCHES}
    pipe.send("ready")
    while (asked := pipe.recv()) is not None:
        rows, seconds = asked
        pipe.send(_timed(calls[rows], seconds))


def _timed(call: Callable[[], Any], seconds: float) -> list[int]:
    """Nanoseconds of each call; at least three calls, after two to warm up."""
    call()
    call()
    samples: list[int] = []
    end = perf_counter_ns() + seconds * 1e9
    while perf_counter_ns() < end or len(samples) < 3:
        start = perf_counter_ns()
        call()
        samples.append(perf_counter_ns() - start)
    return samples


@contextmanager
def _side(side: str, folder: Path, threads: int) -> Iterator[Any]:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(side, folder, threads, there))
    process.start()
    there.close()
    try:
        here.recv()
        yield here
        here.send(None)
    finally:
        process.join(10)
        process.kill()


def measure(folder: Path, threads: int, seconds: float) -> dict[str, dict[int, float]]:
    """Side → rows → the median in microseconds of all rounds."""
    sides = [side for side in SIDES if side != "tl2cgen" or (folder / "tl2cgen.so").is_file()]
    samples: dict[str, dict[int, list[int]]] = {side: {n: [] for n in BATCHES} for side in sides}
    with _all(sides, folder, threads) as pipes:
        for _round in range(ROUNDS):
            for rows in BATCHES:
                for side, pipe in pipes.items():
                    sleep(REST)
                    pipe.send((rows, seconds))
                    samples[side][rows] += pipe.recv()
    return {side: {n: median(each) / 1000 for n, each in found.items()} for side, found in samples.items()}


@contextmanager
def _all(sides: Sequence[str], folder: Path, threads: int) -> Iterator[dict[str, Any]]:
    from contextlib import ExitStack

    with ExitStack() as stack:
        yield {side: stack.enter_context(_side(side, folder, threads)) for side in sides}


def row(name: str, found: dict[str, dict[int, float]]) -> str:
    """A line of the table in Markdown: ours in µs, and the others' time over it, for each batch."""
    cells = []
    for rows in BATCHES:
        ours = found["ours"][rows]
        ratios = [f"{found[side][rows] / ours:.2f}" if side in found else "" for side in SIDES[1:]]
        cells += [f"{ours:.4g}", *ratios]
    return f"| {name} | {' | '.join(cells)} |"


def main(words: Sequence[str] | None = None) -> int:
    """Prepare, measure, print, write."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.trees",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", nargs="*", default=["*"], help="names or patterns")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=0.2, help="of one side's turn")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "neo_magics_trees")
    parser.add_argument("--prepare", action="store_true", help="compile, measure nothing")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args(words)
    names = [name for name in cases() if any(fnmatch.fnmatch(name, each) for each in args.only)]
    results: dict[str, Any] = {}
    heads = [f"{rows} rows: ours, µs | library ÷ ours | tl2cgen ÷ ours" for rows in BATCHES]
    print(f"| model | {' | '.join(heads)} |\n|---|{'---:|' * 9}")
    for name in names:
        prepare(name, args.folder / name)
        if args.prepare:
            continue
        results[name] = measure(args.folder / name, args.threads, args.seconds)
        print(row(name, results[name]), flush=True)
        if args.json:
            args.json.write_text(json.dumps(results, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
