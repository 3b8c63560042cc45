"""Constants in branches and bodies: axes are there for shape inference to see, weights stay where they are."""

from __future__ import annotations

import onnx_ir as ir

from onnxpress.testing import model
from onnxpress.verify import verify
from onnxpress_backends.tensorflow.inner_constants import bring_inside


def test_axes_are_copied_once_into_each_branch_and_weights_are_not() -> None:
    parsed = model(
        """agraph (float[4] x, bool c) => (y) <int64[1] first = {0}, float[4] w = {1, 2, 3, 4}> {
            y = If (c) <
                then_branch = t () => (a) { s = Add(x, w) u = Unsqueeze(s, first) a = Squeeze(u, first) },
                else_branch = e () => (b) { v = Unsqueeze(x, first) b = Squeeze(v, first) }
            >
        }"""
    )
    (branching,) = parsed.graph
    then, otherwise = (branching.attributes[name].as_graph() for name in ("then_branch", "else_branch"))
    bring_inside(parsed)
    assert list(then.initializers) == ["first/t"]
    assert list(otherwise.initializers) == ["first/e"]
    assert then.node(1).inputs[1] is then.node(2).inputs[1] is then.initializers["first/t"]
    assert then.node(0).inputs[1] is parsed.graph.initializers["w"]
    verify(parsed)
    assert then.node(1).outputs[0].shape == ir.Shape([1, 4])


def test_what_is_inside_already_stays() -> None:
    parsed = model("agraph (float[4] x) => (y) <int64[1] first = {0}> { y = Unsqueeze(x, first) }")
    bring_inside(parsed)
    assert list(parsed.graph.initializers) == ["first"]
