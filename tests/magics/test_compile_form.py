"""The form stands for a %compile line at any moment, and runs that line."""

import pytest
from torch import nn, zeros

from neo_magics.magics.compile_form import CompileForm, ui
from neo_magics.magics.form_fields import MORE
from neo_magics.magics.options import compile_parser
from neo_magics.magics.words import split
from tests.widgets.conftest import stage

__all__ = ["stage"]


@pytest.fixture
def owner(shell):
    shell.user_ns |= {"net": nn.Linear(4, 2).eval(), "x": zeros(1, 4), "note": "text"}
    return shell.magics_manager.registry["NeoMagics"]


@pytest.fixture
def form(owner):
    return CompileForm(owner)


def field(form, flag):
    return form.fields[MORE.index(flag)].input


def test_it_begins_with_what_is_there(form):
    assert form.text == "%compile net --target local --input x -o job"
    assert form.given.options == ("x",)


def test_every_choice_is_in_the_line_and_the_magic_reads_it(form):
    form.targets.value = ("local", "rasp4b")
    form.given.value = "(x, x)"
    field(form, "--input-shape").value = '{"x": [null, 4]}'
    field(form, "--dtype").value = "float32"
    field(form, "--no-compare").value = True
    field(form, "--name").value = "a name"
    args = compile_parser("%compile", model=True).read(split(form.text.removeprefix("%compile ")))
    assert (args.value, args.target, args.input) == ("net", "local,rasp4b", "(x, x)")
    assert args.input_shape == '{"x": [null, 4]}'
    assert (args.dtype, args.no_compare, args.name, args.output_var) == ("float32", True, "a name", "job")
    assert "local,rasp4b" in form._line.value


def test_every_field_has_a_name_that_a_screen_reader_finds(form):
    fields = {
        "Model": form.model, "Target": form.targets, "Platform": form.platform, "Example input": form.given,
        **{field.input.description: field.input for field in form.fields},
    }  # fmt: skip
    assert {name: field.description for name, field in fields.items()} == {name: name for name in fields}
    assert len(fields) == len(MORE) + 4


def test_int8_asks_for_the_inputs_that_it_is_calibrated_with(form):
    calibrate = field(form, "--calibrate")
    calibrate.value = "x"
    assert calibrate.disabled
    assert calibrate.options == ("x",)
    assert "--calibrate" not in form.text
    field(form, "--dtype").value = "int8"
    assert not calibrate.disabled
    assert form.text == "%compile net --target local --input x --dtype int8 --calibrate x -o job"


def test_a_platform_stands_in_the_place_of_the_targets(form):
    assert ("LINUX · ARM64", "LINUX_ARM64") in form.platform.options
    form.platform.value = "LINUX_ARM64"
    assert form.targets.disabled
    field(form, "--framework").value = "PYTORCH"
    assert form.text == "%compile net --platform LINUX_ARM64 --input x --framework PYTORCH -o job"
    form.platform.value = ""
    assert not form.targets.disabled


def test_what_can_be_chosen_depends_on_who_compiles(form):
    gpu = ("LINUX · ARM64 · NVIDIA", "LINUX_ARM64_NVIDIA")
    assert gpu not in form.platform.options
    form.targets.value = ("local", "rasp4b")
    field(form, "--backend").value = "sagemaker"
    assert gpu in form.platform.options
    assert form.targets.value == ("rasp4b",)
    assert form.text == "%compile net --target rasp4b --input x --backend sagemaker -o job"
    field(form, "--backend").value = "elsewhere"
    assert "&#x27;elsewhere&#x27; is not a backend" in form._said.value
    field(form, "--backend").value = ""
    assert form._said.value == ""
    assert gpu not in form.platform.options


def test_a_wrong_line_is_said_in_the_form(form):
    form.model.value = "nett"
    form.button.click()
    assert "no variable &#x27;nett&#x27;" in form._said.value
    assert "Did you mean net?" in form._said.value
    assert not form.button.disabled


def test_it_files_the_job(shell, owner, form, stage, capsys):
    owner._backends[owner.backend_for().settings] = stage.backend
    form.targets.value = ("ml_c5",)
    form.button.click()
    assert form._said.value == ""
    assert shell.user_ns["job"].describe()["OutputConfig"]["TargetDevice"] == "ml_c5"


def test_elsewhere_it_says_what_to_do_instead(run, shell, owner):
    _result, printed = run("%neo ui net")
    assert "The form needs a notebook." in printed
    assert "%compile MODEL" in printed


def test_without_ipython(monkeypatch):
    from neo_magics.errors import UsageError

    monkeypatch.setattr("IPython.core.getipython.get_ipython", lambda: None)
    with pytest.raises(UsageError, match="needs a notebook"):
        ui(nn.ReLU())


def test_where_a_program_executes_the_notebook_no_widget_is_left_behind(form, shell, monkeypatch):
    shown = []
    monkeypatch.setattr(
        "neo_magics.widgets.output.show_bundle", lambda bundle, *_id, **_how: shown.append(bundle)
    )
    monkeypatch.setattr(shell, "kernel", None, raising=False)
    monkeypatch.setattr(shell, "get_parent", lambda: {"content": {"allow_stdin": False}}, raising=False)
    form.show()
    assert [set(bundle) for bundle in shown] == [{"text/html", "text/plain"}]
    assert form.text in shown[0]["text/plain"]
