"""Facts come together along a graph: shapes give contents, and these shapes again."""

from __future__ import annotations

from onnxpress.testing import model
from onnxpress_plugins.cleaning.shape_following import follow
from onnxpress_plugins.cleaning.symbolic_sizes import Size

N = Size.of("N")


def test_shapes_of_shapes() -> None:
    made = model(
        """g (float[N,2,6] x) => (y) <int64[1] zero = {0}, int64[1] last = {-1}, int64[2] both = {0,1}> {
            s = Shape(x) k = Gather(s, both) p = ReduceProd(k) t = Concat<axis=0>(p, last) r = Reshape(x, t)
            u = Shape(r) n = Gather(u, zero) y = Mul(n, n) }"""
    )
    facts, values = follow(made), {node.outputs[0].name: node.outputs[0] for node in made.graph}
    assert facts.contents(values["t"]) == [N * Size(2), Size(-1)]
    assert facts.shape(values["r"]) == [N * Size(2), Size(6)]
    assert facts.contents(values["y"]) == [N * N * Size(4)]


def test_subgraphs_know_what_is_known_outside() -> None:
    made = model(
        """g (float[N,2,6] x, bool flag) => (y) <int64[2] flat = {-1,12}> {
            r = Reshape(x, flat)
            y = If(flag) <then_branch = f () => (p) { p = Shape(r) },
                          else_branch = h () => (q) { q = Shape<end=2>(x) }> }"""
    )
    facts = follow(made)
    p, q = (node.outputs[0] for node in made.graph.all_nodes() if node.op_type == "Shape")
    assert (facts.contents(p), facts.contents(q)) == ([N, Size(12)], [N, Size(2)])
