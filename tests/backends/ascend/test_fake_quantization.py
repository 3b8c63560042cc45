"""The fake-quant model runs in onnxruntime and gives what the integers give."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from calibrated import feeds, graph, numbers, quantised
from onnxpress.ascend.simulation.simulator import Simulator
from onnxpress.runtime import Session
from onnxpress_backends.ascend.deploying import deployed
from onnxpress_backends.ascend.fake_quantization import fake_quantised
from quantized_graphs import quantized_graph, whole

CONV = "d = PAIR(x) v = DequantizeLinear<axis = 0>(w, sw, zw) y = Conv(d, v, b)"


def convolution() -> ir.Model:
    scales = np.float32([0.01, 0.02, 0.03, 0.04, 0.05])
    return quantized_graph(CONV, w=whole(5, 4, 3, 3), b=numbers(5), sw=scales, zw=np.zeros(5, "i1"))


def test_names_and_operators_are_amcts() -> None:
    model = fake_quantised(deployed(convolution()))
    chain = [(node.op_type, node.name) for node in model.graph if node.op_type != "Constant"]
    assert chain == [
        ("Mul", "y.quant.fakequant.mul"),
        ("Round", "y.quant.fakequant.round"),
        ("Add", "y.quant.fakequant.add"),
        ("Clip", "y.quant.fakequant.clip"),
        ("Sub", "y.quant.fakequant.sub"),
        ("Conv", "y"),
        ("Mul", "y.fakedequant.mul"),
    ]
    constants = {
        str(node.name): node.attributes["value"].as_tensor().numpy() for node in model.graph if not node.inputs
    }
    assert {name: array.tolist() for name, array in constants.items() if array.size == 1} == {
        "y.quant.fakequant.scale": float(np.float32(1) / np.float32(0.05)),
        "y.quant.fakequant.offset": -7,
        "y.quant.fakequant.min_val": -128,
        "y.quant.fakequant.max_val": 127,
    }
    assert constants["y.fakedequant.dqscale"].shape == (1, 5, 1, 1)


@pytest.mark.parametrize(
    "body, shape, weight, expected",
    [
        ("Gemm(d, v)", "2,4", (4, 3), (1, 1)),
        ("MatMul(d, v)", "2,5,4", (4, 3), (1, 1)),
        ("Conv(d, v)", "2,4,9", (3, 4, 2), (1, 1, 1)),
        ("Conv(d, v)", "1,4,5,5,5", (3, 4, 2, 2, 2), (1, 1, 1, 1, 1)),
        ("AveragePool<kernel_shape = [2,2]>(d)", "1,4,6,6", None, (1, 1)),
    ],
)
def test_deq_scale_broadcasts_to_the_accumulator(body: str, shape: str, weight: Any, expected: tuple[int, ...]) -> None:
    dequantised = "v = DequantizeLinear(w, sw, zw)" if weight else ""
    given = {"w": whole(*weight)} if weight else {}
    deploy = deployed(quantized_graph(f"d = PAIR(x) {dequantised} y = {body}", x=f"float[{shape}] x", **given))
    model = fake_quantised(deploy)
    (scale,) = (node for node in model.graph if str(node.name).endswith("dqscale"))
    assert scale.attributes["value"].as_tensor().numpy().shape == expected
    sample = {"x": numbers(*map(int, shape.split(",")))}
    np.testing.assert_array_equal(
        Session(model, threads=1).run(sample)["y"], Simulator(deploy, "rint").run(sample)["y"]
    )


def test_it_gives_what_the_integers_give_and_nearly_what_the_pairs_give() -> None:
    """To the last bit, for sums below 2**24; from the pairs it differs by the rounding of float32."""
    quantized = quantised(
        graph(
            "a = Conv<pads = [1,1,1,1]>(x, w, b) c = Relu(a) d = Conv(c, v) s = Add(d, x) f = Flatten(s) "
            "y = Gemm<transB = 1>(f, g, h)",
            x="float[2,4,8,8] x",
            y="float[2,5] y",
            w=numbers(6, 4, 3, 3),
            b=numbers(6),
            v=numbers(4, 6, 1, 1),
            g=numbers(5, 256),
            h=numbers(5),
        )
    )
    deploy = deployed(quantized)
    sample = feeds(quantized)
    given = Session(fake_quantised(deploy), threads=1).run(sample)["y"]
    np.testing.assert_array_equal(given, Simulator(deploy, "rint").run(sample)["y"])
    np.testing.assert_allclose(given, Session(quantized, threads=1).run(sample)["y"], rtol=1e-5, atol=1e-4)


def test_it_is_valid_onnx() -> None:
    onnx.checker.check_model(ir.to_proto(fake_quantised(deployed(convolution()))), full_check=True)
