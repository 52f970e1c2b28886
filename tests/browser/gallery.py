"""Panels of every kind from plain data, and pages that set them in the themes of several front ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from neo_magics.api.events import Event, LogLine, ProgressEvent, StageEvent
from neo_magics.artifact.kernels import Source
from neo_magics.runtime.comparison import Comparison, Rival
from neo_magics.runtime.profile import KernelCall
from neo_magics.widgets.comparison_html import comparison_card, comparison_html
from neo_magics.widgets.comparison_view import comparison_view
from neo_magics.widgets.group_html import group_frozen, group_live
from neo_magics.widgets.job_html import frozen_html, live_html
from neo_magics.widgets.profile_html import profile_card
from neo_magics.widgets.view import JobView, LogState
from tests.server.sample import comparison
from tests.widgets.conftest import REASON
from tests.widgets.test_profile_html import profile_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = ("fetch", "import", "optimize", "build", "verify", "package", "upload")
STEP = LogLine("Next step: Replace them in the model, or run those parts outside of it.")
# What the front end's own style sheet says: attributes of the page, variables, ground, text.
LAB = "--jp-layout-color1:{};--jp-ui-font-color1:{}"
EXTENDED = "class='neo-copies'"  # the extension's mark: the Copy buttons work
HOSTS = {
    "lab-light": (
        f"{EXTENDED} data-jp-theme-light='true'",
        LAB.format("#fff", "rgba(0,0,0,.87)"),
        "#fff",
        "#000",
    ),
    "lab-dark": (
        f"{EXTENDED} data-jp-theme-light='false'",
        LAB.format("#212121", "#fff"),
        "#111",
        "#fff",
    ),
    "vscode-dark": ("class='vscode-dark'", "--vscode-editor-background:#1f1f1f", "#1f1f1f", "#ccc"),
    "vscode-light": ("class='vscode-light'", "--vscode-editor-background:#fff", "#fff", "#3b3b3b"),
    "colab-dark": ("", "--colab-primary-surface-color:#383838", "#383838", "#d5d5d5"),
    "plain": ("", "", "#fff", "#000"),
    "plain-dark": ("", "", "#181818", "#ddd"),
}


def page(host: str) -> str:
    """All panels below each other, as `host` would show them without widgets."""
    attributes, variables, ground, text = HOSTS[host]
    theme = ' theme="dark"' if host == "colab-dark" else ""
    style = f":root{{{variables}}}body{{background:{ground};color:{text};margin:8px;font:14px sans-serif}}"
    head = f'<!doctype html><html{theme}><head><meta charset="utf-8"><style>{style}</style></head>'
    return f"{head}<body {attributes}>{''.join(panels().values())}</body></html>"


def panels() -> dict[str, str]:
    """What each shows → its HTML."""
    pair = comparison_html(comparison_view(Comparison.from_dict(comparison(0.21, 0.05))))
    live, done, failed = job("INPROGRESS", 3), job("COMPLETED", 7), job("FAILED", 1, STEP, reason=REASON)
    away = replace(done, name="net-rasp4b-20261123-101530-ab12", target="rasp4b", runs_here=False)
    return {
        "queued": live_html(job("STARTING", -1)),
        "live": live_html(live),
        "done": frozen_html(done, pair),
        "away": frozen_html(away, note="Not measured: This artifact was compiled for ARM64."),
        "failed": frozen_html(failed),
        "stopped": frozen_html(job("STOPPED", 3)),
        "several, live": group_live([live, replace(away, status="INPROGRESS")]),
        "several": group_frozen([done, away, failed], {done.name: "4.2 × faster"}, pair),
        "sides": comparison_card(comparison_view(sides())),
        "profile": profile_card(profile_of(*(kernel(index) for index in range(24)))),
    }


def job(status: str, done: int, *events: Event, reason: str = "") -> JobView:
    """A job with `done` stages behind it, the next one in work or where it ended."""
    log = LogState().add((NOW, event) for event in [*_stages(status, done), *events])
    return JobView(
        name="resnet18-local-20261123-101530-ab12",
        status=status,
        target="LINUX_X86_64 (this CPU)",
        framework="PYTORCH 2.13",
        log=log,
        elapsed=12.3,
        reason=reason,
        left="about 4 s left",
        texts={"JSON": '{"CompilationJobName": "resnet18"}', "%%compile": "%%compile --target local\nmodel"},
    )


def _stages(status: str, done: int) -> list[Event]:
    ended: list[Event] = [StageEvent(name, "done", 0.7) for name in NAMES[: max(0, done)]]
    last = {"INPROGRESS": "started", "FAILED": "failed", "STOPPED": "stopped"}.get(status)
    ended += [StageEvent(NAMES[done], last, 0.4)] if last else []
    return [*ended, ProgressEvent("build", 12, 34, "kernels")] if status == "INPROGRESS" else ended


def sides() -> Comparison:
    """PyTorch, the compiled model and three rivals, one with a long name."""
    base = Comparison.from_dict(comparison(0.21, 0.05))
    names = {"bf16": 0.04, "int8": 0.022, "another runtime with a long name": 0.09}
    difference = {"max_abs": 1e-3, "within_tolerance": True}
    others = tuple(
        Rival(
            replace(
                base.after, label=label, median_ms=median, p95_ms=1.1 * median, rounds_ms=((median,) * 20,)
            ),
            0.21 / median,
            (0.2 / median, 0.22 / median),
            f"{0.21 / median:.1f} × faster",
            difference,
        )
        for label, median in names.items()
    )
    return replace(base, others=others)


def kernel(index: int) -> KernelCall:
    """One of many kernels, each quicker than the one before."""
    layers = tuple(
        Source(f"layer{index // 3}.{index % 3}.{name}", name, name) for name in ("conv", "bn", "relu")
    )
    flops = int(4e8 / (index + 1) / (1 + index % 4))
    return KernelCall(
        index, f"fused_conv2d_{index}", "packed convolution", ("conv2d", "relu"), layers,
        0.002 / (index + 1), flops, 10**6 // (index + 1),
    )  # fmt: skip
