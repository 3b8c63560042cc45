"""Layers by name, by type, or all."""

from __future__ import annotations

import onnx_ir as ir
import pytest

from amct_configurations import network
from onnxpress.errors import InvalidOption
from onnxpress_plugins.layer_selection import check, check_names, last_word, selects

NETWORK = network()
NODES = {str(node.name): node for node in NETWORK.graph}


def chosen(selector: str) -> list[str]:
    return [name for name, node in NODES.items() if selects(selector, node)]


def test_a_selector_is_a_name_a_type_or_all() -> None:
    assert chosen("conv1") == ["conv1"]
    assert chosen("<Conv>") == chosen("<Conv2d>") == ["conv1", "conv2", "conv3"]
    assert chosen("<DepthwiseConv2dNative>") == []
    assert chosen("<Linear>") == ["fc"]
    assert chosen("*") == list(NODES)
    assert chosen("conv*") == []


def test_the_last_rule_that_speaks_of_a_node_counts() -> None:
    rules = [("*", 1), ("<Conv>", 2), ("conv1", 3), ("fc", 4), ("<Gemm>", 5)]
    assert [last_word(rules, NODES[name]) for name in ("r", "conv2", "conv1", "fc")] == [1, 2, 3, 5]
    assert last_word([("fc", 1)], NODES["conv1"]) is None


def test_a_name_must_be_that_of_a_node() -> None:
    check("layers", ["*", "<Conv1d>", "fc"], NETWORK)
    with pytest.raises(InvalidOption, match="layers: no node is called 'conv9'; did you mean 'conv"):
        check("layers", ["conv9"], NETWORK)
    with pytest.raises(InvalidOption, match=r"nodes: no node is called '\*'; `onnxpress inspect --nodes` lists them"):
        check_names("nodes", ["*"], NETWORK)


def test_a_node_in_a_subgraph_has_a_name_too() -> None:
    inner = ir.Graph([], [], nodes=[ir.node("Relu", [ir.val("x")], name="inside")], name="then")
    outer = ir.Graph([], [], nodes=[ir.node("If", [ir.val("c")], {"then_branch": inner}, name="if")], name="g")
    check_names("nodes", ["inside"], ir.Model(outer, ir_version=10))
