from __future__ import annotations

import numpy as np
import onnx_ir as ir

from deploy_models import convolution, deploy, every_operator, integers, words
from onnxpress.ascend.checking import check
from onnxpress.ascend.layers import layers


def test_a_layer_is_read_whole():
    (layer,) = layers(convolution())
    assert (layer.quant.name, layer.cube.name, layer.dequant.name) == ("q", "c", "d")
    assert (layer.scale, layer.offset, layer.output_channels) == (50, -3, 4)
    assert np.array_equal(layer.deq_scale, np.array([1e-3, 2e-3, 3e-3, 4e-3], np.float32))
    assert layer.weight.name == "w" and layer.bias.name == "b" and layer.add is None and not layer.carriers


def test_every_operator_is_found():
    check(model := every_operator())
    found = {layer.cube.op_type: layer for layer in layers(model)}
    assert list(found) == ["Conv", "AveragePool", "ConvTranspose", "MatMul", "Gemm"]
    assert [node.name for node in found["AveragePool"].carriers] == ["p"]
    assert (found["AveragePool"].weight, found["AveragePool"].output_channels) == (None, 1)
    assert [(layer.input_channels, layer.output_channels) for layer in found.values()] == [
        (3, 4),
        (4, 1),
        (4, 4),
        (400, 6),
        (6, 5),
    ]
    assert (found["MatMul"].add.name, found["MatMul"].bias.name, found["MatMul"].dequant.name) == ("mb", "bm", "dm")


def test_roots_and_transposed_weights():
    model = deploy(
        """a (float[1,4] x, int8[3,4] w, int8[1] o, uint64[3] s) => (float[1,3] y) {
            q = AscendQuant<scale = 3.0, offset = 5.0, sqrt_mode = 1>(x)
            v = AscendWeightQuant(w, o)
            g = Gemm<transB = 1>(q, v)
            y = AscendDequant<sqrt_mode = 1>(g, s)
        }""",
        w=integers(3, 4),
        o=np.zeros(1, np.int8),
        s=words(0.5, 0.25, 0.125),
    )
    check(model)
    (layer,) = layers(model)
    assert (layer.scale, layer.output_channels, layer.weight.name, layer.bias) == (9, 3, "w", None)
    assert layer.input_channels == 4
    assert layer.deq_scale.tolist() == [0.25, 0.0625, 0.015625]
    assert layer.weight.dtype == ir.DataType.INT8
