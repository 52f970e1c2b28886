"""A framework that a model needs and that is not installed: one wording, with the command that gets it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from neo_magics.errors import InputError


def needed(module: str, what: str, extra: str) -> Any:
    """The imported `module`; `InputError` with the pip command where it is not installed.

    `what` names what needs it, as "Keras models".
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module.partition(".")[0]:
            raise
        raise InputError(
            f"{what} need the package {error.name}, which is not installed.",
            hint=f"pip install 'neo-magics[{extra}]'",
            package=error.name,
        ) from error
