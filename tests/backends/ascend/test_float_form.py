"""The integers of a deploy model in float32."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from onnxpress_backends.ascend.deploying import deployed
from onnxpress_backends.ascend.float_form import integers_as_floats
from quantized_graphs import quantized_graph, whole


def padded_pool_and_convolution() -> ir.Model:
    return deployed(
        quantized_graph(
            """d = PAIR(x) p = Pad(d, pads) a = AveragePool<kernel_shape = [2,2]>(p) v = DequantizeLinear(w, sw, zw)
            e = PAIR(a) y = Conv(e, v, b)""",
            pads=np.array([0, 0, 1, 1, 0, 0, 1, 1]),
            w=whole(5, 4, 3, 3),
            b=np.float32([1, 2, 3, 4, 5]),
        )
    )


def test_integers_are_carried_in_floats() -> None:
    deploy = padded_pool_and_convolution()
    floats = integers_as_floats(deploy)
    assert [node.op_type for node in floats.graph] == [node.op_type for node in deploy.graph]
    assert {value.dtype for node in floats.graph for value in node.outputs} == {ir.DataType.FLOAT}
    conv = floats.graph.node("y")
    for index, name in ((1, "w"), (2, "b")):
        value, stored = conv.inputs[index], deploy.graph.initializers[name].const_value
        assert value is not None and value.const_value is not None and stored is not None
        assert value.const_value.dtype == value.dtype == ir.DataType.FLOAT
        np.testing.assert_array_equal(value.const_value.numpy(), stored.numpy().astype("f4"))


def test_padding_is_zero_once_the_offset_is_off() -> None:
    pad = integers_as_floats(padded_pool_and_convolution()).graph.node("p")
    value = pad.inputs[2]
    assert value is not None and value.const_value is not None and value.const_value.numpy() == np.float32(0)


def test_no_float_is_made_before_it_is_read() -> None:
    floats = integers_as_floats(padded_pool_and_convolution())
    assert all(isinstance(floats.graph.initializers[name].const_value, ir.LazyTensor) for name in "wb")


def test_the_deploy_model_stays_as_it_was() -> None:
    deploy = padded_pool_and_convolution()
    before = ir.serde.serialize_model(deploy).SerializeToString(deterministic=True)
    integers_as_floats(deploy)
    assert ir.serde.serialize_model(deploy).SerializeToString(deterministic=True) == before
