from __future__ import annotations

import io

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxpress import streaming
from onnxpress.testing import model

FRAME = "agraph (float[N,4] x) => (float[N,4] y) { y = Relu(x) }"

TENSORS = {
    "float32": ir.tensor(np.arange(6, dtype=np.float32).reshape(2, 3), name="w"),
    "int8": ir.tensor(np.arange(-5, 5, dtype=np.int8), name="w", doc_string="of a kind"),
    "scalar": ir.tensor(np.float16(2.5), name="w"),
    "empty": ir.tensor(np.zeros((0, 3), np.float32), name="w"),
    "int4": ir.tensor(np.array([-8, 7, 3], np.int8), dtype=ir.DataType.INT4, name="w"),
    "strings": ir.tensor(["one", "two"], name="w"),
    "lazy": ir.LazyTensor(
        lambda: ir.tensor(np.arange(6, dtype=np.float32)), dtype=ir.DataType.FLOAT, shape=ir.Shape([6]), name="w"
    ),
    "strided": ir.tensor(np.arange(6, dtype=np.float64).reshape(2, 3).T, name="w"),
}


def written(weights: list[ir.TensorProtocol]) -> onnx.ModelProto:
    file = io.BytesIO()
    streaming.write(ir.serde.serialize_model(model(FRAME)), weights, file)
    return onnx.ModelProto.FromString(file.getvalue())


@pytest.mark.parametrize("kind", TENSORS)
def test_what_is_read_is_what_protobuf_would_have_written(kind: str) -> None:
    weights = [TENSORS[kind], ir.tensor(np.ones(3, np.float32), name="other")]
    expected = ir.serde.serialize_model(model(FRAME))
    expected.graph.initializer.extend(ir.serde.serialize_tensor(weight) for weight in weights)
    assert written(weights) == expected
    assert streaming.size(ir.serde.serialize_model(model(FRAME)), weights) == expected.ByteSize()


def test_a_tensor_with_properties_keeps_them() -> None:
    tensor = ir.tensor(np.ones(3, np.float32), name="w")
    tensor.metadata_props["origin"] = "here"
    assert written([tensor]).graph.initializer[0] == ir.serde.serialize_tensor(tensor)


@given(st.lists(st.integers(0, 40_000), max_size=5))
def test_lengths_of_any_size(sizes: list[int]) -> None:
    weights = [ir.tensor(np.full(size, 7, np.uint8), name=f"w{index}") for index, size in enumerate(sizes)]
    found = written(weights).graph.initializer
    assert [len(tensor.raw_data) for tensor in found] == sizes
    assert [tensor.name for tensor in found] == [weight.name for weight in weights]
