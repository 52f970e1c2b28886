"""What %%compile and %compile do: read the line, run the cell, find the model, file the jobs, show panels."""

from __future__ import annotations

import argparse
import json
import keyword
from collections import ChainMap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neo_magics.errors import NeoMagicsError, UsageError
from neo_magics.magics import cell as cells
from neo_magics.magics.awaiting import unmarked
from neo_magics.magics.expressions import resolve
from neo_magics.magics.models import choose, defined, is_model
from neo_magics.magics.options import compile_parser, did_you_mean
from neo_magics.magics.panels import is_executed
from neo_magics.magics.placeholders import filled
from neo_magics.magics.waiting import Filed, block_for, wait_for
from neo_magics.magics.words import split

if TYPE_CHECKING:
    from neo_magics.capture.archive import ModelArchive
    from neo_magics.job import Job
    from neo_magics.magics.shell import NeoMagics
    from neo_magics.widgets.surfaces import Output


class StoppedFiling(KeyboardInterrupt):
    """Ctrl-C came before the jobs were all filed."""

    def _render_traceback_(self) -> list[str]:
        return [
            "Interrupted while the job was being filed.",
            "  → %neo jobs lists what was filed; run the cell again for the rest.",
        ]


class CompileMagic:
    """One call of the magic."""

    def __init__(
        self, owner: NeoMagics, *, place: Output | None = None, scope: Mapping[str, Any] | None = None
    ) -> None:
        """`place`: the output that the panel goes to; a new one of the running cell without it.

        `scope`: the variables of the function that holds the call; the user's own are seen behind them.
        """
        self._owner = owner
        self._place = place
        self._shell = owner.shell
        self._names = ChainMap(dict(scope or {}), owner.shell.user_ns)

    def run(self, line: str, cell: str | None) -> Any:
        """Do it; where the call is awaited, an awaitable that does it.

        Raises:
            HelpRequestedError: --help was given.
            UsageError: something on the line is wrong; nothing was run.
        """
        line, awaited = unmarked(line)
        parser = compile_parser("%compile" if cell is None else "%%compile", model=cell is None)
        args = parser.read(filled(split(line), self._names))
        self._check(args)
        if cell is None:
            filed = self._file(self._named(args.value), args)
            return wait_for(filed, self._owner) if awaited else self._end(filed, args)
        code = cells.compile_cell(self._shell, cell)
        if awaited:
            return self._run_async(code, args)
        if code.is_async:
            raise UsageError("The cell awaits.", hint="Add --wait to the %%compile line.")
        before = dict(self._shell.user_ns)
        self._end(self._file(self._chosen(cells.run(self._shell, code), before, args), args), args)
        return None

    def _end(self, filed: Filed, args: argparse.Namespace) -> Any:
        """What follows the filing where nothing is awaited."""
        return block_for(filed, self._owner) if self._waits(args) else filed.value

    def _waits(self, args: argparse.Namespace) -> bool:
        """Whether the cell ends with its jobs: a program that executes the notebook sees no later end."""
        return args.wait or is_executed(self._owner)

    async def _run_async(self, code: cells.CellCode, args: argparse.Namespace) -> None:
        before = dict(self._shell.user_ns)
        last = await cells.run_async(self._shell, code)
        filed = self._file(self._chosen(last, before, args), args)
        if self._waits(args):
            await wait_for(filed, self._owner)

    def _check(self, args: argparse.Namespace) -> None:
        from neo_magics.compilation import Target
        from neo_magics.submission import check_members

        if args.output_var and not _is_variable(args.output_var):
            raise UsageError(f"-o {args.output_var!r} is not a variable name.", hint="Such as: -o job")
        if args.target and args.platform:
            raise UsageError("Give --target or --platform, not both.")
        backend = self._owner.backend_for(args.backend)
        for target in self._targets(args):
            Target.parse(target, args.platform, backend.name)
        if args.framework:
            self._check_framework(args.framework)
        if args.dtype:
            self._check_dtype(args.dtype)
        several = len(self._targets(args)) > 1  # their names are made legal
        given = {"CompilationJobName": "" if several else args.name, "RoleArn": args.role}
        check_members({member: value for member, value in given.items() if value})

    def _check_dtype(self, name: str) -> None:
        from neo_magics.api.compiler_options import DTYPES, parse
        from neo_magics.compilation import dtype_option

        try:
            parse(json.dumps({key: value for key, value in dtype_option(name).items() if value}))
        except NeoMagicsError as error:
            hint = did_you_mean(name, DTYPES, f"One of {', '.join(DTYPES)}.")
            raise UsageError(f"There is no dtype {name!r}.", hint=hint) from error

    def _check_framework(self, name: str) -> None:
        from neo_magics.capture.registry import FRAMEWORKS

        known = [entry.name for entry in FRAMEWORKS]
        if name.upper() not in known:
            hint = did_you_mean(name.upper(), known, f"One of {', '.join(known)}.")
            raise UsageError(f"There is no framework {name!r}.", hint=hint)

    def _targets(self, args: argparse.Namespace) -> Sequence[str | None]:
        """The named devices, each once; None stands for --platform."""
        if args.platform:
            return [None]
        text = self._owner.target if args.target is None else args.target
        names = dict.fromkeys(name.strip() for name in text.split(",") if name.strip())
        if not names:
            raise UsageError(
                "--target names no device.", hint="Such as: --target local; %neo targets lists all."
            )
        return list(names)

    def _named(self, text: str) -> Any:
        """The variable, or the path of the model file; `net.pt` may be either."""
        if "/" in text and Path(text).exists():
            return text  # a folder too may be a model; the capture says what it is not
        if is_model(text):
            if Path(text).exists():
                return text
            if text.partition(".")[0] not in self._names:
                raise UsageError(f"There is no file {text!r}.", hint=f"Paths begin at {Path.cwd()}.")
        return resolve(text, self._names, "MODEL")

    def _chosen(self, last: Any, before: dict[str, Any], args: argparse.Namespace) -> Any:
        if args.model:
            return resolve(args.model, self._shell.user_ns, "--model")
        return choose(last, defined(before, self._shell.user_ns))

    def _file(self, model: Any, args: argparse.Namespace) -> Filed:
        """Capture once, file a job for each target, and show them in one panel.

        Raises:
            StoppedFiling: Ctrl-C came meanwhile.
        """
        try:
            return self._filed(model, args)
        except KeyboardInterrupt as interrupt:
            raise StoppedFiling from interrupt

    def _filed(self, model: Any, args: argparse.Namespace) -> Filed:
        from neo_magics.compilation import capture_for
        from neo_magics.submission import submit

        backend = self._owner.backend_for(args.backend)
        data = resolve(args.calibrate, self._names, "--calibrate") if args.calibrate else None
        options = {**_options(args), "calibration": data}
        inputs = resolve(args.input, self._names, "--input") if args.input else None
        archive = capture_for(backend, model, inputs=inputs, input_shape=args.input_shape, **options)
        requests = self._requests(archive, model, args, options)  # all are right before the first is filed
        jobs: list[Job] = []
        try:
            for request in requests:
                jobs.append(submit(archive, request, backend))
        except NeoMagicsError:
            if jobs:
                self._shown(jobs, args)
            raise
        return self._shown(jobs, args)

    def _requests(
        self, archive: ModelArchive, model: Any, args: argparse.Namespace, options: Any
    ) -> list[dict[str, Any]]:
        """A request for each target. With several, --name is the beginning of their names."""
        from neo_magics.compilation import Target, job_name, request_for

        backend = self._owner.backend_for(args.backend)
        targets = self._targets(args)
        requests = []
        for name in targets:
            target = Target.parse(name, args.platform, backend.name)
            title = args.name if len(targets) == 1 else ""
            title = title or job_name(args.name or model, name or args.platform)
            requests.append(request_for(archive, target, backend, name=title, **options))
        return requests

    def _shown(self, jobs: Sequence[Job], args: argparse.Namespace) -> Filed:
        """The jobs in one panel, and in the user's variable."""
        measure = self._owner.compare and not args.no_compare
        filed = Filed(tuple(jobs), self._owner.follow(*jobs, measure=measure, place=self._place))
        if args.output_var:
            self._shell.user_ns[args.output_var] = filed.value
        return filed


def _is_variable(name: str) -> bool:
    return name.isidentifier() and not keyword.iskeyword(name)


def _options(args: argparse.Namespace) -> Any:
    """The parsed line as keyword arguments of `neo_magics.compilation.submit`."""
    return {
        "framework": args.framework,
        "dtype": args.dtype,
        "mcpu": args.mcpu,
        "mattr": args.mattr,
        "tolerance": args.tolerance,
        "tune": args.tune,
        "max_runtime": args.max_runtime,
        "cache": not args.no_cache,
        "trust_pickle": args.trust_pickle,
        "role": args.role,
        "bucket": args.bucket,
    }
