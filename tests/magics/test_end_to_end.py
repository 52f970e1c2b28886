"""The main job in a real kernel: a cell becomes a job, its panel freezes, its model runs and is compared."""

from __future__ import annotations

import nbformat
import pytest
from nbclient import NotebookClient

SETUP = """%load_ext neo_magics
import torch
from torch import nn
x = torch.randn(1, 1, 8, 8, generator=torch.Generator().manual_seed(0))
torch.manual_seed(0)
model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10)).eval()"""


def execute(*cells, **options):
    """The outputs of each cell, run by nbclient as nbconvert, nbval and papermill do."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in (SETUP, *cells)])
    options = {"timeout": 120, "kernel_name": "python3", "store_widget_state": False} | options
    NotebookClient(notebook, **options).execute()
    return [cell.outputs for cell in notebook.cells[1:]]


def text_of(outputs):
    shown = [out for out in outputs if out.output_type != "error"]
    return "".join(out.get("text", "") or out.data.get("text/plain", "") for out in shown)


@pytest.fixture(autouse=True)
def quiet_kernels(monkeypatch):
    """jupyter_client and zmq warn about their own habits; the kernels get no warning filter of pytest's."""
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")


@pytest.mark.filterwarnings("default")
def test_from_a_cell_to_a_measured_model():
    panel, waited, called, compared, listed, profiled, again = execute(
        "%%compile --target local --input x -o job\nmodel",
        "job.wait()\nprint(job.status)",
        "print(float((job.load()(x) - model(x)).abs().max()) < 1e-5)",
        "job.compare(x)",
        "%neo jobs",
        "%neo profile --seconds 0.3",
        "print(len(job.profile(x, seconds=0.3).rows()) > 0)",
    )
    assert text_of(waited) == "COMPLETED\n"
    assert text_of(called) == "True\n"
    assert sorted(panel[0].data) == ["text/html", "text/plain"]
    assert "neo-verdict" in panel[0].data["text/html"]
    for word in ("median", "p95", "largest difference"):
        assert word in text_of(compared)
    assert "✓ Completed" in text_of(listed)
    assert " × " in text_of(listed)
    assert "kernel calls take" in text_of(profiled)
    assert text_of(again) == "True\n"


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_program_that_executes_a_notebook_saves_frozen_panels_also_of_the_last_cell():
    first, last = execute(
        "%%compile --input x --no-cache\nmodel", "%compile model --target local,rasp4b --input x --no-compare"
    )
    for outputs, said in ((first, "neo-verdict"), (last, "2 jobs: 2 completed")):
        (panel,) = outputs
        assert sorted(panel.data) == ["text/html", "text/plain"]
        assert said in panel.data["text/html"]


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_such_a_program_fails_at_the_cell_whose_job_fails():
    filed, loaded = execute(
        "%compile model --input x --max-runtime 1 --no-cache --name late -o job",
        "job.load()",
        allow_errors=True,
    )
    panel, error = filed
    assert "neo-reason" in panel.data["text/html"]
    assert "In progress" not in panel.data["text/html"]
    for said in (error, *loaded):
        assert said.ename == "JobFailedError"
        assert "late is FAILED: ClientError: CompilationError: The job reached its time limit" in said.evalue


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_waiting_in_the_cell_and_the_line_magic():
    panel, checked = execute(
        "job = %compile model --input x --wait --no-compare --name net",
        "print(job, job.report['verification']['max_abs_difference'] < 1e-4)",
    )
    assert text_of(checked) == "<Job net: COMPLETED> True\n"
    assert text_of(panel).startswith("net: completed")


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_job_for_another_machine_is_not_measured():
    (panel,) = execute("%compile model --input x --target rasp4b --wait")
    assert "completed" in text_of(panel)
    assert "Not measured: This artifact was compiled for ARM64" in text_of(panel)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_several_targets_are_jobs_of_their_own_in_one_panel():
    panel, checked = execute(
        "%%compile --target local,ml_c5,rasp4b --input x -o jobs --wait\nmodel",
        "print([job.describe()['OutputConfig'].get('TargetDevice') for job in jobs])\n"
        "frame = jobs[0].comparison\nprint([side.label for side in frame.sides])",
    )
    assert len(panel) == 1
    text = text_of(panel)
    assert "3 jobs: 3 completed" in text
    assert "not measured on this machine" in text
    assert "[None, 'ml_c5', 'rasp4b']" in text_of(checked)
    assert "['PyTorch', 'local', 'ml_c5']" in text_of(checked)
