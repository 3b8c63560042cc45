"""Text in a program that PyTorch would run is refused before PyTorch sees it."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from onnxpress.errors import InvalidModel, UnsupportedModel
from onnxpress_frontends.pytorch.inert_programs import inert

PROGRAM: dict[str, Any] = {
    "graph_module": {
        "graph": {
            "inputs": [{"as_tensor": {"name": "x"}}],
            "nodes": [
                {
                    "target": "torch.ops.aten.einsum.default",
                    "inputs": [{"name": "equation", "arg": {"as_string": "a \"quoted\" 'text'"}, "kind": 1}],
                    "metadata": {"stack_trace": "File 'x.py'\nimport os"},
                },
                {"target": "_operator.mul", "inputs": [], "metadata": {}},
            ],
            "tensor_values": {
                "x": {"sizes": [{"as_expr": {"expr_str": "Mul(Integer(2), Symbol('s0', positive=True))"}}]}
            },
        },
        "module_call_graph": [{"signature": {"in_spec": '[1, {"type": "builtins.dict", "context": "[\\"a\\"]"}]'}}],
    },
    "range_constraints": {"s0": {"min_val": 0}},
    "guards_code": ["__import__('os')"],
}


def with_text(place: str, text: str) -> dict[str, Any]:
    """The program with `text` at a place, or in place of a key."""
    program = copy.deepcopy(PROGRAM)
    graph, entry = program["graph_module"]["graph"], program["graph_module"]["module_call_graph"][0]["signature"]
    match place:
        case "operator":
            graph["nodes"][0]["target"] = text
        case "size":
            graph["tensor_values"]["x"]["sizes"][0]["as_expr"]["expr_str"] = text
        case "name":
            graph["inputs"][0]["as_tensor"]["name"] = text
        case "key":
            graph["tensor_values"][text] = {}
        case "structure":
            entry["in_spec"] = text
        case "symbol":
            program["range_constraints"][text] = {}
    return program


def test_a_harmless_program_loses_guards_and_notes() -> None:
    program = inert(PROGRAM, "m.pt2")
    assert program["guards_code"] == []
    assert [node["metadata"] for node in program["graph_module"]["graph"]["nodes"]] == [{}, {}]
    expected = copy.deepcopy(PROGRAM)
    expected["guards_code"] = []
    for node in expected["graph_module"]["graph"]["nodes"]:
        node["metadata"] = {}
    assert program == expected


@pytest.mark.parametrize(
    ("place", "kind", "text"),
    [
        ("operator", "operator", "torch.os.system"),
        ("operator", "operator", "torch.hub.load"),
        ("operator", "operator", "torch.ops.load_library"),
        ("operator", "operator", "torch.ops.aten.from_file.default"),
        ("operator", "operator", "torch.ops.aten.__class__.mro"),
        ("operator", "operator", "_operator.attrgetter"),
        ("operator", "operator", "builtins.eval"),
        ("size", "size", "__import__('os').system('true')"),
        ("size", "size", "Symbol('__import__')"),
        ("size", "size", "exec('x')"),
        ("size", "size", "Symbol"),
        ("size", "size", "Integer(2).__class__"),
        ("size", "size", "(lambda: 1)()"),
        ("size", "size", "["),
        ("name", "name", "x; import os"),
        ("name", "name", ""),
        ("key", "name", "x): import os"),
        ("structure", "structure", '[1, {"__enum__": true, "fqn": "os:name"}]'),
        ("structure", "structure", '[1, {"context": "{\\"__enum__\\": true, \\"fqn\\": \\"antigravity:x\\"}"}]'),
        ("structure", "structure", '[1, {"context": "a\\nb"}]'),
        ("symbol", "text", "s0'"),
    ],
)
def test_text_that_could_run_is_refused(place: str, kind: str, text: str) -> None:
    with pytest.raises(UnsupportedModel) as caught:
        inert(with_text(place, text), "m.pt2")
    assert str(caught.value) == (
        f"m.pt2 holds the {kind} {text!r}, which PyTorch could run as code; such a program is not loaded"
    )


@pytest.mark.parametrize(
    "target",
    [
        "torch.ops.aten.add.Tensor",
        "torch.ops.aten._native_batch_norm_legit_no_training.default",
        "torch.ops.aten.__and__.Tensor",
        "torch.ops.higher_order.cond",
        "torch.sym_max",
        "math.trunc",
    ],
)
def test_operators_on_tensors_and_sizes_are_taken(target: str) -> None:
    assert inert(with_text("operator", target), "m.pt2")


def test_a_corrupt_structure_is_refused() -> None:
    with pytest.raises(InvalidModel, match=r"^m\.pt2: the structure of the inputs or outputs is corrupt$"):
        inert(with_text("structure", "["), "m.pt2")
