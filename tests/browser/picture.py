"""Takes the README's picture of a panel: `python -m tests.browser.picture`, on a calm machine."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from tests.browser.lab import command, notebook, server, write_settings
from tests.browser.test_quickstart import PANEL, write_notebook

PICTURE = Path(__file__).parents[2] / "notebooks" / "images" / "panel.png"
CELLS = (
    "%load_ext neo_magics\nimport torch\nfrom neo_magics.demo import digits, network\n\n"
    "model = network.train(digits.load_digits())",
    "%%compile --target local --input x -o job\nx = torch.rand(1, 1, 8, 8)\nmodel",
)


def take(folder: Path) -> None:
    """Run the cells in a fresh home and keep the page as it then looks."""
    home, work = folder / "user", folder / "work"
    home.mkdir()
    work.mkdir()
    os.environ["NEO_MAGICS_HOME"] = str(folder / "state")
    write_settings(home, dark=False)
    write_notebook(work / "digits.ipynb", *CELLS)
    with server(work, home) as address, notebook(address, "digits.ipynb", width=1060, height=800) as page:
        command(page, "application:toggle-left-area")
        command(page, "notebook:run-all-cells")
        page.wait_for_selector(f"{PANEL} .neo-verdict", timeout=120_000)
        page.wait_for_timeout(1_000)
        page.screenshot(path=PICTURE)
        print(page.locator(".neo-verdict").inner_text(), page.locator(".neo-verdict + div").inner_text())


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        take(Path(name))
