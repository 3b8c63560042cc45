from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from onnxpress.errors import UnsupportedModel
from onnxpress_frontends.mapping.foreign_ops import find_foreign
from onnxpress_frontends.tflite.operators import OPERATORS
from onnxpress_frontends.tflite_source import load


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("fusedActivationFunction", 5, "its activation SIGN_BIT has no ONNX form"),
        ("weightsFormat", 1, "its weights are shuffled"),
    ],
)
def test_options_without_onnx_form_are_refused(dense: Path, edit: Any, option: str, value: int, message: str) -> None:
    def change(model: Any) -> None:
        setattr(model.subgraphs[0].operators[0].builtinOptions, option, value)

    with pytest.raises(UnsupportedModel, match=f"^FULLY_CONNECTED 'Identity' cannot be converted: {message}$"):
        load(edit(dense, change))


def test_a_file_without_options_has_the_defaults(dense: Path, edit: Any, agree: Any) -> None:
    def change(model: Any) -> None:
        model.subgraphs[0].operators[0].builtinOptions = None
        model.subgraphs[0].operators[0].builtinOptionsType = 0

    assert [node.op_type for node in load(edit(dense, change)).graph] == [node.op_type for node in agree(dense).graph]


def test_the_table_has_the_names_of_the_format(tf: Any) -> None:
    from tensorflow.lite.python.schema_py_generated import BuiltinOperator

    assert [code for code in OPERATORS if not hasattr(BuiltinOperator, code)] == []
    assert find_foreign(tf.Graph().as_graph_def(), opset=17).places == {}
