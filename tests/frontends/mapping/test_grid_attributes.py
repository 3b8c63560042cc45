from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from onnxpress_frontends.mapping import grid_attributes
from onnxpress_frontends.mapping.quantization_grids import CentredGrids, Grid, nudged, stored

GRIDS = [
    nudged(-1.1, 2.3, bits=8, narrow=True),
    nudged([-1, -2], [3, 0.1], bits=12, narrow=False, axis=-1),
    stored([0.1, 0.3], [-128, 0], [0.5, 0], dtype="int8", axis=-3),
    CentredGrids(bits=5, signed=True, narrow=False, half_up=True, axis=-2, rank=4),
    CentredGrids(bits=20, signed=False, narrow=True, half_up=False),
]


@pytest.mark.parametrize("grid", GRIDS, ids=repr)
def test_what_is_written_on_a_tensorflow_node_is_read_from_an_onnx_node(tf: Any, grid: Grid | CentredGrids) -> None:
    from tf2onnx.tf_utils import read_tf_node_attrs
    from tf2onnx.utils import make_onnx_node_with_attr

    definition = tf.compat.v1.NodeDef(name="q", op="FakeQuantWithMinMaxArgs", input=["x"])
    assert not grid_attributes.has_grid(definition)
    grid_attributes.write(definition, grid)
    assert grid_attributes.has_grid(definition)
    graph = tf.compat.v1.GraphDef(node=[tf.compat.v1.NodeDef(name="x", op="Placeholder"), definition])
    graph.node[0].attr["dtype"].type = 1
    with tf.Graph().as_default() as imported:
        tf.graph_util.import_graph_def(graph, name="")
    attributes, _ = read_tf_node_attrs(imported.get_operation_by_name("q"))
    node = ir.serde.deserialize_node(make_onnx_node_with_attr("FakeQuantWithMinMaxArgs", ["x"], ["y"], **attributes))
    read = grid_attributes.read(node)
    assert type(read) is type(grid)
    for field in fields(grid):
        expected, actual = getattr(grid, field.name), getattr(read, field.name)
        np.testing.assert_array_equal(actual, expected)
        assert getattr(actual, "dtype", None) == getattr(expected, "dtype", None)


def test_a_node_without_a_grid_has_none() -> None:
    assert grid_attributes.read(ir.node("Relu", [None])) is None
