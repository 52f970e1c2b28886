"""Ask for a line of the cache before it is needed."""

from __future__ import annotations

from typing import Any

from tvm import tirx

_READ, _KEEP, _DATA = 0, 3, 1  # llvm.prefetch: to read it, into the first cache, not code


def prefetch(buffer: Any, place: list[Any]) -> Any:
    """The call that asks for the line of `buffer[place]`; a place that there is not does no harm."""
    address = tirx.address_of(buffer[tuple(place)])
    return tirx.call_intrin("void", "tirx.prefetch", address, _READ, _KEEP, _DATA)
