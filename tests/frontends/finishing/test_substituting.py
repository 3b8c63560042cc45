from __future__ import annotations

import numpy as np

from onnxpress.runtime import Session
from onnxpress.testing import model
from onnxpress.verify import verify
from onnxpress_frontends.finishing.substituting import Substitute


def test_a_node_is_spelled_out_in_its_place() -> None:
    parsed = model("g (float[3] x) => (float[3] y, float[3] z) { y = Sinh(x) z = Neg(y) }")
    node = parsed.graph[0]
    node.name = "sinh"
    write = Substitute(node)
    ends = (write.call("Exp", node.inputs[0]), write.call("Exp", write.call("Neg", node.inputs[0])))
    write.take_place(write.call("Div", write.call("Sub", *ends), np.float32(2)))
    verify(parsed)
    assert [node.op_type for node in parsed.graph] == ["Exp", "Neg", "Exp", "Sub", "Div", "Neg"]
    assert [value.name for value in parsed.graph.outputs] == ["y", "z"]
    x = np.array([-1, 0, 2], np.float32)
    np.testing.assert_allclose(Session(parsed).run({"x": x})["y"], np.sinh(x), rtol=1e-6)


def test_every_constant_has_a_name_of_its_own() -> None:
    parsed = model("g (float[3] x) => (float[3] y) { y = Neg(x) }")
    write = Substitute(parsed.graph[0])
    names = [write.constant(np.float32(number)).name for number in (1, 2)]
    assert len(set(names)) == 2 and set(names) == set(parsed.graph.initializers)
