from __future__ import annotations

import numpy as np

from onnxpress.measuring.inspecting import inspect
from onnxpress.testing import model

WEIGHT = np.ones((4, 3, 3, 3), np.float32)


def test_counts() -> None:
    found = inspect(
        model(
            """g (float[N,3,8,8] x, float[4,3,3,3] w, float[256,5] m) => (float[N,5] y) {
                [stem] c = Conv<pads=[1,1,1,1]>(x, w) r = Relu(c) f = Flatten(r) p = MatMul(f, m) y = Relu(p) }""",
            w=WEIGHT,
            m=np.ones((256, 5), np.float32),
        )
    )
    assert [(port.name, port.dtype, port.shape) for port in found.inputs] == [("x", "float32", ("N", 3, 8, 8))]
    assert [(port.name, port.shape) for port in found.outputs] == [("y", ("N", 5))]
    assert list(found.operators.items()) == [("Relu", 2), ("Conv", 1), ("Flatten", 1), ("MatMul", 1)]
    assert found.nodes == 5
    assert found.node_names == ("stem", "", "", "", "")
    assert found.node_ops == ("Conv", "Relu", "Flatten", "MatMul", "Relu")
    assert found.parameters == WEIGHT.size + 256 * 5
    assert found.bytes == 4 * found.parameters
    assert found.macs == 4 * 64 * 27 + 256 * 5
    assert (found.macs_unknown, found.quantized_share) == (0, 0.0)
    assert found.opsets == {"": 17}


def test_quantised_share_and_parameters_without_scales() -> None:
    found = inspect(
        model(
            """g (float[N,3,8,8] x, int8[4,3,3,3] w, float[4,4,1,1] v) => (float[N,4,8,8] y)
            <float s = {0.05}, uint8 z = {128}, float ws = {0.02}, int8 wz = {0}> {
                xq = QuantizeLinear(x, s, z) xd = DequantizeLinear(xq, s, z) wd = DequantizeLinear(w, ws, wz)
                c = Conv<pads=[1,1,1,1]>(xd, wd) y = Conv(c, v) }""",
            w=WEIGHT.astype(np.int8),
            v=np.ones((4, 4, 1, 1), np.float32),
        )
    )
    assert found.parameters == WEIGHT.size + 16
    assert found.quantized_share == 27 / (27 + 4)


def test_shapes_that_the_file_lacks_are_inferred_on_a_copy() -> None:
    bare = model("g (float[N,4] x, float[4,5] w) => (float[N,5] y) { r = Relu(x) y = MatMul(r, w) }")
    (relu, _) = bare.graph
    relu.outputs[0].shape = None
    assert inspect(bare).macs == 20
    assert relu.outputs[0].shape is None


def test_unknown_shapes_are_counted_not_guessed() -> None:
    unknown = model(
        "g (int64[M] shape, float[N,4] x, float[4,5] w) => (float z) { r = Reshape(x, shape) z = MatMul(r, w) }"
    )
    assert inspect(unknown).macs_unknown == 1


def test_subgraphs_count() -> None:
    found = inspect(
        model(
            """g (bool c, float[2,2] x) => (float[2,2] y) {
                y = If<then_branch = t () => (float[2,2] a) { a = MatMul(x, x) },
                       else_branch = e () => (float[2,2] b) { b = Relu(x) }>(c) }"""
        )
    )
    assert found.operators == {"If": 1, "MatMul": 1, "Relu": 1}
    assert sorted(found.node_ops) == ["If", "MatMul", "Relu"]
    assert found.macs == 8
