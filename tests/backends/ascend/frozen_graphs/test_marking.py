"""Nodes of layers are told apart from ONNX's, with what their rules must know."""

from __future__ import annotations

import onnx_ir as ir

from onnxpress_backends.ascend.deploying import deployed
from onnxpress_backends.ascend.frozen_graphs.marking import BIAS, DOMAIN, mark
from quantised_models import quantised


def marked(text: str) -> dict[str, ir.Node]:
    """The nodes by name, or operator where they have none."""
    model = deployed(quantised(text))
    mark(model)
    assert model.opset_imports[DOMAIN] == model.opset_imports[""]
    return {node.name or node.op_type: node for node in model.graph}


def test_a_layer_and_a_float_operator_of_the_same_kind() -> None:
    nodes = marked(
        "g (float[1,4,6,6] x, float[4,4,3,3] w) => (float[1,4,2,2] y) "
        "{ [c] t = Conv(x, w) [p] y = MaxPool<kernel_shape=[3,3]>(t) }"
    )
    assert [(nodes[name].domain, nodes[name].op_type) for name in ("c.quant", "c", "c.dequant", "p")] == [
        (DOMAIN, "AscendQuant"),
        (DOMAIN, "Conv"),
        (DOMAIN, "AscendDequant"),
        ("", "MaxPool"),
    ]
    assert nodes["c"].attributes["scales"].as_int() == 4
    assert nodes["c.dequant"].attributes["ksize"].as_ints() == (1, 1)
    assert nodes["c"].outputs[0].name == "c"


def test_a_pooling_tells_its_window() -> None:
    nodes = marked("g (float[1,4,6,6] x) => (float[1,4,5,4] y) { [p] y = AveragePool<kernel_shape=[2,3]>(x) }")
    assert nodes["p.dequant"].attributes["ksize"].as_ints() == (2, 3)


def test_a_bias_comes_second() -> None:
    nodes = marked(
        "g (float[2,4] x, float[4,3] w, float[3] b) => (float[2,3] y) { [fc] m = MatMul(x, w) [a] y = Add(b, m) }"
    )
    add = nodes["a"]
    assert (add.domain, add.op_type) == (DOMAIN, BIAS)
    assert add.inputs[0] is nodes["fc"].outputs[0] and add.inputs[1].is_initializer()


def test_a_name_that_is_taken_stays_with_who_has_it() -> None:
    nodes = marked("g (float[2,4] x, float[4,3] w) => (float[2,3] c) { [c] c = Gemm(x, w) }")
    assert nodes["c.dequant"].outputs[0].name == "c" and nodes["c"].outputs[0].name != "c"
