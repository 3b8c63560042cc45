"""Every kind of layer as GE recognises it, and what TensorFlow makes of it, to the last bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest

from clean_tensorflow import CleanTensorflow
from onnxpress.ascend.simulation.simulator import Simulator
from onnxpress_backends.ascend.deploying import deployed
from onnxpress_backends.ascend.frozen_graphs.writing import ASCEND_PB
from onnxpress_backends.tensorflow.graphs.protos import protos
from quantised_models import quantised

CONV = {
    "plain": ("5,9,9", "6,5,3,3", "pads=[1,1,1,1]", "Conv2D"),
    "odd border": ("5,9,9", "6,5,3,3", "pads=[1,0,2,1], strides=[2,2]", "Pad Conv2D"),
    "dilated": ("5,9,9", "6,5,3,3", "pads=[2,2,2,2], dilations=[2,2]", "Conv2D"),
    "two channels out": ("5,9,9", "2,5,3,3", 'auto_pad="VALID"', "Conv2D"),
    "groups": ("8,9,9", "6,4,3,3", "pads=[1,1,1,1], group=2", "Split Conv2D Conv2D ConcatV2"),
    "depthwise": ("8,9,9", "8,1,3,3", "pads=[1,1,1,1], group=8", "DepthwiseConv2dNative"),
    "depthwise, more out": ("8,9,9", "16,1,3,3", "strides=[2,2], group=8", "DepthwiseConv2dNative"),
    "depthwise, odd border": ("8,9,9", "8,1,3,3", "pads=[0,1,1,1], group=8", "Pad DepthwiseConv2dNative"),
    "depthwise, two strides": ("8,9,9", "8,1,3,3", "pads=[1,1,1,1], strides=[2,1], group=8", "DepthwiseConv2dNative"),
    "depthwise, dilated": ("8,9,9", "8,1,3,3", "strides=[2,1], dilations=[2,2], group=8", "DepthwiseConv2dNative"),
    "one axis": ("5,9", "6,5,3", "pads=[2,1], strides=[2]", "Conv2D"),
    "one axis, groups": ("6,9", "6,3,3", "pads=[2,1], group=2", "Split Conv2D Conv2D ConcatV2"),
    "one axis, depthwise": ("6,9", "6,1,3", "pads=[2,1], group=6", "DepthwiseConv2dNative"),
    "three axes": ("5,5,6,7", "6,5,3,3,3", "pads=[1,1,1,1,1,1]", "Conv3D"),
    "three axes, odd border": ("5,5,6,7", "6,5,3,3,3", "pads=[1,0,1,1,1,1], strides=[1,2,2]", "Conv3D"),
    "three axes, groups": ("6,5,6,7", "4,3,3,3,3", "pads=[1,1,1,1,1,1], group=2", "Conv3D"),
    "three axes, depthwise": ("3,5,6,7", "3,1,3,3,3", "group=3", "Conv3D"),
    "three axes, dilated": ("5,5,6,7", "6,5,3,3,3", "pads=[1,2,2,1,2,2], dilations=[1,2,2]", "Conv3D"),
}
TRANSPOSED = {
    "valid": ("5,9,9", "5,6,3,3", "strides=[2,2]", "Conv2DBackpropInput"),
    "same": ("5,9,9", "5,6,3,3", "strides=[2,2], pads=[0,0,1,1]", "Conv2DBackpropInput"),
    "cut": ("5,9,9", "5,6,4,4", "strides=[2,2], pads=[2,1,2,1], output_padding=[1,1]", "Conv2DBackpropInput"),
    "one axis": ("5,9", "5,6,4", "strides=[2], pads=[1,2]", "Conv2DBackpropInput"),
    "groups": ("4,5,5", "4,3,3,3", "strides=[2,1], group=2", "Conv2DBackpropInput"),
    "depthwise": ("6,5,5", "6,1,4,4", "strides=[2,2], pads=[1,1,1,1], group=6", "Conv2DBackpropInput"),
}
POOLS = {
    "valid": "kernel_shape=[2,3], strides=[2,2]",
    "same": "kernel_shape=[3,3], pads=[1,1,1,1]",
    "border counted": "kernel_shape=[3,3], pads=[1,1,1,1], strides=[2,2], count_include_pad=1",
}
PRODUCTS = {
    "gemm": ("2,5", "[fc] y = Gemm(x, w, b)", "5,6", "MatMul"),
    "gemm, turned": ("2,5", "[fc] y = Gemm<transB=1>(x, w, b)", "6,5", "MatMul"),
    "matmul": ("2,5", "[fc] m = MatMul(x, w) [a] y = Add(b, m)", "5,6", "MatMul"),
    "rows": ("2,3,5", "[fc] m = MatMul(x, w) [a] y = Add(m, b)", "5,6", "MatMul"),
    "matrices": ("2,3,4,5", "[fc] m = MatMul(x, w) [a] y = Add(m, b)", "5,6", "MatMul"),
    "stack": ("2,3,5", "[fc] m = MatMul(x, w) [a] y = Add(m, b)", "2,5,6", "BatchMatMulV2"),
}


class Check:
    """A model against the simulator, in a TensorFlow process of its own."""

    def __init__(self, tensorflow: CleanTensorflow, folder: Path) -> None:
        self._tensorflow, self._path = tensorflow, folder / "m_quantized.pb"

    def __call__(self, model: ir.Model, *, nhwc: bool = False) -> list[str]:
        """Assert equal bits; the operators of the integer layers' graph, constants aside."""
        ASCEND_PB.emit(model, self._path, nhwc=nhwc)
        (port,) = model.graph.inputs
        x = (np.random.default_rng(3).normal(size=port.shape.numpy()) * 2).astype(np.float32)
        turn = nhwc and x.ndim in (4, 5)
        outputs = [value.name for value in model.graph.outputs]
        given = self._tensorflow.run(self._path, {"x": np.moveaxis(x, 1, -1) if turn else x}, outputs)
        for name, expected in Simulator(deployed(model), "tf").run({"x": x}).items():
            turned = np.moveaxis(given[name], -1, 1) if nhwc and expected.ndim in (4, 5) else given[name]
            np.testing.assert_array_equal(turned, expected, err_msg=name)
            assert turned.dtype == expected.dtype
        graph_def = protos().graph.GraphDef.FromString(self._path.read_bytes())
        return [node.op for node in graph_def.node if node.op not in ("Cast", "Const", "Placeholder")]


@pytest.fixture
def check(clean_tensorflow: CleanTensorflow, tmp_path: Path) -> Check:
    return Check(clean_tensorflow, tmp_path)


def ranked(shape: str) -> str:
    """An output ``y`` of as many axes as `shape` has."""
    return f"float[{','.join('?' * len(shape.split(',')))}] y"


def between(ops: list[str]) -> str:
    """What stands between AscendQuant and AscendDequant, weights and biases aside."""
    inside = ops[ops.index("AscendQuant") + 1 : ops.index("AscendDequant")]
    return " ".join(op for op in inside if op not in ("AscendWeightQuant", "BiasAdd", "Add"))


@pytest.mark.parametrize("nhwc", [False, True], ids=["nchw", "nhwc"])
@pytest.mark.parametrize("case", CONV)
def test_conv(check: Check, case: str, nhwc: bool) -> None:
    shape, weight, attributes, inside = CONV[case]
    text = f"g (float[2,{shape}] x, float[{weight}] w, float[{weight.split(',')[0]}] b) => ({ranked(f'2,{shape}')})"
    ops = check(quantised(f"{text} {{ [c] y = Conv<{attributes}>(x, w, b) }}"), nhwc=nhwc)
    assert between(ops) == inside
    assert ops.count("BiasAdd") == ops.count("AscendWeightQuant") == max(1, ops.count("Conv2D"))
    assert ops.count("Transpose") == (2 if not nhwc or shape.count(",") == 1 else 0)


@pytest.mark.parametrize("case", TRANSPOSED)
def test_conv_transpose(check: Check, case: str) -> None:
    shape, weight, attributes, inside = TRANSPOSED[case]
    text = f"g (float[2,{shape}] x, float[{weight}] w, float[6] b) => ({ranked(f'2,{shape}')})"
    assert between(check(quantised(f"{text} {{ [c] y = ConvTranspose<{attributes}>(x, w, b) }}"), nhwc=True)) == inside


@pytest.mark.parametrize("case", POOLS)
def test_average_pool(check: Check, case: str) -> None:
    model = quantised(f"g (float[2,5,9,9] x) => (float[?,?,?,?] y) {{ [p] y = AveragePool<{POOLS[case]}>(x) }}")
    assert between(check(model, nhwc=True)) == "AvgPool"


@pytest.mark.parametrize("case", PRODUCTS)
def test_products_of_matrices(check: Check, case: str) -> None:
    shape, body, weight, op = PRODUCTS[case]
    ops = check(quantised(f"g (float[{shape}] x, float[{weight}] w, float[6] b) => ({ranked(shape)}) {{ {body} }}"))
    assert between(ops) == op
    assert ("Add" in ops) == (op == "BatchMatMulV2") != ("BiasAdd" in ops)


def test_a_layer_without_a_bias_has_none(check: Check) -> None:
    """Grappler would draw the product by deq_scale into the weights."""
    ops = check(
        quantised("g (float[2,5,9,9] x, float[6,5,3,3] w) => (float[2,6,7,7] y) { [c] y = Conv(x, w) }"), nhwc=True
    )
    assert ops == ["AscendQuant", "AscendWeightQuant", "Conv2D", "AscendDequant"]


def test_one_scale_for_all_channels(check: Check) -> None:
    text = "g (float[2,5,9,9] x, float[6,5,3,3] w, float[6] b) => (float[2,6,7,7] y) { [c] y = Conv(x, w, b) }"
    check(quantised(text, per_channel=False))


def test_a_network(check: Check) -> None:
    """Layers that share their data, a sum of two, integers straight from layer to layer, and a flattened image."""
    model = quantised(
        """
        g (float[2,4,8,8] x, float[8,4,3,3] w, float[8] b, float[8,4,1,1] v, float[8,8,3,3] u, float[128,10] f,
           float[10] fb) => (float[2,8,8,8] s, float[2,10] y) {
          [left] l = Conv<pads=[1,1,1,1]>(x, w, b)
          [right] r = Conv(x, v)
          s = Add(l, r)
          t = Relu(s)
          [next] n = Conv<pads=[1,1,1,1]>(t, u)
          [again] a = Conv<pads=[0,0,1,1], strides=[2,2]>(n, u, b)
          p = Flatten(a)
          [fc] y = Gemm(p, f, fb)
        }
        """
    )
    ops = check(model, nhwc=True)
    assert ops.count("AscendQuant") == 4 and "Transpose" not in ops
    assert check(model).count("Transpose") == 2


def test_a_pair_around_no_layer_is_anti_quant(check: Check, write) -> None:  # type: ignore[no-untyped-def]
    text = "g (float[2,5,9,9] x, float[6,5,3,3] w, float[6] b) => (float[2,6,7,7] y, float[2,5,9,9] z)"
    model = quantised(f"{text} {{ [c] y = Conv(x, w, b) z = Relu(x) }}")
    relu = next(node for node in model.graph if node.op_type == "Relu")
    relu.replace_input_with(0, next(node.outputs[0] for node in model.graph if node.op_type == "DequantizeLinear"))
    check(model)
    (anti,) = (node for node in write(model).node if node.op == "AscendAntiQuant")
    assert anti.attr["offset"].f == 7.0, "the zero point is -7, and GE adds the offset"


def test_zero_is_the_offset_in_a_pad_among_integers(check: Check) -> None:
    text = "g (float[2,5,9,9] x, float[6,5,3,3] w, float[6] b) => (float[2,6,9,9] y) <int64[8] p = {0,0,1,2,0,0,1,0}>"
    model = quantised(f"{text} {{ q = Pad(x, p) [c] y = Conv(q, w, b) }}")
    pad, quantize, dequantize, conv = (
        next(node for node in model.graph if node.op_type == op)
        for op in ("Pad", "QuantizeLinear", "DequantizeLinear", "Conv")
    )
    quantize.replace_input_with(0, pad.inputs[0])
    pad.replace_input_with(0, dequantize.outputs[0])
    conv.replace_input_with(0, pad.outputs[0])
    model.graph.remove(pad)
    model.graph.insert_after(dequantize, pad)
    for node in (quantize, dequantize, pad):
        node.outputs[0].shape = None
    assert between(check(model, nhwc=True)) == "Pad Conv2D"
    assert between(check(model)) == "Conv2D", "the border goes with the Transpose, in front of AscendQuant"
