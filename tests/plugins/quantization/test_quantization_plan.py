"""What is decided: who runs in integers, what calibration must look at, what is excluded."""

from __future__ import annotations

import onnx_ir as ir
import pytest

from calibrated import graph, numbers
from onnxpress.errors import InvalidOption
from onnxpress_plugins.quantization.onnxruntime_cpu import ONNXRUNTIME_CPU
from onnxpress_plugins.quantization.quantization_plan import Plan, observed, plan

WEIGHTS = {"v": numbers(4, 4, 1, 1), "d": numbers(4, 4), "k": numbers(4)}


def made(body: str, y: str = "y") -> ir.Model:
    return graph(body, y=y, **WEIGHTS)


def units(decided: Plan) -> list[str | None]:
    return [unit.node.name for unit in decided.units]


def looked_at(decided: Plan) -> list[str | None]:
    return [value.name for value in observed(decided)]


def test_only_what_will_be_quantised_is_observed_and_moved_tensors_are_not() -> None:
    body = "c = Conv(x, v) r = Relu(c) m = MaxPool<kernel_shape = [2, 2]>(r) e = Conv(m, v) y = Tanh(e)"
    decided = plan(made(body), ONNXRUNTIME_CPU)
    assert units(decided) == ["c", "m", "e"]
    assert looked_at(decided) == ["x", "r", "e"]
    assert [[value.name for value in group.values] for group in decided.groups] == [["x"], ["r", "m"], ["e"]]


def test_an_activation_with_a_second_reader_before_it_does_not_vanish() -> None:
    decided = plan(made("c = Conv(x, v) r = Relu(c) y = Add(c, r)"), ONNXRUNTIME_CPU)
    assert looked_at(decided) == ["x", "c"]
    assert [node.name for node, _ in decided.declined] == ["r", "y"]


def test_a_head_of_cheap_operators_stays_float() -> None:
    decided = plan(made("c = Conv(x, v) a = Mul(c, c) b = Add(a, c) y = Sigmoid(b)"), ONNXRUNTIME_CPU)
    assert units(decided) == ["c"]
    assert {node.name: reason for node, reason in decided.declined} == dict.fromkeys("aby", "what uses it is float")


def test_the_output_of_a_last_gemm_stays_float_and_that_of_an_inner_one_does_not() -> None:
    body = "g = GlobalAveragePool(x) f = Flatten(g) h = Gemm(f, d) r = Relu(h) l = Gemm(r, d) y = Softmax(l)"
    decided = plan(made(body), ONNXRUNTIME_CPU)
    assert units(decided) == ["f", "h", "l"]
    assert looked_at(decided) == ["g", "r"]


def test_a_transpose_before_the_first_convolution_moves_integers() -> None:
    decided = plan(made("t = Transpose<perm = [0, 1, 3, 2]>(x) y = Conv(t, v)"), ONNXRUNTIME_CPU)
    assert units(decided) == ["t", "y"]
    assert looked_at(decided) == ["x", "y"]


@pytest.mark.parametrize(
    ("excluded", "reason"),
    [
        ({"exclude_nodes": ["e"]}, "excluded by name"),
        ({"exclude_patterns": ["[e]*"]}, "excluded by the pattern '[e]*'"),
    ],
)
def test_excluded_nodes_stay_float(excluded: dict[str, list[str]], reason: str) -> None:
    decided = plan(made("c = Conv(x, v) e = Conv(c, v) y = Conv(e, v)"), ONNXRUNTIME_CPU, **excluded)
    assert units(decided) == ["c", "y"]
    assert [(node.name, why) for node, why in decided.declined] == [("e", reason)]


def test_excluded_operators_stay_float_and_an_excluded_activation_does_not_vanish() -> None:
    decided = plan(made("c = Conv(x, v) y = Relu(c)"), ONNXRUNTIME_CPU, exclude_ops=["Relu"])
    assert looked_at(decided) == ["x", "c"]
    assert [(node.name, why) for node, why in decided.declined] == [("y", "excluded as Relu")]


@pytest.mark.parametrize(
    ("excluded", "sentence"),
    [
        ({"exclude_nodes": ["conv1"]}, "exclude_nodes: no node is called 'conv1'; did you mean 'conv'?"),
        ({"exclude_nodes": ["zzz"]}, "exclude_nodes: no node is called 'zzz'; `onnxpress inspect --nodes` lists them"),
        ({"exclude_patterns": ["z*"]}, "exclude_patterns: no node's name matches 'z*'; `onnxpress inspect --nodes`"),
        ({"exclude_ops": ["Add"]}, "exclude_ops: the model has no 'Add'; it has Conv, Relu"),
    ],
)
def test_what_is_excluded_must_exist(excluded: dict[str, list[str]], sentence: str) -> None:
    with pytest.raises(InvalidOption) as caught:
        plan(made("conv = Conv(x, v) y = Relu(conv)"), ONNXRUNTIME_CPU, **excluded)
    assert str(caught.value).startswith(sentence)


def test_a_pattern_of_fifty_cheap_operators_between_convolutions_is_stable() -> None:
    chain = " ".join(f"s{n} = Sigmoid(s{n - 1})" for n in range(1, 50))
    decided = plan(made(f"s0 = Conv(x, v) {chain} y = Conv(s49, v)"), ONNXRUNTIME_CPU)
    assert len(decided.units) == 51
