"""The tables hold operators that exist, with as many operands as the table says, and that work number by number."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from calibrated import graph
from onnxpress.runtime import Session
from onnxpress_plugins.elementwise import BROADCASTING, ONE_SIDED, UNARY, is_elementwise


@pytest.mark.parametrize("name", [*UNARY, *BROADCASTING, *ONE_SIDED])
def test_the_operator_exists_and_has_that_many_operands(name: str) -> None:
    schema = onnx.defs.get_schema(name, max_inclusive_version=23)
    assert len(schema.outputs) == 1
    variadic = schema.inputs[-1].option == onnx.defs.OpSchema.FormalParameterOption.Variadic
    assert (len(schema.inputs) == 1 and not variadic) == (name in UNARY)


FLOAT = [name for name in (*UNARY, *BROADCASTING) if not name.startswith("Bit")]


@pytest.mark.parametrize("name", FLOAT)
def test_one_number_changes_one_number(name: str) -> None:
    first = "bool[4,5] x" if name in ("And", "Or", "Xor", "Not", "Where") else "float[4,5] x"
    second = "bool[5] z" if name in ("And", "Or", "Xor") else "float[5] z"
    options = {"Cast": "<to = 11>", "Mod": "<fmod = 1>"}.get(name, "")
    operands = "x" if name in UNARY else "x, z, z" if name == "Where" else "x, z"
    made = graph(f"y = {name}{options}({operands})", x=f"{first}, {second}", opset=20)
    assert is_elementwise(made.graph[0])
    x, z = np.full((4, 5), 0.3), np.linspace(-1, 1, 5)
    changed = np.copy(x)
    changed[2, 3] = -0.9
    outputs = []
    for data in (x, changed):
        session = Session(made, threads=1)
        feeds = {
            port.name: (array > 0 if port.dtype == np.bool_ else array.astype(port.dtype))
            for port in session.inputs
            for array in [{"x": data, "z": z}[port.name]]
        }
        outputs.append(next(iter(session.run(feeds).values())))
    same = np.equal(*outputs) | (np.isnan(outputs[0]) & np.isnan(outputs[1]))
    same[2, 3] = True
    assert same.all()


def test_others_are_not() -> None:
    made = graph("r = ReduceSum(x) s = Softmax(x) p = PRelu(x, k) y = Add(p, s)", k=np.float32(1))
    assert [is_elementwise(node) for node in made.graph] == [False, False, False, True]
