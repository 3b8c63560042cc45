"""What can hold no negative number."""

from __future__ import annotations

import numpy as np
import pytest

from onnxpress.testing import model
from onnxpress_plugins.signs import never_negative

BODIES = {
    "y = Relu(x)": True,
    "y = Sigmoid(x)": True,
    "y = Clip(x, zero, six)": True,
    "y = Clip(x, minus, six)": False,
    "y = Clip(x, , six)": False,
    "y = Neg(x)": False,
}


@pytest.mark.parametrize(("body", "expected"), BODIES.items())
def test_by_operator(body: str, expected: bool) -> None:
    numbers = {"zero": 0.0, "six": 6.0, "minus": -1.0}
    ports = ", ".join(f"float {name}" for name in numbers)
    made = model(f"g (float[4] x, {ports}) => (y) {{ {body} }}", **{k: np.float32(v) for k, v in numbers.items()})
    assert never_negative(made.graph.outputs[0]) is expected


def test_an_input_may_be_anything() -> None:
    made = model("g (float[4] x) => (y) { y = Relu(x) }")
    assert not never_negative(made.graph.inputs[0]) and not never_negative(None)
