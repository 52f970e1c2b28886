"""Jobs that are tuned: measured once, remembered for the next, and only on this machine."""

from __future__ import annotations

from typing import Any

from neo_magics.api.events import ReportEvent
from tests.jobs.models import dense, packed
from tests.jobs.shop import Shop

ARCHIVE = packed({"net.onnx": dense(64, 200)})
NATIVE = {"mcpu": "native"}


def report(shop: Shop, answer: dict[str, Any]) -> dict[str, Any]:
    assert answer["CompilationJobStatus"] == "COMPLETED", answer.get("FailureReason")
    events = shop.events(answer["CompilationJobName"])
    return next(event.report for event in events if isinstance(event, ReportEvent))


def test_a_tuned_job_measures_once(shop: Shop) -> None:
    first = shop.run(ARCHIVE, options={**NATIVE, "tune": 30})
    tuned = report(shop, first)
    assert not tuned["cached"]
    assert tuned["tuning"]["complete"]
    assert tuned["tuning"]["measured"] >= 2
    [work] = tuned["tuning"]["workloads"]
    assert work["workload"] == "matmul 1 × 64 × 200"
    assert ("tune", "done") in shop.stages(first["CompilationJobName"])
    again = report(shop, shop.run(ARCHIVE, options={**NATIVE, "tune": 30}))
    assert again["cached"]
    fresh = report(shop, shop.run(ARCHIVE, options={**NATIVE, "tune": 30, "no-cache": True}))
    assert not fresh["cached"]
    assert fresh["tuning"]["measured"] == 0
    assert fresh["tuning"]["workloads"] == tuned["tuning"]["workloads"]
    assert fresh["digest"]


def test_another_machine_is_not_measured(shop: Shop) -> None:
    answer = shop.run(ARCHIVE, target={"TargetDevice": "rasp4b"}, options={"tune": 30})
    told = report(shop, answer)
    assert told["tuning"] == {"skipped": "the target is rasp4b, not this machine"}
    assert ("tune", "started") not in shop.stages(answer["CompilationJobName"])
    assert not (shop.settings.home / "tuning.db").exists()


def test_a_broken_database_is_set_aside_and_the_job_goes_on(shop: Shop) -> None:
    shop.settings.folder("")
    (shop.settings.home / "tuning.db").write_bytes(b"no database at all, but bytes" * 99)
    answer = shop.run(ARCHIVE, options=NATIVE)
    assert report(shop, answer)["tuning"] == {}
    lines = [event.sentence() for event in shop.events(answer["CompilationJobName"])]
    assert any("set aside" in line for line in lines)
