"""Real jobs of the real compiler, asked for through boto3."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

from neo_magics.api.events import ReportEvent, StageEvent, parse
from neo_magics.client import Backend
from neo_magics.settings import Settings
from tests.jobs.models import dense, packed
from tests.jobs.yard import kill, until

ENDED = ("COMPLETED", "FAILED", "STOPPED")
BUCKET = "s3://neo-magics"


class Shop:
    """Puts archives, creates jobs, and waits for them."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self.backend = Backend(settings)
        self.folder = folder
        self._numbers = itertools.count()

    def put(self, content: bytes, key: str = "in/net.tar.gz") -> str:
        """Store an archive; its address."""
        path = self.folder / "upload"
        path.write_bytes(content)
        self.backend.store.put(path, f"{BUCKET}/{key}")
        return f"{BUCKET}/{key}"

    def create(
        self, uri: str, *, target: dict[str, Any] | None = None, out: str = f"{BUCKET}/out", **given: Any
    ) -> str:
        """Create a job for the archive at `uri`; its name. `given`: framework, shapes, options."""
        name = f"job-{next(self._numbers)}"
        source = {"S3Uri": uri, "Framework": given.get("framework", "ONNX")}
        if "shapes" in given:
            source["DataInputConfig"] = json.dumps(given["shapes"])
        output: dict[str, Any] = {"S3OutputLocation": out}
        output |= target or {"TargetPlatform": {"Os": "LINUX", "Arch": "X86_64"}}
        if "options" in given:
            output["CompilerOptions"] = json.dumps(given["options"])
        self.backend.sagemaker.create_compilation_job(
            CompilationJobName=name,
            RoleArn=self.settings.role_arn,
            InputConfig=source,
            OutputConfig=output,
            StoppingCondition={"MaxRuntimeInSeconds": 120},
        )
        return name

    def end(self, name: str, *, within: float = 120) -> dict[str, Any]:
        """Describe's answer once the job has ended."""

        def ended() -> dict[str, Any] | None:
            answer: dict[str, Any] = self.backend.sagemaker.describe_compilation_job(CompilationJobName=name)
            return answer if answer["CompilationJobStatus"] in ENDED else None

        return until(ended, within=within)

    def run(self, content: bytes | None = None, **given: Any) -> dict[str, Any]:
        """A whole job for an archive of these bytes."""
        archive = packed({"net.onnx": dense()}) if content is None else content
        return self.end(self.create(self.put(archive), **given))

    def events(self, name: str) -> list[Any]:
        """The job's log events."""
        answer = self.backend.logs.get_log_events(
            logGroupName="/aws/sagemaker/CompilationJobs", logStreamName=name, startFromHead=True
        )
        return [parse(event["message"]) for event in answer["events"]]

    def stages(self, name: str) -> list[tuple[str, str]]:
        """(stage, state) of each stage event."""
        return [(event.stage, event.state) for event in self.events(name) if isinstance(event, StageEvent)]

    def report(self, name: str) -> dict[str, Any]:
        """The report event."""
        return next(event.report for event in self.events(name) if isinstance(event, ReportEvent))

    def leftovers(self) -> list[Path]:
        """Files of jobs that ended, and of uploads that did not."""
        home = self.settings.home
        found = [*home.glob("work/*"), *home.glob("buckets/*/%tmp/*")]
        return [*found, *(path for path in home.glob("cache/*/*") if path.name.endswith(".part"))]

    def close(self) -> None:
        """Kill the runners that still live; their children die with them."""
        for record in self.backend.job_store.running():
            if record.runner_pid:
                kill(record.runner_pid)
        self.backend.job_store.close()
