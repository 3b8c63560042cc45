"""Walking through a GraphDef."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from onnxpress_backends.ascend.frozen_graphs.frozen_nodes import FrozenNodes, constant, title
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph_def import tensor_proto
from onnxpress_backends.tensorflow.graphs.protos import protos


@pytest.fixture
def graph_def() -> Any:
    proto = protos().graph.GraphDef()
    const = proto.node.add(name="c", op="Const")
    const.attr["value"].tensor.CopyFrom(tensor_proto(np.int8([[1, -2]]), DType.INT8))
    proto.node.add(name="same", op="Identity", input=["c"])
    proto.node.add(name="again", op="Identity", input=["same"])
    proto.node.add(name="split", op="Split", input=["again", "c"])
    proto.node.add(name="end", op="AddN", input=["split:1", "split:0", "^c", "gone"])
    return proto


def test_who_feeds_and_who_reads(graph_def: Any) -> None:
    nodes = FrozenNodes(graph_def)
    by_name = {node.name: node for node in nodes.all}
    assert nodes.source(by_name["split"], 0) is by_name["c"]
    assert nodes.source(by_name["end"], 0) is by_name["split"]
    assert nodes.source(by_name["end"], 3) is None and nodes.source(by_name["end"], 9) is None
    assert [node.name for node in nodes.readers(by_name["c"])] == ["split", "split", "end"]


def test_constants(graph_def: Any) -> None:
    nodes = FrozenNodes(graph_def)
    numbers = constant(nodes.all[0])
    assert numbers is not None and numbers.dtype == np.int8 and numbers.tolist() == [[1, -2]]
    assert constant(nodes.all[1]) is None and constant(None) is None


def test_titles(graph_def: Any) -> None:
    assert title(graph_def.node[0]) == "node 'c' (Const)" and title(None) == "nothing"
