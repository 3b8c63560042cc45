from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from onnxpress.errors import InvalidModel
from onnxpress.testing import model
from onnxpress.verify import infer_shapes, verify


def chain() -> ir.Model:
    """x -> Relu -> Neg -> y, with named nodes."""
    return model("agraph (float[N,4] x) => (float[N,4] y) { [first] h = Relu(x) [second] y = Neg(h) }")


def breach(broken: ir.Model) -> str:
    with pytest.raises(InvalidModel) as caught:
        verify(broken)
    return str(caught.value)


def test_a_sound_model_passes_and_passes_again():
    sound = chain()
    verify(sound)
    verify(sound)


def test_two_values_of_one_name():
    broken = chain()
    broken.graph[1].outputs[0].name = "h"
    assert breach(broken).startswith("two values are called 'h'")


def test_two_nodes_of_one_name():
    broken = chain()
    broken.graph[1].name = "first"
    assert breach(broken) == "two nodes are called 'first'"


def test_a_node_before_what_it_uses():
    broken = chain()
    first = broken.graph[0]
    broken.graph.remove(first)
    broken.graph.append(first)
    assert breach(broken) == "node 'second' (Neg) uses 'h', which is not defined before it"


def test_a_value_that_nobody_defines():
    broken = chain()
    broken.graph[1].replace_input_with(0, ir.Value(name="ghost"))
    assert breach(broken) == "node 'second' (Neg) uses 'ghost', which is not defined before it"


def test_a_value_of_a_node_that_is_gone():
    broken = chain()
    broken.graph.remove(broken.graph[0])
    assert breach(broken) == "node 'second' (Neg) uses 'h', which is not defined before it"


def test_an_impostor_of_the_right_name():
    broken = chain()
    broken.graph[1].replace_input_with(0, ir.Value(name="h"))
    assert breach(broken) == "node 'second' (Neg) uses 'h', which is not defined before it"


def test_an_output_that_nobody_defines():
    broken = chain()
    broken.graph.outputs[0] = ir.Value(name="y")
    assert breach(broken) == "output 'y' of the graph is not defined in it"


def test_an_output_without_a_name():
    broken = chain()
    broken.graph[0].outputs[0].name = None
    assert breach(broken).startswith("an output of node 'first' has no name")


def test_an_initialiser_without_data():
    broken = model("agraph (float[N,4] x) => (float[N,4] y) <float[4] w = {1,2,3,4}> { y = Add(x, w) }")
    broken.graph.initializers["w"].const_value = None
    assert breach(broken) == "initialiser 'w' has no data"


def test_a_domain_that_no_opset_import_covers():
    broken = chain()
    broken.graph[1].domain = "com.example"
    assert breach(broken) == "node 'second' (Neg) is of domain 'com.example', which no opset import covers"


def test_a_domain_is_reported_once():
    broken = chain()
    for node in broken.graph:
        node.domain = "com.example"
    assert breach(broken).count("no opset import covers") == 1


def test_many_breaches_are_cut_to_five():
    broken = model(
        "agraph (float[N,4] x) => (float[N,4] y) { " + " ".join(f"v{i} = Relu(x)" for i in range(9)) + " y = Neg(x) }"
    )
    for node in broken.graph:
        node.name = "same"
    assert breach(broken) == "; ".join(["two nodes are called 'same'"] * 5) + " (and 4 more)"


def test_a_shape_that_contradicts_its_operator():
    broken = chain()
    broken.graph.outputs[0].shape = ir.Shape(["N", 5])
    message = breach(broken)
    assert message.startswith("shape inference failed: ")
    assert "Inferred shape and existing shape differ in dimension 1: (4) vs (5)" in message


def test_a_type_that_contradicts_its_operator():
    broken = chain()
    broken.graph[0].outputs[0].type = ir.TensorType(ir.DataType.INT32)
    assert "shape inference failed: " in breach(broken)


def test_operands_that_do_not_fit():
    with pytest.raises(InvalidModel, match=r"^shape inference failed: .*op_type:MatMul.*Incompatible dimensions"):
        model("agraph (float[N,3] x) => (float[N,2] y) <float[4,2] w = {1,2,3,4,5,6,7,8}> { y = MatMul(x, w) }")


def test_types_and_shapes_are_filled_in():
    sound = chain()
    value = sound.graph[0].outputs[0]
    value.type, value.shape = None, None
    verify(sound)
    assert value.dtype == ir.DataType.FLOAT
    assert str(value.shape) == "[N,4]"


def test_a_known_constant_gives_the_shape():
    sound = model(
        "agraph (float[N,2,3] x) => (float[N,6] y) <int64[2] shape = {-1, 6}> { h = Reshape(x, shape) y = Relu(h) }"
    )
    assert sound.graph[0].outputs[0].shape[1] == 6


BRANCHES = """agraph (bool yes, float[N,4] x) => (float[N,4] y) {
    h = Relu(x)
    y = If(yes) <then_branch = a () => (float[N,4] p) { [inner] t = Neg(h) p = Abs(t) },
                 else_branch = b () => (float[N,4] q) { [inner] t = Exp(h) q = Abs(t) }>
}"""


def branch(outer: ir.Model, name: str) -> ir.Graph:
    return next(node for node in outer.graph if node.op_type == "If").attributes[name].as_graph()


def test_a_subgraph_captures_values_and_siblings_share_names():
    sound = model(BRANCHES)
    inner = branch(sound, "then_branch")[0].outputs[0]
    inner.type, inner.shape = None, None
    infer_shapes(sound)
    assert str(inner.shape) == "[N,4]"


def test_a_breach_inside_a_subgraph():
    broken = model(BRANCHES)
    branch(broken, "else_branch")[0].replace_input_with(0, ir.Value(name="ghost"))
    assert breach(broken) == "node 'inner' (Exp) uses 'ghost', which is not defined before it"


def test_a_subgraph_must_not_shadow_an_outer_value():
    broken = model(BRANCHES)
    branch(broken, "then_branch")[0].outputs[0].name = "h"
    assert breach(broken).startswith("two values are called 'h'")


def test_a_value_of_a_sibling_subgraph_is_out_of_reach():
    broken = model(BRANCHES)
    theirs = branch(broken, "then_branch")[0].outputs[0]
    branch(broken, "else_branch")[1].replace_input_with(0, theirs)
    assert "uses 't', which is not defined before it" in breach(broken)


def test_an_unknown_operator_of_an_imported_domain_is_left_to_its_runtime():
    sound = model(
        '<ir_version: 10, opset_import: ["" : 17, "com.example" : 1]> '
        "agraph (float[N,4] x) => (float[N,4] y) { h = com.example.Own(x) y = Relu(h) }"
    )
    assert sound.graph[0].outputs[0].shape is None


FUNCTION = """<ir_version: 10, opset_import: ["" : 17, "local" : 1]>
agraph (float[N,4] x) => (float[N,4] y) { y = local.twice (x) }
<domain: "local", opset_import: ["" : 17]> twice (a) => (b) { h = Neg(a) b = Neg(h) }"""


def test_a_breach_inside_a_function():
    broken = model(FUNCTION)
    (function,) = broken.functions.values()
    function[1].replace_input_with(0, ir.Value(name="ghost"))
    assert "uses 'ghost', which is not defined before it" in breach(broken)


def test_a_domain_that_a_function_does_not_import():
    broken = model(FUNCTION)
    (function,) = broken.functions.values()
    function[0].domain = "com.example"
    assert "(Neg) is of domain 'com.example', which no opset import covers" in breach(broken)


def test_an_attribute_of_a_definition_may_be_left_to_its_default():
    centred = model("agraph (float[1,2,3,3] x) => (float[a,b,c,d] y) { y = MeanVarianceNormalization(x) }")
    assert centred.graph.outputs[0].shape == [1, 2, 3, 3]
    assert not centred.graph[0].attributes


def test_arithmetic_of_integer_matrices_is_no_arithmetic_of_sizes():
    constants = "int64[4] a = {1, 2, 3, 4}, int64[2] b = {1, 2}, int64[1] z = {0}, int64[1] o = {1}"
    text = f"""g (int64[4] x) => (y) <{constants}> {{
        row = Unsqueeze(a, z) column = Unsqueeze(b, o) c = Sub(row, column) y = Add(x, c) }}"""
    assert list(model(text).graph.outputs[0].shape or ()) == [2, 4]


def test_large_weights_take_no_part_in_inference(monkeypatch: pytest.MonkeyPatch):
    sizes: list[int] = []
    infer = onnx.shape_inference.infer_shapes

    def watched(proto: onnx.ModelProto, **options: object) -> onnx.ModelProto:
        sizes.append(proto.ByteSize())
        return infer(proto, **options)

    monkeypatch.setattr(onnx.shape_inference, "infer_shapes", watched)
    model(
        "agraph (float[N,1000] x, float[1000,100] w) => (float[N,100] y) { y = MatMul(x, w) }",
        w=np.zeros((1000, 100), np.float32),
    )
    assert sizes
    assert max(sizes) < 1000
