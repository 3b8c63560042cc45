"""Shapes of what loops carry: kept where they are kept, unknown where a step changes them."""

from __future__ import annotations

import onnx_ir as ir

from onnxpress.testing import model
from onnxpress_backends.tensorflow.call import shape_of
from onnxpress_backends.tensorflow.inner_constants import bring_inside
from onnxpress_backends.tensorflow.shapes.loop_shapes import infer


def settled(text: str) -> dict[str, tuple[int | None, ...] | None]:
    """Shape of every value, after those that bodies declare were taken away."""
    parsed = model(text)
    for node in parsed.graph.all_nodes():
        for attribute in node.attributes.values():
            if attribute.type == ir.AttributeType.GRAPH:
                for value in [*attribute.as_graph().inputs, *attribute.as_graph().outputs]:
                    value.shape = None
    for node in parsed.graph.all_nodes():
        for value in node.outputs:
            value.shape = None
    bring_inside(parsed)
    infer(parsed)
    graphs = [parsed.graph, *(g for node in parsed.graph.all_nodes() for g in _bodies(node))]
    values = [value for graph in graphs for value in [*graph.inputs, *(v for node in graph for v in node.outputs)]]
    return {value.name or "": shape_of(value) for value in values}


def _bodies(node: ir.Node) -> list[ir.Graph]:
    return [a.as_graph() for a in node.attributes.values() if a.type == ir.AttributeType.GRAPH]


def loop(step: str) -> str:
    return f"""agraph (int64 m, float[2,3] x) => (y) {{
        y = Loop (m, , x) <body = b (int64 i, bool c, v) => (bool d, n) {{ {step} d = Identity(c) }}>
    }}"""


def test_a_shape_that_is_kept_is_known_inside_and_after() -> None:
    shapes = settled(loop("n = Relu(v)"))
    assert shapes["v"] == shapes["n"] == shapes["y"] == (2, 3)


def test_a_size_that_changes_is_unknown() -> None:
    shapes = settled(loop("n = Concat<axis = 0>(v, x)"))
    assert shapes["v"] == shapes["n"] == shapes["y"] == (None, 3)


def test_a_rank_that_changes_is_unknown() -> None:
    shapes = settled(loop("o = Constant<value_ints = [0]>() n = Unsqueeze(v, o)"))
    assert shapes["v"] is shapes["y"] is None


def test_a_nested_loop_follows_the_one_around() -> None:
    inner = """w = Loop (i, , v) <body = b2 (int64 j, bool e, u) => (bool f, q) {
        q = Neg(u) f = Identity(e)
    }>"""
    shapes = settled(loop(f"{inner} n = Concat<axis = 1>(w, x)"))
    assert shapes["u"] == shapes["w"] == shapes["v"] == (2, None)
    shapes = settled(loop(f"{inner} n = Relu(w)"))
    assert shapes["u"] == shapes["w"] == shapes["v"] == (2, 3)


def test_slices_of_a_scan() -> None:
    shapes = settled(
        """agraph (float[2] h, float[4,2,3] x) => (y, s) <int64[1] first = {0}> {
            y, s = Scan<num_scan_inputs = 1, scan_input_axes = [-1], body = b (v, row) => (n, o) {
                o = ReduceSum<keepdims = 0>(row, first)
                n = Add(v, o)
            }>(h, x)
        }"""
    )
    assert shapes["row"] == (4, 2)
    assert shapes["v"] == (2,)
