"""Raising a model's opset."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from onnxpress import opset
from onnxpress.errors import UnsupportedModel
from onnxpress.ranges import META_KEY, Range
from onnxpress.runtime import Session
from onnxpress.testing import model

OLD = '<ir_version: 7, opset_import: ["" : 11]>'
WEIGHT = np.random.default_rng(0).normal(size=(32, 8, 3, 3)).astype(np.float32)


def old() -> ir.Model:
    return model(
        f"{OLD} g (float[N,8,9,9] x, float[32,8,3,3] w) => (float[N,C] y) "
        "{ c = Conv(x, w) s = Softmax<axis = 1>(c) m = ReduceSum<axes = [2, 3], keepdims = 0>(s) y = Relu(m) }",
        w=WEIGHT,
    )


def test_a_recent_model_is_left_alone() -> None:
    made = old()
    graph = made.graph
    assert not opset.at_least(made, 11)
    assert made.graph is graph and made.opset_imports[""] == 11


def test_an_older_model_computes_the_same_and_keeps_weights_and_ranges() -> None:
    before, after = old(), old()
    weight = after.graph.initializers["w"].const_value
    next(node for node in after.graph if node.op_type == "Conv").outputs[0].meta[META_KEY] = Range(-1, 1)
    assert opset.at_least(after, 13)
    assert after.opset_imports[""] == 13
    assert after.graph.initializers["w"].const_value is weight
    convolution = next(node for node in after.graph if node.op_type == "Conv")
    assert convolution.outputs[0].meta[META_KEY] == Range(-1, 1)
    x = {"x": np.random.default_rng(1).normal(size=(2, 8, 9, 9)).astype(np.float32)}
    np.testing.assert_allclose(Session(after).run(x)["y"], Session(before).run(x)["y"], rtol=1e-6)


def test_what_onnx_cannot_convert_is_refused_with_its_reason() -> None:
    made = model(f"{OLD} g (float[N,1,2,2] x, float[4] s) => (float[N,C,H,W] y) {{ y = Relu(x) }}")
    made.graph.append(ir.Node("", "Unknown", [made.graph.inputs[0]], name="odd"))
    with pytest.raises(UnsupportedModel, match=r"is at opset 11 and cannot be raised to 13: .* export it at opset 13"):
        opset.at_least(made, 13)
    assert made.opset_imports[""] == 11


def test_a_model_with_functions_is_refused() -> None:
    made = old()
    function = ir.Function("local", "f", graph=ir.Graph([], [], nodes=[], opset_imports={"": 11}), attributes=[])
    made.functions[function.identifier()] = function
    with pytest.raises(UnsupportedModel, match=r"inline them .the pass clean-up does. or export it at opset 13"):
        opset.at_least(made, 13)


def test_a_scan_over_a_batch_is_refused_rather_than_made_wrong() -> None:
    text = """<ir_version: 3, opset_import: ["" : 8]> g (float[1,2] h, float[1,3,2] x) => (float[1,2] y) {
        y = Scan<num_scan_inputs = 1, body = b (float[2] v, float[2] row) => (float[2] n) { n = Add(v, row) }>(, h, x)
    }"""
    with pytest.raises(UnsupportedModel, match="ONNX converts a Scan of before opset 9 wrongly; export it at opset 11"):
        opset.at_least(model(text), 11)


@pytest.mark.parametrize("node", ["Resize<mode = %s>(x, s)", "Upsample<mode = %s>(x, s)"])
@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_resized_elements_stay_where_they_were(node: str, mode: str) -> None:
    version = 10 if node.startswith("Resize") else 9
    call = node.replace("%s", f'"{mode}"')
    text = f"""<ir_version: 4, opset_import: ["" : {version}]> g (float[1,1,3,4] x) => (float[1,1,a,b] y) {{
        s = Constant<value = float[4] {{1., 1., 2., 1.5}}>() y = {call}
    }}"""
    before, after = model(text), model(text)
    assert opset.at_least(after, 11)
    feeds = {"x": np.arange(12, dtype=np.float32).reshape(1, 1, 3, 4)}
    np.testing.assert_array_equal(Session(after).run(feeds)["y"], Session(before).run(feeds)["y"])
