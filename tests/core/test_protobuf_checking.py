from __future__ import annotations

import onnx
import pytest

from onnxpress.errors import InvalidModel
from onnxpress.protobuf_checking import check, tensors, without

TEXT = """<ir_version: 9, opset_import: ["" : 17, "own" : 1]>
agraph (bool c, float[4] x) => (float[4] y) <float[4] w = {1, 2, 3, 4}> {
    a = Strange(x)
    f = own.plus(a)
    y = If(c) <then_branch = t () => (float[4] p) { k = Constant<value = float[4] {1, 2, 3, 4}>() p = Strange(k) },
               else_branch = e () => (float[4] q) { q = Add(f, w) }>
}
<domain: "own", opset_import: ["" : 17]> plus (u) => (v) { v = Strange(u) }"""


def parsed(text: str = TEXT) -> onnx.ModelProto:
    return onnx.parser.parse_model(text)


def test_operators_beyond_onnx_are_looked_past_wherever_they_stand():
    proto = parsed()
    before = proto.SerializeToString(deterministic=True)
    check(proto, beyond=("Strange",))
    assert proto.SerializeToString(deterministic=True) == before


def test_nothing_is_looked_past_unasked():
    with pytest.raises(InvalidModel, match=r"^a file is not a valid model: No Op registered for Strange"):
        check(parsed(), name="a file")


def test_the_rest_is_checked():
    with pytest.raises(InvalidModel, match="No Op registered for Stranger"):
        check(parsed(TEXT.replace("Strange(k)", "Stranger(k)")), beyond=("Strange",))


def test_no_copy_is_made_without_need():
    assert without(parsed(TEXT.replace("Strange", "Relu")), ("Strange",)) is None


def test_weights_beside_a_file_are_no_concern_of_the_copy():
    proto = parsed()
    weight = proto.graph.initializer[0]
    weight.ClearField("float_data")
    weight.data_location = weight.EXTERNAL
    weight.external_data.add(key="location", value="absent")
    check(proto, beyond=("Strange",))


def test_every_tensor_is_found():
    assert sorted(len(tensor.dims) for tensor in tensors(parsed())) == [1, 1]
