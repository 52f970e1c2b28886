"""`$name` and `{name}` in a magic's words, as IPython writes them in its own magics.

IPython's expansion is off for these magics, since it eats the braces of JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from neo_magics.job import Job

_PLACE = re.compile(r"\$(?P<dollar>[^\W\d]\w*)|\{(?P<braces>[^\W\d]\w*)\}")


def filled(words: Sequence[str], names: Mapping[str, Any]) -> list[str]:
    """`words` with the values of the variables that they name.

    Text and numbers stand as they are, lists and dicts of them as JSON, a job by its name; for anything else
    its variable is named, which is what an option such as --input takes. A name that is not in `names` stays.
    """
    return [_PLACE.sub(lambda place: _text(place, names), word) for word in words]


def _text(place: re.Match[str], names: Mapping[str, Any]) -> str:
    name = place["dollar"] or place["braces"]
    if name not in names:
        return place[0]
    value = names[name]
    if isinstance(value, Job):
        return value.name
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value)
    except (TypeError, ValueError):
        return name
