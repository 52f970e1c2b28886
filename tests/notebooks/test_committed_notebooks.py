"""The notebooks in the repository are as executed, stand without widgets, and hold nothing private."""

import json
from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.name)
def path(request):
    return request.param


def test_there_are_notebooks():
    assert [path.name for path in NOTEBOOKS][:2] == ["01_quickstart.ipynb", "02_onnx.ipynb"]


def test_small_and_valid(path):
    assert path.stat().st_size < 300_000
    nbformat.validate(nbformat.read(path, 4))


def test_executed_in_order_without_errors(path):
    cells = [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not [
        out
        for cell in cells
        if "raises-exception" not in cell.metadata.get("tags", ())
        for out in cell.outputs
        if out.output_type in ("error", "stream") and getattr(out, "name", "stderr") == "stderr"
    ]


def test_panels_are_frozen(path):
    outputs = [out for cell in nbformat.read(path, 4).cells for out in cell.get("outputs", [])]
    assert not [out for out in outputs if "application/vnd.jupyter.widget-view+json" in out.get("data", {})]
    panels = [
        out.data["text/html"]
        for out in outputs
        if '<ol class="neo-steps">' in out.get("data", {}).get("text/html", "")
    ]
    assert panels
    assert any("neo-verdict" in panel or "neo-reason" in panel for panel in panels)


def test_nothing_of_the_machine_is_in_them(path):
    text = json.dumps(nbformat.read(path, 4))
    for private in ("/root", "/home/", "/work", "/tmp", str(Path.home())):
        assert private not in text
