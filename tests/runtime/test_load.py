"""Loading: what is checked before native code is, and what a process that only runs artifacts contains."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from neo_magics.artifact.archive import pack
from neo_magics.artifact.manifest import Manifest, ParamSpec
from neo_magics.errors import ArtifactError, DigestMismatchError, UsageError
from neo_magics.runtime import load, weights
from tests.runtime.conftest import mlp_reference

X = np.random.default_rng(0).standard_normal((5, 8)).astype("float32")


def edit_manifest(folder: Path, **changes: object) -> None:
    """Change fields of the manifest as an editor would, digests of the other files left alone."""
    path = folder / "manifest.json"
    body = json.loads(path.read_text())
    path.write_text(json.dumps({**body, **changes}))


def test_a_folder_and_an_archive_compute_the_same(mlp, tmp_path):
    pack(mlp, tmp_path / "mlp.tar.gz")
    from_archive = load(tmp_path / "mlp.tar.gz")
    np.testing.assert_allclose(from_archive(X), mlp_reference(X), rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(from_archive(X), load(mlp)(X))


def test_an_archive_leaves_no_temporary_folder(mlp, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "t"))
    (tmp_path / "t").mkdir()
    pack(mlp, tmp_path / "mlp.tar.gz")
    model = load(tmp_path / "mlp.tar.gz")
    assert list((tmp_path / "t").iterdir()) == []
    np.testing.assert_allclose(model(X), mlp_reference(X), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["compiled.so", "compiled.params", "compiled.meta"])
def test_a_changed_file_is_refused_by_its_digest(artifact, name):
    data = bytearray((artifact / name).read_bytes())
    data[len(data) // 2] ^= 1
    (artifact / name).write_bytes(bytes(data))
    with pytest.raises(DigestMismatchError, match=f"{name} is not the file that was compiled"):
        load(artifact)


def test_a_missing_file_is_named(artifact):
    (artifact / "compiled.params").unlink()
    with pytest.raises(ArtifactError, match=r"lacks the file 'compiled\.params'"):
        load(artifact)


def test_a_library_without_a_digest_is_not_loaded(artifact):
    edit_manifest(artifact, files={})
    with pytest.raises(ArtifactError, match=r"lists no digest for compiled.params, compiled.so"):
        load(artifact)


def test_a_library_outside_the_folder_is_not_loaded(artifact, tmp_path):
    outside = tmp_path / "outside.so"
    outside.write_bytes((artifact / "compiled.so").read_bytes())
    files = Manifest.read(artifact).files
    name = "../outside.so"
    edit_manifest(artifact, library=name, files={**files, name: files["compiled.so"]})
    with pytest.raises(ArtifactError, match="lacks the file"):
        load(artifact)


def test_what_is_no_artifact_is_said_so(tmp_path):
    with pytest.raises(ArtifactError, match="There is no artifact at"):
        load(tmp_path / "nothing")
    with pytest.raises(ArtifactError, match=r"has no manifest\.json"):
        load(tmp_path)
    (tmp_path / "text.tar.gz").write_text("not an archive")
    with pytest.raises(ArtifactError, match="cannot be unpacked"):
        load(tmp_path / "text.tar.gz")


def test_a_library_that_is_no_library(artifact):
    (artifact / "compiled.so").write_bytes(b"\x7fELF, or so it says")
    Manifest.read(artifact).write(artifact)
    with pytest.raises(ArtifactError, match=r"compiled\.so cannot be loaded"):
        load(artifact)


def test_another_architecture_is_refused_before_loading(artifact):
    manifest = Manifest.read(artifact)
    replace(manifest, target={**manifest.target, "arch": "ARM64"}).write(artifact)
    with pytest.raises(ArtifactError, match="compiled for ARM64, and this machine is"):
        load(artifact)


def test_weights_that_do_not_fit_their_file(artifact):
    manifest = Manifest.read(artifact)
    broken = (*manifest.params[:-1], replace(manifest.params[-1], offset=1 << 40))
    replace(manifest, params=broken).write(artifact)
    with pytest.raises(ArtifactError, match="does not fit a weights file"):
        load(artifact)


def test_weights_whose_size_is_not_their_shape(artifact):
    manifest = Manifest.read(artifact)
    broken = (replace(manifest.params[0], shape=(8, 17)), *manifest.params[1:])
    replace(manifest, params=broken).write(artifact)
    with pytest.raises(ArtifactError, match="takes 544 bytes, and the manifest says 512"):
        load(artifact)


def test_threads_must_be_a_number_of_threads(mlp):
    with pytest.raises(UsageError, match="1 or more"):
        load(mlp, threads=0)


def test_object_files_run_where_there_was_no_linker(tmp_path, monkeypatch):
    from neo_magics.artifact.manifest import TensorSpec
    from neo_magics.compiler import build as compiler_build
    from tests.runtime.build import build, constant

    monkeypatch.setattr(compiler_build, "find_linker", lambda _triple: None)
    weight = constant(5, 8, 4)

    def body(builder, x):
        from tvm import relax

        return builder.emit(relax.op.matmul(x, relax.const(weight)))

    manifest = build(
        tmp_path, [TensorSpec("x", ("n", 8), "float32")], [TensorSpec("y", ("n", 4), "float32")], body
    )
    assert manifest.library == "compiled.o"
    assert len(manifest.objects) > 1
    np.testing.assert_allclose(load(tmp_path)(X), X @ weight, rtol=1e-4, atol=1e-5)


def test_a_process_that_runs_an_artifact_holds_neither_compiler_nor_framework(mlp):
    program = (
        "import sys\n"
        "from neo_magics.runtime.libraries import keep_torch_out\n"
        "keep_torch_out()\n"
        "from neo_magics.runtime import load\n"
        "import numpy as np\n"
        f"y = load({str(mlp)!r})(np.zeros((1, 8), 'float32'))\n"
        "assert y.shape == (1, 4)\n"
        "names = [n for n in ('tvm', 'torch', 'onnx', 'onnxruntime', 'boto3') if sys.modules.get(n)]\n"
        "maps = open('/proc/self/maps').read()\n"
        "print(names, 'libtvm_compiler' in maps)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=os.environ
    )
    assert done.stdout.strip() == "[] False"


def test_models_live_together_with_torch_in_one_process(mlp):
    program = (
        "import torch, numpy as np\n"
        "from neo_magics.runtime import load\n"
        f"model = load({str(mlp)!r})\n"
        "x = torch.randn(3, 8)\n"
        "assert torch.is_tensor(model(x))\n"
        "assert np.allclose(model(x).numpy(), model(x.numpy()))\n"
        "print(torch.nn.Linear(8, 8)(x).shape)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=os.environ
    )
    assert done.stdout.strip() == "torch.Size([3, 8])"


def test_large_weights_are_the_same_on_huge_pages(tmp_path, monkeypatch):
    given = np.arange(100_000, dtype=np.float32).reshape(100, 1000)
    (tmp_path / "weights.bin").write_bytes(given.tobytes())
    specs = [ParamSpec("p0", given.shape, "float32", 0, given.nbytes)]
    monkeypatch.setattr(weights, "WORTH_HUGE_PAGES", 0)
    [tensor] = weights.map_weights(tmp_path / "weights.bin", specs)
    np.testing.assert_array_equal(tensor.numpy(), given)


def test_weights_that_would_fill_the_memory_stay_in_their_file(monkeypatch):
    monkeypatch.setattr(weights.os, "sysconf", lambda _name: 4096)
    assert not weights._wants_huge_pages(64 << 20)


def test_weights_without_elements(tmp_path):
    (tmp_path / "weights.bin").write_bytes(b"")
    [tensor] = weights.map_weights(tmp_path / "weights.bin", [ParamSpec("p0", (0, 3), "float32", 0, 0)])
    assert tuple(tensor.shape) == (0, 3)
