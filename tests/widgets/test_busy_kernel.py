"""Panels and a real kernel: Stop while a cell keeps it busy (a subshell, as in JupyterLab), last words."""

from __future__ import annotations

import pytest
from jupyter_client.manager import start_new_kernel

BOX = """
import time
from neo_magics.widgets.job_box import JobBox
stops = []
box = JobBox(lambda: stops.append(True))
print(box._sure.model_id)
"""
# The patience is for a kernel that does not hear: this one must see a failure, not a hang.
BUSY = """
end = time.monotonic() + 30
while not stops and time.monotonic() < end:
    time.sleep(0.02)
print(f"heard {len(stops)}")
"""
# As --wait: a thread shows the end, the cell awaits it.
LAST = """
import asyncio, threading
from neo_magics.widgets.surfaces import TextSurface
frozen = threading.Event()
def end():
    TextSurface().freeze("", "completed")
    frozen.set()
threading.Thread(target=end).start()
while not frozen.is_set():
    await asyncio.sleep(0.01)
"""


@pytest.fixture
def client():
    manager, client = start_new_kernel()
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def printed(client, code, *, meanwhile=lambda: None):
    """What `code` prints; `meanwhile` is called once the kernel is at it."""
    request, words = client.execute(code), []
    while True:
        message = client.get_iopub_msg(timeout=60)
        if message["parent_header"].get("msg_id") != request:
            continue
        content = message["content"]
        assert message["msg_type"] != "error", content
        if message["msg_type"] == "execute_input":
            meanwhile()
        words += [content["text"]] if message["msg_type"] == "stream" else []
        if content.get("execution_state") == "idle":
            return "".join(words).strip()


def subshell(client):
    """A new subshell's name."""
    client.control_channel.send(client.session.msg("create_subshell_request", {}))
    answer = client.get_control_msg(timeout=60)["content"]
    assert answer["status"] == "ok", answer
    return answer["subshell_id"]


def test_stop_is_heard_while_a_cell_runs(client):
    button = printed(client, BOX)
    data = {"method": "custom", "content": {"event": "click"}}
    click = client.session.msg("comm_msg", {"comm_id": button, "data": data})
    click["header"]["subshell_id"] = subshell(client)
    assert printed(client, BUSY, meanwhile=lambda: client.shell_channel.send(click)) == "heard 1"


def test_a_console_has_the_last_words_before_the_cell_ends(client):
    """It hears nothing between two cells."""
    assert printed(client, LAST) == "completed"
