from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import onnx_ir as ir
import pytest

from onnxpress.errors import UnsupportedModel
from onnxpress_backends.saved_model.functions import function
from onnxpress_backends.tensorflow.preparing import lowered
from onnxpress_backends.tflite.trying import attempt
from saved_models import Written


def test_a_file_that_does_not_run_is_not_given_out(network: ir.Model, written: Written, tmp_path: Path) -> None:
    for value in network.graph.initializers.values():
        assert value.const_value is not None
        value.const_value = ir.tensor(value.const_value.numpy() * (value.const_value.numpy() > 0.3), name=value.name)
    with pytest.raises(UnsupportedModel, match=r"the converted file does not run: .*choose another precision"):
        written(network, precision="dynamic", sparse=True)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_gives_something_else_is_refused(tf: Any, network: ir.Model, written: Written) -> None:
    content = written(network).read_bytes()
    bias = network.graph.initializers["bias"]
    assert bias.const_value is not None
    bias.const_value = ir.tensor(bias.const_value.numpy() * 1.1, name="bias")
    other = function(tf, lowered(network), {}, {})
    attempt(tf, content, function(tf, lowered(network), {}, {}), "int8")
    with pytest.raises(UnsupportedModel, match=r"output 'scores' of the converted file is off by .* float does not"):
        attempt(tf, content, other, "float")


def test_rubbish_does_not_run(tf: Any, network: ir.Model) -> None:
    with pytest.raises(UnsupportedModel, match="does not run"):
        attempt(tf, b"TFL3 and so on", function(tf, lowered(network), {}, {}), "float")


def test_the_interpreter_of_tensorflow_does_as_well(
    tf: Any, network: ir.Model, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    used: list[Any] = []
    taken = tf.lite.Interpreter
    monkeypatch.setattr(tf.lite, "Interpreter", lambda **given: used.append(taken(**given)) or used[0])
    written(network)
    assert len(used) == 1
