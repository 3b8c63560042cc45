from __future__ import annotations

from typing import Any

import pytest

from onnxpress.errors import UnsupportedModel
from onnxpress_frontends.opening.keras.wiring import rewire


def tensor(name: str, call: int, output: int) -> dict[str, Any]:
    arguments = {"shape": [], "dtype": "float32", "keras_history": [name, call, output]}
    return {"class_name": "__keras_tensor__", "config": arguments}


def entry(kind: str, *nodes: Any, name: str = "it", **config: Any) -> dict[str, Any]:
    return {"class_name": kind, "name": name, "config": {"name": name, **config}, "inbound_nodes": list(nodes)}


def model(*layers: dict[str, Any], outputs: Any = ()) -> dict[str, Any]:
    first = [entry("InputLayer", name="a"), entry("InputLayer", name="b/c")]
    first[1]["name"] = "b_c"
    config = {"layers": [*first, *layers], "input_layers": [["a", 0, 0]], "output_layers": list(outputs)}
    return {"class_name": "Functional", "config": config}


def rewired(*layers: dict[str, Any]) -> dict[str, Any]:
    last: dict[str, Any] = rewire(model(*layers))["config"]["layers"][-1]
    return last


@pytest.mark.parametrize(
    ("kind", "node", "call"),
    [
        ("Dense", [["a", 0, 0, {}]], {"args": [tensor("a", 0, 0)], "kwargs": {}}),
        ("Dense", [["b/c", 0, 0, {}]], {"args": [tensor("b_c", 0, 0)], "kwargs": {}}),
        (
            "Add",
            [["a", 0, 0, {}], ["b/c", 0, 0, {}]],
            {"args": [[tensor("a", 0, 0), tensor("b_c", 0, 0)]], "kwargs": {}},
        ),
        (
            "MultiHeadAttention",
            [["a", 0, 0, {"value": ["b/c", 0, 0], "mask": None}]],
            {"args": [tensor("a", 0, 0)], "kwargs": {"value": tensor("b_c", 0, 0)}},
        ),
        (
            "LSTM",
            [["a", 0, 0, {}], ["b/c", 0, 0, {}], ["b/c", 0, 1, {}]],
            {
                "args": [tensor("a", 0, 0)],
                "kwargs": {"initial_state": [tensor("b_c", 0, 0), tensor("b_c", 0, 1)]},
            },
        ),
        (
            "Dense",
            {"left": ["a", 0, 0, {}], "right": ["b/c", 0, 0, {}]},
            {"args": [{"left": tensor("a", 0, 0), "right": tensor("b_c", 0, 0)}], "kwargs": {}},
        ),
    ],
    ids=["one", "slash", "several", "keyword", "state", "dictionary"],
)
def test_a_call_is_written_with_its_tensors_in_place(kind: str, node: Any, call: dict[str, Any]) -> None:
    assert rewired(entry(kind, node))["inbound_nodes"] == [call]


@pytest.mark.parametrize(
    ("node", "arguments", "tensors"),
    [
        (["a", 0, 0, {"y": 2.0, "name": None}], {"first": {"tensor": 0}, "keywords": {"y": 2.0}}, [tensor("a", 0, 0)]),
        (
            ["_CONSTANT_VALUE", -1, 3.0, {"y": ["a", 0, 0]}],
            {"first": 3.0, "keywords": {"y": {"tensor": 0}}},
            [tensor("a", 0, 0)],
        ),
        (
            [["a", 0, 0, {"axis": 1}], ["_CONSTANT_VALUE", -1, [[1.0]], {"axis": 1}], ["b/c", 0, 0, {"axis": 1}]],
            {"first": [{"tensor": 0}, [[1.0]], {"tensor": 1}], "keywords": {"axis": 1}},
            [tensor("a", 0, 0), tensor("b_c", 0, 0)],
        ),
        ([["a", 0, 0, {"axis": 1}]], {"first": [{"tensor": 0}], "keywords": {"axis": 1}}, [tensor("a", 0, 0)]),
    ],
    ids=["constant", "constant-first", "list", "list-of-one"],
)
def test_what_a_function_takes_becomes_part_of_its_layer(node: Any, arguments: Any, tensors: list[Any]) -> None:
    written = rewired(entry("TFOpLambda", node, function="math.multiply"))
    assert written["config"]["arguments"] == arguments
    assert written["inbound_nodes"] == [{"args": [tensors], "kwargs": {}}]


def test_a_function_that_lost_its_tensors_is_refused() -> None:
    with pytest.raises(UnsupportedModel, match="layer 'it' has no tensor for its function: Keras 2 did not write it"):
        rewired(entry("TFOpLambda", ["_CONSTANT_VALUE", -1, "ij,jk->ik", {}], function="einsum"))


@pytest.mark.parametrize(
    ("inside", "written", "read", "output"),
    [
        (model(outputs=[["a", 0, 0]])["config"], 1, 0, 1),
        ({"layers": [entry("InputLayer"), entry("Dense")]}, 1, 0, 0),
        ({"layers": [entry("Dense")]}, 0, 0, 0),
    ],
    ids=["functional", "sequential", "sequential-without-input"],
)
def test_calls_of_models_inside_are_counted_anew(inside: Any, written: int, read: int, output: int) -> None:
    kind = "Functional" if "input_layers" in inside else "Sequential"
    nested = {**entry(kind, [["a", 0, 0, {}]], name="inner"), "config": inside}
    outer = rewire(model(nested, entry("ReLU", [["inner", written, 0, {}]]), outputs=[["inner", written, 0]]))["config"]
    assert outer["layers"][-1]["inbound_nodes"][0]["args"] == [tensor("inner", read, 0)]
    assert outer["output_layers"] == ["inner", output, 0]


def test_several_ends_keep_their_structure() -> None:
    assert rewire(model(outputs=[["a", 0, 0], ["b/c", 0, 0]]))["config"]["output_layers"] == [
        ["a", 0, 0],
        ["b_c", 0, 0],
    ]
