"""The fields of the compile form: one for each option of the table that %%compile itself is read by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from neo_magics.magics.options import DTYPES, Option
from neo_magics.settings import LOCAL

MORE = (
    "--input-shape", "--name", "--dtype", "--calibrate", "--tolerance", "--tune", "--max-runtime", "--mcpu",
    "--mattr", "--no-cache", "--no-compare", "--trust-pickle", "-o",
)  # fmt: skip
_WIDTH = {"width": "100%", "max_width": "420px", "margin": "0"}


def choices_of_target(backend: str) -> list[tuple[str, str]]:
    """What the picker shows → the target's name, this machine first."""
    from neo_magics.api.devices import DEVICES

    everything = backend == "sagemaker"
    known = [device for device in DEVICES.values() if everything or device.compilable]
    devices = [
        (f"{device.name} · {' '.join(filter(None, (device.arch, device.mcpu)))}", device.name)
        for device in known
    ]
    return devices if everything else [(f"{LOCAL} · this machine, its own CPU", LOCAL), *devices]


class Field:
    """An option's widget with its name and what it is for; `words` is what it adds to the line."""

    def __init__(self, option: Option, value: str = "", variables: Sequence[str] = ()) -> None:
        """`variables` are suggested where the option takes one."""
        import ipywidgets

        self._option = option
        self._flag = option.flags[0]
        name = self._flag.lstrip("-").replace("-", " ") if len(self._flag) > 2 else "variable for the job"
        if not option.metavar:
            self.input = ipywidgets.Checkbox(value=False, description=name, indent=False)
        elif option.values == "dtypes":
            self.input = ipywidgets.Dropdown(options=[("as the model says", ""), *((d, d) for d in DTYPES)])
        elif option.values == "variables":
            self.input = suggestion(variables, value, option.metavar.lower())
        else:
            self.input = ipywidgets.Text(value=value, placeholder=option.metavar.lower())
        self.input.layout = _WIDTH
        self.input.tooltip = option.help
        self.widget = labelled(name if option.metavar else "", self.input, option.help)

    @property
    def words(self) -> list[str]:
        """Such as ["--dtype", "float16"]; none for what is left as it is."""
        value = self.input.value
        if self.input.disabled:
            return []
        if isinstance(value, bool):
            return [self._flag] if value else []
        return [self._flag, quoted(value)] if value.strip() else []


def labelled(name: str, widget: Any, about: str) -> Any:
    """A widget below its name, with a line that explains it."""
    import ipywidgets

    title = ipywidgets.HTML(f"<label><b>{escape(name)}</b></label>") if name else None
    note = ipywidgets.HTML(f'<span class="neo-muted">{escape(about[:1].upper() + about[1:])}</span>')
    rows = [row for row in (title, widget, note) if row is not None]
    return ipywidgets.VBox(rows, layout={"margin": "0 0 6px 0"})


def target_picker(backend: str) -> Any:
    """Chooses one target or several."""
    import ipywidgets

    choices = choices_of_target(backend)
    return ipywidgets.SelectMultiple(
        options=choices, value=(choices[0][1],), rows=min(6, len(choices)), layout=_WIDTH
    )


def suggestion(names: Iterable[str], value: str, placeholder: str) -> Any:
    """A text field that suggests variables."""
    import ipywidgets

    return ipywidgets.Combobox(
        value=value, options=tuple(names), placeholder=placeholder, ensure_option=False, layout=_WIDTH
    )


def quoted(word: str) -> str:
    """`word` as the magic's line takes it: brackets hold by themselves, other spaces need quotes."""
    word = word.strip()
    bracketed = word[:1] in "([{" and word[-1:] in ")]}"
    return f'"{word}"' if " " in word and not bracketed else word


def line(model: str, targets: Sequence[str], given: str, fields: Sequence[Field]) -> str:
    """The %compile line that the form stands for."""
    words = ["%compile", quoted(model) or "MODEL", "--target", ",".join(targets) or LOCAL]
    words += ["--input", quoted(given)] if given.strip() else []
    return " ".join([*words, *(word for field in fields for word in field.words)])
