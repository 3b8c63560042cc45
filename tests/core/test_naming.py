"""New names are new, wherever in a model a name may be; nodes without a name are called by what they make."""

from __future__ import annotations

from onnxpress.naming import Names, described, title
from onnxpress.testing import model

TEXT = """g (float[2] x, bool flag) => (y) <float[2] own = {3, 4}> {
    a = Add(x, own)
    y = If(flag) <then_branch = f () => (float[2] p) { p = Neg(a) },
                 else_branch = h () => (float[2] q) { q = Abs(a) }> }"""


def test_fresh_names_differ_from_all_in_the_model_and_from_each_other() -> None:
    names = Names(model(TEXT))
    assert [names.fresh(wish) for wish in ("own", "own", "p", "x", "new")] == ["own_1", "own_2", "p_1", "x_1", "new"]


def test_how_a_report_calls_a_node() -> None:
    node = model("g (float[2] x) => (a) { a = Neg(x) }").graph[0]
    assert (title(node), described(node)) == ("a", "Neg 'a'")
    node.name = "sum"
    assert described(node) == "Neg 'sum'"
