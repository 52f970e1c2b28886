"""What a result depends on, known without loading TVM."""

from __future__ import annotations

import subprocess
import sys

from neo_magics.compiler.fingerprint import (
    compiler_digest,
    cpu_fingerprint,
    kernels_digest,
    toolchain_versions,
)


def test_the_tool_chain_is_named_with_versions() -> None:
    versions = toolchain_versions()
    assert {"python", "apache-tvm", "apache-tvm-ffi", "numpy"} <= versions.keys()
    assert all(versions.values())


def test_digests_are_the_same_in_another_process() -> None:
    code = (
        "from neo_magics.compiler.fingerprint import *\n"
        "print(compiler_digest(), cpu_fingerprint(), kernels_digest())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [compiler_digest(), cpu_fingerprint(), kernels_digest()]


def test_neither_tvm_nor_a_framework_is_loaded() -> None:
    code = (
        "import sys; from neo_magics.compiler.fingerprint import *\n"
        "toolchain_versions(); compiler_digest(); cpu_fingerprint()\n"
        "print([name for name in ('tvm', 'tvm_ffi', 'torch', 'onnx') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
