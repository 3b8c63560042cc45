"""What the user keeps out of quantisation, by the words that AMCT's users know."""

from __future__ import annotations

import pytest

from amct_configurations import network
from calibrated import graph, numbers
from onnxpress.errors import InvalidOption
from onnxpress_plugins.quantization.ascend import ASCEND
from onnxpress_plugins.quantization.onnxruntime_cpu import ONNXRUNTIME_CPU
from onnxpress_plugins.quantization.quantization_plan import plan


def test_a_layer_type_of_a_framework_is_excluded() -> None:
    decided = plan(network(), ASCEND, exclude_ops=["Conv2d", "AvgPool"])
    assert [unit.node.name for unit in decided.units] == ["fc"]
    assert ("conv1", "excluded as Conv2d") in [(node.name, reason) for node, reason in decided.declined]


def test_a_layer_type_that_the_model_lacks_excludes_nothing() -> None:
    assert len(plan(network(), ASCEND, exclude_ops=["DepthwiseConv2dNative"]).units) == 5
    with pytest.raises(InvalidOption, match="exclude_ops: the model has no 'Conv4d'; it has AveragePool, "):
        plan(network(), ASCEND, exclude_ops=["Conv4d"])


def test_only_listed_layers_are_quantised() -> None:
    decided = plan(network(), ASCEND, only_nodes=["conv2", "fc"])
    assert [unit.node.name for unit in decided.units] == ["conv2", "fc"]
    reasons = {node.name: reason for node, reason in decided.declined}
    assert reasons["conv1"] == reasons["pool"] == "not among only_nodes"
    with pytest.raises(InvalidOption, match="only_nodes: no node is called 'conv9'"):
        plan(network(), ASCEND, only_nodes=["conv9"])


def test_what_belongs_to_a_listed_layer_or_moves_numbers_need_not_be_listed() -> None:
    made = graph(
        "c = Conv(x, w) r = Relu(c) m = MaxPool<kernel_shape = [2, 2]>(r) y = Conv(m, w)", w=numbers(4, 4, 1, 1)
    )
    decided = plan(made, ONNXRUNTIME_CPU, only_nodes=["c", "y"])
    assert [unit.node.name for unit in decided.units] == ["c", "m", "y"]
    assert [value.name for group in decided.groups for value in group.values] == ["x", "r", "m", "y"]


def test_a_weight_has_one_scale_where_that_is_said_last() -> None:
    chosen = ["*", "!<Conv>", "conv2"]
    per_channel = {unit.node.name: unit.rule.per_channel for unit in plan(network(), ASCEND, per_tensor=chosen).units}
    assert per_channel == {"conv1": True, "conv2": False, "conv3": True, "pool": False, "fc": False}
    with pytest.raises(InvalidOption, match="per_tensor: no node is called 'conv9'"):
        plan(network(), ASCEND, per_tensor=["!conv9"])
