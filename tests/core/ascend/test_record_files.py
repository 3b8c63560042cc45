"""AMCT's record files: every framework reads ours, we read every framework's, and what is wrong is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf import text_format
from hypothesis import given
from hypothesis import strategies as st

import record_dialects
from onnxpress.ascend.record_files import LayerRecord, load, save
from onnxpress.errors import InvalidData, OnnxpressError, UnsupportedModel

STEPS = st.floats(2.0**-20, 2.0**20, width=32)
LAYERS = st.builds(
    LayerRecord,
    scale_d=STEPS,
    offset_d=st.integers(-128, 127),
    scale_w=st.lists(STEPS, max_size=6).map(tuple),
    balance=st.lists(STEPS, max_size=3).map(tuple),
    skip_fusion=st.booleans(),
)
RECORDS = st.dictionaries(st.text(min_size=1), LAYERS | st.builds(LayerRecord, skip_fusion=st.booleans()), min_size=1)

EXAMPLE = {
    "stage/conv": LayerRecord(
        scale_d=float(np.float32(0.0312)),
        offset_d=-128,
        scale_w=(float(np.float32(0.0041)), float(np.float32(0.0037))),
    ),
    "pool": LayerRecord(scale_d=0.5, offset_d=3, skip_fusion=True),
    "sum:0": LayerRecord(scale_d=0.25, offset_d=0),
}


def written(folder: Path, text: str) -> Path:
    path = folder / "my.record"
    path.write_text(text, encoding="utf-8")
    return path


def layer(fields: str) -> str:
    return f'record {{ key: "conv1" value {{ {fields} }} }}'


@given(RECORDS)
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, records: dict[str, LayerRecord]) -> None:
    path = tmp_path_factory.mktemp("round_trip") / "my.record"
    save(records, path)
    assert load(path) == records
    assert list(load(path)) == list(records)


def test_what_is_written_is_the_text_of_the_specification(tmp_path: Path) -> None:
    save({"stage2/block1/conv2": EXAMPLE["stage/conv"]}, tmp_path / "my.record")
    assert (tmp_path / "my.record").read_text() == (
        'record {\n  key: "stage2/block1/conv2"\n  value {\n    scale_d: 0.0312\n    offset_d: -128\n'
        "    scale_w: 0.0041\n    scale_w: 0.0037\n    offset_w: 0\n    offset_w: 0\n    skip_fusion: false\n  }\n}\n"
    )


@pytest.mark.parametrize("dialect", record_dialects.LAYERS)
def test_every_framework_parses_what_is_written(tmp_path: Path, dialect: str) -> None:
    save(EXAMPLE, tmp_path / "my.record")
    parsed = text_format.Parse((tmp_path / "my.record").read_text(), record_dialects.record_type(dialect)())
    assert [entry.key for entry in parsed.record] == list(EXAMPLE)
    for entry, expected in zip(parsed.record, EXAMPLE.values(), strict=True):
        assert (entry.value.scale_d, entry.value.offset_d) == (expected.scale_d, expected.offset_d)
        assert tuple(entry.value.scale_w) == expected.scale_w
        assert list(entry.value.offset_w) == [0] * len(expected.scale_w)
        assert entry.value.HasField("skip_fusion")
        assert entry.value.skip_fusion == expected.skip_fusion


ACCEPTED: dict[str, Any] = {
    "scale_d": 0.5,
    "offset_d": -3,
    "scale_w": [0.25, 0.125],
    "offset_w": [0, 0],
    "shift_bit": [0, 0],
    "skip_fusion": True,
    "dst_type": "INT8",
    "act_type": "INT8",
    "wts_type": "INT8",
    "op_data_type": "FLOAT32",
    "fakequant_precision_mode": "DEFAULT",
    "is_tensor_quantize": False,
    "channels": 2,
    "height": 1,
    "width": 1,
    "tensor_balance_factor": [2.0],
}


@pytest.mark.parametrize("dialect", record_dialects.LAYERS)
def test_every_field_of_every_framework_is_read(tmp_path: Path, dialect: str) -> None:
    kind = record_dialects.record_type(dialect)
    known = {name: value for name, value in ACCEPTED.items() if name in record_dialects.LAYERS[dialect]}
    record = kind(record=[{"key": "café\n", "value": known}])
    for utf8 in (False, True):
        found = load(written(tmp_path, text_format.MessageToString(record, as_utf8=utf8)))
        balance = tuple(known.get("tensor_balance_factor", ()))
        assert found == {
            "café\n": LayerRecord(scale_d=0.5, offset_d=-3, scale_w=(0.25, 0.125), balance=balance, skip_fusion=True)
        }


def test_an_entry_may_say_only_whether_to_fold(tmp_path: Path) -> None:
    assert load(written(tmp_path, layer("skip_fusion: true"))) == {"conv1": LayerRecord(skip_fusion=True)}


def test_arithmetic_in_float16_is_told(tmp_path: Path) -> None:
    text = layer('scale_d: 1 offset_d: 0 fakequant_precision_mode: "FORCE_FP16_QUANT"')
    assert load(written(tmp_path, text))["conv1"].forces_half


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ("scale_d: nan offset_d: 0", "'conv1': scale_d is nan, not between 1.1920929e-07 and 3.40282347e+38"),
        ("scale_d: -1 offset_d: 0", "'conv1': scale_d is -1, not between"),
        ("scale_d: 0 offset_d: 0", "'conv1': scale_d is 0, not between"),
        ("scale_d: 1e60 offset_d: 0", "'conv1': scale_d is inf, not between"),
        ("scale_d: 1e-7 offset_d: 0", "'conv1': scale_d is 1.00000001e-07, not between"),
        ("scale_d: 1 offset_d: 128", "'conv1': offset_d is 128, not between -128 and 127"),
        ("scale_d: 1 offset_d: 0 scale_w: [1, -2] offset_w: [0, 0]", "'conv1': scale_w[1] is -2, not between"),
        ("scale_d: 1e30 offset_d: 0 scale_w: 1e30", "'conv1': scale_d * scale_w is inf, not between"),
        ("scale_d: 1e-6 offset_d: 0 scale_w: 1e-37", "'conv1': scale_d * scale_w is 9.9492191e-44, not between"),
        ("scale_d: 1 offset_d: 0 scale_w: [1, 2] offset_w: 0", "offset_w has 1 values, and scale_w has 2"),
        (
            "scale_d: 1 offset_d: 0 tensor_balance_factor: [1, 1e8]",
            "tensor_balance_factor[1] is 100000000, not between",
        ),
        ("scale_d: 1", "'conv1': offset_d is missing, but scale_d is there"),
        ("offset_d: 1", "'conv1': scale_d is missing, but offset_d is there"),
        ("tensor_balance_factor: 1", "'conv1': scale_d is missing, but tensor_balance_factor is there"),
        ("scale: 1", "line 1, after key 'conv1': unknown field 'scale'; did you mean 'scale_"),
    ],
)
def test_values_out_of_range(tmp_path: Path, fields: str, sentence: str) -> None:
    with pytest.raises(InvalidData) as caught:
        load(written(tmp_path, layer(fields)))
    assert sentence in str(caught.value)
    assert "my.record" in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ("scale_d: 1 offset_d: 0 scale_w: 1 offset_w: 3", "'conv1': offset_w is 3, and weights are symmetric: 0"),
        ("scale_d: 1 offset_d: 0 shift_bit: [0, 4]", "'conv1': shift_bit is not 0, and accumulators are not shifted"),
        ('dst_type: "INT4"', "'conv1': dst_type is 'INT4', and only 'INT8' is supported"),
        ('act_type: "INT16"', "'conv1': act_type is 'INT16', and only 'INT8' is supported"),
        ('wts_type: "INT6"', "'conv1': wts_type is 'INT6', and only 'INT8' is supported"),
        ('op_data_type: "FLOAT16"', "'conv1': op_data_type is 'FLOAT16', and only 'FLOAT32' is supported"),
        ("cluster: 3", "'conv1': cluster is there, and weights are not clustered"),
        ("scale_h: 3", "'conv1': scale_h is there, and the integers of LSTM and GRU are not supported"),
        ("offset_r: 0", "'conv1': offset_r is there, and the integers of LSTM and GRU are not supported"),
    ],
)
def test_what_is_not_done_is_refused_by_key_and_field(tmp_path: Path, fields: str, sentence: str) -> None:
    with pytest.raises(UnsupportedModel) as caught:
        load(written(tmp_path, layer(fields)))
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("text", "error", "sentence"),
    [
        ("", InvalidData, "holds no record"),
        ("record { value { scale_d: 1 offset_d: 0 } }", InvalidData, "entry 1 has no key"),
        ('record { key: "a" }', InvalidData, "'a': value is missing"),
        (layer("skip_fusion: true") * 2, InvalidData, "key 'conv1' appears twice"),
        (
            'record { key: "a" value { scale_d: 1',
            InvalidData,
            "after key 'a': Expected \"}\"; the text may be cut short",
        ),
        ('record { key: "a" kv_cache_value { scale: 1 offset: 0 } }', UnsupportedModel, "'a': kv_cache_value is there"),
        (
            'prune_record { producer { name: "a" attr { name: "begin" type: INT i: 3 } } consumer { name: "b" } '
            'selective_prune { name: "c" } }',
            UnsupportedModel,
            "it has a prune_record, and channels are not pruned; remove it from the record",
        ),
    ],
)
def test_whole_files_that_are_refused(tmp_path: Path, text: str, error: type[OnnxpressError], sentence: str) -> None:
    with pytest.raises(error) as caught:
        load(written(tmp_path, text))
    assert sentence in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InvalidData, match=r"cannot read the record .*absent\.record: No such file or directory"):
        load(tmp_path / "absent.record")
    (tmp_path / "binary.record").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidData, match=r"cannot read the record .*: 'utf-8' codec can't decode"):
        load(tmp_path / "binary.record")


@given(st.data())
def test_a_cut_or_broken_text_never_gets_through_as_something_else(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("broken") / "my.record"
    save(EXAMPLE, path)
    text = path.read_text()
    cut = data.draw(st.integers(0, len(text) - 1))
    path.write_text(text[:cut] + data.draw(st.sampled_from(["", "}", "{", '"', "\0", "x", "\n\n"])))
    try:
        found = load(path)
    except OnnxpressError as error:
        assert "\n" not in str(error)
    else:
        assert found.items() <= EXAMPLE.items()
