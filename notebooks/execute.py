"""Executes the notebooks in place, for committing them with outputs: `python notebooks/execute.py`.

Each runs in a fresh home. Widget state and the front end's timings are left out.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

KERNEL = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}


def execute(path: Path) -> None:
    """Run one notebook and write it back."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=300, kernel_name="python3", store_widget_state=False)
    with tempfile.TemporaryDirectory(prefix="neo-magics-home-") as home:
        os.environ["NEO_MAGICS_HOME"] = home
        client.execute()
    notebook.metadata = nbformat.from_dict({"kernelspec": KERNEL, "language_info": {"name": "python"}})
    for cell in notebook.cells:
        tags = {"tags": cell.metadata["tags"]} if "tags" in cell.metadata else {}
        cell.metadata = nbformat.from_dict(tags)
    nbformat.write(notebook, path)


if __name__ == "__main__":
    folder = Path(__file__).parent
    for name in sys.argv[1:] or sorted(path.name for path in folder.glob("*.ipynb")):
        print(name)
        execute(folder / name)
