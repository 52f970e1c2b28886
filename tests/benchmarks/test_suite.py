"""The benchmark works end to end on a tiny model, with whatever peers are installed."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

import pytest

from neo_magics.errors import InputError
from neo_magics.runtime.compare import SideResult
from tests.benchmarks import __main__ as command
from tests.benchmarks.models import CASES, STANDARD, select
from tests.benchmarks.peers import PEERS
from tests.benchmarks.picture import svg
from tests.benchmarks.prepare import sources_of
from tests.benchmarks.report import details, markdown, overview
from tests.benchmarks.results import ModelResult, PeerResult, geometric_means


def _side(label: str, median: float) -> SideResult:
    rounds = tuple((median, median * 1.01, median) for _ in range(5))
    return SideResult(
        label, rounds, median, median * 1.1, median, median, 0.01, 1000, 0.1, 5_000_000, 6_000_000, {}
    )


def _result(ours: float, **others: float) -> ModelResult:
    peers = [PeerResult(key, side=_side(key, median)) for key, median in others.items()]
    failed = PeerResult("inductor", error="no compiler here")
    return ModelResult("net", "convolutional", (*peers, failed, PeerResult("ours", side=_side("ours", ours))))


def test_the_ratio_is_to_the_fastest_of_the_others() -> None:
    ratio = _result(2.0, eager=9.0, openvino=3.0).ratio
    assert ratio
    assert (ratio.peer, ratio.value) == ("openvino", 1.5)
    assert ratio.low < 1.5 < ratio.high


def test_geometric_means_are_by_kind() -> None:
    results = [_result(1.0, openvino=4.0), _result(1.0, openvino=1.0)]
    assert geometric_means(results) == pytest.approx({"convolutional": 2.0})


def test_a_failure_is_told_in_the_tables_and_left_out_of_the_picture() -> None:
    result = _result(2.0, eager=9.0)
    assert "no compiler here" in details(result)
    assert "net, torch.compile: no compiler here" in overview([result])
    drawn = ElementTree.fromstring(svg([result]))
    assert "torch.compile" not in "".join(drawn.itertext())


def test_the_table_of_the_readme() -> None:
    header, rule, row = markdown([_result(2.0, eager=9.0, openvino=3.0)]).splitlines()
    assert header == "| ms | PyTorch eager | torch.compile | OpenVINO | neo_magics | to the best peer |"
    assert rule.count("---:") == 5
    assert row.startswith("| net | 9.00 | failed | 3.00 | 2.00 | 1.50 × (1.")


def test_results_survive_json() -> None:
    result = _result(2.0, eager=9.0)
    assert ModelResult.from_dict(json.loads(json.dumps(result.to_dict()))) == result


def test_models_are_chosen_by_name_and_pattern() -> None:
    assert [case.name for case in select([])] == STANDARD
    assert {case.name for case in select(["resnet18*"])} == {"resnet18", "resnet18-b8", "resnet18-225"}
    with pytest.raises(ValueError, match="There are: resnet18"):
        select(["resnet19"])


def test_a_model_whose_package_is_missing_is_told_with_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "path" / "torchvision"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('torchvision is not here')")
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    with pytest.raises(InputError, match=r"new-swin_t cannot be made.*torchvision is not here"):
        sources_of("new-swin_t", tmp_path / "bench", lambda _text: None)


@pytest.mark.parametrize(
    "name", ["mobilenetv3", "encoder-s77", "lstm-odd", "mlp-odd", "tiny", "new-generator", "new-gru"]
)
def test_models_are_the_same_at_every_making(name: str) -> None:
    torch = pytest.importorskip("torch")
    (model, inputs), (again, same) = CASES[name].make(), CASES[name].make()
    with torch.inference_mode():
        torch.testing.assert_close(model(*inputs.values()), again(*same.values()), rtol=0, atol=0)


@pytest.mark.slow
def test_the_whole_suite_on_a_tiny_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    slow = {"inductor", "tvm_default"}
    without = set() if find_spec("onnxscript") else {"onnx_runtime", "openvino"}
    keys = [key for key in PEERS if key not in slow | without and PEERS[key].installed]
    written, drawn = tmp_path / "result.json", tmp_path / "result.svg"
    words = ["--models", "tiny", "--peers", ",".join(keys), "--quick", "--folder", str(tmp_path / "kept")]
    assert command.main([*words, "--threads", "1", "--json", str(written), "--svg", str(drawn)]) == 0
    (result,) = map(ModelResult.from_dict, json.loads(written.read_text())["results"])
    assert [each.peer for each in result.peers] == keys
    assert all(each.side and each.max_difference is not None and not each.wrong for each in result.peers)
    assert all(each.side and each.side.memory_bytes and each.size_bytes for each in result.peers)
    assert "ratio: median of the best peer over ours" in capsys.readouterr().out
    ElementTree.parse(drawn)
