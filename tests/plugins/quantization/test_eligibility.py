"""Whether a node fits a rule: counts of channels, widths, ranks, attributes, and the bias that is added behind."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import onnx_ir as ir
import pytest

from calibrated import graph, numbers
from onnxpress.targets import OpRule
from onnxpress_plugins.quantization.eligibility import Unit, added_bias, obstacle
from onnxpress_plugins.quantization.onnxruntime_cpu import ONNXRUNTIME_CPU
from onnxpress_plugins.quantization.quantization_plan import plan

CONV = OpRule(op_type="Conv", inputs={0: "activation", 1: "weight", 2: "bias"}, channel_axis=0)
CONV_TRANSPOSE = replace(CONV, op_type="ConvTranspose", channel_axis=1)
GEMM = replace(CONV, op_type="Gemm", channel_axis=1, transposed_by="transB")
MAT_MUL = OpRule(op_type="MatMul", inputs={0: "activation", 1: "weight"}, channel_axis=1, bias_behind=True)
POOL = OpRule(op_type="AveragePool", inputs={0: "activation"})


def reason(rule: OpRule, made: ir.Model) -> str | None:
    node = next(node for node in made.graph if node.op_type == rule.op_type)
    return obstacle(Unit(node, rule), replace(ONNXRUNTIME_CPU, name="toy", rules=(rule,)))


LAYERS: dict[str, tuple[OpRule, ir.Model]] = {
    "Conv": (CONV, graph("y = Conv(x, w)", w=numbers(5, 4, 1, 1), y="float[N,5,8,8] y")),
    "Conv grouped": (CONV, graph("y = Conv<group = 4>(x, w)", w=numbers(8, 1, 1, 1), y="float[N,8,8,8] y")),
    "ConvTranspose": (
        CONV_TRANSPOSE,
        graph("y = ConvTranspose<group = 2>(x, w)", w=numbers(4, 3, 1, 1), y="float[N,6,8,8] y"),
    ),
    "Gemm": (GEMM, graph("y = Gemm(x, w)", x="float[N,4] x", w=numbers(4, 9), y="float[N,9] y")),
    "Gemm transposed": (
        GEMM,
        graph("y = Gemm<transB = 1>(x, w)", x="float[N,4] x", w=numbers(9, 4), y="float[N,9] y"),
    ),
    "MatMul": (MAT_MUL, graph("y = MatMul(x, w)", x="float[N,4] x", w=numbers(4, 9), y="float[N,9] y")),
}
"""Layers of four input channels."""


@pytest.mark.parametrize("case", LAYERS)
def test_input_channels_are_counted_in_all_groups(case: str) -> None:
    rule, made = LAYERS[case]
    assert reason(replace(rule, least_channels=4), made) is None
    few = "toy runs layers of fewer than 5 input channels in floating point"
    assert reason(replace(rule, least_channels=5), made) == few


def test_a_bias_has_a_number_for_each_channel_of_all_groups() -> None:
    body = "y = ConvTranspose<group = 2>(x, w, b)"
    made = graph(body, w=numbers(4, 3, 1, 1), b=numbers(6), y="float[N,6,8,8] y")
    assert reason(CONV_TRANSPOSE, made) is None
    made.graph.initializers["b"].const_value = ir.tensor(numbers(3), name="b")
    assert reason(CONV_TRANSPOSE, made) == "its bias has shape [3], not one number for each of 6 channels"


@pytest.mark.parametrize(("size", "refused"), [(7, False), (8, True)])
def test_a_narrow_output_may_be_refused(size: int, refused: bool) -> None:
    made = graph(f"y = AveragePool<kernel_shape = [1, {size}]>(x)", y=f"float[N,4,8,{9 - size}] y")
    found = reason(replace(POOL, least_width=2), made)
    assert found == ("toy runs it in floating point where its output is less than 2 wide" if refused else None)


def test_an_unknown_width_is_no_obstacle() -> None:
    made = graph("y = AveragePool<kernel_shape = [2, 2]>(x)", x="float[N,4,H,W] x", y="float[N,4,A,B] y")
    assert reason(replace(POOL, least_width=2), made) is None


def test_the_rank_of_the_input_counts() -> None:
    made = graph("y = AveragePool<kernel_shape = [2]>(x)", x="float[N,4,8] x", y="float[N,4,7] y")
    assert reason(replace(POOL, input_ranks=(3,)), made) is None
    assert reason(replace(POOL, input_ranks=(4, 5)), made) == "its input has 3 dimensions, and toy takes 4 or 5"


@pytest.mark.parametrize(
    ("dilations", "taken"), [([1, 1], True), ([1, 3], True), ([2, 1], False), ([1], False), (None, True)]
)
def test_none_stands_for_any_number_in_an_attribute(dilations: list[int] | None, taken: bool) -> None:
    node = ir.node("Conv", graph("y = Conv(x, w)", w=numbers(4, 4, 1, 1)).graph[0].inputs, {})
    if dilations is not None:
        node.attributes.add(ir.AttrInt64s("dilations", dilations))
    node.outputs[0].dtype, node.outputs[0].name = ir.DataType.FLOAT, "y"
    found = obstacle(Unit(node, replace(CONV, attributes={"dilations": ((1, None),)})), ONNXRUNTIME_CPU)
    assert (found is None) == taken
    assert taken or (found or "").startswith(f"its dilations is {tuple(dilations or ())}, and onnxruntime-cpu has")


def product(body: str, y: str = "float[N,3,6] y", **constants: Any) -> Unit:
    made = graph(body, x="float[N,3,4] x", y=y, w=numbers(4, 6), **constants)
    node = next(node for node in made.graph if node.op_type == "MatMul")
    return Unit(node, MAT_MUL, added_bias(node, MAT_MUL))


@pytest.mark.parametrize(
    ("body", "constants"),
    [
        ("m = MatMul(x, w) y = Add(m, b)", {"b": numbers(6)}),
        ("m = MatMul(x, w) y = Add(b, m)", {"b": numbers(6)}),
        ("m = MatMul(x, w) y = Add(m, b)", {"b": numbers(1, 1, 6)}),
    ],
)
def test_an_add_of_a_number_for_each_channel_is_the_bias(body: str, constants: dict[str, Any]) -> None:
    unit = product(body, **constants)
    assert unit.bias is not None and unit.bias.name == "b"
    assert [value.name for value in unit.outputs] == ["y"]
    assert [part.name for part in unit.nodes] == ["m", "y"]


@pytest.mark.parametrize(
    ("body", "y", "constants"),
    [
        ("m = MatMul(x, w) y = Mul(m, b)", "float[N,3,6] y", {"b": numbers(6)}),
        ("m = MatMul(x, w) y = Add(m, b)", "float[N,3,6] y", {"b": numbers(1)}),
        ("m = MatMul(x, w) y = Add(m, b)", "float[N,3,6] y", {"b": numbers(3, 1)}),
        ("m = MatMul(x, w) y = Add(m, b)", "float[1,N,3,6] y", {"b": numbers(1, 1, 1, 6)}),
        ("m = MatMul(x, w) y = Add(m, m)", "float[N,3,6] y", {}),
        ("m = MatMul(x, w) e = Exp(m) y = Add(m, b)", "float[N,3,6] y, float[N,3,6] e", {"b": numbers(6)}),
        ("m = MatMul(x, w) y = Add(m, b)", "float[N,3,6] y, float[N,3,6] m", {"b": numbers(6)}),
    ],
    ids=["no Add", "one number", "rows", "another rank", "itself", "used twice", "an output"],
)
def test_any_other_node_behind_is_no_bias(body: str, y: str, constants: dict[str, Any]) -> None:
    unit = product(body, y, **constants)
    assert (unit.addition, unit.bias, unit.bias_place) == (None, None, None)


def test_without_the_rule_nothing_behind_is_a_bias() -> None:
    made = graph("m = MatMul(x, w) y = Add(m, b)", x="float[N,4] x", y="float[N,6] y", w=numbers(4, 6), b=numbers(6))
    assert added_bias(made.graph[0], replace(MAT_MUL, bias_behind=False)) is None


def test_an_excluded_add_stays_float() -> None:
    made = graph("m = MatMul(x, w) y = Add(m, b)", x="float[N,4] x", y="float[N,6] y", w=numbers(4, 6), b=numbers(6))
    decided = plan(made, replace(ONNXRUNTIME_CPU, rules=(MAT_MUL,)), exclude_nodes=["y"])
    assert [unit.addition for unit in decided.units] == [None]
    assert [(node.name, why) for node, why in decided.declined] == [("y", "excluded by name")]
