"""%neo ui: a form with a target picker that shows the %compile line it stands for, and runs it."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from neo_magics.errors import NeoMagicsError, UsageError
from neo_magics.magics.form_fields import (
    MORE,
    Field,
    choices_of_platform,
    choices_of_target,
    labelled,
    line,
    offer,
    platform_picker,
    suggestion,
    target_picker,
)
from neo_magics.magics.models import is_model
from neo_magics.magics.options import COMPILE
from neo_magics.magics.panels import is_executed
from neo_magics.widgets.copying import copyable
from neo_magics.widgets.style import card
from neo_magics.widgets.surfaces import Output

if TYPE_CHECKING:
    from neo_magics.magics.shell import NeoMagics

_ABOUT_TARGETS = "Where the model is to run. Several, with Ctrl or Shift, give a job each."
_ABOUT_PLATFORM = "A system in place of a device: its OS, architecture and accelerator."
_ABOUT_INPUT = "A variable with an example. Its shapes and types are compiled for, and measured."


class CompileForm:
    """One form in the output of a cell; it becomes the panel of the job that it files."""

    def __init__(self, owner: NeoMagics, model: str = "") -> None:
        import ipywidgets

        self._owner = owner
        names = owner.shell.user_ns
        models = [name for name in names if not name.startswith("_") and is_model(names[name])]
        self.model = suggestion(models, model or (models[-1] if models else ""), "variable or file")
        self.targets = target_picker(owner.backend_for().name)
        self.platform = platform_picker(owner.backend_for().name)
        examples = variables(names, set(models))
        self.given = suggestion(examples, examples[-1] if examples else "", "x")
        options = {flag: option for option in COMPILE for flag in option.flags}
        self.fields = [Field(options[flag], "job" if flag == "-o" else "", examples) for flag in MORE]
        columns = {"grid_template_columns": "repeat(auto-fit, minmax(220px, 1fr))", "grid_gap": "4px 16px"}
        grid = ipywidgets.GridBox([field.widget for field in self.fields], layout=columns)
        self._more = ipywidgets.Accordion([grid], layout={"margin": "8px 0 0 0"})
        self._more.set_title(0, "More options")
        self._line, self._said = ipywidgets.HTML(), ipywidgets.HTML()
        self.button = ipywidgets.Button(description="Compile", button_style="primary", icon="play")
        self.button.layout.margin = "6px 0 0 0"
        self.button.on_click(lambda _button: self._run())
        self._output = Output(*self._parts())
        self._field("--backend").observe(lambda _change: self._offer(), "value")
        inputs = (self.model, self.targets, self.platform, self.given)
        for widget in (*inputs, *(field.input for field in self.fields)):
            widget.observe(lambda _change: self._preview(), "value")
        self._preview()

    @property
    def text(self) -> str:
        """The line that the form stands for now."""
        chosen = (self.targets.value, self.platform.value)
        return line(self.model.value, *chosen, self.given.value, self.fields)

    def show(self) -> None:
        """Display the form; a viewer without widgets gets the line.

        Where a program executes the notebook there is nobody to fill it in: only the line is kept.
        """
        said = "The form needs widgets. The line that it stands for:"
        html = card(f"<div>{said}</div>{copyable(self.text, 'line')}")
        text = f"{said}\n{self.text}"
        if is_executed(self._owner):
            self._output.freeze(html, text)
        else:
            self._output.show(lambda: html, lambda: text)

    def _parts(self) -> list[Any]:
        return [
            labelled("Model", self.model, "The variable that holds the model, or a model file."),
            labelled("Target", self.targets, _ABOUT_TARGETS),
            labelled("Platform", self.platform, _ABOUT_PLATFORM),
            labelled("Example input", self.given, _ABOUT_INPUT),
            self._line,
            self.button,
            self._said,
            self._more,
        ]

    def _field(self, flag: str) -> Any:
        return self.fields[MORE.index(flag)].input

    def _offer(self) -> None:
        """What can be compiled for depends on who compiles."""
        try:
            backend = self._owner.backend_for(self._field("--backend").value.strip() or None).name
        except NeoMagicsError as error:
            self._say(error)
            return
        self._said.value = ""
        offer(self.targets, choices_of_target(backend))
        offer(self.platform, choices_of_platform(backend))

    def _preview(self) -> None:
        self.targets.disabled = bool(self.platform.value)
        self._field("--calibrate").disabled = self._field("--dtype").value != "int8"
        self._line.value = copyable(self.text, "the line that this form stands for")

    def _run(self) -> None:
        from neo_magics.magics.compile_magic import CompileMagic

        self.button.disabled, self.button.description = True, "Capturing…"
        self._said.value = ""
        try:
            CompileMagic(self._owner, place=self._output).run(self.text.removeprefix("%compile "), None)
        except NeoMagicsError as error:
            self._say(error)
            self.button.disabled, self.button.description = False, "Compile"

    def _say(self, error: NeoMagicsError) -> None:
        self._said.value = (
            f'<div class="neo-reason" role="alert"><div class="neo-what">{escape(error.message)}</div>'
            f"<div>{escape(error.hint)}</div></div>"
        )


def variables(names: Mapping[str, Any], without: set[str]) -> list[str]:
    """Names of arrays and tensors, the latest last."""
    arrays = [name for name, value in names.items() if hasattr(value, "shape") and hasattr(value, "dtype")]
    return [name for name in arrays if not name.startswith("_") and name not in without]


def open_form(owner: NeoMagics, model: str = "") -> None:
    """Show a form in the running cell.

    Raises:
        UsageError: there is no notebook to show it in.
    """
    if not hasattr(owner.shell, "kernel"):
        raise UsageError(
            "The form needs a notebook.", hint="Here: %compile MODEL --target …; --help says more."
        )
    CompileForm(owner, model).show()


def ui(model: Any = None) -> None:
    """Show a form that compiles `model`, or a variable that the user picks in it.

    Raises:
        UsageError: this is not a notebook.
    """
    from IPython.core.getipython import get_ipython

    from neo_magics.magics import load

    shell: Any = get_ipython()
    if shell is None:
        raise UsageError("The form needs a notebook.", hint="Here: neo_magics.compile(model, inputs=x).")
    if "NeoMagics" not in shell.magics_manager.registry:
        load(shell)
    open_form(shell.magics_manager.registry["NeoMagics"], _named(model, shell.user_ns))


def _named(model: Any, names: dict[str, Any]) -> str:
    """A variable that holds `model`; one is made where there is none, so that the line can say it."""
    if model is None or isinstance(model, str):
        return model or ""
    found = next((name for name, value in names.items() if value is model and not name.startswith("_")), "")
    if not found:
        found = next(name for name in ("model", "model_", "model__") if name not in names)
        names[found] = model
    return found
