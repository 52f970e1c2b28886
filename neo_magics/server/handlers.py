"""The REST handlers: each authenticates, authorises and asks the desk."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

from jupyter_server.auth.decorator import authorized
from tornado.web import authenticated

from neo_magics.server.base import DeskHandler
from neo_magics.server.targets import choices

_CHUNK = 1 << 20  # bytes
_NOT_FILTERS = {"backend", "token"}  # the extension's own, and the server's


class JobsHandler(DeskHandler):
    """The list; the query takes ListCompilationJobs' members."""

    @authenticated
    @authorized
    async def get(self) -> None:
        names = set(self.request.query_arguments) - _NOT_FILTERS
        # JupyterLab adds the time as a bare name, so that no cache answers.
        asked = {name: self.get_query_argument(name) for name in names if not name.isdigit()}
        self.answer(await self.run(self.desk.jobs, asked))


class JobHandler(DeskHandler):
    """One job: what it is, and its end."""

    @authenticated
    @authorized
    async def get(self, name: str) -> None:
        self.answer(await self.run(self.desk.job, name))

    @authenticated
    @authorized
    async def delete(self, name: str) -> None:
        await self.run(self.desk.delete, name)
        self.set_status(HTTPStatus.NO_CONTENT)
        self.finish()


class StopHandler(DeskHandler):
    """Stops a job."""

    @authenticated
    @authorized
    async def post(self, name: str) -> None:
        self.answer(await self.run(self.desk.stop, name))


class PanelHandler(DeskHandler):
    """The job's panel as HTML."""

    @authenticated
    @authorized
    async def get(self, name: str) -> None:
        self.answer(await self.run(self.desk.panel, name))


class LogHandler(DeskHandler):
    """The job's log from `?after=`, a token of the answer before."""

    @authenticated
    @authorized
    async def get(self, name: str) -> None:
        self.answer(await self.run(self.desk.log, name, self.get_query_argument("after", "")))


class ReportHandler(DeskHandler):
    """The job's report."""

    @authenticated
    @authorized
    async def get(self, name: str) -> None:
        self.answer(await self.run(self.desk.report, name))


class ComparisonHandler(DeskHandler):
    """Before and after, as measured on this machine."""

    @authenticated
    @authorized
    async def get(self, name: str) -> None:
        self.answer(await self.run(self.desk.comparison, name))


class ProfileHandler(DeskHandler):
    """Where the compilation's time went; posted to, where a call's time goes."""

    @authenticated
    @authorized
    async def get(self, name: str) -> None:
        self.answer(await self.run(self.desk.profile, name))

    @authenticated
    @authorized
    async def post(self, name: str) -> None:
        self.answer(await self.run(self.desk.time_kernels, name))


class ArtifactHandler(DeskHandler):
    """Files and manifest of the compiled archive."""

    @authenticated
    @authorized
    async def get(self, name: str) -> None:
        self.answer(await self.run(self.desk.artifact, name))


class DownloadHandler(DeskHandler):
    """The compiled archive itself."""

    @authenticated
    @authorized
    async def get(self, name: str) -> None:
        path = await self.run(self.desk.archive, name)
        self.set_header("Content-Type", "application/gzip")
        self.set_header("Content-Disposition", f'attachment; filename="{path.name}"')
        self.set_header("Content-Length", str(path.stat().st_size))
        with path.open("rb") as stream:
            while chunk := await asyncio.to_thread(stream.read, _CHUNK):
                self.write(chunk)
                await self.flush()
        self.finish()


class TargetsHandler(DeskHandler):
    """What can be compiled for, and how: the choices of the "Compile…" form."""

    @authenticated
    @authorized
    async def get(self) -> None:
        answer: dict[str, Any] = choices(self.desk.backend)
        self.answer(answer)
