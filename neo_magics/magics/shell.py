"""The magics as IPython sees them: their settings, their entry points, what they hang into the shell."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from IPython.core.magic import (
    Magics,
    line_cell_magic,
    line_magic,
    magics_class,
    needs_local_scope,
    no_var_expand,
)
from traitlets import Bool, Float, Unicode, validate

from neo_magics.magics import awaiting
from neo_magics.magics.cell import compile_cell
from neo_magics.magics.completion import Completer, matcher
from neo_magics.magics.options import HelpRequestedError, compile_parser
from neo_magics.widgets.refresher import Refresher

if TYPE_CHECKING:
    from neo_magics.client import Backend
    from neo_magics.job import Job


@contextmanager
def _as_trait_error() -> Iterator[None]:
    """This package's errors as traitlets' own, so that %config refuses the value."""
    from traitlets import TraitError

    from neo_magics.errors import NeoMagicsError

    try:
        yield
    except NeoMagicsError as error:
        raise TraitError(str(error)) from error


@magics_class
class NeoMagics(Magics):
    """Settings of %%compile, %compile and %neo. The environment's NEO_MAGICS_* are the defaults."""

    shell: Any  # an InteractiveShell; the base class allows None

    backend = Unicode(
        "", help="local, sagemaker or an endpoint URL; empty: NEO_MAGICS_BACKEND, else local"
    ).tag(config=True)
    target = Unicode("local", help="what to compile for where --target is not given").tag(config=True)
    bucket = Unicode("", help="bucket for models and artifacts; empty: NEO_MAGICS_BUCKET").tag(config=True)
    role = Unicode("", help="ARN of the role that SageMaker assumes; empty: NEO_MAGICS_ROLE_ARN").tag(
        config=True
    )
    compare = Bool(True, help="measure before and after when a job completes that can run here").tag(
        config=True
    )
    refresh_seconds = Float(0.4, min=0.1, help="seconds between two looks at running jobs").tag(config=True)

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        self.refresher = Refresher(lambda: self.refresh_seconds)
        self._backends: dict[Any, Backend] = {}
        self._matcher: Any = None

    @validate("backend")
    def _check_backend(self, proposal: Any) -> str:
        from traitlets import TraitError

        value = str(proposal["value"])
        if value in ("", "local", "sagemaker") or value.startswith(("http://", "https://")):
            return value
        raise TraitError(f"backend must be local, sagemaker or a URL, not {value!r}")

    @validate("target")
    def _check_target(self, proposal: Any) -> str:
        from neo_magics.compilation import Target

        with _as_trait_error():
            for name in str(proposal["value"]).split(","):
                Target.parse(name.strip(), None, "local")
        return str(proposal["value"])

    @validate("bucket")
    def _check_bucket(self, proposal: Any) -> str:
        from neo_magics.storage.uri import check_bucket

        with _as_trait_error():
            return check_bucket(proposal["value"]) if proposal["value"] else ""

    @validate("role")
    def _check_role(self, proposal: Any) -> str:
        from neo_magics.submission import check_members

        role = str(proposal["value"])
        with _as_trait_error():
            check_members({"RoleArn": role} if role else {})
        return role

    def backend_for(self, name: str | None = None) -> Backend:
        """The backend of `--backend`, the trait or the environment; one object for each set of settings."""
        from neo_magics.client import Backend
        from neo_magics.settings import Settings

        settings = Settings.from_environment(
            backend=name or self.backend or None, bucket=self.bucket or None, role_arn=self.role or None
        )
        if settings not in self._backends:
            self._backends[settings] = Backend(settings)
        return self._backends[settings]

    @needs_local_scope
    @no_var_expand
    @line_cell_magic
    def compile(self, line: str, cell: str | None = None, local_ns: dict[str, Any] | None = None) -> Any:
        """Compile the model of a cell, or a variable: see %compile --help."""
        from neo_magics.magics.compile_magic import CompileMagic

        try:
            return CompileMagic(self, scope=local_ns).run(line, cell)
        except HelpRequestedError as asked:
            print(asked)
            return None

    @needs_local_scope
    @no_var_expand
    @line_magic
    def neo(self, line: str, local_ns: dict[str, Any] | None = None) -> Any:
        """Jobs, targets and settings: see %neo help."""
        from neo_magics.magics.neo_magic import NeoMagic

        try:
            return NeoMagic(self).run(line, local_ns)
        except HelpRequestedError as asked:
            print(asked)
            return None

    def attach(self) -> None:
        """Hang the input transformer, completion, displays and help texts into the shell."""
        from neo_magics.magics.displays import register
        from neo_magics.magics.neo_magic import COMMANDS

        arguments = {command.name: command.completes for command in COMMANDS}
        self._matcher = matcher(Completer(self.shell.user_ns, self._job_names, arguments))
        self.shell.input_transformers_post += [self._check_syntax, awaiting.transform]
        awaiting.catch_up(self.shell)
        if getattr(self.shell, "Completer", None) is not None:
            self.shell.Completer.custom_matchers.append(self._matcher)
        register(self.shell)
        type(self).compile.__doc__ = compile_parser("%%compile", model=False).format_help()

    def detach(self) -> None:
        """The opposite of `attach`."""
        for transformer in (self._check_syntax, awaiting.transform):
            if transformer in self.shell.input_transformers_post:
                self.shell.input_transformers_post.remove(transformer)
        completer = getattr(self.shell, "Completer", None)
        if completer is not None and self._matcher in completer.custom_matchers:
            completer.custom_matchers.remove(self._matcher)
        self.shell.configurables[:] = [c for c in self.shell.configurables if c is not self]

    def _check_syntax(self, lines: list[str]) -> list[str]:
        """As in a cell without magic, a SyntaxError comes before anything runs and is shown by itself."""
        for cell in awaiting.cells_of(lines):
            compile_cell(self.shell, cell)
        return lines

    def _job_names(self) -> list[str]:
        from neo_magics.magics.job_commands import names

        return names(self.backend_for())

    def follow(self, *jobs: Job, measure: bool, place: Any = None) -> Any:
        """A panel for `jobs` under the running cell, or in the output `place`; text outside a notebook."""
        from neo_magics.magics.panels import open_group, open_panel

        if len(jobs) == 1:
            return open_panel(self, jobs[0], measure=measure, place=place)
        return open_group(self, jobs, measure=measure, place=place)
