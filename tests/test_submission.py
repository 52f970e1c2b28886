"""A job that is refused leaves nothing behind, and never touches what another job was given."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from neo_magics.capture.registry import capture
from neo_magics.client import Backend
from neo_magics.compilation import Target, compile, request_for
from neo_magics.errors import UsageError
from neo_magics.submission import check, submit
from tests.widgets.conftest import Idle

X = torch.zeros(1, 4)


@pytest.fixture
def backend(settings):
    return Backend(settings, executor=Idle())


def objects(backend):
    return list(backend.store.list("s3://neo-magics/"))


def request_of(backend, model, name="net"):
    archive = capture(model, inputs=X)
    return archive, request_for(archive, Target.parse("local", None, "local"), backend, name=name)


def test_a_name_in_use_leaves_the_other_jobs_model_alone(backend):
    first = compile(nn.Linear(4, 2).eval(), inputs=X, name="net", backend=backend)
    uri = first.describe()["InputConfig"]["S3Uri"]
    before = backend.store.path(uri).read_bytes()
    with pytest.raises(UsageError, match=r"refused.*Choose another --name"):
        compile(nn.Linear(4, 3).eval(), inputs=X, name="net", backend=backend)
    assert backend.store.path(uri).read_bytes() == before
    assert objects(backend) == [uri]


@pytest.mark.parametrize("name", ["my net", "../../net", "模型", "net" * 30, "-net"])
def test_an_illegal_name_is_refused_before_anything_is_uploaded(backend, name):
    with pytest.raises(UsageError, match="1 to 63 letters, digits and hyphens"):
        compile(nn.Linear(4, 2).eval(), inputs=X, name=name, backend=backend)
    assert not (backend.settings.home / "buckets").exists()


def test_a_create_that_was_sent_twice_is_one_job(backend):
    archive, request = request_of(backend, nn.Linear(4, 2).eval())
    assert submit(archive, request, backend).name == submit(archive, request, backend).name
    assert objects(backend) == [request["InputConfig"]["S3Uri"]]


def test_a_full_queue_leaves_nothing(settings):
    backend = Backend(replace(settings, max_pending_jobs=1), executor=Idle())
    first = compile(nn.Linear(4, 2).eval(), inputs=X, backend=backend)
    with pytest.raises(UsageError, match="Wait for running jobs"):
        compile(nn.Linear(4, 2).eval(), inputs=X, backend=backend)
    assert objects(backend) == [first.describe()["InputConfig"]["S3Uri"]]


def test_what_another_service_can_compile_for_is_not_judged_here(backend, settings):
    _archive, request = request_of(backend, nn.Linear(4, 2).eval())
    request["OutputConfig"] = {"S3OutputLocation": "s3://b/out/", "TargetDevice": "ml_inf1"}
    with pytest.raises(UsageError, match="Neuron compiler"):
        check(request, backend)
    check(request, Backend(replace(settings, backend="http://127.0.0.1:1")))
