"""What a user meets on a %%compile line before any job exists: help, usage errors, the cell's own errors."""

import pytest

SETUP = "import torch\nfrom torch import nn\nx = torch.zeros(1, 4)\n"


@pytest.mark.parametrize(
    "cell",
    [
        "%%compile --help\nx = 1",
        "%%compile --help",
        "%compile --help",
        "%compile -h",
        "%compile --wait --help",
    ],
)
def test_help(run, cell):
    result, printed = run(cell)
    assert result.success
    for option in ("--target", "--input-shape", "--output-var", "--wait", "examples:"):
        assert option in printed


def test_question_mark_shows_the_options(shell, run):
    assert "--input-shape" in shell.object_inspect_text("%%compile")


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("--targt local", "unknown option --targt", "Did you mean --target?"),
        ("--target ml_c6", "no target 'ml_c6'", "Did you mean ml_c6g?"),
        ("--target local,rasp4", "no target 'rasp4'", "Did you mean rasp4b?"),
        ("--platform LINUX_ARM46", "no platform 'LINUX_ARM46'", "Did you mean LINUX_ARM64?"),
        ("--platform LINUX_ARM64 --target local", "not both", ""),
        ("--framework PYTROCH", "no framework 'PYTROCH'", "Did you mean PYTORCH?"),
        ("--dtype bf17", "no dtype 'bf17'", "Did you mean bf16?"),
        ("--tolerance much", "--tolerance: it takes a number above zero, not 'much'", "--help"),
        ("--tolerance nan", "--tolerance: it takes a number above zero, not 'nan'", "--help"),
        ("--tune -3", "--tune: it takes a number above zero, not '-3'", "--help"),
        ("--max-runtime 0", "--max-runtime: it takes a whole number from 1 on, not '0'", "--help"),
        ("--target ,", "--target names no device", "--target local"),
        ("--input", "expected one argument", "--help"),
        ("--name 'x", "no closing '", "Close the quote"),
        ("-o 1x", "-o '1x' is not a variable name", "-o job"),
        ("-o class", "-o 'class' is not a variable name", "-o job"),
        ("--name 'my net'", "'my net' cannot be the job's name", "letters, digits and hyphens"),
        ("--name 模型", "'模型' cannot be the job's name", "letters, digits and hyphens"),
        ("--name -net", "'-net' cannot be the job's name", "letters, digits and hyphens"),
        ("--role nobody", "'nobody' cannot be the job's role", "arn:aws:iam::"),
        ("--target LOCAL", "no target 'LOCAL'", "Did you mean local?"),
        ("--target ml_C5", "no target 'ml_C5'", "Did you mean ml_c5?"),
        ("--target ml_c5,jetson", "no target 'jetson'", "Did you mean jetson_"),
        ("--dtype FLOAT32", "no dtype 'FLOAT32'", "Did you mean float32?"),
        ("--device local", "unknown option --device", "--help lists them"),
        ("stray", "unexpected 'stray'", "Quote"),
        ("--backend elsewhere", "'elsewhere' is not a backend", "http"),
        ("--backend sagemaker --target local", "local is this machine", "--target ml_c5"),
    ],
)
def test_a_wrong_line_is_one_message_with_a_next_step_and_runs_nothing(shell, run, line, message, hint):
    result, printed = run(f"%%compile {line}\nran = True")
    assert not result.success
    assert message in printed
    assert hint in printed
    assert "Traceback" not in printed
    assert len(printed.strip().splitlines()) <= 2
    assert "ran" not in shell.user_ns


def test_the_cell_is_run_in_the_users_namespace_with_its_output(shell, run):
    result, printed = run("%%compile\nvalue = 6 * 7\nprint('said', value)\nvalue")
    assert "said 42" in printed
    assert shell.user_ns["value"] == 42
    assert "holds no model that can be compiled (its last expression is of type int)" in printed
    assert not result.success


def test_an_error_in_the_cell_is_the_cells_own(run):
    result, printed = run("%%compile\ndef f():\n    return 1 / 0\nf()")
    assert isinstance(result.error_in_exec, ZeroDivisionError)
    assert "ZeroDivisionError: division by zero" in printed
    assert "----> 2     return 1 / 0" in printed
    assert "neo_magics" not in printed
    assert "run_cell_magic" not in printed


def test_an_error_in_an_awaiting_cell_too(run):
    result, printed = run("%%compile --wait\nimport asyncio\nawait asyncio.sleep(0)\n1 / 0")
    assert isinstance(result.error_in_exec, ZeroDivisionError)
    assert "neo_magics" not in printed


def test_a_syntax_error_is_shown_with_its_place(run):
    _result, printed = run("%%compile\nx = 1\ny = = 2")
    assert "    y = = 2\n        ^\n" in printed
    assert "SyntaxError: invalid syntax" in printed


def test_a_syntax_error_is_shown_as_in_any_cell(run):
    """As IPython shows it without the magic: no frames of the magic above it; and nothing was run."""
    result, printed = run("%%compile --wait\nx = 1\ny = = 2")
    assert isinstance(result.error_in_exec or result.error_before_exec, SyntaxError)
    assert "compile_magic.py" not in printed
    assert "run_cell_magic" not in printed
    assert len(printed.strip().splitlines()) <= 5


def test_a_file_that_is_not_there(run):
    run(SETUP + "net = nn.ReLU()")
    for name in ("nothing.onnx", "no/such file.pt2"):
        _result, printed = run(f"%compile '{name}' --input x")
        assert f"There is no file {name!r}" in printed
    _result, printed = run("%compile net.onnx --input x")
    assert "'ReLU' object has no attribute 'onnx'" in printed


def test_an_empty_cell_is_said_in_our_words(run):
    _result, printed = run("%%compile --target local")
    assert "The cell holds no model" in printed


def test_magics_work_inside_the_cell(shell, run):
    run("%%compile\n%time y = 5")
    assert shell.user_ns["y"] == 5


def test_several_models_are_listed(run):
    _result, printed = run(SETUP + "")
    _result, printed = run("%%compile\na, b = nn.ReLU(), nn.ReLU()")
    assert "several models: a, b" in printed


def test_an_unknown_input_is_a_short_error(run):
    run(SETUP)
    _result, printed = run("%%compile --input y\nnn.ReLU()")
    assert "--input: there is no variable 'y'" in printed


def test_a_misspelt_input_is_guessed_among_the_users_own_names(run):
    run(SETUP + "opened = x")
    _result, printed = run("%%compile --input opene\nnn.ReLU()")
    assert "Did you mean opened?" in printed
    _result, printed = run("del opened")
    for misspelt in ("opene", "quitt", "Outt", "torchs"):
        _result, printed = run(f"%%compile --input {misspelt}\nnn.ReLU()")
        assert "Define it in a cell first." in printed


def test_percent_tb_shows_the_whole_traceback(run):
    run("%%compile --targt local\n1")
    _result, printed = run("%tb")
    assert "UsageError" in printed
    assert "compile_magic.py" in printed


def test_settings_are_traits_with_validation(shell, run, caplog):
    run("%config NeoMagics.target = 'rasp4b'")
    magics = shell.magics_manager.registry["NeoMagics"]
    assert magics.target == "rasp4b"
    run("%config NeoMagics.target = 'rasp4c'")
    assert "Did you mean rasp4b?" in caplog.text
    run("%config NeoMagics.backend = 'somewhere'")
    assert (magics.target, magics.backend) == ("rasp4b", "")
    run("%config NeoMagics.role = 'me'")
    assert "'me' cannot be the job's role. Such as: --role arn:aws:iam::" in caplog.text
    run("%config NeoMagics.bucket = 'Not A Bucket'")
    assert "3 to 63 lower-case letters" in caplog.text
    assert (magics.role, magics.bucket) == ("", "")
    run("%config NeoMagics.role = 'arn:aws:iam::123456789012:role/neo'")
    assert magics.role.endswith("role/neo")


def test_of_several_targets_one_that_is_refused_files_none(shell, run):
    run(SETUP)
    run("model = nn.Linear(4, 2).eval()")
    _result, printed = run("%compile model --input x --target local,jetson_nano -o jobs")
    assert "jetson_nano needs CUDA" in printed
    assert "jobs" not in shell.user_ns
    _result, printed = run("%neo jobs")
    assert "no jobs" in printed.lower()


def test_a_value_may_begin_with_a_hyphen():
    from neo_magics.magics.options import compile_parser

    parser = compile_parser("%%compile", model=False)
    args = parser.read(["--mattr", "-avx512f", "--no-cache", "-o", "job"])
    assert (args.mattr, args.no_cache, args.output_var) == ("-avx512f", True, "job")


@pytest.mark.parametrize(
    "moment", ["neo_magics.compilation.capture_for", "botocore.client.BaseClient._make_api_call"]
)
def test_ctrl_c_while_a_job_is_being_filed_is_two_lines_and_leaves_nothing(run, settings, moment):
    run(SETUP + "model = nn.Linear(4, 2).eval()")
    with pytest.MonkeyPatch.context() as patch:

        def interrupted(*_args, **_options):
            patch.undo()
            raise KeyboardInterrupt

        patch.setattr(moment, interrupted)
        _result, printed = run("%compile model --input x")
    assert printed.splitlines()[0] == "Interrupted while the job was being filed."
    assert len(printed.strip().splitlines()) == 2
    assert not list((settings.home / "buckets").rglob("*.gz"))


def test_a_path_that_is_no_model_is_told_by_what_models_are(run, tmp_path):
    (tmp_path / "notes.txt").write_text("no model")
    for path in (tmp_path / "notes.txt", tmp_path):
        _result, printed = run(f"%compile {path} --input-shape {{'x': [1]}}")
        assert f"No framework is known for {path}." in printed
