"""What torch.export lets pass and a job could not: named while the user's own module is at hand."""

from __future__ import annotations

import copy
from typing import Any

from neo_magics.capture.quiet import quiet_torch
from neo_magics.errors import CaptureError


def check_dtypes(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """`CaptureError` where the module fails on floats of another dtype than its weights have.

    torch.export traces products of float64 and float32, which PyTorch itself refuses to compute.
    """
    import torch

    weights = {tensor.dtype for tensor in module.parameters() if tensor.dtype.is_floating_point}
    given = {value.dtype for value in (*args, *kwargs.values()) if value.dtype.is_floating_point}
    if len(weights) != 1 or given <= weights:
        return
    try:
        with torch.no_grad():
            copy.deepcopy(module)(*args, **kwargs)
    except Exception as error:
        wanted, other = (
            ", ".join(sorted(str(d).removeprefix("torch.") for d in s)) for s in (weights, given)
        )
        raise CaptureError(
            f"{type(module).__name__} fails on these inputs of {other}; its weights are {wanted}: "
            f"{str(error).strip().splitlines()[0][:200]}",
            hint=f"Give inputs of {wanted}: x.astype({wanted!r}), or x.to(torch.{wanted}).",
        ) from error


def without_transforms(program: Any, module: Any) -> Any:
    """`program` with what torch.vmap stands for in place of its calls; `CaptureError` for torch.func.grad."""
    called = {
        node.target.__name__
        for node in program.graph.nodes
        if str(getattr(node.target, "__module__", "")).startswith("torch._functorch")
    }
    if any("grad" in name for name in called):
        raise CaptureError(
            f"{type(module).__name__} takes a gradient in its forward, which torch.export does not capture.",
            hint="Write the derivative out, or give the function to JAX and compile that.",
        )
    with quiet_torch():
        return program.run_decompositions({}) if called else program


def check_constants(program: Any, module: Any) -> None:
    """`CaptureError` for tensors that a .pt2 cannot hold."""
    import torch

    for name, value in {**program.constants, **program.state_dict}.items():
        if torch.is_tensor(value) and value.layout is not torch.strided:
            kind = str(value.layout).removeprefix("torch.")
            raise CaptureError(
                f"{type(module).__name__} holds the sparse tensor {name!r} ({kind}).",
                hint="Make it dense: module.… = module.….to_dense(), or keep indices and values as tensors.",
            )
