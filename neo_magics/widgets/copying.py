"""Text in a box that can be copied as a whole."""

from __future__ import annotations

from html import escape


def copyable(text: str, label: str, *, style: str = "") -> str:
    """`text` as preformatted text named `label`; with `style` "neo-lines" it is read line by line.

    Nothing in it is a script, which a strict content policy and most viewers refuse. The JupyterLab extension
    shows the button and does the copying (labextension/src/copying.ts). Without it the button stays hidden,
    and where the style sheet is in force one click selects the whole text, but for lines.
    """
    name = escape(label, quote=True)
    look = f" {style}" if style else ""
    hint = "" if "neo-lines" in style else '<span class="neo-hint" hidden>one click selects all of it</span>'
    return (
        f'<div class="neo-copy{look}"><button type="button" class="neo-button" hidden '
        f'aria-label="Copy: {name}">Copy</button>{hint}'
        f'<pre tabindex="0" role="group" aria-label="{name}">{escape(text)}</pre></div>'
    )
