"""What holds of every operator that is put together: what is inside, what stays, and the opset."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx_ir as ir
import pytest

from calibrated import graph, ops
from onnxpress.errors import UnsupportedModel
from onnxpress.kinds import Context, Pass
from onnxpress.records import Notes
from onnxpress.testing import apply
from onnxpress_plugins.fusion.fusing import Fuse, Match, between, keeps_shape
from onnxpress_plugins.quantization.onnxruntime_cpu import ONNXRUNTIME_CPU

TWICE = "a = Neg(x) b = Neg(a) c = Neg(b)"


def find(graph: ir.Graph, notes: Notes) -> list[Match]:
    """Every ``Neg(Neg(v))``, as a match that Identity replaces."""
    matches: dict[ir.Value, Match] = {}
    for node in graph:
        middle = node.inputs[0] if node.op_type == "Neg" else None
        maker = None if middle is None or middle in matches else middle.producer()
        if maker is not None and maker.op_type == "Neg" and maker.graph is graph:
            matches[node.outputs[0]] = _match(maker.inputs[0], node.outputs[0])
    return list(matches.values())


def _match(source: ir.Value | None, result: ir.Value) -> Match:
    assert source is not None
    return Match(result, between([source], result), lambda names: [ir.node("Identity", [source])])


def build(context: Context, *, version: int = 17, avoided: list[str] = []) -> ir.passes.PassBase:  # noqa: B006
    target = replace(ONNXRUNTIME_CPU, name="a-target", avoided=tuple(avoided))
    return Fuse(find, into="Identity", version=version, target=target, notes=context.notes)


FUSE = Pass(name="fuse-negations", summary="Two negations are none", build=build)


def test_the_result_of_one_may_be_the_source_of_another() -> None:
    made = graph(f"{TWICE} d = Neg(c) e = Neg(d) y = Neg(e)")
    after, notes = apply(FUSE, made)
    assert [(node.op_type, *(value.name for value in node.inputs)) for node in after.graph] == [
        ("Identity", "x"),
        ("Identity", "b"),
        ("Identity", "d"),
    ]
    assert (notes.counts, notes.declined) == ({"Identity made of small operators": 3}, [])


def test_what_the_target_avoids_is_not_made() -> None:
    made = graph("a = Neg(x) b = Neg(a) y = Relu(b)")
    after, notes = apply(FUSE, made, version=99, avoided=["Identity"])
    assert (ops(after), after.opset_imports, notes.counts) == (ops(made), made.opset_imports, {})
    assert [(item.node, item.reason) for item in notes.declined] == [
        ("b", "what reads models for a-target may not know Identity")
    ]


def test_names_and_calibrated_ranges_stay() -> None:
    made = graph("a = Neg(x) b = Neg(a) y = Relu(b)")
    made.graph[1].outputs[0].meta["tag"] = 7
    after, notes = apply(FUSE, made)
    assert notes.counts == {"Identity made of small operators": 1}
    assert [(node.op_type, node.name, node.outputs[0].name) for node in after.graph] == [
        ("Identity", "b", "b"),
        ("Relu", "y", "y"),
    ]
    assert after.graph[0].outputs[0].meta["tag"] == 7


def test_one_that_stays_keeps_the_one_it_shares_with() -> None:
    """Both use a; y's match is open because a is an output, and then z's is open, too."""
    made = graph("a = Neg(x) y = Neg(a) z = Neg(a)", y="y, z, a")
    after, notes = apply(FUSE, made)
    assert ops(after) == {"Neg": 3}
    assert [(item.node, item.reason) for item in notes.declined] == [
        ("y", "the result of Neg 'a', inside it, is used elsewhere too"),
        ("z", "the result of Neg 'a', inside it, is used elsewhere too"),
    ]


def test_what_is_shared_goes_when_all_are_replaced() -> None:
    after, notes = apply(FUSE, graph("a = Neg(x) y = Neg(a) z = Neg(a)", y="y, z"))
    assert (ops(after), notes.counts) == ({"Identity": 2}, {"Identity made of small operators": 2})


def test_the_opset_is_raised_for_a_match_alone() -> None:
    after, _ = apply(FUSE, graph("y = Neg(x)"), version=20)
    assert after.opset_imports[""] == 17
    after, notes = apply(FUSE, graph("a = Neg(x) m = ReduceMean<axes = [1]>(a) y = Neg(a)", y="y, m"), version=20)
    assert after.opset_imports[""] == 17
    after, notes = apply(FUSE, graph("a = Neg(x) y = Neg(a) m = ReduceMean<axes = [1]>(x)", y="y, m"), version=20)
    assert (after.opset_imports[""], notes.counts) == (20, {"Identity made of small operators": 1})


def test_a_model_that_cannot_be_raised_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(model: ir.Model, version: int) -> bool:
        raise UnsupportedModel("the model is at opset 17 and cannot be raised to 20: no adapter for Old")

    monkeypatch.setattr("onnxpress.opset.at_least", refuse)
    made = graph("a = Neg(x) y = Neg(a)")
    after, notes = apply(FUSE, made, version=20)
    assert (ops(after), notes.counts) == (ops(made), {})
    assert [item.reason for item in notes.declined] == [
        "Identity is of opset 20, and the model is at opset 17 and cannot be raised to 20: no adapter for Old"
    ]


def test_a_subgraph_that_uses_a_value_inside_sees_it_from_outside() -> None:
    body = """a = Neg(x) b = Neg(a) y = If (flag) <
        then_branch = yes () => (float[N,4,8,8] r) { r = Relu(a) },
        else_branch = no () => (float[N,4,8,8] s) { s = Relu(b) }>"""
    made = graph(body, x="float[N,4,8,8] x, bool flag", y="float[N,4,8,8] y")
    after, notes = apply(FUSE, made)
    assert ops(after) == ops(made)
    assert [item.reason for item in notes.declined] == ["the result of Neg 'a', inside it, is used elsewhere too"]


SHAPES = {
    ("float[N,4]", "float[N,4]"): True,
    ("float[N,4]", "float[M,4]"): True,
    ("float[N,4]", "float[2,4]"): False,
    ("float[N,4]", "float[1,N,4]"): False,
    ("float[1,4]", "float[3,4]"): False,
}


@pytest.mark.parametrize("pair", SHAPES)
def test_shapes_are_kept_where_nothing_contradicts_it(pair: tuple[str, str]) -> None:
    first, second = graph("y = Relu(a) z = Relu(b)", x=f"{pair[0]} a, {pair[1]} b", y="y, z").graph.inputs
    assert keeps_shape(first, second) is SHAPES[pair]


def test_the_nodes_between() -> None:
    made = graph(f"{TWICE} y = Add(c, two)", two=np.float32(2))
    a, c, y = (node.outputs[0] for node in (made.graph[0], made.graph[2], made.graph[3]))
    assert [node.name for node in between([a], c)] == ["b", "c"]
    assert [node.name for node in between([c], y)] == ["y"]
