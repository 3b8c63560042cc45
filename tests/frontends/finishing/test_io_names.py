from __future__ import annotations

from types import SimpleNamespace

from onnxpress.testing import model as parse
from onnxpress.verify import verify
from onnxpress_frontends.finishing.io_names import rename
from onnxpress_frontends.opening.named_function import Endpoint, NamedFunction


def source(inputs: dict[str, str], outputs: dict[str, str]) -> NamedFunction:
    """Names to TensorFlow tensor names."""

    def ends(names: dict[str, str]) -> tuple[Endpoint, ...]:
        return tuple(Endpoint(name, SimpleNamespace(name=tensor)) for name, tensor in names.items())

    return NamedFunction(title="net", function=None, inputs=ends(inputs), outputs=ends(outputs), owner=None)


def test_counters_slots_and_shared_scopes_go() -> None:
    model = parse(
        'agraph (float[2] "args_0:0") => (float[2] "Identity:0") {'
        ' ["call/net/conv/Conv2D__12"] "call/net/conv/Conv2D__12:0" = Neg ("args_0:0")'
        ' ["call/net/relu/Relu"] "call/net/relu/Relu:0" = Relu ("call/net/conv/Conv2D__12:0")'
        ' ["Identity"] "Identity:0" = Abs ("call/net/relu/Relu:0") }'
    )
    rename(model, source({"image": "args_0:0"}, {"scores": "Identity:0"}))
    verify(model)
    assert [node.name for node in model.graph] == ["conv/Conv2D/Neg", "relu/Relu", "Identity"]
    assert [node.outputs[0].name for node in model.graph] == ["conv/Conv2D/Neg", "relu/Relu", "scores"]
    assert (model.graph.name, model.graph.inputs[0].name) == ("net", "image")


def test_equal_names_are_numbered_and_the_users_names_come_first() -> None:
    model = parse(
        'agraph (float[2] "x:0") => (float[2] "y:0") {'
        ' ["out__1"] "out__1:0" = Neg ("x:0")'
        ' ["out__2"] "out__2:0" = Neg ("out__1:0")'
        ' ["last"] "y:0" = Abs ("out__2:0") }'
    )
    rename(model, source({"x": "x:0"}, {"out/Neg": "y:0"}))
    assert [node.name for node in model.graph] == ["out/Neg", "out/Neg_1", "last"]
    assert [node.outputs[0].name for node in model.graph] == ["out/Neg_1", "out/Neg_1_1", "out/Neg"]


def test_names_inside_subgraphs_are_unique_too() -> None:
    model = parse(
        'agraph (bool "c:0", float[2] "x:0") => (float[2] "y:0") {'
        ' ["cond"] "y:0" = If ("c:0") <'
        ' then_branch = t () => (float[2] "p:0") { ["relu"] "p:0" = Relu ("x:0") },'
        ' else_branch = e () => (float[2] "q:0") { ["relu"] "q:0" = Relu ("x:0") }> }'
    )
    rename(model, source({"flag": "c:0", "x": "x:0"}, {"y": "y:0"}))
    verify(model)
    assert sorted(node.name or "" for node in model.graph.all_nodes()) == ["cond", "relu", "relu_1"]
