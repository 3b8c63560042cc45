"""Nodes without a name are called by what they make."""

from __future__ import annotations

from onnxpress.testing import model
from onnxpress_plugins.naming import described, title


def test_how_a_report_calls_a_node() -> None:
    node = model("g (float[2] x) => (a) { a = Neg(x) }").graph[0]
    assert (title(node), described(node)) == ("a", "Neg 'a'")
    node.name = "sum"
    assert described(node) == "Neg 'sum'"
