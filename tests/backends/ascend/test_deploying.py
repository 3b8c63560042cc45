"""QuantizeLinear and DequantizeLinear become Ascend's operators, with the same integers."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibrated import feeds, numbers
from calibrated import graph as float_graph
from calibrated import quantised as calibrated_and_quantised
from exact_layers import deployed_exactly
from onnxpress.ascend.checking import check
from onnxpress.ascend.operators import unpack
from onnxpress.kinds import WARNINGS_KEY
from onnxpress_backends.ascend.deploying import deployed
from quantized_graphs import quantized_graph, whole
from sliding_windows import windows

CONV = "d = PAIR(x) v = DequantizeLinear<axis = 0>(w_quantized, sw, zw)"


def ops(model: ir.Model) -> list[str]:
    return [node.op_type for node in model.graph]


def named(model: ir.Model) -> dict[str | None, ir.Node]:
    return {node.name: node for node in model.graph.all_nodes()}


def per_channel(channels: int) -> dict[str, Any]:
    scales = np.linspace(0.001, 0.02, channels).astype(np.float32)
    return {"sw": scales, "zw": np.zeros(channels, np.int8)}


def array(value: ir.Value | None) -> np.ndarray[Any, Any]:
    assert value is not None and value.const_value is not None
    return value.const_value.numpy()


def convolution(**changed: Any) -> ir.Model:
    constants = {"w_quantized": whole(5, 4, 3, 3), "b": whole(5, dtype="int32", high=3000), **per_channel(5)}
    constants = {"sb": (np.float32(0.05) * constants["sw"]).astype(np.float32)} | constants | changed
    bias = "c = DequantizeLinear<axis = 0>(b, sb)"
    return quantized_graph(f"{CONV} {bias} y = Conv<pads = [1,1,1,1]>(d, v, c)", **constants)


def test_a_convolution_is_written_as_atc_reads_it() -> None:
    deploy = deployed_exactly(convolution(), {"x": numbers(2, 4, 6, 6)}, expected=1)
    assert ops(deploy) == ["AscendQuant", "Conv", "AscendDequant"]
    quant, conv, dequant = deploy.graph
    assert [node.name for node in deploy.graph] == ["y.quant", "y", "y.dequant"]
    assert quant.outputs[0].name == "y.quant.output0"
    assert {name: a.value for name, a in quant.attributes.items()} == {
        "scale": float(np.float32(1) / np.float32(0.05)),
        "offset": -7.0,
        "dst_type": "INT8",
    }
    assert [value and value.name for value in conv.inputs] == ["y.quant.output0", "w", "b"]
    np.testing.assert_array_equal(array(conv.inputs[1]), whole(5, 4, 3, 3))
    np.testing.assert_array_equal(array(conv.inputs[2]), whole(5, dtype="int32", high=3000))
    param = dequant.inputs[1]
    assert param is not None and param.name == "y.dequant.param" and array(param).dtype == np.uint64
    np.testing.assert_array_equal(unpack(array(param)), np.float32(0.05) * per_channel(5)["sw"])
    assert {name: a.value for name, a in dequant.attributes.items()} == {"dtype": 0}
    assert [value.name for value in deploy.graph.outputs] == ["y"]


def test_the_model_given_is_left_as_it_was() -> None:
    model = convolution()
    before = ir.serde.serialize_model(model).SerializeToString(deterministic=True)
    deployed(model)
    assert ir.serde.serialize_model(model).SerializeToString(deterministic=True) == before


def test_the_same_model_gives_the_same_bytes() -> None:
    first, second = (
        ir.serde.serialize_model(deployed(calibrated_and_quantised(small_network()))).SerializeToString() for _ in "ab"
    )
    assert first == second


def test_values_between_layers_are_typed() -> None:
    deploy = deployed(convolution())
    quant, conv, dequant = deploy.graph
    assert [node.outputs[0].dtype for node in (quant, conv, dequant)] == [
        ir.DataType.INT8,
        ir.DataType.INT32,
        ir.DataType.FLOAT,
    ]
    assert list(conv.outputs[0].shape or ()) == [2, 5, 6, 6]


@pytest.mark.parametrize("scheme", ["one scale", "unsigned data", "unsigned weight", "no zero points"])
def test_every_way_to_say_8_bits(scheme: str) -> None:
    """The same numbers, in whatever integers they come."""
    plain = {"w": whole(5, 4, 3, 3)}
    body = (
        "q = QuantizeLinear(x, sx, zx) d = DequantizeLinear(q, sx, zx) v = DequantizeLinear(w, sw, zw) y = Conv(d, v)"
    )
    if scheme == "unsigned data":
        body = body.replace("zx", "ux")
    if scheme == "unsigned weight":
        plain = {"w": (plain["w"].astype(np.int16) + 128).astype(np.uint8), "zw": np.uint8(128)}
    if scheme == "no zero points":
        body = body.replace(", zx", "").replace(", zw", "")
    deploy = deployed(quantized_graph(body, **plain))
    check(deploy)
    quant, conv, _ = deploy.graph
    assert quant.attributes["offset"].value == (-128 if scheme == "no zero points" else -7)
    np.testing.assert_array_equal(array(conv.inputs[1]), whole(5, 4, 3, 3))
    assert array(conv.inputs[1]).dtype == np.int8


@settings(max_examples=40)
@given(windows(), st.integers(1, 2), st.integers(1, 3), st.integers(1, 3), st.integers(-128, 127), st.booleans())
def test_any_convolution(window: Any, groups: int, ins: int, outs: int, offset: int, by_channel: bool) -> None:
    shape = (2, groups * ins, *window["sizes"])
    weight = whole(groups * outs, ins, *window["kernel"])
    attributes = window["attributes"] | {"group": groups}
    model = quantized_graph(
        f"d = PAIR(x) v = DequantizeLinear{'<axis = 0>' if by_channel else ''}(w, sw, zw) y = Conv(d, v)",
        x=f"float[{','.join(map(str, shape))}] x",
        w=weight,
        zx=np.int8(offset),
        **(per_channel(groups * outs) if by_channel else {}),
    )
    model.graph.node("y").attributes.update(
        {key: ir.convenience.convert_attribute(key, v) for key, v in attributes.items()}
    )
    model.graph.outputs[0].shape = None
    deployed_exactly(model, {"x": numbers(*shape) * 3}, expected=1)


@pytest.mark.parametrize("by_channel", [False, True])
@pytest.mark.parametrize("groups", [1, 2])
def test_a_transposed_convolution_has_its_scales_on_axis_1(by_channel: bool, groups: int) -> None:
    scales = per_channel(3) if by_channel else {}
    axis = "<axis = 1>" if by_channel else ""
    model = quantized_graph(
        f"d = PAIR(x) v = DequantizeLinear{axis}(w, sw, zw) y = ConvTranspose<strides = [2,2], group = {groups}>(d, v)",
        w=whole(4, 3, 3, 3),
        **scales,
    )
    deploy = deployed(model)
    check(deploy)
    words = unpack(array(named(deploy)["y.dequant"].inputs[1]))
    expected = np.float32(0.05) * (np.tile(scales["sw"], groups) if by_channel else np.float32([0.02]))
    np.testing.assert_array_equal(words, expected)
    if groups == 1 or not by_channel:
        deployed_exactly(model, {"x": numbers(2, 4, 6, 6)}, expected=1)


@pytest.mark.parametrize("transposed", [0, 1])
def test_a_gemm_is_transposed_offline(transposed: int) -> None:
    weight = whole(4, 5)
    model = quantized_graph(
        f"d = PAIR(x) v = DequantizeLinear<axis = {1 - transposed}>(w, sw, zw) "
        f"c = DequantizeLinear<axis = 0>(b, sb) y = Gemm<transB = {transposed}>(d, v, c)",
        x="float[3,4] x",
        w=weight.T if transposed else weight,
        b=whole(5, dtype="int32"),
        sb=(np.float32(0.05) * per_channel(5)["sw"]).astype(np.float32),
        **per_channel(5),
    )
    deploy = deployed(model)
    gemm = named(deploy)["y"]
    assert "transB" not in gemm.attributes
    np.testing.assert_array_equal(array(gemm.inputs[1]), weight)
    if not transposed:
        deployed_exactly(model, {"x": numbers(3, 4)}, expected=1)


@pytest.mark.parametrize("stored", [True, False])
def test_the_add_behind_a_matmul_stands_before_its_dequant(stored: bool) -> None:
    bias = whole(5, dtype="int32", high=900)
    scale = np.float32(0.05) * np.float32(0.02)
    given = {"b": bias, "sb": scale} if stored else {"c": (bias * scale).astype(np.float32)}
    dequantised = "c = DequantizeLinear(b, sb)" if stored else ""
    model = quantized_graph(
        f"d = PAIR(x) v = DequantizeLinear(w, sw, zw) m = MatMul(d, v) {dequantised} y = Add(m, c)",
        x="float[2,3,4] x",
        w=whole(4, 5),
        **given,
    )
    deploy = deployed_exactly(model, {"x": numbers(2, 3, 4)}, expected=1)
    assert [node.name for node in deploy.graph] == ["m.quant", "m", "y", "m.dequant"]
    assert named(deploy)["y"].outputs[0].dtype == ir.DataType.INT32
    np.testing.assert_array_equal(array(named(deploy)["y"].inputs[1]), bias)
    assert [value.name for value in deploy.graph.outputs] == ["y"]


def test_an_add_that_is_no_bias_stays_behind_the_dequant() -> None:
    matrix = "d = PAIR(x) v = DequantizeLinear(w, sw, zw) m = MatMul(d, v)"
    for body, y in ((f"{matrix} y = Add(m, c)", "y"), (f"{matrix} y = Add(m, e) z = Neg(m)", "y, z")):
        model = quantized_graph(body, x="float[3,4] x", y=y, w=whole(4, 5), c=numbers(3, 5), e=numbers(5))
        deploy = deployed(model)
        check(deploy)
        assert ops(deploy)[:4] == ["AscendQuant", "MatMul", "AscendDequant", "Add"]


def test_an_average_pool_has_the_scale_of_its_data() -> None:
    model = quantized_graph("d = PAIR(x) y = AveragePool<kernel_shape = [2,2], strides = [2,2]>(d)")
    deploy = deployed_exactly(model, {"x": numbers(2, 4, 6, 6)}, expected=1)
    assert ops(deploy) == ["AscendQuant", "AveragePool", "AscendDequant"]
    np.testing.assert_array_equal(unpack(array(named(deploy)["y.dequant"].inputs[1])), [np.float32(0.05)])


@pytest.mark.parametrize("opset", [11, 17])
def test_a_pad_stands_between_quant_and_average_pool_and_pads_with_the_offset(opset: int) -> None:
    model = quantized_graph(
        "d = PAIR(x) p = Pad(d, pads) y = AveragePool<kernel_shape = [2,2]>(p)",
        pads=np.array([0, 0, 1, 1, 0, 0, 1, 1]),
        opset=opset,
    )
    deploy = deployed_exactly(model, {"x": numbers(2, 4, 6, 6)}, expected=1)
    assert ops(deploy) == ["AscendQuant", "Pad", "AveragePool", "AscendDequant"]
    value = array(named(deploy)["p"].inputs[2])
    assert value == -7 and value.dtype == np.int8


def test_a_pad_that_others_read_is_quantised_behind() -> None:
    model = quantized_graph(
        "d = PAIR(x) p = Pad(d, pads) y = AveragePool<kernel_shape = [2,2]>(p) z = Neg(p)",
        y="y, z",
        pads=np.array([0, 0, 1, 1, 0, 0, 1, 1]),
    )
    deploy = deployed(model)
    check(deploy)
    assert ops(deploy) == [
        "AscendQuant",
        "AscendAntiQuant",
        "Pad",
        "AscendQuant",
        "AveragePool",
        "AscendDequant",
        "Neg",
    ]


def small_network() -> ir.Model:
    return float_graph(
        "a = Conv(x, w, b) c = Relu(a) d = Conv(c, v) f = Flatten(d) y = Gemm<transB = 1>(f, g, h)",
        x="float[2,4,8,8] x",
        y="float[2,5] y",
        w=numbers(6, 4, 3, 3),
        b=numbers(6),
        v=numbers(3, 6, 1, 1),
        g=numbers(5, 108),
        h=numbers(5),
    )


def test_the_whole_way_from_floats() -> None:
    model = calibrated_and_quantised(small_network())
    deploy = deployed(model)
    check(deploy)
    assert deploy.meta[WARNINGS_KEY] == []
    assert [str(node.name) for node in deploy.graph if node.op_type == "AscendQuant"] == [
        "a.quant",
        "d.quant",
        "y.quant",
    ]
    assert sorted(deploy.graph.initializers) == [
        *("a.dequant.param", "b", "d.dequant.param", "g", "h", "v", "w", "y.dequant.param")
    ]
    assert feeds(model)
