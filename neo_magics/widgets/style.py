"""The look shared by all panels: one style sheet that works in light and dark themes, and small helpers.

Text inherits the page's colour, lines and areas are mixed from it, so that only the accents differ by theme.
JupyterLab, VS Code and Colab say on a parent element what their theme is. On any other page the accents
follow the text's colour too, and can be read on dark and light grounds. The markup is understood
without the style too (a viewer that strips it, an untrusted notebook): lists, tables and words carry all.
"""

from __future__ import annotations

import re
from html import escape

CLASS = "neo-magics"

_ACCENTS_LIGHT = (
    "--neo-ok:#1a7f37;--neo-run:#0a5fc4;--neo-bad:#b3261e;--neo-warn:#8a5a00;--neo-before:#a04a00;"
    "--neo-third:#6f3fb5;--neo-fourth:#00706b"
)
_ACCENTS_DARK = (
    "--neo-ok:#56d364;--neo-run:#79b8ff;--neo-bad:#ff8a80;--neo-warn:#e3b341;--neo-before:#ffa657;"
    "--neo-third:#d2a8ff;--neo-fourth:#5fd7cf"
)
_TEXT_SHARE = 50  # percent of the text's colour in the accents of a page that names no theme
_ACCENTS_MIXED = re.sub(
    "#[0-9a-f]{6}", rf"color-mix(in srgb,\g<0>,currentColor {_TEXT_SHARE}%)", _ACCENTS_LIGHT
)
# Where the browser can: of full colour, as light as the text's colour asks for.
_HUES = {"ok": 148, "run": 256, "bad": 27, "warn": 80, "before": 50, "third": 300, "fourth": 190}
_ACCENTS_FITTED = ";".join(
    f"--neo-{name}:oklch(from currentColor calc(.44 + .36*l) .13 {hue})" for name, hue in _HUES.items()
)

STYLE = f"""<style>
.{CLASS}{{{_ACCENTS_MIXED};--neo-line:color-mix(in srgb,currentColor 22%,transparent);
--neo-soft:color-mix(in srgb,currentColor 5%,transparent);
--neo-face:var(--jp-layout-color1,var(--vscode-editor-background,var(--colab-primary-surface-color,Canvas)));
box-sizing:border-box;max-width:860px;
font:13px/1.45 var(--jp-ui-font-family,system-ui,sans-serif);color:var(--jp-ui-font-color1,inherit);
border:1px solid var(--neo-line);border-radius:6px;padding:10px 12px;margin:4px 0;overflow-wrap:anywhere}}
@supports (color:oklch(from red l c h)){{.{CLASS}{{{_ACCENTS_FITTED}}}}}
[data-jp-theme-light="true"] .{CLASS},.vscode-light .{CLASS},.vscode-high-contrast-light .{CLASS},
html[theme="light"] .{CLASS}{{{_ACCENTS_LIGHT}}}
[data-jp-theme-light="false"] .{CLASS},.vscode-dark .{CLASS},
.vscode-high-contrast:not(.vscode-high-contrast-light) .{CLASS},html[theme="dark"] .{CLASS}{{{_ACCENTS_DARK}}}
.{CLASS} *{{box-sizing:border-box}}
/* JupyterLab pads HTML on its right and widgets not: a panel keeps its width when it freezes. */
.jp-OutputArea-output.jp-RenderedHTMLCommon>.{CLASS}{{margin-right:-20px}}
.{CLASS} .neo-head{{display:flex;flex-wrap:wrap;gap:2px 12px;align-items:baseline}}
.{CLASS} .neo-status{{font-weight:600}}
.{CLASS} .neo-job-name{{font-family:var(--jp-code-font-family,monospace);font-size:12px}}
.{CLASS} .neo-muted{{opacity:.75}}
.{CLASS} .neo-right{{margin-left:auto;font-variant-numeric:tabular-nums}}
.{CLASS} ol.neo-steps{{list-style:none;display:grid;grid-template-columns:repeat(auto-fit,minmax(84px,1fr));
gap:6px;margin:10px 0 6px;padding:0}}
.{CLASS} ol.neo-steps li{{margin:0;padding:4px 0 0;border-top:3px solid var(--neo-line);line-height:1.3}}
.{CLASS} ol.neo-steps small{{display:block;font-size:12px;min-height:1.3em;opacity:.75;
font-variant-numeric:tabular-nums}}
.{CLASS} li.neo-done,.{CLASS} li.neo-cached{{border-top-color:var(--neo-ok)!important}}
.{CLASS} li.neo-started{{border-top-color:var(--neo-run)!important;font-weight:600}}
.{CLASS} li.neo-failed{{border-top-color:var(--neo-bad)!important;font-weight:600}}
.{CLASS} li.neo-stopped{{border-top-color:var(--neo-warn)!important;font-weight:600}}
.{CLASS} li.neo-waiting{{opacity:.75}}.{CLASS} li.neo-waiting small{{opacity:1}}
.{CLASS} .neo-ok{{color:var(--neo-ok)}}.{CLASS} .neo-run{{color:var(--neo-run)}}
.{CLASS} .neo-bad{{color:var(--neo-bad)}}.{CLASS} .neo-warn{{color:var(--neo-warn)}}
.{CLASS} .neo-progress{{display:flex;flex-wrap:wrap;align-items:center;gap:0 12px;min-height:20px}}
.{CLASS} .neo-progress .neo-bar{{flex:1 1 120px}}
.{CLASS} .neo-bar{{height:6px;border-radius:3px;background:var(--neo-line);overflow:hidden;margin:4px 0}}
.{CLASS} .neo-bar>i{{display:block;height:100%;background:var(--neo-run)}}
.{CLASS} .neo-copy{{margin:6px 0 0;background:var(--neo-soft);border-radius:4px;position:relative}}
.{CLASS} details .neo-copy{{max-height:320px;overflow:auto}}
.{CLASS} .neo-copy>pre{{margin:0;padding:6px 8px;background:none;overflow:visible;
font:12px/1.5 var(--jp-code-font-family,monospace);color:inherit;white-space:pre-wrap;
word-break:normal;overflow-wrap:anywhere}}
.{CLASS} details{{margin-top:6px}}.{CLASS} summary{{cursor:pointer;display:list-item}}
.{CLASS} details details{{margin:4px 0 4px 14px}}
/* Turned round twice, so that it stays at its end while lines come in. */
.{CLASS} .neo-live{{display:flex;flex-direction:column-reverse;height:136px;overflow:auto}}
.{CLASS} .neo-live>pre{{margin:0 0 auto;flex:none}}.neo-copies .{CLASS} .neo-live>pre{{padding-right:68px}}
/* The extension says on the body that it copies; without it a click selects. */
.neo-copies .{CLASS} .neo-button[hidden]{{display:inline-block;padding:0 8px;border:1px solid var(--neo-line);
border-radius:4px;background:var(--neo-face);color:inherit;font-family:inherit;font-size:12px;line-height:20px;cursor:pointer}}
body:not(.neo-copies) .{CLASS} .neo-hint[hidden]{{display:block;padding:6px 8px 0;font-size:12px;opacity:.75}}
body:not(.neo-copies) .{CLASS} .neo-copy:not(.neo-lines)>pre{{user-select:all}}
.{CLASS} .neo-copy>.neo-button{{position:sticky;float:right;top:4px;margin:4px 6px 0 8px;z-index:1}}
.{CLASS} .neo-live>.neo-button{{order:1;align-self:flex-end;margin:0 6px -22px 0}}
.{CLASS} .neo-button:focus-visible,.{CLASS} pre:focus-visible,.{CLASS} summary:focus-visible{{
outline:2px solid var(--neo-run);outline-offset:1px}}
.neo-widgets.{CLASS} .widget-html,.neo-widgets.{CLASS} .widget-hbox{{margin:0;width:auto}}
.neo-widgets.{CLASS} .widget-hbox{{gap:6px;margin:4px 0 6px}}
.neo-widgets.{CLASS} .widget-hbox>*{{margin:0;height:26px;line-height:26px}}
.neo-widgets.{CLASS} .widget-vbox{{margin:0;overflow:visible}}
.neo-widgets.{CLASS} .widget-html-content{{line-height:inherit;width:100%}}
.neo-widgets.{CLASS} .neo-named>.widget-label{{position:absolute;width:1px;height:1px;overflow:hidden;
clip-path:inset(50%)}}
/* The arrow of ipywidgets is black in dark themes too. */
.neo-widgets.{CLASS} .widget-dropdown select{{
background-image:linear-gradient(45deg,transparent 50%,currentColor 0),
linear-gradient(-45deg,transparent 50%,currentColor 0);background-size:5px 5px;background-repeat:no-repeat;
background-position:right 12px center,right 7px center}}
.{CLASS} .neo-what{{font-weight:600}}
.{CLASS} .neo-reason{{border-left:3px solid var(--neo-bad);padding:2px 0 2px 10px;margin:8px 0}}
.{CLASS} .neo-verdict{{font-size:20px;font-weight:600;margin:8px 0 0}}
.{CLASS} .neo-strip{{margin-top:6px}}.{CLASS} svg{{display:block;overflow:visible;color:inherit}}
.{CLASS} .neo-scroll{{overflow-x:auto}}
.{CLASS} table{{border-collapse:collapse;margin:8px 0 0;font-size:13px;color:inherit;
overflow-wrap:break-word}}
.{CLASS} th,.{CLASS} td{{text-align:right;padding:3px 10px 3px 0;border:0;
border-bottom:1px solid var(--neo-line);background:none;color:inherit;
font-variant-numeric:tabular-nums;vertical-align:top;white-space:nowrap}}
.{CLASS} td.neo-text,.{CLASS} th.neo-text{{text-align:left!important;white-space:normal}}
/* JupyterLab stripes its tables and aligns their cells to the right. */
.{CLASS} tbody tr,.{CLASS} tbody tr:hover{{background:none!important}}
.{CLASS} th{{font-weight:600}}
.{CLASS} tbody th{{font-weight:400;text-align:left!important;white-space:normal}}
.{CLASS} td.neo-short{{white-space:nowrap}}
.{CLASS} td.neo-text:last-child,.{CLASS} td.neo-text:first-child:not(.neo-short){{
min-width:150px;overflow-wrap:anywhere}}
.{CLASS} .neo-job{{border-top:1px solid var(--neo-line);margin-top:8px;padding-top:8px}}
.{CLASS} thead th{{white-space:normal}}
.{CLASS} table+.neo-muted,.{CLASS} .neo-scroll+.neo-muted{{margin-top:6px}}
.{CLASS} .neo-jobs{{container-type:inline-size}}
@container (max-width:440px){{.{CLASS} .neo-jobs thead{{display:none}}
.{CLASS} .neo-jobs table,.{CLASS} .neo-jobs tbody{{display:block}}
.{CLASS} .neo-jobs tr{{display:flex;flex-wrap:wrap;gap:0 10px;padding:3px 0;
border-bottom:1px solid var(--neo-line)}}
.{CLASS} .neo-jobs th,.{CLASS} .neo-jobs td{{border:0;padding:0}}
.{CLASS} .neo-jobs td:last-child{{flex:1 1 100%}}}}
.{CLASS} .neo-sides{{container-type:inline-size}}
@container (max-width:440px){{.{CLASS} .neo-sides thead{{display:none}}
.{CLASS} .neo-sides table,.{CLASS} .neo-sides tbody,.{CLASS} .neo-sides th{{display:block}}
.{CLASS} .neo-sides tr{{display:block;padding:3px 0;border-bottom:1px solid var(--neo-line)}}
.{CLASS} .neo-sides th,.{CLASS} .neo-sides td{{border:0;padding:0}}.{CLASS} .neo-sides th{{font-weight:600}}
.{CLASS} .neo-sides td{{display:flex;flex-wrap:wrap;justify-content:space-between;gap:0 10px}}
.{CLASS} .neo-sides td:empty{{display:none}}
.{CLASS} .neo-sides td::before{{content:attr(data-side);opacity:.75}}}}
@media print{{.{CLASS}{{max-width:none;print-color-adjust:exact}}
.{CLASS} .neo-head,.{CLASS} .neo-steps,.{CLASS} .neo-strip,.{CLASS} tr{{break-inside:avoid}}
.{CLASS} .neo-scroll,.{CLASS} .neo-copy{{overflow:visible;max-height:none;height:auto}}
.{CLASS} td,.{CLASS} th{{white-space:normal;padding-right:6px}}
.{CLASS} td.neo-text:last-child{{min-width:0;overflow-wrap:anywhere;padding-right:0}}
.{CLASS} td.neo-text:first-child:not(.neo-short){{min-width:0}}
.neo-copies .{CLASS} .neo-button[hidden],body:not(.neo-copies) .{CLASS} .neo-hint[hidden]{{display:none}}}}
</style>"""


def card(*parts: str, label: str = "") -> str:
    """A bordered panel with the style sheet; `label` names it for a screen reader."""
    name = f' role="group" aria-label="{escape(label, quote=True)}"' if label else ""
    return f'{STYLE}<div class="{CLASS}"{name}>{"".join(parts)}</div>'


def seconds(value: float) -> str:
    """A duration for a person: 12 ms, 3.4 s, 1 min 20 s."""
    if value < 0.1:
        return f"{value * 1000:.0f} ms"
    if value < 100:
        return f"{value:.1f} s"
    return f"{int(value) // 60} min {int(value) % 60} s"


def milliseconds(value: float) -> str:
    """A latency in ms with three significant digits: 0.0312, 4.51, 178."""
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def size(count: float) -> str:
    """Bytes for a person, in powers of 1000: 812 B, 104 kB, 44.7 MB."""
    for unit in ("B", "kB", "MB"):
        if count < 999.5:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
