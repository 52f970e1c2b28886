"""Keeping torch's talk to itself out of the user's cell and out of a job's log."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def quiet_torch() -> Iterator[None]:
    """Without warnings: inside torch.export, torch.jit and their readers they are about torch's own code
    (deprecated calls that it makes, GPUs that are not there), which the user cannot change."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
