"""amct-record: one entry a layer, one an input of anything else, and what a record cannot say is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from calibrated import graph, numbers
from calibrated import quantised as for_onnxruntime
from onnxpress.ascend.record_files import LayerRecord, load
from onnxpress.errors import OnnxpressError, UnsupportedModel
from onnxpress.kinds import WARNINGS_KEY, Backend
from onnxpress.registry import Registry
from onnxpress.workflow import find_backend
from onnxpress_backends.ascend.record_writing import AMCT_RECORD
from onnxpress_backends.ascend.recording import recorded
from quantized_graphs import quantized_graph, whole

STEP, OFFSET = float(np.float32(0.05)), -7
WEIGHT_STEP = float(np.float32(0.02))
CONV = {"w": whole(5, 4, 3, 3)}


def entries(body: str, *, warnings: list[str] | None = None, **constants: Any) -> dict[str, LayerRecord]:
    return recorded(quantized_graph(body, **constants), [] if warnings is None else warnings)


def layer(*scale_w: float, **options: Any) -> LayerRecord:
    return LayerRecord(scale_d=STEP, offset_d=OFFSET, scale_w=scale_w, **options)


def test_a_convolution() -> None:
    scales = np.linspace(0.01, 0.02, 5, dtype=np.float32)
    body = "d = PAIR(x) v = DequantizeLinear<axis = 0>(w, sc) y = Conv(d, v)"
    assert entries(body, sc=scales, **CONV) == {"y": layer(*scales.tolist())}


def test_one_scale_for_a_weight() -> None:
    assert entries("d = PAIR(x) v = DequantizeLinear(w, sw) y = Conv(d, v)", **CONV) == {"y": layer(WEIGHT_STEP)}


def test_an_unsigned_activation_is_moved_to_int8() -> None:
    body = "q = QuantizeLinear(x, sx, ux) d = DequantizeLinear(q, sx, ux) v = DequantizeLinear(w, sw) y = Conv(d, v)"
    assert entries(body, **CONV) == {"y": layer(WEIGHT_STEP)}


def test_every_group_of_a_transposed_convolution_has_its_scales() -> None:
    scales = np.array([0.01, 0.02], np.float32)
    body = "d = PAIR(x) v = DequantizeLinear<axis = 1>(w, sc) y = ConvTranspose<group = 2>(d, v)"
    assert entries(body, w=whole(4, 2, 2, 2), sc=scales) == {"y": layer(*scales.tolist(), *scales.tolist())}


def test_a_pooling_has_no_scale_w_which_amct_refuses_there() -> None:
    assert entries("d = PAIR(x) y = AveragePool<kernel_shape = [2, 2]>(d)") == {"y": layer()}


def test_other_inputs_go_by_their_index() -> None:
    warnings: list[str] = []
    body = "d = PAIR(x) c = Relu(x) a = Add(c, d) e = PAIR(a) y = Mul(e, c)"
    assert entries(body, warnings=warnings) == {"a:1": layer(), "y:0": layer()}
    assert warnings == ["input 0 of Mul 'y' is in the record, and AMCT itself does not quantise that"]


def test_a_layer_behind_what_only_moves_numbers_is_a_layer() -> None:
    body = "d = PAIR(x) m = MaxPool<kernel_shape = [2, 2]>(d) v = DequantizeLinear(w, sw) y = Conv(m, v)"
    assert entries(body, **CONV) == {"y": layer(WEIGHT_STEP)}


def test_batch_norm_that_is_left_is_not_folded_by_the_next() -> None:
    norm = {name: numbers(5, seed=seed) for seed, name in enumerate(("g", "b", "mu"))} | {"va": np.ones(5, np.float32)}
    body = "d = PAIR(x) v = DequantizeLinear(w, sw) c = Conv(d, v) y = BatchNormalization(c, g, b, mu, va)"
    assert entries(body, **CONV, **norm) == {"c": layer(WEIGHT_STEP, skip_fusion=True)}


def test_so_is_arithmetic_with_a_constant() -> None:
    body = "d = PAIR(x) v = DequantizeLinear(w, sw) c = Conv(d, v) e = Conv(d, v) m = Mul(k, c) y = Add(e, m)"
    assert entries(body, k=np.float32(2), **CONV) == {
        "c": layer(WEIGHT_STEP, skip_fusion=True),
        "e": layer(WEIGHT_STEP),
    }


def test_an_output_that_is_rounded_is_told() -> None:
    warnings: list[str] = []
    body = "d = PAIR(x) v = DequantizeLinear(w, sw) c = Conv(d, v) y = PAIR(c)"
    assert list(entries(body, warnings=warnings, **CONV)) == ["c"]
    assert warnings == ["output 'y' is rounded to integers in the model, which a record cannot say"]


def test_a_model_quantised_for_another_target(tmp_path: Path) -> None:
    weights = {"w": numbers(4, 4, 3, 3) / 8, "v": numbers(4, 4, 1, 1)}
    made = for_onnxruntime(graph("c = Conv(x, w) r = Relu(c) d = Conv(r, v) y = Tanh(d)", **weights))
    found = recorded(made, [])
    assert list(found) == ["c", "d", "y:0"]
    zero_points = [made.graph.initializers[name].const_value for name in ("x_zero_point", "r_zero_point")]
    assert [found[key].offset_d for key in "cd"] == [int(zero.numpy()) - 128 for zero in zero_points if zero]
    scales = made.graph.initializers["w_scale"].const_value
    assert scales is not None and found["c"].scale_w == tuple(scales.numpy().tolist())


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (
            "y = Relu(x)",
            "the model has no integers to record; recipe int8 with target ascend quantises it, or, without --out, "
            "tells why each layer stays float",
        ),
        ("q = QuantizeLinear(x, sx, z16) d = DequantizeLinear(q, sx, z16) y = Relu(d)", "'d' is of int16"),
        ("d = PAIR(x) v = DequantizeLinear(w, sw, one) y = Conv(d, v)", "Conv 'y'"),
    ],
)
def test_what_ascend_cannot_say_is_refused(body: str, sentence: str) -> None:
    opset = 21 if "z16" in body else 17
    with pytest.raises(UnsupportedModel) as caught:
        entries(body, opset=opset, z16=np.int16(0), one=np.int8(1), **CONV)
    assert sentence in str(caught.value)


def convolution() -> ir.Model:
    return quantized_graph("d = PAIR(x) v = DequantizeLinear(w, sw) y = Conv(d, v)", **CONV)


def test_the_file_is_the_same_every_time_and_the_model_as_it_was(tmp_path: Path) -> None:
    made = convolution()
    before = ir.serde.serialize_model(made).SerializeToString(deterministic=True)
    paths = [tmp_path / name for name in ("a.record", "b.record")]
    assert [AMCT_RECORD.emit(made, path) for path in paths] == [[path] for path in paths]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert load(paths[0]) == {"y": layer(WEIGHT_STEP)}
    assert made.meta[WARNINGS_KEY] == []
    assert ir.serde.serialize_model(made).SerializeToString(deterministic=True) == before


def test_a_place_that_cannot_be_written_keeps_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "my.record").mkdir()
    with pytest.raises(OnnxpressError, match="is a folder; name a file in it"):
        AMCT_RECORD.emit(convolution(), tmp_path / "my.record")
    assert [path.name for path in tmp_path.iterdir()] == ["my.record"]


def test_the_suffix_chooses_the_backend() -> None:
    assert find_backend("my.record", Registry()) is Registry().get(Backend, "amct-record")
