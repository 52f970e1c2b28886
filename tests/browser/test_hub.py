"""JupyterLab as JupyterHub runs it: below the user's path, for whoever has the cookie."""

from __future__ import annotations

import urllib.error
import urllib.request

import pytest

from neo_magics.settings import Settings
from tests.browser.lab import (
    CELLS,
    MARKS,
    command,
    notebook,
    picture,
    server,
    write_notebook,
    write_settings,
)
from tests.browser.seed import fill
from tests.test_labextension import installed

pytestmark = [*MARKS, installed]
BASE = "/user/me@example.org/"


def test_below_a_prefix_and_with_the_cookie_alone(tmp_path):
    fill(Settings.from_environment())
    home, work = tmp_path / "user", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    write_settings(home, dark=False)
    write_notebook(work / "n.ipynb", CELLS[0])
    with server(work, home, base=BASE, token="secret") as address:
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(f"{address}/neo-magics/jobs")
        with notebook(address, "n.ipynb", query="&token=secret") as page:
            asked: list[tuple[str, int]] = []
            sockets: list[str] = []
            page.on("response", lambda answer: asked.append((answer.url, answer.status)))
            page.on("websocket", lambda socket: sockets.append(socket.url))
            # From here on with the cookie that the token gave; a notebook by name would come to the front.
            page.goto(f"{address}/lab")
            command(page, "neo-magics:show")
            page.locator(".neo-row[data-job^='resnet18']").dblclick()
            page.wait_for_selector(".neo-document .neo-verdict")
            picture(page, "hub")
            page.click(".neo-tab:has-text('Request')")
            page.wait_for_selector(".neo-code:has-text('CompilationJobName')")
            page.locator(".neo-row[data-job^='fancynet']").click(button="right")
            page.click(".lm-Menu-item:has-text('Delete Job')")
            page.click(".jp-Dialog button:has-text('Delete')")
            page.locator(".neo-row[data-job^='fancynet']").wait_for(state="detached")
            ours = [(url, status) for url, status in asked if "/neo-magics/" in url]
    assert any("/neo-magics/jobs/" in url for url, _ in ours)
    assert all(url.startswith(f"{address}/") and status < 400 for url, status in ours)
    assert any(url.startswith(f"{address}/neo-magics/changes".replace("http", "ws", 1)) for url in sockets)
