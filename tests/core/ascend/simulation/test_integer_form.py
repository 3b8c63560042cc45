from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from deploy_layers import one_layer
from deploy_models import convolution, deploy, every_operator, integers, words
from onnxpress.ascend.operators import OPERATORS
from onnxpress.ascend.simulation.integer_form import integer_form
from onnxpress.ascend.simulation.profiles import PROFILES
from onnxpress.errors import InvalidModel, UnsupportedModel
from onnxpress.runtime import Session

profiles = pytest.mark.parametrize("profile", PROFILES.values(), ids=list(PROFILES))


@profiles
def test_it_is_a_sound_model_of_standard_operators(profile: Any):
    form = integer_form(every_operator(), profile)
    onnx.checker.check_model(ir.serde.serialize_model(form), full_check=True)
    assert not any(node.op_type in OPERATORS for node in form.graph.all_nodes())


@profiles
def test_the_model_is_not_changed_and_gives_the_same_bytes_again(profile: Any):
    model = every_operator()
    before = ir.serde.serialize_model(model).SerializeToString()
    first, second = (ir.serde.serialize_model(integer_form(model, profile)).SerializeToString() for _ in range(2))
    assert first == second
    assert ir.serde.serialize_model(model).SerializeToString() == before


@profiles
def test_inputs_outputs_and_values_keep_their_names(profile: Any):
    model = every_operator()
    form = integer_form(model, profile)
    assert [value.name for value in form.graph.inputs] == ["x"]
    assert [value.name for value in form.graph.outputs] == ["y", "z"]
    names = {value.name for node in form.graph for value in node.outputs}
    gone = {"c", "t"} if profile.rolls_back else set()
    assert {node.outputs[0].name for node in model.graph} - names == gone


def test_weights_stay_int8():
    form = integer_form(convolution(), PROFILES["rint"])
    assert form.graph.initializers["w"].dtype == ir.DataType.INT8
    floats = [value for value in form.graph.initializers.values() if value.dtype == ir.DataType.FLOAT]
    assert sum(value.const_value.size for value in floats) < 10


@pytest.mark.parametrize("opset", [8, 9, 10, 12, 13, 22])
@profiles
def test_opsets(profile: Any, opset: int):
    x = np.random.default_rng(0).normal(size=(1, 17, 4, 4)).astype(np.float32)
    results = []
    for version in (opset, 17):
        weight, bias = integers(3, 17, 3, 3), np.arange(3)
        model = one_layer("Conv", x.shape, weight=weight, bias=bias, scale=50.0, offset=3, opset=version)
        results.append(Session(integer_form(model, profile), threads=1).run({"x": x})["y"])
    np.testing.assert_array_equal(*results)


def test_inside_a_subgraph():
    model = deploy(
        """agraph (bool b, float[1,20] x, int8[20,3] w, uint64[1] s) => (float[1,3] y) {
            y = If(b) <
                then_branch = then () => (float[1,3] t) { q = QUANT(x)  c = Gemm(q, w)  t = DEQUANT(c, s) },
                else_branch = other () => (float[1,3] e) { p = QUANT(x)  d = Gemm(p, w)  f = DEQUANT(d, s) e = Neg(f) }
            >
        }""",
        w=integers(20, 3),
        s=words(1e-3),
    )
    x = np.random.default_rng(0).normal(size=(1, 20)).astype(np.float32)
    for profile in PROFILES.values():
        session = Session(integer_form(model, profile), threads=1)
        here, there = (session.run({"x": x, "b": np.array(b)})["y"] for b in (True, False))
        assert here.any()
        np.testing.assert_array_equal(here, -there)


def test_an_accumulator_that_can_overflow_unseen_is_refused():
    model = deploy(
        """agraph (bool b, float[1,1] x, int8[1,1] w, int32[1] k, uint64[1] s) => (float[1,1] y) {
            y = If(b) <
                then_branch = then () => (float[1,1] t) { q = QUANT(x)  c = Gemm(q, w, k)  t = DEQUANT(c, s) },
                else_branch = other () => (float[1,1] e) { e = Neg(x) }
            >
        }""",
        w=integers(1, 1),
        k=np.array([2**31 - 1], np.int32),
        s=words(1e-3),
    )
    with pytest.raises(UnsupportedModel, match="accumulators of 'c' can leave 32 bits, untold inside a subgraph"):
        integer_form(model, PROFILES["rint"])


def test_a_filling_that_is_no_zero_is_refused():
    model = deploy(
        """agraph (float[1,1,2,2] x, int64[8] pads, int8 fill, int8[1,1,3,3] w, uint64[1] s) => (float[1,1,2,2] y) {
            q = QUANT(x)
            p = Pad(q, pads, fill)
            c = Conv(p, w)
            y = DEQUANT(c, s)
        }""",
        pads=np.array([0, 0, 1, 1, 0, 0, 1, 1]),
        fill=np.array(5, np.int8),
        w=integers(1, 1, 3, 3),
        s=words(1.0),
    )
    with pytest.raises(UnsupportedModel, match="Pad 'p' fills with another number than zero, which no layer can take"):
        integer_form(model, PROFILES["rint"])


def test_a_broken_model_is_refused():
    model = convolution(s=words(1e-3, 2e-3))
    with pytest.raises(InvalidModel, match="deq_scale has 2 words for 4 channels"):
        integer_form(model, PROFILES["rint"])


def test_a_shift_in_a_word_is_refused():
    model = convolution(s=words(1e-3) | np.uint64(3 << 32))
    with pytest.raises(InvalidModel, match="deq_scale has a shift or an offset in its high words, which must be 0"):
        integer_form(model, PROFILES["rint"])


def test_weights_behind_ascend_weight_quant():
    body = """agraph (float[1,20] x, int8[20,3] w, int8[1] z, uint64[1] s) => (float[1,3] y) {{
            q = QUANT(x)
            {}
            y = DEQUANT(c, s)
        }}"""
    constants = {"w": integers(20, 3), "z": np.zeros(1, np.int8), "s": words(1e-3)}
    old = deploy(body.format('v = AscendWeightQuant<dst_type = "INT8">(w, z)  c = Gemm(q, v)'), **constants)
    new = deploy(body.format("c = Gemm(q, w)"), **constants)
    x = np.random.default_rng(0).normal(size=(1, 20)).astype(np.float32)
    results = [Session(integer_form(model, PROFILES["rint"]), threads=1).run({"x": x})["y"] for model in (old, new)]
    assert results[0].any()
    np.testing.assert_array_equal(*results)
