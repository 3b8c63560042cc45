from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from onnxpress.errors import InvalidModel, UnsupportedModel
from onnxpress_frontends.tflite_source import load

CUSTOM, WHILE, SVDF, EXP = 32, 119, 27, 47


def _renamed(code: int, custom: str | None = None) -> Any:
    def change(model: Any) -> None:
        for each in model.operatorCodes:
            each.builtinCode = each.deprecatedBuiltinCode = code
            each.customCode = custom

    return change


@pytest.mark.parametrize(
    ("change", "name"),
    [(_renamed(CUSTOM, "FlexErfinv"), "FlexErfinv"), (_renamed(CUSTOM, "MyOwn"), "MyOwn"), (_renamed(SVDF), "SVDF")],
)
def test_operators_without_onnx_form_are_refused_by_name_and_tensor(
    dense: Path, edit: Any, change: Any, name: str
) -> None:
    with pytest.raises(UnsupportedModel) as refused:
        load(edit(dense, change))
    assert str(refused.value) == (
        f"'dense' uses TFLite operators that have no ONNX form here: {name} (1, first 'Identity'); "
        "convert the model that the file was made of, or replace these layers by ordinary ones"
    )


def test_operators_that_nothing_needs_do_no_harm(tf: Any, write: Any, edit: Any) -> None:
    path = write(lambda x: (tf.abs(x), tf.exp(x)), (2, 3))

    def change(model: Any) -> None:
        model.subgraphs[0].outputs = model.subgraphs[0].outputs[:1]
        exp = next(code for code in model.operatorCodes if code.builtinCode == EXP)
        exp.builtinCode, exp.deprecatedBuiltinCode = CUSTOM, CUSTOM
        exp.customCode = "NotThere"

    model = load(edit(path, change))
    assert [node.op_type for node in model.graph] == ["Abs"]


def test_tensors_that_are_no_numbers_are_refused(dense: Path, edit: Any) -> None:
    def change(model: Any) -> None:
        model.subgraphs[0].tensors[model.subgraphs[0].inputs[0]].type = 5

    with pytest.raises(UnsupportedModel, match="'dense' cannot be converted: tensor 'x' is of type string"):
        load(edit(dense, change))


def test_a_loop_that_calls_no_graph(dense: Path, edit: Any) -> None:
    with pytest.raises(InvalidModel, match=r"'dense' is corrupt: it calls graph -1 of 1$"):
        load(edit(dense, _renamed(WHILE)))
