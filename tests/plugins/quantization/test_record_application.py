"""apply-record: changes it, leaves it alone, declines, refuses in subgraphs, equivalence; the numbers of the record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibrated import feeds, graph, numbers, ops
from onnxpress.ascend.record_files import LayerRecord, save
from onnxpress.errors import InvalidData, InvalidOption
from onnxpress.quantize import quantize
from onnxpress.records import Notes
from onnxpress.testing import apply, assert_equivalent, model
from onnxpress_plugins.quantization.record_application import APPLY_RECORD

PADDED = "pads = [1, 1, 1, 1]"
NORM = {"g": numbers(4, seed=5), "be": numbers(4, seed=6), "mu": numbers(4, seed=7), "va": np.full(4, 0.5, np.float32)}
WEIGHTS = {"w": numbers(4, 4, 3, 3, seed=2) / 8, "b": numbers(4, seed=3)}
STEP = float(np.float32(0.03))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "my.record"


def layer(scale_d: float = STEP, offset_d: int = 0, scale_w: Any = (0.01,), **options: Any) -> LayerRecord:
    scales = tuple(float(np.float32(scale)) for scale in scale_w)
    return LayerRecord(scale_d=scale_d, offset_d=offset_d, scale_w=scales, **options)


def applied(before: ir.Model, path: Path, **records: LayerRecord) -> tuple[ir.Model, Notes]:
    save({key.replace("__", ":"): record for key, record in records.items()}, path)
    return apply(APPLY_RECORD, before, record=path, target="ascend")


def stored(made: ir.Model, name: str) -> np.ndarray[Any, Any]:
    tensor = made.graph.initializers[name].const_value
    assert tensor is not None
    return tensor.numpy()


def pair_in_front(made: ir.Model, name: str, index: int = 0) -> tuple[float, int]:
    """Scale and zero point of the DequantizeLinear that makes input `index` of node `name`."""
    node = next(node for node in made.graph if node.name == name)
    value = node.inputs[index]
    maker = value.producer() if value is not None else None
    assert maker is not None and maker.op_type == "DequantizeLinear", f"{name!r} reads {value}"
    scale, zero_point = (value.const_value.numpy() for value in maker.inputs[1:3])  # type: ignore[union-attr]
    return float(scale), int(zero_point)


def convolution() -> ir.Model:
    return graph(f"c = Conv<{PADDED}>(x, w, b) y = Relu(c)", **WEIGHTS)


def test_a_layer_gets_exactly_the_scales_of_its_entry(path: Path) -> None:
    scales = np.array([0.01, 0.02, 0.013, 0.011], np.float32)
    after, notes = applied(convolution(), path, c=layer(offset_d=-7, scale_w=scales))
    assert pair_in_front(after, "c") == (STEP, -7)
    np.testing.assert_array_equal(stored(after, "w_scale"), scales)
    zeros = np.zeros(4, np.int8)
    np.testing.assert_array_equal(
        stored(after, "w_quantized"), quantize(WEIGHTS["w"], scales, zeros, dtype="int8", axis=0)
    )
    deq_scale = np.float32(STEP) * scales
    np.testing.assert_array_equal(stored(after, "b_scale"), deq_scale)
    np.testing.assert_array_equal(stored(after, "b_quantized"), np.rint(WEIGHTS["b"] / deq_scale.astype(np.float64)))
    assert stored(after, "b_quantized").dtype == np.int32
    assert notes.counts == {"Conv quantised": 1}
    assert not notes.declined and not notes.warnings


def test_what_has_no_entry_stays_float_and_the_reason_is_noted(path: Path) -> None:
    before = graph("c = Conv(x, v) d = Conv(x, v) y = Add(c, d)", v=numbers(4, 4, 1, 1))
    after, notes = applied(before, path, c=layer())
    assert [(declined.node, declined.reason) for declined in notes.declined] == [
        ("d", "my.record has no scales for it")
    ]
    inputs = {node.name: [value.name for value in node.inputs if value is not None] for node in after.graph}
    assert inputs["d"] == ["x", "v"], "float users keep the exact tensor and weight"
    assert inputs["c"] == ["x_DequantizeLinear", "v_DequantizeLinear"]


def test_a_record_that_only_says_whether_to_fold_leaves_a_model_alone(path: Path) -> None:
    before = convolution()
    after, _ = applied(before, path, c=LayerRecord(skip_fusion=True))
    assert ops(after) == ops(before)


def test_fine_scales_change_the_outputs_by_no_more_than_their_steps(path: Path) -> None:
    before = convolution()
    given = feeds(before)
    step = float(np.float32(np.abs(given["x"]).max() / 127))
    scales = np.abs(WEIGHTS["w"]).reshape(4, -1).max(axis=1) / 127
    after, _ = applied(before, path, c=layer(step, scale_w=scales))
    taps = 4 * 9
    bound = taps * (step / 2 * np.abs(WEIGHTS["w"]).max() + float(scales.max()) / 2 * np.abs(given["x"]).max())
    assert_equivalent(before, after, given, rtol=0, atol=bound)
    with pytest.raises(AssertionError):
        assert_equivalent(before, after, given, rtol=0, atol=1e-6)


def test_layers_that_agree_share_a_pair_and_others_have_their_own(path: Path) -> None:
    weights = {"v": numbers(4, 4, 1, 1)}
    before = graph("c = Conv(x, v) d = Conv(x, v) e = Conv(x, v) s = Add(c, d) y = Add(s, e)", **weights)
    after, _ = applied(before, path, c=layer(), d=layer(), e=layer(2 * STEP, 5))
    assert ops(after)["QuantizeLinear"] == 2
    assert [pair_in_front(after, name) for name in "cde"] == [(STEP, 0), (STEP, 0), (2 * STEP, 5)]
    assert [name for name in after.graph.initializers if name.startswith("v")] == [
        "v_quantized",
        "v_scale",
        "v_zero_point",
    ]


def test_a_shared_weight_with_other_numbers_is_stored_again(path: Path) -> None:
    weight = numbers(4, 4, 1, 1) / 2
    before = graph("c = Conv(x, v) d = Conv(x, v) e = Conv(x, v) s = Add(c, d) y = Add(s, e)", v=weight)
    doubled = layer(balance=(1.0, 2.0, 1.0, 1.0))
    after, _ = applied(before, path, c=layer(), d=layer(scale_w=[0.02]), e=doubled)
    factors = np.array([1, 2, 1, 1], np.float32).reshape(1, 4, 1, 1)
    expected = {"": (weight, 0.01), "_1": (weight, 0.02), "_2": (weight * factors, 0.01)}
    for suffix, (floats, scale) in expected.items():
        integers = quantize(floats, np.float32(scale), np.int8(0), dtype="int8")
        np.testing.assert_array_equal(stored(after, f"v_quantized{suffix}"), integers)
        assert stored(after, f"v_scale{suffix}") == np.float32(scale)


def test_entries_of_single_inputs(path: Path) -> None:
    before = graph("c = Relu(x) s = Add(c, x) y = MaxPool<kernel_shape = [2, 2]>(s)")
    after, notes = applied(before, path, s__1=layer(scale_w=()), y__0=layer(2 * STEP, -3, scale_w=()))
    assert pair_in_front(after, "s", 1) == (STEP, 0)
    assert pair_in_front(after, "y") == (2 * STEP, -3)
    assert after.graph.node("s").inputs[0] is after.graph.node("c").outputs[0]
    assert notes.counts == {"other inputs quantised": 2}


def test_names_with_colons_are_names_first(path: Path) -> None:
    before = graph("c = Relu(x) y = Conv(c, v)", v=numbers(4, 4, 1, 1))
    before.graph.node("y").name = "y:0"
    save({"y:0": layer()}, path)
    after, _ = apply(APPLY_RECORD, before, record=path, target="ascend")
    assert pair_in_front(after, "y:0") == (STEP, 0)
    assert ops(after)["DequantizeLinear"] == 2


OPERATORS = {
    "Conv": (f"y = Conv<{PADDED}, group = 2>(x, w, b)", {"w": (6, 2, 3, 3), "b": (6,)}, 6, 0),
    "ConvTranspose": ("y = ConvTranspose<strides = [2, 2]>(x, w, b)", {"w": (4, 3, 2, 2), "b": (3,)}, 3, 1),
    "Gemm": ("f = Flatten(x) y = Gemm(f, w, b)", {"w": (256, 3), "b": (3,)}, 3, 1),
    "Gemm, transB": ("f = Flatten(x) y = Gemm<transB = 1>(f, w, b)", {"w": (3, 256), "b": (3,)}, 3, 0),
    "MatMul": ("y = MatMul(x, w)", {"w": (8, 3)}, 3, 1),
    "MatMul and Add": ("y = MatMul(x, w) z = Add(b, y)", {"w": (8, 3), "b": (3,)}, 3, 1),
}


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("case", OPERATORS)
def test_every_operator_with_one_scale_or_one_for_each_output_channel(path: Path, case: str, per_channel: bool) -> None:
    body, shapes, channels, axis = OPERATORS[case]
    weights = {name: numbers(*shape, seed=4) / 9 for name, shape in shapes.items()}
    before = graph(body, y="z" if "z =" in body else "y", **weights)
    scales = np.linspace(0.005, 0.01, channels if per_channel else 1).astype(np.float32)
    after, _ = applied(before, path, y=layer(0.05, 4, scales))
    zero, along = (np.zeros(channels, np.int8), axis) if per_channel else (np.int8(0), None)
    expected = quantize(weights["w"], scales if per_channel else scales[0], zero, dtype="int8", axis=along)
    np.testing.assert_array_equal(stored(after, "w_quantized"), expected)
    if "b" in weights:
        deq_scale = np.float32(0.05) * scales
        np.testing.assert_array_equal(
            stored(after, "b_quantized"), np.rint(weights["b"] / deq_scale.astype(np.float64))
        )
    names = [output.name for output in before.graph.outputs]
    assert [output.name for output in after.graph.outputs] == names
    given = feeds(before)
    assert_equivalent(before, after, given, rtol=0, atol=0.6)  # 36 to 256 taps, steps of 0.05 and 0.01


def test_groups_of_a_transposed_convolution_share_scales(path: Path) -> None:
    before = graph("y = ConvTranspose<group = 2>(x, w, b)", w=numbers(4, 3, 2, 2) / 8, b=numbers(6))
    shared = np.array([0.01, 0.02, 0.03] * 2, np.float32)
    after, _ = applied(before, path, y=layer(scale_w=shared))
    np.testing.assert_array_equal(stored(after, "w_scale"), shared[:3])
    np.testing.assert_array_equal(stored(after, "b_scale"), np.float32(STEP) * shared)
    with pytest.raises(
        InvalidOption, match=r"'y': the groups of ConvTranspose 'y' share their scales; scale_w differs"
    ):
        applied(before, path, y=layer(scale_w=np.arange(1, 7)))


def test_a_pooling_has_a_step_and_no_weight(path: Path) -> None:
    before = graph("y = AveragePool<kernel_shape = [8, 8]>(x)")
    for scale_w in ((), (1.0,)):
        after, _ = applied(before, path, y=layer(scale_w=scale_w))
        assert pair_in_front(after, "y") == (STEP, 0)
        assert ops(after) == {"QuantizeLinear": 1, "DequantizeLinear": 1, "AveragePool": 1}


def folded_by_hand(after: ir.Model) -> np.ndarray[Any, Any]:
    return stored(after, "w_quantized") * stored(after, "w_scale").reshape(-1, 1, 1, 1)


BATCH_NORM = f"c = Conv<{PADDED}>(x, w, b) y = BatchNormalization(c, g, be, mu, va)"


def test_batch_norm_is_folded_before_the_scales_are_applied(path: Path) -> None:
    before = graph(BATCH_NORM, **WEIGHTS, **NORM)
    after, notes = applied(before, path, c=layer(scale_w=[0.02] * 4))
    assert "BatchNormalization" not in ops(after)
    factor = NORM["g"] / np.sqrt(NORM["va"] + np.float32(1e-5))
    np.testing.assert_allclose(folded_by_hand(after), WEIGHTS["w"] * factor.reshape(-1, 1, 1, 1), atol=0.0101)
    assert notes.counts["BatchNormalization folded into Conv"] == 1


def test_skip_fusion_keeps_batch_norm_and_the_weight(path: Path) -> None:
    before = graph(BATCH_NORM, **WEIGHTS, **NORM)
    after, notes = applied(before, path, c=layer(scale_w=[0.01] * 4, skip_fusion=True))
    assert ops(after)["BatchNormalization"] == 1
    np.testing.assert_allclose(folded_by_hand(after), WEIGHTS["w"], atol=0.0051)
    assert "Conv 'c' is excluded" in {declined.reason for declined in notes.declined}


def test_skip_fusion_of_a_single_input_is_that_of_its_node(path: Path) -> None:
    before = graph(BATCH_NORM, **WEIGHTS, **NORM)
    after, _ = applied(before, path, c__0=layer(scale_w=(), skip_fusion=True))
    assert ops(after)["BatchNormalization"] == 1


def test_nothing_is_folded_into_a_layer_behind(path: Path) -> None:
    before = graph("n = Mul(x, k) y = Conv(n, v)", k=numbers(4, 1, 1), v=numbers(4, 4, 1, 1))
    after, _ = applied(before, path, y=layer())
    assert ops(after)["Mul"] == 1
    assert pair_in_front(after, "y") == (STEP, 0)


@pytest.mark.parametrize("case", OPERATORS)
@settings(max_examples=10)
@given(data=st.data())
def test_balancing_is_exact_algebra(tmp_path_factory: pytest.TempPathFactory, case: str, data: st.DataObject) -> None:
    body, shapes, _, axis = OPERATORS[case]
    weights = {name: numbers(*shape, seed=4) / 9 for name, shape in shapes.items()}
    groups = 2 if "group" in body else 1
    inputs = shapes["w"][1 - axis] * (groups if axis == 0 else 1)
    factors = np.array(
        data.draw(st.lists(st.floats(2**-4, 16, width=32), min_size=inputs, max_size=inputs)), np.float32
    )
    before = graph(body, y="z" if "z =" in body else "y", **weights)
    path = tmp_path_factory.mktemp("balance") / "my.record"
    balance = tuple(factors.tolist())
    after, notes = applied(before, path, y=layer(2.0**-10, 0, [2.0**-10], balance=balance))
    assert notes.counts["inputs balanced"] == 1
    rows = factors.reshape(groups, -1).repeat(shapes["w"][0] // groups, axis=0) if groups > 1 else factors
    by_input = np.moveaxis(weights["w"], 1 - axis, -1) * (rows[:, None, None, :] if groups > 1 else rows)
    expected = quantize(np.moveaxis(by_input, -1, 1 - axis), np.float32(2**-10), np.int8(0), dtype="int8")
    (integers,) = (name for name in after.graph.initializers if name.startswith("w") and name.endswith("_quantized"))
    np.testing.assert_array_equal(stored(after, integers), expected)
    divisor = stored(after, "y.tensor_balance_factor")
    np.testing.assert_array_equal(divisor.reshape(-1), 1 / factors)
    node = after.graph.node("y.mul")
    assert node.inputs[0] is not None and node.inputs[0].name in ("x", "f")
    assert pair_in_front(after, "y") == (2.0**-10, 0)


def test_a_balanced_layer_computes_what_it_did(path: Path) -> None:
    before = graph("y = Conv(x, v, b)", v=numbers(4, 4, 1, 1) / 8, b=numbers(4))
    given = feeds(before)
    step, factors = 2.0**-4, (1.0, 2.0, 0.5, 1.0)
    after, _ = applied(before, path, y=layer(step, scale_w=[2.0**-8], balance=factors))
    weight, data = float(np.abs(stored(before, "v")).max()), float(np.abs(given["x"]).max())
    bound = 4 * (step / 2 * max(factors) * weight + 2.0**-9 * data / min(factors))
    assert_equivalent(before, after, given, rtol=0, atol=bound)


def test_a_scale_too_small_for_the_bias_is_raised_and_reported(path: Path) -> None:
    before = graph("y = Conv(x, v, b)", v=numbers(4, 4, 1, 1) / 8, b=np.array([1e6, 1, 1, 1], np.float32))
    scales = np.array([2.0**-22, 0.01, 0.01, 0.01], np.float32)
    after, notes = applied(before, path, y=layer(2.0**-10, scale_w=scales))
    assert notes.warnings[0] == "scale_w of 1 channels of 'y' was raised, for the int32 bias or the least step"
    found = stored(after, "v_scale")
    assert found[0] > scales[0]
    np.testing.assert_array_equal(found[1:], scales[1:])
    bias = stored(after, "b_quantized").astype(np.float64) * stored(after, "b_scale")
    np.testing.assert_allclose(bias, [1e6, 1, 1, 1], rtol=1e-4)


def test_weights_far_beyond_their_integers_are_reported(path: Path) -> None:
    _, notes = applied(convolution(), path, c=layer(scale_w=[0.0005]))
    largest = np.abs(WEIGHTS["w"]).max() / np.float32(0.0005)
    assert notes.warnings == [
        f"the weights of 'c' reach {largest:.4g} steps of scale_w and saturate at 127; is the record of this model?"
    ]


def test_float16_scales_are_reported(path: Path) -> None:
    path.write_text(
        'record { key: "c" value { scale_d: 0.03 offset_d: 0 scale_w: 0.01 offset_w: 0 '
        'fakequant_precision_mode: "FORCE_FP16_QUANT" } }'
    )
    _, notes = apply(APPLY_RECORD, convolution(), record=path, target="ascend")
    assert notes.warnings == ["1 entries ask for FORCE_FP16_QUANT, 'c' first; their scales are applied in float32"]


def test_layers_that_the_target_would_leave_float_are_the_record_s_choice(path: Path) -> None:
    after, _ = applied(graph("y = Conv(x, v)", v=numbers(4, 4, 1, 1)), path, y=layer())  # 4 input channels
    assert ops(after)["QuantizeLinear"] == 1


def test_a_layer_inside_a_subgraph_is_refused_by_name(path: Path) -> None:
    before = model(
        "g (bool k, float[1,4,8,8] x) => (float[1,4,8,8] y) { y = If (k) <then_branch = t () => (float[1,4,8,8] a)"
        " { v = Constant<value = float[4,4,1,1] {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1}>() a = Conv(x, v) },"
        " else_branch = e () => (float[1,4,8,8] b) { b = Relu(x) }> }"
    )
    for node in before.graph.all_nodes():
        node.name = node.outputs[0].name
    with pytest.raises(
        InvalidOption, match=r"'a': Conv 'a' is inside a subgraph, and only the main graph is quantised"
    ):
        applied(before, path, a=layer())


MIXED = (
    "f = Flatten(x) c = Conv(x, v) r = Relu(c) p = AveragePool<kernel_shape = [2, 2]>(r) d = Conv(r, q) y = Add(p, k)"
)


@pytest.mark.parametrize(
    ("records", "sentence"),
    [
        ({"conf": layer()}, "'conf': no node has that name; `onnxpress inspect --nodes` lists them"),
        ({"c__7": layer(scale_w=())}, "'c:7': Conv 'c' has no input 7"),
        ({"c__1": layer(scale_w=())}, "'c:1': input 1 of Conv 'c' is no computed float32 tensor"),
        ({"r__0": layer()}, "'r:0': a single input has neither scale_w nor tensor_balance_factor"),
        ({"r": layer()}, "'r': ascend has no integer kernel for Relu 'r'; write 'r:0' for one input"),
        ({"c": layer(scale_w=())}, "'c': scale_w has 0 values, not 1 or 4, the output channels"),
        ({"c": layer(scale_w=[1] * 3)}, "'c': scale_w has 3 values, not 1 or 4, the output channels"),
        ({"c": layer(balance=(1.0,))}, "'c': tensor_balance_factor has 1 values, not 4, the input channels"),
        ({"p": layer()}, "'p': AveragePool 'p' has no weight, but the entry has scale_w or factors for one"),
        ({"p": layer(scale_w=(), balance=(1.0,) * 4)}, "'p': AveragePool 'p' has no weight, but the entry has"),
        ({"d": layer()}, "'d': Conv 'd' cannot be quantised: its weight 'q' is not constant"),
        ({"c": layer(), "c__0": layer(scale_w=())}, "'c:0': it quantises the same input as 'c'; keep one of them"),
    ],
)
def test_entries_that_do_not_fit_are_refused_by_key(path: Path, records: dict[str, LayerRecord], sentence: str) -> None:
    before = graph(MIXED, x="float[N,4,8,8] x, float[2,4,1,1] q", v=numbers(4, 4, 1, 1), k=numbers(1))
    with pytest.raises(InvalidOption) as caught:
        applied(before, path, **records)
    assert sentence in str(caught.value)


def test_a_key_close_to_a_name_is_told(path: Path) -> None:
    before = graph("first = Conv(x, v) y = Relu(first)", v=numbers(4, 4, 1, 1))
    with pytest.raises(InvalidOption, match=r"my\.record: 'frist': no node has that name; did you mean 'first'\?"):
        applied(before, path, frist=layer())


def test_a_broken_record_is_told_before_anything_runs(path: Path) -> None:
    path.write_text("record { key")
    with pytest.raises(InvalidData, match=r"my\.record, line 1"):
        apply(APPLY_RECORD, convolution(), record=path, target="ascend")
