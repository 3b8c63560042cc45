"""What a graph computes, read as polynomials."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from calibrated import graph, numbers
from onnxpress_plugins.fusion.derivation import derived, operands
from onnxpress_plugins.fusion.polynomials import Polynomial

X, R = Polynomial.variable("X"), Polynomial.variable("R")
TWO = {"two": np.float32(2)}


def read(body: str, **constants: np.float32) -> Polynomial | None:
    """What `y` is, x and r being X and R, of which R is never zero."""
    made = graph(f"r = Sigmoid(x) {body}", **constants)
    given = {made.graph.inputs[0]: X, made.graph[0].outputs[0]: R}
    return derived(given, made.graph, never_zero="R").get(made.graph.outputs[0])


READ = {
    "y = Add(x, r)": X + R,
    "y = Sum(x, r, x)": X * 2 + R,
    "a = Sub(two, x) y = Mul(a, two)": X * -2 + 4,
    "a = Neg(x) y = Div(a, two)": X * -0.5,
    "a = Reciprocal(r) y = Mul(x, a)": X * R**-1,
    "a = Mul(r, two) y = Div(x, a)": X * R**-1 * 0.5,
    "a = Add(x, two) y = Pow(a, two)": X**2 + X * 4 + 4,
    "a = Identity(x) y = Mul(a, x)": X**2,
    "a = Sub(x, x) y = Add(a, two)": Polynomial.constant(2),
}


@pytest.mark.parametrize("body", READ)
def test_read(body: str) -> None:
    found = read(body, **(TWO if "two" in body else {}))
    assert found is not None and found.is_close(READ[body], rtol=0)


UNREAD = [
    "a = Relu(x) y = Add(a, x)",
    "y = Div(r, x)",
    "y = Pow(x, half)",
    "y = Pow(x, r)",
    "a = Add(x, r) y = Div(x, a)",
    "a = Add(x, r) b = Mul(a, a) c = Add(b, half) d = Add(c, x) y = Mul(d, d)",
]


@pytest.mark.parametrize("body", UNREAD)
def test_not_read(body: str) -> None:
    assert read(body, **({"half": np.float32(0.5)} if "half" in body else {})) is None


def test_constants_are_read_as_arrays() -> None:
    found = read("y = Mul(x, w)", w=numbers(4, 1, 1))
    assert found is not None
    np.testing.assert_array_equal(found.factor(X), numbers(4, 1, 1))


def test_infinite_constants_are_no_trouble(recwarn: pytest.WarningsRecorder) -> None:
    found = read("a = Add(x, mask) b = Mul(a, a) y = Sub(b, b)", mask=np.float32(-np.inf))
    assert found is not None and not found.is_close(Polynomial.constant(0), rtol=1)
    assert not recwarn.list


def test_the_computed_operands_of_a_node() -> None:
    made = graph("a = Add(two, x) b = Relu(x) y = Mul(a, b)", **TWO)
    names = {node.name: [value.name for value in operands(node)] for node in made.graph}
    assert names == {"a": ["x"], "b": [], "y": ["a", "b"]}


def test_the_nodes_of_a_subgraph_are_another_graphs() -> None:
    made = graph(
        "a = Neg(x) y = If(flag) <then_branch = t () => (float[N,4,8,8] r) { r = Neg(a) },"
        " else_branch = e () => (float[N,4,8,8] s) { s = Neg(x) }>",
        x="float[N,4,8,8] x, bool flag",
    )
    assert [value.name for value in derived({made.graph.inputs[0]: X}, made.graph)] == ["x", "a"]
    inner = next(graph for graph in made.graphs() if graph is not made.graph)
    assert isinstance(inner, ir.Graph)
    assert "a" not in [value.name for value in derived({made.graph.inputs[0]: X}, inner)]
