"""Text in a box with a button that copies it."""

from __future__ import annotations

from html import escape

# Selects the text, which also shows what was copied. The newer clipboard API wants HTTPS.
COPY = (
    "const t=this.parentNode.querySelector('pre');getSelection().selectAllChildren(t);"
    "document.execCommand('copy');this.textContent='Copied'"
)


def copyable(text: str, label: str, *, style: str = "") -> str:
    """`text` as preformatted text named `label`, with its button.

    The button is hidden unless the style sheet is in force: a viewer that strips the style strips scripts
    too, and there it would do nothing.
    """
    name = escape(label, quote=True)
    look = f" {style}" if style else ""
    return (
        f'<div class="neo-copy{look}"><button type="button" class="neo-button" hidden '
        f'aria-label="Copy: {name}" onclick="{COPY}">Copy</button>'
        f'<pre tabindex="0" aria-label="{name}">{escape(text)}</pre></div>'
    )
