"""How many threads a compiled model uses.

TVM keeps one pool of worker threads for each thread that calls a model. Left alone it would use half of the
CPUs (it takes them for hyper-threads) and pin its workers and the calling thread to fixed cores, which
slows everything else in a notebook's kernel down and ignores a CPU mask. So the number is always given, and
pinning is switched off unless TVM_BIND_THREADS is set.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from neo_magics.runtime.libraries import load_runtime

_BIG_CORES = 1  # TVM's mode number: prefer the fast cores where there are two kinds


class ThreadPools:
    """The worker pools of this process's threads, sized on demand."""

    def __init__(self) -> None:
        self._local = threading.local()
        self._lock = threading.Lock()

    def use(self, threads: int) -> None:
        """Let models called by this thread use `threads` threads, this one included."""
        if getattr(self._local, "threads", None) == threads:
            return
        configure = load_runtime().get_global_func("runtime.config_threadpool")
        size = max(threads, available_cpus())
        with self._lock, _environment(size):
            # Without the list TVM halves the CPUs at each parallel loop: one of two, and nothing is parallel.
            configure(_BIG_CORES, threads, [str(number) for number in range(size)], threads)
        self._local.threads = threads


@functools.cache
def process_pools() -> ThreadPools:
    """The pools of this process; there is one set, as there is one library that holds them."""
    return ThreadPools()


def available_cpus() -> int:
    """CPUs that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_threads() -> int:
    """TVM_NUM_THREADS or OMP_NUM_THREADS, else the cores (not hyper-threads) that this process may use."""
    for name in ("TVM_NUM_THREADS", "OMP_NUM_THREADS"):
        text = os.environ.get(name, "")
        if text.isdigit() and int(text) > 0:
            return int(text)
    return len(distinct_cores())


def distinct_cores() -> list[int]:
    """One CPU number for each physical core that this process may run on, in order."""
    if not hasattr(os, "sched_getaffinity"):
        return list(range(os.cpu_count() or 1))
    first: dict[str, int] = {}
    for cpu in sorted(os.sched_getaffinity(0)):
        first.setdefault(_siblings(cpu), cpu)
    return sorted(first.values())


def _siblings(cpu: int) -> str:
    path = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return str(cpu)  # no such file in some containers: take each CPU for a core


@contextmanager
def _environment(pool_size: int) -> Iterator[None]:
    """TVM reads both variables when it makes a pool; children of this process must not inherit them."""
    bind = os.environ.get("TVM_BIND_THREADS", "0")
    wanted = {"TVM_NUM_THREADS": str(pool_size), "TVM_BIND_THREADS": bind}
    saved = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in saved.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
