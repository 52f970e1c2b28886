"""The runtimes that a user could pick, one module each.

A module has `prepare(sources, out, options)`, what a user does once (its time and memory are reported), and
`open_model(folder, threads, trust_pickle)`, which the process that is measured calls. `prepare` may return
what it measured itself, in place of what its own process used.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec


@dataclass(frozen=True)
class Peer:
    """A runtime: its key on the command line, its name in tables, its module, the package it needs."""

    key: str
    label: str
    package: str

    @property
    def module(self) -> str:
        """Where `prepare` and `open_model` are."""
        return f"tests.benchmarks.peers.{self.key}"

    @property
    def installed(self) -> bool:
        """Whether its package is here."""
        return find_spec(self.package) is not None


OURS = "ours"
REFERENCE = "eager"
PEERS = {
    peer.key: peer
    for peer in (
        Peer("eager", "PyTorch eager", "torch"),
        Peer("inductor", "torch.compile", "torch"),
        Peer("onnx_runtime", "ONNX Runtime", "onnxruntime"),
        Peer("openvino", "OpenVINO", "openvino"),
        Peer("tvm_default", "TVM default", "tvm"),
        Peer(OURS, "neo_magics", "tvm"),
    )
}
