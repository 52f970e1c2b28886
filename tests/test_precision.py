"""Lower precision as whole jobs: what was measured is reported, and a bound that is not kept ends a job."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import neo_magics
from neo_magics.client import Backend
from neo_magics.compilation import CompileOptions
from neo_magics.compiler.kernels.dots import PRECISIONS
from neo_magics.errors import JobFailedError, NeoMagicsError
from neo_magics.job import Job
from neo_magics.runtime.numerics import Difference, agreement, differences, worst_of


@pytest.fixture(scope="module")
def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 16, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.Conv2d(16, 32, 3, stride=2, padding=1),
        torch.nn.ReLU(),
        torch.nn.Flatten(),
        torch.nn.Linear(32 * 4 * 4, 32),
        torch.nn.ReLU(),
        torch.nn.Linear(32, 10),
    ).eval()


def compiled(model: torch.nn.Module, settings: object, **options: object) -> Job:
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    try:
        return neo_magics.compile(model, inputs=x, backend=Backend(settings), wait=True, **options)
    except JobFailedError as error:
        if "has no instructions" in str(error):
            pytest.skip("this CPU has no such instructions")
        raise


@pytest.mark.slow
def test_bfloat16_is_measured_and_told(network, settings):
    job = compiled(network, settings, dtype="bf16")
    report = job.report
    assert report["precision"]["dtype"] == "bfloat16"
    assert report["precision"]["share"] > 0.5
    checked = report["verification"]
    assert 1e-6 < checked["max_abs_difference"] < min(checked["limits"].values())
    assert 0 <= next(iter(checked["agreement"].values())) <= 1
    x = torch.randn(2, 3, 8, 8)
    got = job.load()(x.numpy())
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, network(x).detach(), atol=0.02)


def test_int8_is_calibrated_measured_and_told(network, settings):
    data = np.random.default_rng(0).standard_normal((20, 3, 8, 8))
    job = compiled(network, settings, dtype="int8", calibration=data)
    report = job.report
    assert report["precision"]["dtype"] == "int8"
    assert "calibrate" in report["stages"]
    assert report["verification"]["inputs"] == "given and 10 calibration"
    text = "\n".join(job.logs())
    assert "of the arithmetic in int8" in text
    assert "of the top classes agree" in text


@pytest.mark.slow
def test_beyond_the_bound_a_job_fails_and_says_what_to_do(network, settings):
    with pytest.raises(JobFailedError, match="largest difference") as failed:
        compiled(network, settings, dtype="bf16", tolerance=1e-7)
    assert "tolerance" in str(failed.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"dtype": "int8"}, "needs calibration inputs"),
        ({"dtype": "bf16", "calibration": np.zeros((1, 3, 8, 8))}, "are for int8"),
        ({"dtype": "int8", "calibration": []}, "is empty"),
        ({"dtype": "int8", "calibration": [np.zeros((1, 3)), np.zeros((1, 4))]}, "different shapes"),
    ],
)
def test_what_does_not_go_together_is_refused_at_once(network, settings, options: CompileOptions, said: str):
    with pytest.raises(NeoMagicsError, match=said):
        compiled(network, settings, **options)


@pytest.mark.slow
def test_calibration_inputs_of_another_shape_fail_the_job(network, settings):
    with pytest.raises(JobFailedError, match="do not fit the model's inputs"):
        compiled(network, settings, dtype="int8", calibration=np.zeros((4, 3, 9, 9)))


def test_every_precision_has_a_tolerance():
    one = {"y": np.ones((1, 2), "float32")}
    limits = [differences(one, one, precision=name)[0].limit for name in ("", *PRECISIONS)]
    assert limits == sorted(limits)
    assert len(set(limits)) == len(limits)


def test_agreement_is_of_rows_of_classes_only():
    rows = np.array([[1.0, 2.0], [4.0, 3.0]])
    assert agreement(rows, rows[:, ::-1]) == 0
    assert agreement(rows, np.array([[1.0, 2.0], [4.0, 5.0]])) == 0.5
    assert agreement(rows[0], rows[0]) is None
    assert agreement(rows.astype(int), rows.astype(int)) is None


def test_of_several_calls_the_worst_counts_and_agreement_is_shared():
    good, bad = Difference("y", 1.0, 0.1, agreement=1.0), Difference("y", 0.5, 0.2, agreement=0.5)
    assert worst_of([[good], [bad]]) == [Difference("y", 0.5, 0.2, agreement=0.75)]
    failed = Difference("y", problem="NaN")
    assert worst_of([[failed], [good]])[0].problem == "NaN"
