from __future__ import annotations

from typing import Any

import pytest

from onnxpress.errors import UnsupportedModel
from onnxpress_frontends.tflite_source import load


def test_quantise_and_dequantise_at_the_ends(tf: Any, check: Any, agree: Any) -> None:
    path = check("QUANTIZE", lambda x: tf.nn.relu(x), (2, 6), kind="int8", steps=0)
    kinds = [node.op_type for node in agree(path, steps=0).graph]
    assert kinds == ["QuantizeLinear", "DequantizeLinear", "Relu", "QuantizeLinear", "DequantizeLinear"]


def test_to_another_grid(tf: Any, check: Any) -> None:
    check("QUANTIZE", lambda x: tf.concat([x, 8 * x], 1), (2, 6), kind="int8", steps=1, share=0.1)


def test_a_quantise_without_a_scale_is_refused(tf: Any, write: Any, edit: Any) -> None:
    path = write(lambda x: tf.nn.relu(x), (2, 6), kind="int8")

    def change(model: Any) -> None:
        graph = model.subgraphs[0]
        graph.tensors[graph.operators[0].outputs[0]].quantization = None

    with pytest.raises(UnsupportedModel, match=r"QUANTIZE '[^']+' cannot be converted: its result has no scale$"):
        load(edit(path, change))
