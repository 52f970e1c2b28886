"""Clicks that are handled while a cell runs."""

from __future__ import annotations

from typing import Any


def heard_while_busy(widget: Any) -> None:
    """Let the front end decide where messages of `widget` are handled.

    JupyterLab sends them to a subshell, a thread beside the one that runs cells. ipykernel 7 hands each to
    the shell that the widget spoke from last, which is the busy one (`BaseComm._reply_subshell_for`: right
    for a cell that awaits an answer, and no cell awaits one here). Kernels without subshells know no such
    method, and keep the click until the cell has ended.
    """
    comm = widget.comm
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = lambda _data, asked_for: asked_for
