"""ONNX's own operator tests compute the same between Transposes, whether these can go or not."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from onnxpress.errors import InvalidData, InvalidModel
from onnxpress.runtime import Session
from onnxpress.testing import apply
from onnxpress.verify import verify
from onnxpress_plugins.layout.transpose_cancelling import CANCEL_TRANSPOSES

RANDOM = ("bernoulli", "random", "dropout")


def around(rank: int) -> list[int]:
    """From channels last to channels first."""
    return [0, rank - 1, *range(1, rank - 1)] if rank > 2 else list(range(rank))[::-1]


def surround(model: ir.Model, inputs: dict[str, Any]) -> dict[str, Any]:
    """Put Transposes behind the inputs and before the outputs; lists of integers become constants.  Returns feeds."""
    graph, feeds = model.graph, {}
    for value in list(graph.inputs):
        array = inputs[str(value.name)]
        if array.dtype == np.int64 and array.ndim < 2:
            graph.inputs.remove(value)
            value.const_value = ir.tensor(array, name=value.name)
            graph.register_initializer(value)
        elif array.ndim > 1:
            outer = ir.Value(name=f"{value.name}_outer", type=value.type)
            order = around(array.ndim)
            back = [order.index(axis) for axis in range(array.ndim)]
            feeds[str(outer.name)] = array.transpose(back)
            outer.shape = ir.Shape(feeds[str(outer.name)].shape)
            graph.inputs[graph.inputs.index(value)] = outer
            turn = ir.node("Transpose", [outer], {"perm": order}, name=f"{value.name}_turn")
            turn.outputs[0].name, turn.outputs[0].type = f"{value.name}_inner", value.type
            value.replace_all_uses_with(turn.outputs[0])
            graph.insert_before(graph[0], turn)
        else:
            feeds[str(value.name)] = array
    for index, value in enumerate(list(graph.outputs)):
        if isinstance(value.type, ir.TensorType) and value.shape is not None and len(value.shape) > 1:
            order = around(len(value.shape))
            back = [order.index(axis) for axis in range(len(order))]
            graph.append(ir.node("Transpose", [value], {"perm": back}, name=f"{value.name}_back"))
            outer = graph[-1].outputs[0]
            outer.name, outer.type = f"{value.name}_outer", value.type
            graph.outputs[index] = outer
    return feeds


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
def test_every_operator_between_transposes() -> None:
    from onnx.backend.test.loader import load_model_tests

    compared, changed = 0, 0
    for case in load_model_tests(kind="node"):
        before = ir.serde.deserialize_model(case.model)
        (inputs, _), *_ = case.data_sets
        if any(word in case.name for word in RANDOM) or any(not isinstance(array, np.ndarray) for array in inputs):
            continue
        try:
            feeds = surround(before, dict(zip((str(v.name) for v in before.graph.inputs), inputs, strict=True)))
            verify(before)
            expected = Session(before, threads=1).run(feeds)
        except (InvalidModel, InvalidData):
            continue  # an operator that onnxruntime lacks, or a case that is about being refused
        after, notes = apply(CANCEL_TRANSPOSES, before)
        for name, actual in Session(after, threads=1).run(feeds).items():
            compare(case.name, actual, expected[name])
        compared, changed = compared + 1, changed + bool(notes.counts)
    assert compared > 1200 and changed > 700


def compare(name: str, actual: Any, expected: Any) -> None:
    if isinstance(expected, np.ndarray) and expected.dtype.kind in "fiub":
        tolerance = 2e-3 if expected.dtype == np.float16 else 1e-5  # sums in another order
        np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=1e-6, err_msg=name)
    else:
        assert repr(actual) == repr(expected), name
