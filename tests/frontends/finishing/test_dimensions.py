from __future__ import annotations

import onnx_ir as ir
import pytest

from onnxpress.errors import InvalidModel
from onnxpress.testing import model as parse
from onnxpress_frontends.finishing.dimensions import settle_dimensions


def test_what_inference_relates_to_an_input_keeps_its_name_and_the_rest_is_called_after_the_output() -> None:
    model = parse(
        "agraph (float[unk__1, 3, unk__2] x) => (float[unk__7, 3, unk__8] y, int64[3, unk__9] i) {"
        " y = Relu(x) i = NonZero(x) }"
    )
    settle_dimensions(model)
    (x,), (y, i) = model.graph.inputs, model.graph.outputs
    assert [str(size) for size in x.shape or ()] == ["N", "3", "x_dim_2"]
    assert [str(size) for size in y.shape or ()] == ["N", "3", "x_dim_2"]
    assert [str(size) for size in i.shape or ()] == ["3", "i_dim_1"]


def test_sizes_that_contradict_the_graph_are_refused() -> None:
    model = parse("agraph (float[unk__1, 3] x) => (float[unk__1, 3] y) { y = Relu(x) }")
    model.graph.outputs[0].shape = ir.Shape(["unk__1", 4])
    with pytest.raises(InvalidModel, match="shape inference failed"):
        settle_dimensions(model)
