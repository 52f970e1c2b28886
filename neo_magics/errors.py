"""The one exception tree: what was wrong, where, and what to do next.

Every error that a user can meet derives from `NeoMagicsError`. It renders as one short message with a
next step, survives pickling between processes, and keeps its original as ``__cause__``.
"""

from __future__ import annotations

import errno
import traceback
from typing import Any

REASON_LIMIT = 1024  # characters of a FailureReason in the CompilationJob API
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # of an OSError: no space, or no quota, is left


class NeoMagicsError(Exception):
    """Base of all errors of this package.

    `message` says what was wrong and where; `hint` says what to do next; further keyword arguments are
    kept in `fields` for programs that want the parts.
    """

    # What SageMaker Neo would write before the message in a FailureReason.
    reason_prefix = "ServerError"

    def __init__(self, message: str, *, hint: str = "", **fields: Any) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.fields = fields

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message, self.hint, self.fields)

    def _render_traceback_(self) -> list[str]:
        """IPython's hook: the short form in place of a traceback; asked again, by `%tb`, the whole."""
        if getattr(self, "_rendered", False):
            return traceback.format_exception(self)
        self._rendered = True
        lines = [f"{type(self).__name__}: {self.message}"]
        return [*lines, f"  → {self.hint}"] if self.hint else lines


def _rebuild(cls: type[NeoMagicsError], message: str, hint: str, fields: dict[str, Any]) -> NeoMagicsError:
    error = cls.__new__(cls)
    NeoMagicsError.__init__(error, message, hint=hint, **fields)
    return error


class ApiError(NeoMagicsError):
    """An answer of the CompilationJob API that is an error; `code` is AWS's name for it."""

    def __init__(self, code: str, message: str, *, hint: str = "", **fields: Any) -> None:
        super().__init__(message, hint=hint, code=code, **fields)

    @property
    def code(self) -> str:
        return str(self.fields["code"])


class UsageError(NeoMagicsError):
    """A wrong argument, option or name given by the user of the magics, the command line or Python."""


class BackendError(NeoMagicsError):
    """The chosen backend cannot be reached or refused the caller."""


class InputError(NeoMagicsError):
    """The input model, its archive or the input configuration is at fault."""

    reason_prefix = "ClientError: InputConfiguration"


class CaptureError(InputError):
    """A live object that cannot be turned into a model archive."""


class UnsafeArchiveError(InputError):
    """An archive that would escape its folder or expand beyond the limit."""


class UntrustedPickleError(InputError):
    """A model file that holds a pickle, and the user did not say that it is trusted."""


class CompilationError(NeoMagicsError):
    """The model is well formed and cannot be compiled."""

    reason_prefix = "ClientError: CompilationError"


class UnsupportedOperatorsError(CompilationError):
    """Operators that the importer does not know; `operators` holds all of them."""


class TargetError(CompilationError):
    """A target that is unknown, cannot be compiled for here, or lacks a tool."""


class VerificationError(CompilationError):
    """The compiled model's outputs are wrong: NaN, wrong shape, or a difference over tolerance."""


class OutputError(NeoMagicsError):
    """The compiled archive cannot be written to the output location."""

    reason_prefix = "ClientError: OutputConfiguration"


class StorageError(NeoMagicsError):
    """An object store said no; `bucket` and `key` say where."""

    reason_prefix = "ClientError: InputConfiguration"


class ArtifactError(NeoMagicsError):
    """A compiled archive that cannot be loaded: not one of ours, incomplete, or made for another machine."""


class DigestMismatchError(ArtifactError):
    """A file of the artifact is not the file that was compiled."""


class RuntimeInputError(NeoMagicsError):
    """An input of a compiled model with a wrong name, shape or dtype."""


class ExecutionError(NeoMagicsError):
    """A compiled model, or a process that runs one, failed while it ran."""


class JobFailedError(NeoMagicsError):
    """A job that the user waited for did not complete; `name`, `status`, `reason` and `stage` say why."""


class ResourceError(NeoMagicsError):
    """The machine ran out of something: memory, disk, time."""

    reason_prefix = "ServerError"


class DiskFullError(ResourceError, StorageError):
    """No space (or quota) is left for an object or a file; nothing of it was kept."""


def failure_reason(error: BaseException, stage: str = "") -> str:
    """The FailureReason for `error`, at most `REASON_LIMIT` characters, in Neo's form.

    `stage` is named for errors that carry no place of their own.
    """
    prefix = getattr(error, "reason_prefix", "ServerError")
    text = str(error) if isinstance(error, NeoMagicsError) else f"{type(error).__name__}: {error}"
    where = f" (stage: {stage})" if stage else ""
    room = REASON_LIMIT - len(prefix) - len(where) - 2
    body = text if len(text) <= room else text[: room - 1] + "…"
    return f"{prefix}: {body}{where}"
