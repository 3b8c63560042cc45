"""The table of TensorFlow's operators is what the installed TensorFlow says of them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from onnxpress_backends.tensorflow.graphs.op_definitions import definition, line, names


def test_every_operator_is_defined_as_in_tensorflow(tf: Any) -> None:
    from tensorflow.python.framework import op_def_registry

    differing = []
    for name in names():
        known, registered = definition(name), op_def_registry.get(name)
        _, (inputs, outputs, attrs, defaults) = next(iter(json.loads(line(registered)).items()))
        same = [list(known.inputs), list(known.outputs)] == [
            [tuple(argument) for argument in side] for side in (inputs, outputs)
        ]
        if not same or known.attrs != attrs or known.defaults != defaults:
            differing.append(name)
    assert not differing


def test_the_table_is_in_order_and_has_no_operator_twice() -> None:
    assert names() == sorted(set(names()))


def test_arguments_are_spelt_by_how_many_and_of_what_type() -> None:
    assert definition("ConcatV2").inputs == (("values", "N*T"), ("axis", "Tidx"))
    assert definition("StatelessWhile").inputs == (("input", "*T"),)
    assert definition("Shape").outputs == (("output", "out_type"),)
    assert definition("Conv2D").defaults["data_format"] == "NHWC"


def test_an_operator_that_is_not_there() -> None:
    with pytest.raises(KeyError):
        definition("NoSuchOperator")


def test_no_operator_is_there_that_no_rule_writes() -> None:
    backends = Path(__file__).parents[4] / "backends"
    written = {name for file in backends.rglob("*.py") for name in re.findall(r'"(\w+)"', file.read_text())}
    assert set(names()) <= written
