"""The transformed input of a magic is awaited where it must be, and silent where it is not assigned."""

import signal
import threading
from types import SimpleNamespace

import pytest

from neo_magics.job import StoppedWaiting
from neo_magics.magics.compile_magic import CompileMagic
from neo_magics.magics.panels import is_live, linger
from neo_magics.magics.waiting import Filed, wait_for
from neo_magics.widgets.panel import Panel
from neo_magics.widgets.refresher import Refresher


@pytest.mark.parametrize(
    ("source", "transformed"),
    [
        ("%compile model\n", "get_ipython().run_line_magic('compile', 'model');\n"),
        ("job = %compile model\n", "job = get_ipython().run_line_magic('compile', 'model')\n"),
        (
            "job = %compile m --wait\n",
            "job = await get_ipython().run_line_magic('compile', 'm --wait --awaited')\n",
        ),
        (
            "def f():\n    %compile m --wait\n",
            "def f():\n    get_ipython().run_line_magic('compile', 'm --wait');\n",
        ),
        ("if 1:\n    %compile m\n", "if 1:\n    get_ipython().run_line_magic('compile', 'm');\n"),
        ("%%compile -o j\nm\n", "get_ipython().run_cell_magic('compile', '-o j', 'm\\n');\n"),
        (
            "%%compile --wait\nm\n",
            "await get_ipython().run_cell_magic('compile', '--wait --awaited', 'm\\n');\n",
        ),
        (
            "%%compile\nawait f()\n",
            "await get_ipython().run_cell_magic('compile', ' --awaited', 'await f()\\n');\n",
        ),
        ("%time %compile m\n", "get_ipython().run_line_magic('time', '%compile m');\n"),
        ("%%time\n1\n%compile m\n", "get_ipython().run_cell_magic('time', '', '1\\n%compile m\\n');\n"),
        ("%%time\n%compile m\ny\n", "get_ipython().run_cell_magic('time', '', '%compile m\\ny\\n')\n"),
        ("j = %time %compile m\n", "j = get_ipython().run_line_magic('time', '%compile m')\n"),
        ("%time %compiler m\n", "get_ipython().run_line_magic('time', '%compiler m')\n"),
        ("%neo jobs\n", "get_ipython().run_line_magic('neo', 'jobs')\n"),
        ("print('get_ipython()')\n", "print('get_ipython()')\n"),
        ("%%compile 'unclosed\nm\n", "get_ipython().run_cell_magic('compile', \"'unclosed\", 'm\\n');\n"),
    ],
)
def test_transform(shell, source, transformed):
    assert shell.transform_cell(source) == transformed


def test_unloading_takes_the_transformer_away(shell):
    shell.run_line_magic("unload_ext", "neo_magics")
    assert shell.transform_cell("%compile m\n") == "get_ipython().run_line_magic('compile', 'm')\n"


def test_an_option_that_only_looks_like_wait_does_not_wait(shell):
    assert "await" not in shell.transform_cell("%compile m --name '--wait for it'\n").replace("--wait", "")


def test_in_a_terminal_ctrl_c_lands_in_the_waiting_and_says_how_to_come_back():
    """An interrupt inside the event loop would show asyncio's frames in place of the next step."""
    job = SimpleNamespace(name="net-1")
    frozen = SimpleNamespace(is_set=lambda: False)
    filed = Filed((job,), SimpleNamespace(frozen=frozen))
    owner = SimpleNamespace(shell=SimpleNamespace(), refresher=SimpleNamespace(add_once=lambda _panel: None))
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        with pytest.raises(StoppedWaiting, match="net-1 goes on"):
            wait_for(filed, owner).send(None)  # the first step blocks: nothing is handed to a loop
    finally:
        signal.signal(signal.SIGALRM, before)


class Broken(Panel):
    """A panel with a defect."""

    def _look(self):
        raise LookupError

    def _show(self):
        return True


def test_a_panel_that_broke_does_not_hold_the_program_that_executes_a_notebook():
    request = {"content": {"allow_stdin": False}}
    shell = SimpleNamespace(kernel=None, get_parent=lambda: request)
    panel, refresher = Broken("net-1", None), Refresher(lambda: 0.01)
    refresher.add(panel)
    linger(SimpleNamespace(shell=shell), panel)
    assert panel.frozen.is_set()


@pytest.mark.parametrize(
    ("header", "content", "metadata", "live"),
    [
        ("0f6b-aa_4711_3", True, {}, False),  # jupyter console, qtconsole
        ("0f6b-aa_4711_3", False, {}, True),  # nbclient
        ("0f6b-aa_4711_3", True, {"cellId": "a"}, True),  # a notebook that its server executes
        ("6e3c9f5e-5a1c-4a5e-9d05-6b1f7f4a6d2b", True, {}, True),  # a page
        (None, True, {}, True),
    ],
)
def test_a_console_gets_text_since_it_replaces_nothing(header, content, metadata, live):
    request = {"header": {"msg_id": header}, "content": {"allow_stdin": content}, "metadata": metadata}
    shell = SimpleNamespace(kernel=None, get_parent=lambda: request)
    assert is_live(SimpleNamespace(shell=shell)) is live


def test_in_a_terminal_nothing_is_live():
    assert not is_live(SimpleNamespace(shell=SimpleNamespace()))


@pytest.fixture
def waited(monkeypatch):
    """What %compile files is a job that has ended; the names of those that were waited for."""
    names = []
    job = SimpleNamespace(name="net-1", wait=lambda: names.append("net-1"))
    frozen = threading.Event()
    panel = SimpleNamespace(frozen=frozen, refresh=frozen.set)
    monkeypatch.setattr(CompileMagic, "_file", lambda *_of: Filed((job,), panel))
    return names


AROUND = [
    "{}", "j = {}", "%time {}", "%%time\n{}", "%%capture\n{}", "def f():\n    {}\nf()", "if True:\n    {}",
    "%load_ext neo_magics\n{}",
]  # fmt: skip


@pytest.mark.parametrize("around", AROUND)
def test_wait_waits_also_where_nothing_can_be_awaited(run, waited, around):
    """In the cell that loads the extension no `await` was put before the call."""
    if around.startswith("%load"):
        run("%unload_ext neo_magics")
    run("m = 1")
    result, printed = run(around.format("%compile m --wait"))
    assert result.success, printed
    assert waited == ["net-1"]
    assert "coroutine" not in printed


@pytest.mark.parametrize("cell", ["%compile m", "%%compile\nm", "%%compile --wait\nm"])
def test_where_a_program_executes_the_notebook_each_cell_ends_with_its_jobs(run, waited, monkeypatch, cell):
    monkeypatch.setattr("neo_magics.magics.compile_magic.is_executed", lambda _owner: True)
    monkeypatch.setattr("neo_magics.magics.models.is_model", lambda _value: True)
    run("m = 1")
    result, printed = run(cell)
    assert result.success, printed
    assert waited == ["net-1"]


@pytest.mark.parametrize(
    ("cell", "shows"),
    [("%compile m", False), ("%time %compile m", False), ("j = %compile m\nj.name", True)],
)
def test_the_cell_that_loads_the_extension_shows_a_job_once_too(run, waited, cell, shows):
    run("%unload_ext neo_magics")
    result, printed = run(f"m = 1\n%load_ext neo_magics\n{cell}")
    assert result.success, printed
    assert ("net-1" in printed) is shows
