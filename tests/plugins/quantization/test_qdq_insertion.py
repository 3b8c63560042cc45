"""insert-qdq: changes it, leaves it alone, declines, in subgraphs, equivalence; overflow, degenerate weights, names."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from calibrated import calibrated, feeds, graph, numbers, ops, quantised, runtime_ops
from onnxpress import model_files
from onnxpress.errors import InvalidData, InvalidModel
from onnxpress.quantize import dequantize
from onnxpress.ranges import META_KEY, Range
from onnxpress.runtime import Session
from onnxpress.testing import apply, assert_equivalent, model
from onnxpress_plugins.quantization.qdq_insertion import INSERT_QDQ

WEIGHTS = {"w": numbers(4, 4, 3, 3, seed=2) / 8, "b": numbers(4, seed=3), "v": numbers(4, 4, 1, 1, seed=4)}
PADDED = "pads = [1, 1, 1, 1]"
BODY = f"c = Conv<{PADDED}>(x, w, b) r = Relu(c) d = Conv(r, v) s = Add(r, d) t = Tanh(s) y = Conv(t, v)"


def residual() -> ir.Model:
    return graph(BODY, y="float[N,4,8,8] y", **WEIGHTS)


def stored(made: ir.Model, name: str) -> np.ndarray[Any, Any]:
    tensor = made.graph.initializers[name].const_value
    assert tensor is not None
    return tensor.numpy()


def test_it_puts_one_pair_behind_each_tensor_and_none_between_conv_and_relu() -> None:
    after, notes = apply(INSERT_QDQ, calibrated(residual()))
    assert ops(after)["QuantizeLinear"] == 5  # x, r, d, t, y
    assert notes.counts == {"Conv quantised": 3}
    relu = next(node for node in after.graph if node.op_type == "Relu")
    assert relu.inputs[0] is not None and relu.inputs[0].producer() is not None
    assert [use.node.op_type for use in relu.outputs[0].uses()] == ["QuantizeLinear"]
    assert stored(after, "r_zero_point") == 0
    assert runtime_ops(after)["QLinearConv"] == 3


def test_only_integers_of_weights_remain_and_bias_scales_are_the_product() -> None:
    after = quantised(residual())
    assert not {"w", "b", "v"} & set(after.graph.initializers)
    assert stored(after, "w_quantized").dtype == np.int8
    assert stored(after, "b_quantized").dtype == np.int32
    np.testing.assert_array_equal(stored(after, "b_scale"), stored(after, "x_scale") * stored(after, "w_scale"))
    bias = dequantize(stored(after, "b_quantized"), stored(after, "b_scale"), np.zeros(4, np.int32), axis=0)
    np.testing.assert_allclose(bias, WEIGHTS["b"], atol=float(stored(after, "b_scale").max()))
    assert after.graph.initializers["v_quantized"].uses(), "a shared weight is stored once"
    assert sum("v_quantized" in name for name in after.graph.initializers) == 1


def test_a_model_without_anything_to_quantise_is_left_alone() -> None:
    made = graph("t = Tanh(x) y = Exp(t)")
    after, notes = apply(INSERT_QDQ, made)
    assert ops(after) == ops(made)
    assert notes.counts == {}
    assert [item.reason for item in notes.declined] == [
        "onnxruntime-cpu has no integer kernel for Tanh",
        "onnxruntime-cpu has no integer kernel for Exp",
    ]


def test_a_quantised_model_is_left_alone() -> None:
    once = quantised(graph("y = Conv(x, v)", y="float[N,4,8,8] y", v=WEIGHTS["v"]))
    twice, notes = apply(INSERT_QDQ, once)
    assert model_files.to_proto(twice) == model_files.to_proto(once)
    assert "is quantised already" in notes.declined[0].reason


def test_float_neighbours_keep_the_exact_tensor() -> None:
    made = graph("t = Tanh(x) y = Conv(t, v) z = Exp(t)", y="float[N,4,8,8] y, z", v=WEIGHTS["v"])
    after = quantised(made)
    exponential = next(node for node in after.graph if node.op_type == "Exp")
    assert exponential.inputs[0] is not None and exponential.inputs[0].name == "t"


def test_lone_cheap_operators_are_declined_because_their_neighbours_are_float() -> None:
    made = graph(
        "a = Add(x, x) c = Conv(a, v) g = GlobalAveragePool(c) y = Exp(g)", y="float[N,4,1,1] y", v=WEIGHTS["v"]
    )
    _, notes = apply(INSERT_QDQ, calibrated(made))
    assert {item.node: item.reason for item in notes.declined} == {
        "a": "what feeds it is float",
        "g": "what uses it is float",
        "y": "onnxruntime-cpu has no integer kernel for Exp",
    }


def test_nodes_in_a_subgraph_stay_float_and_read_what_the_main_graph_computes() -> None:
    body = """c = Conv(x, v) y = If (flag) <
        then_branch = yes () => (float[N,4,8,8] p) { p = Relu(c) },
        else_branch = no () => (float[N,4,8,8] q) { q = Conv(c, v) }>"""
    made = graph(body, x="float[N,4,8,8] x, bool flag", y="float[N,4,8,8] y", v=WEIGHTS["v"])
    values = {node.name: node.outputs[0] for node in made.graph}
    made.graph.inputs[0].meta[META_KEY] = Range(-4.0, 4.0)
    values["c"].meta[META_KEY] = Range(-16.0, 16.0)
    after, notes = apply(INSERT_QDQ, made)
    assert ("q", "it is inside a subgraph, and only the main graph is quantised") in {
        (item.node, item.reason) for item in notes.declined
    }
    inputs = {"x": numbers(2, 4, 8, 8)}
    for flag in (True, False):
        assert_equivalent(made, after, {**inputs, "flag": np.array(flag)}, rtol=0, atol=0.4)


def test_equivalence_within_what_eight_bits_allow() -> None:
    made = residual()
    after = quantised(made.clone())
    spread = float(np.ptp(Session(made, threads=1).run(feeds(made))["y"]))
    assert_equivalent(made, after, feeds(made), rtol=0, atol=0.03 * spread)
    fused = Session(after, optimize=True, threads=1).run(feeds(made))["y"]
    np.testing.assert_allclose(fused, Session(after, threads=1).run(feeds(made))["y"], atol=0.01 * spread)


def test_outputs_keep_their_names() -> None:
    after = quantised(graph("c = Conv(x, v) y = Relu(c)", y="float[N,4,8,8] y", v=WEIGHTS["v"]))
    output = after.graph.outputs[0]
    producer = output.producer()
    assert output.name == "y" and producer is not None and producer.op_type == "DequantizeLinear"


def test_moved_tensors_share_scale_and_zero_point() -> None:
    body = "c = Conv(x, v) m = MaxPool<kernel_shape = [2, 2]>(c) t = Transpose<perm = [0, 1, 3, 2]>(m) y = Conv(t, v)"
    after = quantised(graph(body, y="float[N,4,7,7] y", v=WEIGHTS["v"]))
    scales = {node.inputs[1] for node in after.graph if node.op_type == "QuantizeLinear"}
    assert {value.name for value in scales if value is not None} == {"x_scale", "c_scale", "y_scale"}


@pytest.mark.parametrize(("joined", "shared"), [("Relu(a) Relu(b)", True), ("Relu(a) Tanh(b)", False)])
def test_concat_shares_where_its_inputs_are_cut_alike(joined: str, shared: bool) -> None:
    first, second = joined.split()
    body = f"a = Conv(x, v) b = Conv(x, u) c = {first} d = {second} e = Concat<axis = 1>(c, d) y = Conv(e, k)"
    constants = {"v": numbers(4, 4, 1, 1), "u": numbers(4, 4, 1, 1, seed=8), "k": numbers(2, 8, 1, 1)}
    after = quantised(graph(body, y="float[N,2,8,8] y", **constants))
    assert ("d_scale" not in after.graph.initializers) == shared
    assert runtime_ops(after)["QLinearConcat"] == 1


def test_a_bias_that_would_overflow_raises_the_scale_of_its_channel_and_says_so() -> None:
    weight = numbers(4, 4, 1, 1)
    weight[1] *= np.float32(1e-9)
    made = graph("y = Conv(x, w, b)", y="float[N,4,8,8] y", w=weight, b=np.full(4, 5, np.float32))
    after, notes = apply(INSERT_QDQ, calibrated(made))
    assert sum(count for what, count in notes.counts.items() if "raised" in what) == 1
    assert np.abs(stored(after, "b_quantized").astype(np.int64)).max() <= 2**30
    for optimize in (False, True):
        found = Session(after, optimize=optimize, threads=1).run(feeds(made))["y"]
        np.testing.assert_allclose(found, Session(made, threads=1).run(feeds(made))["y"], atol=0.15)


@pytest.mark.parametrize("bias", [0.0, 3.0])
def test_a_channel_of_zeros_gives_its_bias(bias: float) -> None:
    weight = numbers(4, 4, 1, 1)
    weight[2] = 0
    made = graph("y = Conv(x, w, b)", y="float[N,4,8,8] y", w=weight, b=np.full(4, bias, np.float32))
    after = quantised(made)
    scale = float(stored(after, "y_scale"))
    found = Session(after, optimize=True, threads=1).run(feeds(made))["y"][:, 2]
    np.testing.assert_allclose(found, bias, atol=0.51 * scale)


def test_a_dead_tensor_has_a_usable_scale() -> None:
    zeros = np.zeros((4, 4, 1, 1), np.float32)
    after = quantised(graph("c = Conv(x, z) r = Relu(c) y = Conv(r, z)", y="float[N,4,8,8] y", z=zeros))
    assert (Session(after, optimize=True, threads=1).run(feeds(after))["y"] == 0).all()


@pytest.mark.parametrize(("name", "value"), [("w", np.nan), ("b", np.inf)])
def test_weights_that_are_not_finite_are_refused_by_name(name: str, value: float) -> None:
    constants = {"w": numbers(4, 4, 1, 1), "b": numbers(4)}
    made = calibrated(graph("y = Conv(x, w, b)", y="float[N,4,8,8] y", **constants))
    broken = constants[name].copy()
    broken.flat[1] = value
    made.graph.initializers[name].const_value = ir.tensor(broken, name=name)
    with pytest.raises(InvalidModel, match=f"constant '{name}' holds NaN or infinity .* mend the model, or exclude"):
        apply(INSERT_QDQ, made)


def test_missing_ranges_are_an_error_that_says_to_calibrate() -> None:
    with pytest.raises(InvalidData, match=r"5 of 5 tensors to quantise have no range, 'x' first; run .* calibrate"):
        apply(INSERT_QDQ, residual())


def test_an_older_opset_is_raised() -> None:
    made = model(
        '<ir_version: 7, opset_import: ["" : 11]> g (float[N,4,8,8] x, float[4,4,1,1] v) => '
        "(float[N,4,8,8] y) { y = Conv(x, v) }",
        v=WEIGHTS["v"],
    )
    after = quantised(made)
    assert after.opset_imports[""] == 13
    assert runtime_ops(after)["QLinearConv"] == 1


def test_names_are_made_unique_and_every_run_gives_the_same_bytes() -> None:
    def build() -> ir.Model:
        return graph(
            "x_scale = Tanh(x) w_quantized = Conv(x_scale, w) y = Conv(w_quantized, v)", y="float[N,4,6,6] y", **WEIGHTS
        )

    first, second = (model_files.to_proto(quantised(build())).SerializeToString() for _ in range(2))
    assert first == second


def test_half_precision_is_declined() -> None:
    made = graph("y = Conv(x, w)", x="float16[N,4,8,8] x", y="float16[N,4,8,8] y", w=numbers(4, 4, 1, 1).astype("f2"))
    _, notes = apply(INSERT_QDQ, made)
    assert [item.reason for item in notes.declined] == ["its input 'x' is float16, not float32"]


def test_a_max_pool_that_gives_indices_is_declined() -> None:
    body = "c = Conv(x, v) m, i = MaxPool<kernel_shape = [2, 2]>(c) y = Conv(m, v)"
    made = graph(body, y="float[N,4,7,7] y, int64[N,4,7,7] i", v=WEIGHTS["v"])
    after, notes = apply(INSERT_QDQ, calibrated(made))
    assert [item.reason for item in notes.declined] == ["its output 'i' is int64, not float32"]
    assert runtime_ops(after)["QLinearConv"] == 2


def test_a_tensor_that_the_graph_gives_twice_and_uses_inside_keeps_its_name() -> None:
    made = graph("c = Conv(x, v) y = Conv(c, v)", y="float[N,4,8,8] c, float[N,4,8,8] y", v=WEIGHTS["v"])
    after = quantised(made.clone())
    assert [value.name for value in after.graph.outputs] == ["c", "y"]
    assert_equivalent(made, after, feeds(made), rtol=0, atol=0.5)


def test_a_weight_that_the_caller_may_override_is_declined() -> None:
    made = graph("y = Conv(x, w)", x="float[N,4,8,8] x, float[4,4,1,1] w", y="float[N,4,8,8] y")
    _, notes = apply(INSERT_QDQ, made)
    assert [item.reason for item in notes.declined] == ["its weight 'w' is not constant"]
