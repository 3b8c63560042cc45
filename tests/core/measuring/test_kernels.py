from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from onnxpress.measuring.float_reasons import reason
from onnxpress.measuring.kernels import Kernel, kernels
from onnxpress.testing import model

RNG = np.random.default_rng(0)
FEEDS = {"x": RNG.normal(size=(2, 8, 6, 6)).astype(np.float32)}
SCALES = "float s = {0.05}, uint8 z = {128}, uint8 zero = {0}, float ws = {0.01}, int8 wz = {0}"
QUANTIZE_X = "xq = QuantizeLinear(x, s, z) xd = DequantizeLinear(xq, s, z) wd = DequantizeLinear(w, ws, wz)"


def quantized(body: str, *, output: str = "float[N,8,6,6] y", weight: np.ndarray | None = None) -> ir.Model:
    """A model of which `body` computes y from xd and wd."""
    weight = RNG.integers(-100, 100, (8, 8, 3, 3)).astype(np.int8) if weight is None else weight
    shape = ",".join(map(str, weight.shape))
    declared = f"int8[{shape}] w" if weight.dtype == np.int8 else f"float[{shape}] w"
    text = f"g (float[N,8,6,6] x, {declared}) => ({output}) <{SCALES}> {{ {QUANTIZE_X} {body} }}"
    return model(text, w=weight)


def floats(found: list[Kernel]) -> dict[str, str]:
    return {kernel.node.op_type: kernel.reason for kernel in found if kernel.category == "float"}


def test_a_fused_convolution_is_integer_and_its_work_is_counted() -> None:
    end = "q = QuantizeLinear(r, s, zero) y = DequantizeLinear(q, s, zero)"
    found = kernels(quantized(f"c = Conv<pads=[1,1,1,1]>(xd, wd) r = Relu(c) {end}"), FEEDS, runs=2)
    by_type = {kernel.node.op_type: kernel for kernel in found}
    assert by_type["QLinearConv"].category == "integer"
    assert by_type["QLinearConv"].macs == 2 * 8 * 36 * 72
    assert by_type["QLinearConv"].milliseconds > 0
    assert not by_type["QLinearConv"].depthwise
    assert by_type["QuantizeLinear"].category == by_type["DequantizeLinear"].category == "convert"
    assert floats(found) == {}


def test_movement_of_integers_is_integer() -> None:
    text = (
        "p = MaxPool<kernel_shape=[3,3], pads=[1,1,1,1]>(xd) q = QuantizeLinear(p, s, z) y = DequantizeLinear(q, s, z)"
    )
    found = kernels(quantized(text), FEEDS, runs=1)
    assert {kernel.category for kernel in found if "Pool" in kernel.node.op_type} == {"integer"}


def test_a_float_model_is_float() -> None:
    weight = RNG.normal(size=(8, 1, 3, 3)).astype(np.float32)
    found = kernels(
        model(
            "g (float[N,8,6,6] x, float[8,1,3,3] w) => (float[N,8,6,6] y) { y = Conv<group=8, pads=[1,1,1,1]>(x, w) }",
            w=weight,
        ),
        FEEDS,
        runs=1,
    )
    (conv,) = (kernel for kernel in found if kernel.macs)
    assert (conv.category, conv.depthwise) == ("float", True)


END = "q = QuantizeLinear(c, s, z) y = DequantizeLinear(q, s, z)"


@pytest.mark.parametrize(
    ("body", "op_type", "sentence"),
    [
        ("y = Conv<pads=[1,1,1,1]>(xd, wd)", "Conv", "no QuantizeLinear behind it, but an output of the model"),
        (
            f"d = Conv<pads=[1,1,1,1]>(xd, wd) c = LeakyRelu(d) {END}",
            "FusedConv",
            "onnxruntime does not fuse LeakyRelu into an int8 Conv",
        ),
        (f"c = Conv<pads=[1,1,1,1]>(x, wd) {END}", "Conv", "its input is not quantised"),
        (
            f"c = ConvTranspose<pads=[1,1,1,1]>(xd, wd) {END}",
            "ConvTranspose",
            "onnxruntime has no int8 kernel for ConvTranspose",
        ),
        (f"c = Add(xd, x) {END}", "Add", "one of its inputs is not quantised"),
        (
            f"c = Relu(xd) {END}",
            "Relu",
            "a Relu is integer only as part of the operator before it: quantise once, behind it",
        ),
        (
            "c = Conv<pads=[1,1,1,1]>(xd, wd) e = Erf(c) q = QuantizeLinear(e, s, z) y = DequantizeLinear(q, s, z)",
            "Conv",
            "no QuantizeLinear behind it, but Erf",
        ),
    ],
)
def test_float_nodes_have_a_reason(body: str, op_type: str, sentence: str) -> None:
    assert floats(kernels(quantized(body), FEEDS, runs=1)).get(op_type) == sentence


@pytest.mark.parametrize("op_type", ["Gelu", "BiasGelu", "FastGelu"])
def test_gelu_has_its_reason_in_every_form_onnxruntime_gives_it(op_type: str) -> None:
    node = ir.Node("com.microsoft", op_type, [ir.Value(name="x"), ir.Value(name="b")])
    assert reason(node) == "onnxruntime has no int8 kernel for Gelu"


def test_a_float_weight_is_the_reason() -> None:
    weight = RNG.normal(size=(8, 8, 3, 3)).astype(np.float32)
    text = (
        f"g (float[N,8,6,6] x, float[8,8,3,3] w) => (float[N,8,6,6] y) <{SCALES}> "
        f"{{ xq = QuantizeLinear(x, s, z) xd = DequantizeLinear(xq, s, z) y = Conv<pads=[1,1,1,1]>(xd, w) }}"
    )
    assert floats(kernels(model(text, w=weight), FEEDS, runs=1)) == {"Conv": "its weight is not quantised"}


@pytest.mark.parametrize("channels", [8, 512])
def test_a_wrong_bias_scale_is_the_reason(channels: int) -> None:
    body = f"bd = DequantizeLinear<axis=0>(b, bs, bz) c = Conv<pads=[1,1,1,1]>(xd, wd, bd) {END}"
    text = (
        f"g (float[N,8,6,6] x, int8[{channels},8,3,3] w, int32[{channels}] b, float[{channels}] bs, "
        f"int32[{channels}] bz) => (float[N,{channels},6,6] y) <{SCALES}> {{ {QUANTIZE_X} {body} }}"
    )
    per_channel = {
        "w": RNG.integers(-100, 100, (channels, 8, 3, 3)).astype(np.int8),
        "b": np.arange(channels, dtype=np.int32),
        "bs": np.full(channels, 0.001, np.float32),
        "bz": np.zeros(channels, np.int32),
    }
    found = floats(kernels(model(text, **per_channel), FEEDS, runs=1))
    assert found == {"Conv": "the scale of its bias is not the product of the scales of input and weight"}
