"""The service model's patterns, which are Java's, in Python: whole match, ASCII classes, \\p{…}.

Java's \\d, \\w and \\s are ASCII, which `re.ASCII` says. \\p{L}, \\p{N} and \\p{Z} have no counterpart in
`re`; each character of such a category is replaced, in pattern and text alike, by one ASCII character.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

# In the pattern: which ASCII characters the category has; in the text: one of them for each other character.
_CATEGORIES = {"L": "a-zA-Z", "N": "0-9", "Z": " "}
_STAND_INS = {"L": "a", "N": "0", "Z": " "}
_OTHER = "\x00"


def matches(pattern: str, text: str) -> bool:
    """Whether the whole of `text` satisfies `pattern`."""
    if r"\p{" in pattern:
        text = "".join(map(_stand_in, text))
    return _compiled(pattern).fullmatch(text) is not None


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    for category, members in _CATEGORIES.items():
        pattern = pattern.replace(rf"\p{{{category}}}", members)
    return re.compile(pattern, re.ASCII)


def _stand_in(character: str) -> str:
    if character.isascii():
        return character
    return _STAND_INS.get(unicodedata.category(character)[0], _OTHER)
