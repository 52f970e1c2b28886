"""`compiled.meta`: the JSON that SageMaker Neo puts beside a compiled model and that DLR reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neo_magics.artifact.manifest import Manifest, TensorSpec

META = "compiled.meta"


def dlr_meta(manifest: Manifest) -> dict[str, Any]:
    """The members that DLR knows: Model, Requirements.TargetDeviceType and Compilation.

    A free dimension is -1, as in DLR's own tests of dynamic shapes.
    """
    target = manifest.target
    return {
        "Requirements": {
            "TargetDevice": target.get("device", ""),
            "TargetDeviceType": "cpu",
        },
        "Compilation": {
            "CreatedTime": manifest.created,
            "CompilerOptions": dict(manifest.options),
            "Framework": manifest.framework,
            "FrameworkVersion": manifest.framework_version,
        },
        "Model": {
            "Name": manifest.name,
            "Inputs": [_tensor(spec) for spec in manifest.inputs],
            "Outputs": [_tensor(spec) for spec in manifest.outputs],
        },
    }


def _tensor(spec: TensorSpec) -> dict[str, Any]:
    shape = [size if isinstance(size, int) else -1 for size in spec.shape]
    return {"name": spec.name, "dtype": spec.dtype, "shape": shape}
