from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest
from onnx_ir.passes.common import NameFixPass

from onnxpress.testing import assert_equivalent, model
from onnxpress_frontends.tflite.biases import join_biases

CONV = """agraph (float[N,2,4,4] x) => (float[N,3,4,4] y)
    <float[3,2,1,1] w = {1,2,3,4,5,6},
     int32[1,3,1,1] b = {10,-20,30}, float[3] s = {0.5,0.25,2}, int32[3] z = {0,0,0}> {
        c = Conv(x, w) d = DequantizeLinear <axis = 1> (b, s, z) y = Add(c, d)
    }"""
MATMUL = """agraph (float[N,2] x) => (float[N,3] y)
    <float[2,3] w = {1,2,3,4,5,6}, int32[3] b = {10,-20,30}, float s = {0.5}, int32 z = {0}> {
        d = DequantizeLinear(b, s, z) c = MatMul(x, w) y = Add(d, c)
    }"""


def joined(text: str) -> ir.Model:
    before = model(text)
    NameFixPass()(before)
    after = before.clone()
    join_biases(after)
    shape = [size if isinstance(size, int) else 3 for size in before.graph.inputs[0].shape or ()]
    feeds = {"x": np.random.default_rng(0).standard_normal(shape).astype(np.float32)}
    assert_equivalent(before, after, feeds, rtol=1e-6, atol=1e-6)
    return after


def operators(graph: ir.Model) -> list[str]:
    return [node.op_type for node in graph.graph]


def test_a_convolution_takes_its_bias() -> None:
    after = joined(CONV)
    assert operators(after) == ["DequantizeLinear", "Conv"]
    bias = after.graph[0]
    assert (bias.attributes.get_int("axis"), list(bias.inputs[0].shape)) == (0, [3])
    assert bias.inputs[0].dtype == ir.DataType.INT32


def test_a_product_of_matrices_becomes_a_gemm() -> None:
    after = joined(MATMUL)
    assert operators(after) == ["DequantizeLinear", "Gemm"]
    assert [value.name for value in after.graph.outputs] == ["y"]


@pytest.mark.parametrize(
    "text",
    [
        CONV.replace("=> (float[N,3,4,4] y)", "=> (float[N,3,4,4] y, float[N,3,4,4] c)"),
        CONV.replace("y = Add(c, d)", "e = Add(c, d) y = Mul(c, e)"),
        CONV.replace("int32[1,3,1,1] b", "int32[3,1,1,1] b").replace("<axis = 1>", "<axis = 0>").replace("N,", "3,"),
        MATMUL.replace("float[N,2] x", "float[2,N,2] x").replace("float[N,3] y", "float[2,N,3] y"),
        MATMUL.replace("c = MatMul(x, w)", "c = Gemm(x, w, w0)").replace(
            "float s =", "float[3] w0 = {1,1,1}, float s ="
        ),
    ],
)
def test_what_is_no_bias_is_left_alone(text: str) -> None:
    assert operators(joined(text)) == operators(model(text))


def test_a_bias_of_two_products_stays_for_both() -> None:
    text = CONV.replace("y = Add(c, d)", "e = Add(c, d) f = Conv(e, v) y = Add(f, d)").replace(
        "<float[3,2", "<float[3,3,1,1] v = {1,2,3,4,5,6,7,8,9}, float[3,2"
    )
    assert operators(joined(text)) == ["DequantizeLinear", "Conv", "DequantizeLinear", "Conv"]
