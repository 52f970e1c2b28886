"""The fields of the compile form: one for each option of the table that %%compile itself is read by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from neo_magics.api.compiler_options import DTYPES
from neo_magics.api.frameworks import LOCAL_FRAMEWORKS
from neo_magics.magics.options import BACKENDS, Option
from neo_magics.settings import LOCAL, SAGEMAKER

MORE = (
    "--dtype", "--calibrate", "--input-shape", "--name", "--framework", "--tolerance", "--tune",
    "--max-runtime", "--mcpu", "--mattr", "--backend", "--bucket", "--role", "--no-cache", "--no-compare",
    "--trust-pickle", "-o",
)  # fmt: skip
_AS_IT_IS = ("as the model says", "")
_CHOICES = {
    "dtypes": [_AS_IT_IS, *((f"{name} · {about}", name) for name, about in DTYPES.items())],
    "frameworks": [_AS_IT_IS, *((name, name) for name in LOCAL_FRAMEWORKS)],
}
_WIDTH = {"width": "100%", "max_width": "420px", "margin": "0"}


def choices_of_target(backend: str) -> list[tuple[str, str]]:
    """What the picker shows → the target's name, this machine first."""
    from neo_magics.api.devices import DEVICES

    everything = backend == SAGEMAKER
    known = [device for device in DEVICES.values() if everything or device.compilable]
    devices = [
        (f"{device.name} · {' '.join(filter(None, (device.arch, device.mcpu)))}", device.name)
        for device in known
    ]
    return devices if everything else [(f"{LOCAL} · this machine, its own CPU", LOCAL), *devices]


def choices_of_platform(backend: str) -> list[tuple[str, str]]:
    """What the picker shows → the platform's name: those that Neo offers and `backend` compiles for."""
    from neo_magics.api.devices import NEO_PLATFORMS, PLATFORMS

    offered = [
        PLATFORMS[os, arch, accelerator]
        for (os, accelerator), archs in NEO_PLATFORMS.items()
        for arch in archs
    ]
    known = [platform for platform in offered if backend == SAGEMAKER or platform.compilable]
    parts = [(platform, (platform.os, platform.arch, platform.accelerator)) for platform in known]
    return [("none: a device", ""), *((" · ".join(filter(None, words)), p.name) for p, words in parts)]


class Field:
    """An option's widget with its name and what it is for; `words` is what it adds to the line."""

    def __init__(self, option: Option, value: str = "", variables: Sequence[str] = ()) -> None:
        """`variables` are suggested where the option takes one."""
        import ipywidgets

        self._option = option
        self._flag = option.flags[0]
        name = self._flag.lstrip("-").replace("-", " ") if len(self._flag) > 2 else "variable for the job"
        placeholder = option.metavar.lower()
        if not option.metavar:
            self.input = ipywidgets.Checkbox(value=False, description=name, indent=False)
        elif option.values in _CHOICES:
            self.input = ipywidgets.Dropdown(options=_CHOICES[option.values])
        elif option.values == "variables":
            self.input = suggestion(variables, value, placeholder)
        elif option.values == "backends":
            self.input = suggestion(BACKENDS, value, placeholder)
            self.input.continuous_update = False  # half an address is none
        else:
            self.input = ipywidgets.Text(value=value, placeholder=placeholder)
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

    title = None
    if name:
        title = ipywidgets.HTML(f'<b aria-hidden="true">{escape(name)}</b>')
        widget.description = name  # for a screen reader; the style sheet hides it from view
        widget.add_class("neo-named")
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


def platform_picker(backend: str) -> Any:
    """Chooses a platform, or none."""
    import ipywidgets

    return ipywidgets.Dropdown(options=choices_of_platform(backend), layout=_WIDTH)


def offer(picker: Any, choices: Sequence[tuple[str, str]]) -> None:
    """Let `picker` offer `choices`; what was chosen stays where it still can be, else it is the first."""
    several = isinstance(picker.value, tuple)
    chosen = picker.value if several else (picker.value,)
    known = {name for _label, name in choices}
    kept = tuple(name for name in chosen if name in known) or (choices[0][1],)
    picker.options = choices
    picker.value = kept if several else kept[0]


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


def line(model: str, targets: Sequence[str], platform: str, given: str, fields: Sequence[Field]) -> str:
    """The %compile line that the form stands for; a `platform` stands in the place of the targets."""
    where = ["--platform", platform] if platform else ["--target", ",".join(targets) or LOCAL]
    words = ["%compile", quoted(model) or "MODEL", *where]
    words += ["--input", quoted(given)] if given.strip() else []
    return " ".join([*words, *(word for field in fields for word in field.words)])
