from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from deploy_models import deploy, words
from onnxpress import model_files
from onnxpress.ascend.checking import check
from onnxpress.ascend.constant_weights import named, settle_constants
from onnxpress.ascend.layers import layers
from onnxpress.errors import InvalidModel

TEXT = """a (float[1,4] x, uint64[1] s) => (float[1,3] y) {
    k = Constant<value = int8[3,4] {1,2,3,4,5,6,7,8,9,10,11,12}>()
    w = Transpose<perm = [1, 0]>(k)
    q = QUANT(x)
    m = MatMul(q, w)
    y = DEQUANT(m, s)
}"""


def test_a_weight_of_a_constant_is_transposed():
    settle_constants(model := deploy(TEXT, s=words(1)))
    check(model)
    (layer,) = layers(model)
    assert layer.weight.name == "k"
    assert layer.weight.const_value.numpy().tolist() == [[1, 5, 9], [2, 6, 10], [3, 7, 11], [4, 8, 12]]
    assert "Transpose" not in [node.op_type for node in model.graph]


def test_a_weight_that_is_used_both_ways_is_there_twice():
    text = TEXT.replace("y = DEQUANT(m, s)", "d = DEQUANT(m, s) r = QUANT(d) n = MatMul(r, k) y = DEQUANT(n, s)")
    settle_constants(model := deploy(text.replace("float[1,3] y", "float[1,4] y"), s=words(1)))
    check(model)
    first, second = layers(model)
    assert (first.weight.name, second.weight.name) == ("w", "k")
    assert np.array_equal(first.weight.const_value.numpy(), second.weight.const_value.numpy().T)


def test_a_transpose_that_makes_no_sense_stays_for_the_checker():
    settle_constants(model := deploy(TEXT.replace("[1, 0]", "[1, 0, 2]"), s=words(1)))
    with pytest.raises(InvalidModel, match=r"node 'm' \(MatMul\): its weight must be a constant of INT8"):
        check(model)


def test_a_transpose_of_data_stays():
    text = "a (float[1,4] x) => (float[4,1] y) { y = Transpose<perm = [1, 0]>(x) }"
    settle_constants(model := deploy(text))
    assert [node.op_type for node in model.graph] == ["Transpose"]


def test_the_model_that_was_copied_keeps_its_names():
    source = ir.serde.deserialize_model(model_files.to_proto(deploy(TEXT, s=words(1))))
    before = model_files.to_proto(source).SerializeToString(deterministic=True)
    settle_constants(source.clone())
    assert model_files.to_proto(source).SerializeToString(deterministic=True) == before


def test_a_name_is_given_to_a_copy():
    tensor = ir.tensor(np.arange(3), name="a")
    assert (named(tensor, "b").name, tensor.name) == ("b", "a")
    assert named(tensor, "b").numpy() is tensor.numpy()
