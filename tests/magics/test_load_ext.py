"""Importing the package and loading the extension cost next to nothing, and can be undone."""

import subprocess
import sys

HEAVY = ("tvm", "tvm_ffi", "torch", "boto3", "botocore", "sqlalchemy", "ipywidgets", "onnx", "numpy", "typer")

LOADED = f"""
import sys
{{code}}
print([name for name in {HEAVY} if name in sys.modules])
"""


def heavy_after(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", LOADED.format(code=code)], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_import_loads_nothing_heavy():
    assert heavy_after("import neo_magics") == "[]"


def test_load_ext_loads_nothing_heavy():
    shell = "from IPython.core.interactiveshell import InteractiveShell; ip = InteractiveShell()"
    assert heavy_after(f"{shell}; ip.run_line_magic('load_ext', 'neo_magics')") == "[]"


def test_the_command_line_loads_nothing_heavy_for_help():
    assert heavy_after("from neo_magics.cli import COMMANDS, main") == "[]"


def test_loading_twice_leaves_one_of_everything(shell):
    shell.run_line_magic("reload_ext", "neo_magics")
    names = [type(entry).__name__ for entry in shell.configurables]
    assert names.count("NeoMagics") == 1
    assert [one.__name__ for one in shell.input_transformers_post] == ["_check_syntax", "transform"]
    assert len([m for m in shell.Completer.custom_matchers if "neo_magics" in m.__qualname__]) == 1


def test_unloading_takes_the_magics_away(shell):
    shell.run_line_magic("unload_ext", "neo_magics")
    assert shell.find_line_magic("neo") is None
    assert shell.find_cell_magic("compile") is None
    assert shell.Completer.custom_matchers == []
    shell.run_line_magic("load_ext", "neo_magics")


def test_version_is_that_of_the_project():
    import tomllib
    from pathlib import Path

    import neo_magics

    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    assert neo_magics.__version__ == project["project"]["version"]


def test_public_names_resolve():
    import neo_magics

    for name in ("compile", "load", "Job", "boto3_client", "CompiledModel", "NeoMagicsError", "Settings"):
        assert callable(getattr(neo_magics, name))
        assert name in dir(neo_magics)
