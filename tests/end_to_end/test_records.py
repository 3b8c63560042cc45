"""Scales go out as AMCT's record file and come back: the same integers, the same deploy file, the source's names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import onnxpress
from ascend_networks import networks
from calibrated import graph, numbers
from onnxpress import model_files
from onnxpress.ascend.record_files import LayerRecord, load, save
from onnxpress.calibrating import calibrate
from onnxpress.errors import UnsupportedModel
from onnxpress_backends.ascend.deploying import deployed
from onnxpress_backends.ascend.recording import recorded


def as_bytes(model: ir.Model) -> bytes:
    return bytes(ir.serde.serialize_model(model).SerializeToString(deterministic=True))


def constants(model: ir.Model) -> dict[str, tuple[str, bytes]]:
    """Type and numbers of every initialiser: one scale and one scale for the only channel are the same."""
    arrays = {
        name: value.const_value.numpy()
        for name, value in model.graph.initializers.items()
        if value.const_value is not None
    }
    return {name: (array.dtype.name, array.tobytes()) for name, array in arrays.items()}


def samples(model: ir.Model, number: int = 4) -> dict[str, np.ndarray[Any, Any]]:
    sizes = {
        str(value.name): [size if isinstance(size, int) else number for size in value.shape or ()]
        for value in model.graph.inputs
    }
    return {name: numbers(*size, seed=3) for name, size in sizes.items()}


def from_record(source: Any, path: Path, target: str) -> ir.Model:
    options = {"apply-record.record": path}
    return onnxpress.compress(source, recipe="ascend-record", step_options=options, target=target, threads=1).model


@settings(max_examples=25)
@given(network=networks(), target=st.sampled_from(["ascend", "ascend-narrow", "ascend-symmetric"]))
def test_a_record_brings_back_every_integer(
    tmp_path_factory: pytest.TempPathFactory, network: ir.Model, target: str
) -> None:
    path = tmp_path_factory.mktemp("records") / "my.record"
    given: dict[str, Any] = {"data": samples(network), "target": target, "threads": 1}
    try:
        calibrate(network, record=path, **given)
    except UnsupportedModel as error:
        assert "no integers to record" in str(error)
        assume(False)
    direct = onnxpress.compress(network, recipe="ascend-calibrate", **given).model
    returned = from_record(network, path, target)
    assert constants(returned) == constants(direct)
    assert as_bytes(deployed(returned, batch=2)) == as_bytes(deployed(direct, batch=2))
    assert recorded(returned, []) == load(path)


def test_the_whole_way_through_files(tmp_path: Path) -> None:
    network = graph(
        "c = Conv<pads = [1, 1, 1, 1]>(x, w) n = BatchNormalization(c, g, b, mu, va) y = Relu(n)",
        x="float[2,20,6,6] x",
        w=numbers(20, 20, 3, 3) / 13,
        **{name: numbers(20, seed=seed) for seed, name in enumerate(("g", "b", "mu"))},
        va=np.full(20, 0.5, np.float32),
    )
    model_files.save(network, tmp_path / "model.onnx")
    calibrate(tmp_path / "model.onnx", record=tmp_path / "my.record", data=samples(network), threads=1)
    options: dict[str, Any] = {
        "recipe": "ascend-record",
        "step_options": {"apply-record.record": tmp_path / "my.record"},
    }
    for name in ("one", "two"):
        onnxpress.compress(tmp_path / "model.onnx", out=tmp_path / f"{name}_deploy_model.onnx", **options)
    files = [(tmp_path / f"{name}_deploy_model.onnx").read_bytes() for name in ("one", "two")]
    assert files[0] == files[1]
    onnxpress.convert(tmp_path / "one_deploy_model.onnx", out=tmp_path / "back.record")
    assert load(tmp_path / "back.record").keys() == load(tmp_path / "my.record").keys() == {"c"}


@pytest.fixture
def frozen_graph(tmp_path: Path) -> Path:
    tf = pytest.importorskip("tensorflow")
    drawn = tf.Graph()
    with drawn.as_default(), tf.compat.v1.name_scope("net"):
        x = tf.compat.v1.placeholder(tf.float32, [None, 8, 8, 20], name="x")
        value = tf.nn.conv2d(x, numbers(3, 3, 20, 24) / 13, 1, "SAME", name="stage/conv")
        value = tf.nn.relu6(tf.nn.bias_add(value, numbers(24), name="stage/bias"))
        value = tf.nn.depthwise_conv2d(value, numbers(3, 3, 24, 1) / 3, [1, 1, 1, 1], "SAME", name="stage/depthwise")
        value = tf.nn.avg_pool2d(value, 2, 2, "VALID", name="pool")
        value = tf.reshape(value, [-1, 4 * 4 * 24])
        value = tf.nn.bias_add(tf.matmul(value, numbers(4 * 4 * 24, 10) / 20, name="head/matmul"), numbers(10))
        tf.identity(value, name="y")
    path = tmp_path / "graph.pb"
    path.write_bytes(drawn.as_graph_def().SerializeToString())
    return path


def test_a_record_of_a_tensorflow_graph_has_its_names(frozen_graph: Path, tmp_path: Path) -> None:
    data = {"net/x": numbers(4, 8, 8, 20)}
    run = calibrate(frozen_graph, record=tmp_path / "my.record", data=data, target="ascend-narrow", threads=1)
    records = load(tmp_path / "my.record")
    assert not run.warnings
    assert list(records) == ["net/stage/conv", "net/stage/depthwise", "net/pool", "net/head/matmul"]
    assert [len(record.scale_w) for record in records.values()] == [24, 24, 0, 1]
    returned = from_record(frozen_graph, tmp_path / "my.record", "ascend-narrow")
    assert [node.op_type for node in returned.graph].count("QuantizeLinear") == 4
    assert recorded(returned, []) == records


def test_factors_come_back_too(frozen_graph: Path, tmp_path: Path) -> None:
    factors = tuple(2.0**power for power in range(-2, 2)) * 6
    layer = LayerRecord(scale_d=0.05, offset_d=-128, scale_w=(0.01,), balance=factors)
    save({"net/stage/depthwise": layer}, tmp_path / "my.record")
    returned = from_record(frozen_graph, tmp_path / "my.record", "ascend")
    assert recorded(returned, []) == load(tmp_path / "my.record")


def test_a_record_may_be_of_a_part_of_the_layers(frozen_graph: Path, tmp_path: Path) -> None:
    save({"net/head/matmul": LayerRecord(scale_d=0.05, offset_d=-128, scale_w=(0.01,))}, tmp_path / "my.record")
    returned = from_record(frozen_graph, tmp_path / "my.record", "ascend")
    assert [node.op_type for node in returned.graph].count("QuantizeLinear") == 1
