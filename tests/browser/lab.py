"""JupyterLab in a real browser: a server with a fresh HOME, and a page that shows one notebook."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
# What every browser test is marked with.
MARKS = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium"),
    pytest.mark.skipif(importlib.util.find_spec("playwright") is None, reason="pip install playwright"),
    # asyncio's transports of a closed browser are collected late.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
READY = """async () => {
    const widget = window.jupyterapp.shell.currentWidget;
    await widget.context.ready;
    await widget.sessionContext.ready;
    await widget.sessionContext.session.kernel.info;
}"""


def write_settings(home: Path, *, dark: bool) -> None:
    """User settings that keep the page quiet: no news, no autosave; the theme."""
    settings = {
        "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
        "apputils-extension/themes": {"theme": "JupyterLab Dark" if dark else "JupyterLab Light"},
        "docmanager-extension/plugin": {"autosave": False},
    }
    for name, values in settings.items():
        path = home / f".jupyter/lab/user-settings/@jupyterlab/{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values), encoding="utf-8")


@contextmanager
def server(folder: Path, home: Path) -> Iterator[str]:
    """JupyterLab serving `folder`; the value is its address."""
    port = _free_port()
    environment = os.environ | {"HOME": str(home), "JUPYTER_CONFIG_DIR": str(home / ".jupyter")}
    environment.pop("PYTEST_CURRENT_TEST", None)
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}",
        "--IdentityProvider.token=", f"--ServerApp.root_dir={folder}", "--LabApp.expose_app_in_browser=True",
    ]  # fmt: skip
    with (home / "lab.log").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(address, process, home / "lab.log")
        yield address
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def notebook(address: str, name: str, *, width: int = 1280, height: int = 1000) -> Iterator[Any]:
    """A page with notebook `name` open and its kernel ready."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": width, "height": height})
        page.goto(f"{address}/lab/tree/{name}?reset")
        page.wait_for_selector(".jp-Notebook", timeout=60_000)
        page.evaluate(READY)
        yield page
        browser.close()


def command(page: Any, name: str) -> None:
    """Start one of lab's commands, such as notebook:run-all-cells, and do not wait for its end."""
    page.evaluate(f"() => {{ void window.jupyterapp.commands.execute({name!r}); }}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _attempt in range(300):
        try:
            urllib.request.urlopen(f"{address}/api", timeout=5).close()
            return
        except urllib.error.URLError:
            if process.poll() is not None:
                break
            time.sleep(0.2)
    raise RuntimeError(f"JupyterLab did not start: {log.read_text(encoding='utf-8')[-2000:]}")
