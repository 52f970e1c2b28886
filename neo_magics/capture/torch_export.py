"""A torch.nn.Module to an ExportedProgram, with the user's module left as it was."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import inspect
import io
import logging
import re
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from neo_magics.capture.inputs import Arrays
from neo_magics.capture.quiet import quiet_torch
from neo_magics.capture.request import Shapes
from neo_magics.capture.torch_checks import check_constants, check_dtypes, without_transforms
from neo_magics.capture.torch_packed import check_padded, packed_as_padded
from neo_magics.capture.torch_recurrent import by_shapes, recurrent_operators
from neo_magics.errors import CaptureError

_BY_VALUE = ("DataDependentOutputException", "DynamicOutputShapeException", "PendingUnbackedSymbolNotFound")
_BY_VALUE_WORDS = ("data-dependent", "Could not guard", "Could not extract specialized")
_FREE_SIZE = re.compile(r"\bs\d+\b")  # as torch names them: 8*s77
_LOGGERS = (
    "torch.export",
    "torch.fx.experimental.symbolic_shapes",
    "torch._dynamo",
    "torch._export",
    "torch._subclasses.fake_tensor",
)
# What a configuration of transformers asks for, and what it gets while the module is quiet.
_SETTINGS = (("use_cache", True, False), ("_experts_implementation_internal", "grouped_mm", "batched_mm"))


@dataclass(frozen=True)
class Signature:
    """The names of `forward`'s inputs in order, and those without a default."""

    names: tuple[str, ...]
    required: tuple[str, ...]

    @classmethod
    def of(cls, module: Any) -> Signature:
        """From the module's `forward`; *args are called arg0, arg1, …"""
        parameters = list(inspect.signature(module.forward).parameters.values())
        plain = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
        names = [p.name for p in plain]
        if any(p.kind is p.VAR_POSITIONAL for p in parameters):
            names += [f"arg{i}" for i in range(len(names), 16)]
        return cls(tuple(names), tuple(p.name for p in plain if p.default is p.empty))

    @classmethod
    def of_script(cls, script: Any) -> Signature:
        """From the schema of a ScriptModule's `forward`."""
        arguments = script.forward.schema.arguments[1:]
        names = tuple(argument.name for argument in arguments)
        return cls(names, tuple(a.name for a in arguments if not a.has_default_value()))

    def tensors(self, examples: Arrays) -> tuple[Any, ...]:
        """The examples as tensors in the order of `forward`; a gap before a given one is refused."""
        given = [name for name in self.names if name in examples]
        if tuple(given) != self.names[: len(given)]:
            raise CaptureError(
                "The inputs given skip one of forward's parameters.",
                hint=f"Give the first {len(given)} of {', '.join(self.names)}, or wrap the module.",
            )
        return tuple(as_tensor(examples[name]) for name in given)


@contextlib.contextmanager
def quiet_module(module: Any) -> Iterator[Any]:
    """`module` in evaluation mode on the CPU; the user's object is as before afterwards.

    A module on another device is copied; otherwise its own weights are used. Each part's training flag is
    restored, also where the parts differ. Decoders of Hugging Face return no cache of keys and values: it is
    an object of their own, not a tensor. Their mixtures of experts are computed by batched products, since
    the grouped ones are an operator of their own too.
    """
    parts = [part for part in module.modules() if hasattr(part, "training")]  # frozen TorchScript has none
    modes = [(part, part.training) for part in parts]
    changed = [
        (config, name, own, quiet) for name, own, quiet in _SETTINGS for config in _configs(module, name, own)
    ]
    try:
        if modes:
            module.eval()
        for config, name, _own, quiet in changed:
            setattr(config, name, quiet)
        yield _on_cpu(module)
    finally:
        for config, name, own, _quiet in changed:
            setattr(config, name, own)
        for part, training in modes:
            part.training = training


def export_module(module: Any, examples: Arrays, free: Shapes) -> Any:
    """torch.export of `module` with `examples` by name; dimensions that are None in `free` stay free.

    Raises `CaptureError` in the user's terms.
    """
    import torch

    kwargs = {name: as_tensor(array) for name, array in examples.items()}
    positional = _takes_by_position(module, kwargs)
    args, kwargs = (tuple(kwargs.values()), {}) if positional else ((), kwargs)
    shapes = _dynamic(module, examples, free, positional)
    check_dtypes(module, args, kwargs)

    def export() -> Any:
        recurrent = by_shapes(recurrent_operators())
        with _silence(), quiet_torch(), masks_as_given(), recurrent, packed_as_padded() as packed:
            found = torch.export.export(module, args, kwargs, dynamic_shapes=shapes, strict=False)
        if packed:
            check_padded(found, module, args, kwargs)
        return found

    try:
        program = export()
    except CaptureError:
        raise
    except Exception as error:
        if "in output, which is not a known type" not in str(error):
            raise _explained(error, module) from error
        with torch.no_grad():
            register_dataclasses(module(*args, **kwargs))
        try:
            program = export()
        except Exception as again:
            raise _explained(again, module) from again
    program = without_transforms(program, module)
    check_constants(program, module)
    return _plain_outputs(program)


def register_dataclasses(value: Any) -> None:
    """Let torch look into the user's dataclasses in what a module returned, as it does into dicts."""
    import torch

    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, tuple | list):
        for part in value:
            register_dataclasses(part)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        register_dataclasses([getattr(value, each.name) for each in dataclasses.fields(value)])
        with contextlib.suppress(ValueError):  # known already
            torch.export.register_dataclass(type(value))


@contextlib.contextmanager
def masks_as_given() -> Iterator[None]:
    """nn.TransformerDecoder looks whether a mask is the causal one: a branch on values, and only a hint."""
    import torch

    layers = torch.nn.modules.transformer
    own = layers._detect_is_causal_mask
    try:
        layers._detect_is_causal_mask = lambda _mask, is_causal=None, _size=None: bool(is_causal)
        yield
    finally:
        layers._detect_is_causal_mask = own


def as_tensor(array: Any) -> Any:
    """A NumPy array (ml_dtypes' bfloat16 too) as a tensor of its own memory."""
    import torch

    if str(array.dtype) == "bfloat16":
        return torch.from_numpy(array.view("int16").copy()).view(torch.bfloat16)
    return torch.from_numpy(array.copy())


def unwrapped(module: Any) -> Any:
    """`module` without torch.compile's or DataParallel's wrapper."""
    inner = getattr(module, "_orig_mod", None)
    if inner is None and type(module).__name__ in ("DataParallel", "DistributedDataParallel"):
        inner = module.module
    return module if inner is None else inner


def _configs(module: Any, setting: str, value: Any) -> list[Any]:
    """The configurations in `module`, each once, in which `setting` is `value`."""
    configs = [getattr(part, "config", None) for part in module.modules()]
    return list({id(c): c for c in configs if getattr(c, setting, None) == value}.values())


def _on_cpu(module: Any) -> Any:
    tensors = [*module.parameters(), *module.buffers()]
    devices = {tensor.device.type for tensor in tensors} - {"cpu"}
    if "meta" in devices:
        raise CaptureError(
            f"{type(module).__name__} is on the meta device: it has no weights.",
            hint="Load the weights first, for instance with load_state_dict(…, assign=True).",
        )
    return copy.deepcopy(module).to("cpu") if devices else module


def _takes_by_position(module: Any, given: dict[str, Any]) -> bool:
    """Inputs are passed by position where that is possible, so that `*args` and plain calls both work."""
    by_name = {
        p.name for p in inspect.signature(module.forward).parameters.values() if p.kind is p.KEYWORD_ONLY
    }
    return Signature.of(module).names[: len(given)] == tuple(given) and not by_name & set(given)


def _dynamic(module: Any, examples: Arrays, free: Shapes, positional: bool) -> Any:
    import torch

    if not free:
        return None
    shapes = {
        name: {axis: torch.export.Dim.DYNAMIC for axis, size in enumerate(free.get(name, ())) if size is None}
        for name in examples
    }
    if not positional:
        return shapes
    parameters = list(inspect.signature(module.forward).parameters.values())
    plain = [p for p in parameters if p.kind is not p.VAR_POSITIONAL]
    in_order = tuple(shapes.values())
    if len(plain) == len(parameters):
        return in_order
    return (*in_order[: len(plain)], in_order[len(plain) :])  # those of *args are one tuple


def _plain_outputs(program: Any) -> Any:
    """A class of its own in the output (a ModelOutput, a namedtuple) would need its code when read: a dict
    of the same tensors by the same names stands for it, or a tuple where they are known by place."""
    from torch.utils import _pytree as pytree

    from neo_magics.capture.pt2 import plain_tree
    from neo_magics.capture.torch_names import key_name

    spec = program.call_spec.out_spec
    if plain_tree(spec):
        return program
    leaves, _spec = pytree.tree_flatten_with_path(pytree.tree_unflatten(range(spec.num_leaves), spec))
    paths = [path for path, _leaf in leaves]
    by_place = any(hasattr(path[0], "idx") for path in paths if path)  # torch.return_types, tuples of them
    plain = pytree.tree_structure((0,) * len(paths) if by_place else dict.fromkeys(map(key_name, paths), 0))
    program.module_call_graph[0].signature.out_spec = plain
    return program


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """torch logs and prints whole graphs before it raises; the error says what matters."""
    loggers = [(logging.getLogger(name), logging.getLogger(name).level) for name in _LOGGERS]
    try:
        for logger, _level in loggers:
            logger.setLevel(logging.CRITICAL)
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        for logger, level in loggers:
            logger.setLevel(level)


def _explained(error: Exception, module: Any) -> CaptureError:
    text = str(error).strip()
    name = type(module).__name__
    if type(error).__name__ in _BY_VALUE or any(words in text for words in _BY_VALUE_WORDS):
        where = _caller(text) or _own_line(error)
        return CaptureError(
            f"{name}'s forward takes a branch or a shape from the values of a tensor{where}.",
            hint="Replace it with torch.where or torch.cond, or give torch.jit.script(module).",
        )
    if "quantized" in text:
        return CaptureError(
            f"{name} holds quantised layers of PyTorch, which torch.export cannot capture.",
            hint="Give the float model, with --dtype int8 and calibration inputs.",
        )
    if "specialized" in text or _FREE_SIZE.search(text):
        return CaptureError(
            f"{name} does not work for every size of a dimension that was named free: {_sentence(text)}",
            hint="Give that dimension's size instead of null.",
        )
    return CaptureError(
        f"torch.export cannot capture {name}: {type(error).__name__}: {_sentence(text)}",
        hint="Check that the model runs on the example inputs: their shapes and dtypes are the usual cause "
        "(whole-number inputs need examples of that dtype).",
    )


def _own_line(error: BaseException) -> str:
    """The innermost line that is no part of an installed package."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [
        f for f in frames if f.line and "site-packages" not in f.filename and "neo_magics" not in f.filename
    ]
    return f" (`{own[-1].line.strip()[:100]}`)" if own and own[-1].line else ""


def _caller(text: str) -> str:
    """The user's own line, where torch's message shows it."""
    lines = text.splitlines()
    found = [i for i, line in enumerate(lines) if line.strip().startswith("File ")]
    if not found or found[-1] + 1 >= len(lines):
        return ""
    return f" (`{lines[found[-1] + 1].strip()}`)"


def _sentence(text: str) -> str:
    lines = [line.strip(" -") for line in text.splitlines() if line.strip()]
    picked = next((line for line in lines if "specialized" in line), lines[0] if lines else "")
    return picked[:300]
