"""Takes the README's picture of JupyterLab: `python -m tests.browser.picture`, on a calm machine."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from tests.browser.lab import PANEL, command, notebook, server, write_notebook, write_settings

PICTURE = Path(__file__).parents[2] / "notebooks" / "images" / "panel.png"
CELLS = (
    "%load_ext neo_magics\nimport torch\nfrom neo_magics.demo import digits, network\n\n"
    "model = network.train(digits.load_digits())",
    "%%compile --target local --input x -o job\nx = torch.rand(1, 1, 8, 8)\nmodel",
)
LIMIT = 200_000  # bytes


def earlier_jobs() -> None:
    """Jobs for the sidebar to list: for two devices, and one that fails."""
    import torch

    import neo_magics
    from neo_magics.demo import network

    class Spectrum(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.linalg.svdvals(x)

    x = torch.rand(1, 1, 8, 8)
    for target in ("ml_c6g", "rasp4b"):
        neo_magics.compile(network.build().eval(), inputs=x, target=target, wait=True)
    with contextlib.suppress(neo_magics.NeoMagicsError):
        neo_magics.compile(Spectrum(), inputs=x, wait=True)


def take(folder: Path) -> None:
    """Run the cells in a fresh home and keep the page as it then looks."""
    home, work = folder / "user", folder / "work"
    home.mkdir()
    work.mkdir()
    os.environ["NEO_MAGICS_HOME"] = str(folder / "state")
    earlier_jobs()
    write_settings(home, dark=False)
    write_notebook(work / "digits.ipynb", *CELLS)
    with server(work, home) as address, notebook(address, "digits.ipynb", width=1320, height=830) as page:
        command(page, "neo-magics:show")
        page.wait_for_selector(".neo-sidebar .neo-row")
        command(page, "notebook:run-all-cells")
        page.wait_for_selector(f"{PANEL} .neo-verdict", timeout=120_000)
        page.wait_for_timeout(3_000)  # the sidebar's next look
        page.screenshot(path=PICTURE)
        print(page.locator(".neo-verdict").inner_text(), page.locator(".neo-verdict + div").inner_text())
    print(PICTURE.stat().st_size, "bytes of", LIMIT)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        take(Path(name))
