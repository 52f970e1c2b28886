"""What a loaded model says of itself, as text and as HTML."""

from __future__ import annotations

from html import escape

from neo_magics.artifact.manifest import Manifest


def text_summary(manifest: Manifest, threads: int) -> str:
    """A few lines: target, inputs, outputs, weights, and the measured difference from the source model."""
    return "\n".join([_title(manifest), *(f"  {name:<9}{value}" for name, value in _rows(manifest, threads))])


def html_summary(manifest: Manifest, threads: int) -> str:
    """The same as a table."""
    rows = "".join(
        f'<tr><th style="text-align:left">{escape(name)}</th>'
        f'<td style="text-align:left"><code>{escape(value)}</code></td></tr>'
        for name, value in _rows(manifest, threads)
    )
    return f"<div><b>{escape(_title(manifest))}</b><table>{rows}</table></div>"


def size_text(count: float) -> str:
    """Bytes as a person reads them."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def _title(manifest: Manifest) -> str:
    target = manifest.target
    cpu = f", {target['mcpu']}" if target.get("mcpu") else ""
    return f"CompiledModel {manifest.name!r} for {target.get('device') or 'this machine'}{cpu}"


def _rows(manifest: Manifest, threads: int) -> list[tuple[str, str]]:
    weights = sum(spec.nbytes for spec in manifest.params)
    rows = [("input", str(spec)) for spec in manifest.inputs]
    rows += [("output", str(spec)) for spec in manifest.outputs]
    rows += [("weights", f"{len(manifest.params)} tensors, {size_text(weights)}")]
    rows += [("source", f"{manifest.framework} {manifest.framework_version}".strip())]
    rows += [("threads", str(threads))]
    checked = manifest.verification
    if checked:
        reference = checked.get("reference", "the source")
        figure = float(checked.get("max_abs_difference") or 0.0)
        rows += [("verified", f"largest difference {figure:.2g} from {reference}")]
    return rows
