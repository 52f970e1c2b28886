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
from urllib.parse import urlsplit

import nbformat
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
POLICY = "Content-Security-Policy"
SCREENSHOTS = Path(__file__).parents[2] / "screenshots"
CELLS = (
    "%load_ext neo_magics\nimport torch\nfrom torch import nn\nx = torch.zeros(1, 1, 8, 8)",
    "%%compile --target local --input x -o job --no-cache\n"
    "class DigitsNet(nn.Sequential):\n    pass\n\n"
    "DigitsNet(nn.Conv2d(1, 16, 3), nn.ReLU(), nn.Flatten(), nn.Linear(576, 10)).eval()",
)
# Compiles for as long as any test needs it to: each of these tests stops it.
_WIDER = "*[nn.Conv2d(16 + i, 17 + i, (1, 3), padding=(0, 1)) for i in range(120)]"  # 120 kernels
_MANY = f"nn.Conv2d(1, 16, 3), {_WIDER}, nn.Conv2d(136, 16, 1)"
SLOW = CELLS[1].replace("nn.Conv2d(1, 16, 3)", _MANY).replace("--no-cache", "--no-cache --no-compare")
PANEL = ".jp-Notebook .neo-magics"
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


def write_notebook(path: Path, *cells: str) -> None:
    """A notebook of code cells at `path`."""
    document = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    document.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(document, path)


def picture(page: Any, name: str) -> None:
    """Leave a picture of the page in a folder that is not committed."""
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png")


@contextmanager
def opened(
    folder: Path, *cells: str, dark: bool = False, sidebar: bool = False, width: int = 1280, policy: str = ""
) -> Iterator[Any]:
    """Lab with the notebook `n.ipynb` of `cells` in `folder/work`; its sidebar in sight if wanted."""
    home, work = folder / "user", folder / "work"
    home.mkdir()
    work.mkdir()
    write_settings(home, dark=dark)
    write_notebook(work / "n.ipynb", *cells)
    with server(work, home, policy=policy) as address, notebook(address, "n.ipynb", width=width) as page:
        if sidebar:
            command(page, "neo-magics:show")
            page.wait_for_selector(".neo-sidebar", state="visible")
        yield page


@contextmanager
def server(folder: Path, home: Path, *, base: str = "/", token: str = "", policy: str = "") -> Iterator[str]:
    """JupyterLab serving `folder` below the path `base`; the value is its address, without a last slash.

    `policy` is sent as Content-Security-Policy, in the place of JupyterLab's own.
    """
    port = _free_port()
    environment = os.environ | {"HOME": str(home), "JUPYTER_CONFIG_DIR": str(home / ".jupyter")}
    environment.pop("PYTEST_CURRENT_TEST", None)
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}",
        f"--IdentityProvider.token={token}", f"--ServerApp.base_url={base}",
        f"--ServerApp.root_dir={folder}", "--LabApp.expose_app_in_browser=True",
        *([f"--ServerApp.tornado_settings={{'headers': {{{POLICY!r}: {policy!r}}}}}"] if policy else []),
    ]  # fmt: skip
    with (home / "lab.log").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
    address = f"http://127.0.0.1:{port}{base.rstrip('/')}"
    try:
        _wait_for(f"{address}/api", process, home / "lab.log")
        yield address
    finally:
        process.terminate()
        process.wait(60)


@contextmanager
def notebook(
    address: str, name: str, *, query: str = "", width: int = 1280, height: int = 1000
) -> Iterator[Any]:
    """A page with notebook `name` open and its kernel ready; `query` is added to the address.

    At the end: no script of the page has failed, and the page has asked no host but the server.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": width, "height": height})
        page.set_default_timeout(90_000)  # a busy machine is no defect
        hosts: set[str] = set()
        errors: list[str] = []
        page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
        page.on("pageerror", lambda error: errors.append(str(error)))
        try:
            show(page, f"{address}/lab/tree/{name}?reset{query}")
            yield page
        except BaseException:
            picture(
                page, f"failed-{os.environ.get('PYTEST_CURRENT_TEST', name).split('::')[-1].split(' ')[0]}"
            )
            raise
        finally:
            browser.close()
    assert not errors
    assert hosts - {""} == {urlsplit(address).netloc}  # "": data and blobs


def show(page: Any, url: str) -> None:
    """Go to the notebook at `url` and wait for its kernel: until then lab may bring it to the front."""
    page.goto(url)
    page.wait_for_selector(".jp-Notebook")
    page.evaluate(READY)


def wait_until_saved(page: Any, text: str) -> None:
    """Until lab has saved a layout whose JSON holds `text`; it does so a while after each change."""
    script = """async () => {
        const { baseUrl } = window.jupyterapp.serviceManager.serverSettings;
        const answer = await fetch(`${baseUrl}lab/api/workspaces/default`);
        return JSON.stringify((await answer.json()).data);
    }"""
    for _attempt in range(200):
        if text in page.evaluate(script):
            return
        page.wait_for_timeout(300)
    raise TimeoutError("Lab has not saved its layout.")


def command(page: Any, name: str) -> None:
    """Start one of lab's commands, such as notebook:run-all-cells, and do not wait for its end."""
    page.wait_for_function("name => window.jupyterapp?.commands.hasCommand(name)", arg=name)
    page.evaluate("async () => { await window.jupyterapp.restored; }")  # else the layout comes on top of it
    page.evaluate(f"() => {{ void window.jupyterapp.commands.execute({name!r}); }}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _attempt in range(300):
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except urllib.error.URLError:
            if process.poll() is not None:
                break
            time.sleep(0.2)
    raise RuntimeError(f"JupyterLab did not start: {log.read_text(encoding='utf-8')[-2000:]}")
