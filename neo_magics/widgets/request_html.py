"""The request of a job, folded away, in the tongues of notebook, Python and shell."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from neo_magics.widgets.copying import copyable


def request_html(texts: Mapping[str, str]) -> str:
    """`texts` as made by `request_text.request_texts`; "" for none."""
    if not texts:
        return ""
    parts = "".join(
        f"<details><summary>{escape(name)}</summary>{copyable(text, f'request as {name}')}</details>"
        for name, text in texts.items()
    )
    names = escape(", ".join(texts))
    return f'<details class="neo-request"><summary>Request ({names})</summary>{parts}</details>'
