"""CloudWatch's filter patterns for plain text: terms, "phrases", ?alternatives and -exclusions.

The patterns for JSON and for columns ({…} and […]) are refused: job logs are text.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from neo_magics.errors import ApiError

_TERM = re.compile(r'\s*([?-]?)(?:"((?:[^"\\]|\\.)*)"|([^\s"]+))')


def compile_filter(pattern: str) -> Callable[[str], bool]:
    """Whether a message matches `pattern`; case matters, and the empty pattern matches everything.

    All plain terms must occur, or, where there are ?terms only, one of them; no -term may.
    Raises ApiError InvalidParameterException for a pattern of another kind or without sense.
    """
    required, optional, excluded = _terms(pattern.strip())
    # As in CloudWatch, alternatives count only where no term is required.
    wanted = [] if required else optional

    def matches(message: str) -> bool:
        return (
            all(term in message for term in required)
            and not any(term in message for term in excluded)
            and (not wanted or any(term in message for term in wanted))
        )

    return matches


def _terms(pattern: str) -> tuple[list[str], list[str], list[str]]:
    groups: dict[str, list[str]] = {"": [], "?": [], "-": []}
    if pattern[:1] in ("{", "["):
        raise _invalid("patterns for JSON or columns are not offered here; use terms")
    position = 0
    while position < len(pattern):
        match = _TERM.match(pattern, position)
        if match is None:
            raise _invalid(f"it cannot be read from character {position + 1}")
        sign, phrase, word = match.groups()
        groups[sign].append(re.sub(r"\\(.)", r"\1", phrase) if phrase is not None else word)
        position = match.end()
    return groups[""], groups["?"], groups["-"]


def _invalid(why: str) -> ApiError:
    return ApiError("InvalidParameterException", f"Invalid filter pattern: {why}.")
