"""Every rule of the targets for Ascend on a small graph: what becomes integers, what stays float, and why."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from calibrated import calibrated, feeds, graph, numbers, ops, quantised
from onnxpress.errors import InvalidModel
from onnxpress.kinds import Context, Pass, Target
from onnxpress.records import Notes
from onnxpress.registry import Registry
from onnxpress.runtime import Session
from onnxpress.testing import apply
from onnxpress_plugins.fusion.gelu_fusion import FUSE_GELU
from onnxpress_plugins.fusion.layer_norm_fusion import FUSE_LAYER_NORM
from onnxpress_plugins.quantization.ascend import ASCEND, ASCEND_NARROW, ASCEND_SYMMETRIC
from onnxpress_plugins.quantization.qdq_insertion import INSERT_QDQ
from onnxpress_plugins.quantization.quantization_plan import plan

SMALLEST = 2.0**-23
IMAGE, OUT = "float[N,32,6,6] x", "float[N,C,H,W] y"
ROWS, SCORES = "float[N,32] x", "float[N,C] y"
STACK, LINE, VOLUME = "float[N,3,32] x", "float[N,32,9] x", "float[N,32,5,5,5] x"


def image(body: str, **constants: Any) -> ir.Model:
    return graph(body, x=IMAGE, y=OUT, opset=19, **constants)


def kernel(*shape: int) -> dict[str, Any]:
    return {"w": numbers(*shape, seed=2) / np.float32(np.sqrt(np.prod(shape[1:]))), "b": numbers(8, seed=3)}


POOL = "y = AveragePool<kernel_shape = [2, 2], strides = [2, 2]>(x)"
INTEGER: dict[str, tuple[ir.Model, Target]] = {
    "Conv": (image("y = Conv(x, w, b)", **kernel(8, 32, 3, 3)), ASCEND),
    "Conv dilated": (image("y = Conv<dilations = [2, 1]>(x, w, b)", **kernel(8, 32, 2, 3)), ASCEND),
    "Conv depthwise": (image("y = Conv<group = 32>(x, w)", w=numbers(32, 1, 3, 3)), ASCEND),
    "Conv narrow": (
        graph("y = Conv(x, w, b)", x="float[N,16,6,6] x", y=OUT, **kernel(8, 16, 3, 3)),
        ASCEND_NARROW,
    ),
    "Conv 1-D": (graph("y = Conv(x, w, b)", x=LINE, y="float[N,C,L] y", **kernel(8, 32, 3)), ASCEND),
    "Conv 3-D": (
        graph("y = Conv<dilations = [1, 2, 2]>(x, w, b)", x=VOLUME, y="float[N,C,D,H,W] y", **kernel(8, 32, 2, 2, 2)),
        ASCEND_SYMMETRIC,
    ),
    "ConvTranspose": (
        image("y = ConvTranspose<strides = [2, 2]>(x, w, b)", w=numbers(32, 8, 3, 3) / 16, b=numbers(8)),
        ASCEND,
    ),
    "ConvTranspose grouped": (
        image("y = ConvTranspose<group = 4>(x, w, b)", w=numbers(32, 2, 3, 3) / 16, b=numbers(8)),
        ASCEND,
    ),
    "Gemm": (graph("y = Gemm(x, w, b)", x=ROWS, y=SCORES, w=numbers(32, 8) / 6, b=numbers(8)), ASCEND),
    "Gemm transposed": (graph("y = Gemm<transB = 1>(x, w, b)", x=ROWS, y=SCORES, **kernel(8, 32)), ASCEND),
    "Gemm of few": (graph("y = Gemm(x, w)", x="float[N,8] x", y=SCORES, w=numbers(8, 4)), ASCEND),
    "MatMul": (graph("y = MatMul(x, w)", x=ROWS, y=SCORES, w=numbers(32, 8) / 6), ASCEND),
    "MatMul with bias": (
        graph("m = MatMul(x, w) y = Add(b, m)", x=STACK, y="float[N,A,C] y", w=numbers(32, 8), b=numbers(8)),
        ASCEND,
    ),
    "AveragePool": (image(POOL), ASCEND),
    "AveragePool padded": (
        image("y = AveragePool<kernel_shape = [3, 3], pads = [1, 1, 1, 1], count_include_pad = 1>(x)"),
        ASCEND,
    ),
}
"""By the operator: a model of it alone, and a target that has it in integers."""


def test_every_rule_has_a_case() -> None:
    assert {name.split()[0] for name in INTEGER} == {rule.op_type for rule in ASCEND.rules}


def test_the_targets_can_be_asked_for_by_name() -> None:
    registry = Registry()
    for target in (ASCEND, ASCEND_NARROW, ASCEND_SYMMETRIC):
        assert registry.get(Target, target.name) is target


@pytest.mark.parametrize("case", INTEGER)
def test_its_data_are_int8_in_front_of_it_and_its_output_stays_float(case: str) -> None:
    made, target = INTEGER[case]
    after, notes = apply(INSERT_QDQ, calibrated(made.clone(), target), target=target.name)
    assert notes.declined == [] and notes.counts == {f"{case.split()[0]} quantised": 1}
    assert ops(after)["QuantizeLinear"] == 1
    zero_point = stored(after, "x_zero_point")
    assert zero_point.dtype == np.int8 and (zero_point == 0 or not target.activation.symmetric)
    producer = after.graph.outputs[0].producer()
    assert producer is not None and producer.op_type in (case.split()[0], "Add")


@pytest.mark.parametrize("case", INTEGER)
def test_onnxruntime_runs_it_with_and_without_optimisation(case: str) -> None:
    made, target = INTEGER[case]
    after = quantised(made.clone(), target)
    expected = Session(made, threads=1).run(feeds(made))["y"]
    for optimize in (False, True):
        found = Session(after, threads=1, optimize=optimize).run(feeds(made))["y"]
        np.testing.assert_allclose(found, expected, atol=0.02 * float(np.ptp(expected)))


@pytest.mark.parametrize("case", [case for case in INTEGER if "w" in INTEGER[case][0].graph.initializers])
def test_its_weight_is_symmetric_and_its_bias_is_on_the_grid_of_the_accumulator(case: str) -> None:
    made, target = INTEGER[case]
    after = quantised(made.clone(), target)
    weight, scale = stored(after, "w_quantized"), stored(after, "w_scale")
    assert weight.dtype == np.int8 and weight.min() >= -127
    assert not stored(after, "w_zero_point").any()
    convolution = case.startswith("Conv")
    assert scale.shape == ((weight.shape[1 if "Transpose" in case else 0],) if convolution else ())
    if "b" in made.graph.initializers:
        assert stored(after, "b_quantized").dtype == np.int32
        grid = stored(after, "x_scale") * scale
        np.testing.assert_array_equal(stored(after, "b_scale"), np.tile(grid, 4) if "grouped" in case else grid)


FEW = "ascend runs layers of fewer than 17 input channels in floating point"
UNIT = "ascend has no integer kernel for that"
FLOAT: dict[str, tuple[ir.Model, Target, str]] = {
    "Conv of few": (graph("y = Conv(x, w)", x="float[N,16,6,6] x", y=OUT, w=numbers(8, 16, 3, 3)), ASCEND, FEW),
    "Conv of few, depthwise": (
        graph("y = Conv<group = 16>(x, w)", x="float[N,16,6,6] x", y=OUT, w=numbers(16, 1, 3, 3)),
        ASCEND,
        FEW,
    ),
    "ConvTranspose of few": (
        graph("y = ConvTranspose<group = 2>(x, w)", x="float[N,16,6,6] x", y=OUT, w=numbers(16, 8, 3, 3)),
        ASCEND,
        FEW,
    ),
    "Conv 3-D": (
        graph("y = Conv(x, w)", x=VOLUME, y="float[N,C,D,H,W] y", w=numbers(8, 32, 2, 2, 2)),
        ASCEND,
        "its weight has 5 dimensions, and ascend takes 3 or 4",
    ),
    "Conv 3-D dilated": (
        graph("y = Conv<dilations = [2, 1, 1]>(x, w)", x=VOLUME, y="float[N,C,D,H,W] y", w=numbers(8, 32, 2, 2, 2)),
        ASCEND_SYMMETRIC,
        "its dilations is (2, 1, 1), and ascend-symmetric has no integer kernel for that",
    ),
    "ConvTranspose dilated": (
        image("y = ConvTranspose<dilations = [2, 2]>(x, w)", w=numbers(32, 8, 2, 2)),
        ASCEND,
        f"its dilations is (2, 2), and {UNIT}",
    ),
    "Gemm scaled": (
        graph("y = Gemm<alpha = 2.0>(x, w)", x=ROWS, y=SCORES, w=numbers(32, 8)),
        ASCEND,
        f"its alpha is 2.0, and {UNIT}",
    ),
    "MatMul of a stack": (
        graph("y = MatMul(x, w)", x="float[2,4,32] x", y="float[A,B,C] y", w=numbers(2, 32, 8)),
        ASCEND,
        "its weight has 3 dimensions, and ascend takes 2",
    ),
    "MatMul of activations": (
        graph("y = MatMul(x, x)", x="float[N,32,32] x", y="float[A,B,C] y"),
        ASCEND,
        "its weight 'x' is not constant",
    ),
    "AveragePool dilated": (
        image("y = AveragePool<kernel_shape = [2, 2], dilations = [2, 2]>(x)"),
        ASCEND,
        f"its dilations is (2, 2), and {UNIT}",
    ),
    "AveragePool global": (
        graph("y = AveragePool<kernel_shape = [6, 6]>(x)", x=IMAGE, y="float[N,32,1,1] y"),
        ASCEND,
        "ascend runs it in floating point where its output is less than 2 wide",
    ),
    "AveragePool 1-D": (
        graph("y = AveragePool<kernel_shape = [2]>(x)", x=LINE, y="float[N,32,8] y"),
        ASCEND,
        "its input has 3 dimensions, and ascend takes 4",
    ),
}


@pytest.mark.parametrize("case", FLOAT)
def test_it_stays_float_with_the_reason(case: str) -> None:
    made, target, reason = FLOAT[case]
    after, notes = apply(INSERT_QDQ, made, target=target.name)
    assert [(item.node, item.op_type, item.reason) for item in notes.declined] == [("y", case.split()[0], reason)]
    assert ops(after) == ops(made)


@pytest.mark.parametrize(("opset", "warns"), [(18, False), (19, True)])
def test_an_opset_that_atc_may_not_read_is_told(opset: int, warns: bool) -> None:
    made = graph("y = Gemm(x, w)", x=ROWS, y=SCORES, opset=opset, w=numbers(32, 8))
    _, notes = apply(INSERT_QDQ, calibrated(made, ASCEND), target="ascend")
    sentence = "the model is of opset 19, and what reads models for ascend may know operators up to opset 18 alone; "
    assert notes.warnings == ([f"{sentence}export it at 18 or lower"] if warns else [])


def test_nothing_but_the_input_of_a_layer_is_rounded() -> None:
    body = "c = Conv(x, w) r = Relu(c) s = Add(r, x) d = Conv(r, w) y = Add(s, d)"
    after = quantised(image(body, w=numbers(32, 32, 1, 1) / 6), ASCEND)
    rounded = [str(node.inputs[0].name) for node in after.graph if node.op_type == "QuantizeLinear" and node.inputs[0]]
    assert rounded == ["x", "r"]
    add = next(node for node in after.graph if node.name == "s")
    assert [value.name for value in add.inputs if value is not None] == ["r", "x"]


def test_tensors_around_a_concat_of_aligned_channels_share_a_scale() -> None:
    body = "a = Conv(x, w) b = Conv(x, v) c = Concat<axis = 1>(a, b) d = Conv(a, w) e = Conv(c, u) y = Add(d, e)"
    constants = {"w": numbers(32, 32, 1, 1), "v": numbers(32, 32, 1, 1, seed=3) * 9, "u": numbers(32, 64, 1, 1)}
    decided = plan(image(body, **constants), ASCEND)
    assert [[value.name for value in group.values] for group in decided.groups] == [["x"], ["a", "c"]]
    odd = {**constants, "v": numbers(31, 32, 1, 1), "u": numbers(32, 63, 1, 1)}
    decided = plan(image(body, **odd), ASCEND)
    assert [[value.name for value in group.values] for group in decided.groups] == [["x"], ["a"], ["c"]]


@pytest.mark.parametrize("magnitude", [0.0, 1e-30, 1e-9])
@pytest.mark.parametrize("bias", [0.0, 3.0])
def test_a_channel_of_next_to_nothing_has_a_scale_that_can_be_said(magnitude: float, bias: float) -> None:
    weight = numbers(8, 32, 1, 1) / 6
    weight[2] *= np.float32(magnitude)
    made = image("y = Conv(x, w, b)", w=weight, b=np.full(8, bias, np.float32))
    after, notes = apply(INSERT_QDQ, calibrated(made.clone(), ASCEND), target="ascend")
    assert float(stored(after, "w_scale").min()) >= SMALLEST
    assert ("weight channels with the smallest scale there is" in notes.counts) == (magnitude > 0)
    found = Session(after, threads=1).run(feeds(made))["y"][:, 2]
    np.testing.assert_allclose(found, bias, atol=1e-5)


@pytest.mark.parametrize("offer", [FUSE_GELU, FUSE_LAYER_NORM], ids=lambda offer: offer.name)
def test_operators_that_atc_does_not_read_are_not_made(offer: Pass) -> None:
    body = """m = ReduceMean<axes = [-1]>(x) d = Sub(x, m) q = Mul(d, d) v = ReduceMean<axes = [-1]>(q) e = Add(v, tiny)
        r = Sqrt(e) n = Div(d, r) s = Mul(n, root) f = Erf(s) o = Add(f, one) p = Mul(n, o) y = Mul(p, half)"""
    constants = {"tiny": 1e-5, "root": np.sqrt(0.5), "one": 1.0, "half": 0.5}
    made = graph(body, x=ROWS, y="float[N,32] y", **{name: np.float32(value) for name, value in constants.items()})
    for target, number in (("ascend", 0), ("onnxruntime-cpu", 1)):
        notes = Notes()
        after = offer.build(Context(catalog=Registry(), target=target, notes=notes))(made.clone()).model
        assert sum(ops(after)[op] for op in ASCEND.avoided) == number
        assert len(notes.declined) == 1 - number


def test_a_bias_that_would_overflow_raises_the_scale_of_its_channel() -> None:
    weight = numbers(8, 32, 1, 1) / 6
    weight[1] *= np.float32(1e-5)
    made = image("y = Conv(x, w, b)", w=weight, b=np.array([0, 1e4, *[0] * 6], np.float32))
    after, notes = apply(INSERT_QDQ, calibrated(made, ASCEND), target="ascend")
    assert notes.details["raised weight scales"] == {"y": 1}
    assert 2**29 < abs(int(stored(after, "b_quantized")[1])) <= 2**30 + 64


@pytest.mark.parametrize("target", [ASCEND, ASCEND_SYMMETRIC], ids=lambda target: target.name)
def test_a_tensor_of_next_to_nothing_has_a_step_whose_reciprocal_can_be_said(target: Target) -> None:
    made = image("s = Mul(x, k) y = Conv(s, w)", k=np.array(1e-20, np.float32), w=numbers(8, 32, 1, 1))
    assert stored(quantised(made, target), "s_scale") == np.float32(SMALLEST)


def test_weights_that_are_not_finite_are_refused_by_name() -> None:
    made = calibrated(image("y = Conv(x, w)", w=numbers(8, 32, 1, 1)), ASCEND)
    made.graph.initializers["w"].const_value = ir.tensor(np.full((8, 32, 1, 1), np.nan, np.float32), name="w")
    with pytest.raises(InvalidModel, match="constant 'w' holds NaN or infinity and cannot be quantised"):
        apply(INSERT_QDQ, made, target="ascend")


def test_layers_share_a_weight_and_its_bias_each_on_its_own_grid() -> None:
    body = "c = Conv(x, w, b) y = Conv(c, w, b)"
    after = quantised(image(body, w=numbers(32, 32, 1, 1), b=numbers(32)), ASCEND)
    assert sum(name.startswith("w_quantized") for name in after.graph.initializers) == 1
    assert sum(name.startswith("b_quantized") for name in after.graph.initializers) == 2


def stored(made: ir.Model, name: str) -> np.ndarray[Any, Any]:
    tensor = made.graph.initializers[name].const_value
    assert tensor is not None
    return tensor.numpy()
