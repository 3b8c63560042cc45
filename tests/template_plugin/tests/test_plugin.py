"""The plugin as onnxpress sees it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx_ir as ir
import onnxpress_template
import pytest
from onnxpress_template.absolute_maximum import ABSOLUTE_MAXIMUM
from onnxpress_template.onnx_text import READER, WRITER
from onnxpress_template.toy_npu import TOY_NPU

from onnxpress.errors import InvalidModel
from onnxpress.kinds import Context, Report
from onnxpress.registry import Registry
from onnxpress.run import transform
from onnxpress.testing import assert_equivalent, check_plugin, model

CHAIN = (
    "agraph (float[N,4] x) => (float[N,4] y) <float[4] a = {1,2,3,4}, float b = {0.1}> { h = Mul(x, a) y = Mul(b, h) }"
)
FEEDS = {"x": np.ones((2, 4), np.float32)}


def test_the_plugin_keeps_the_contract():
    assert check_plugin(onnxpress_template) == {
        "frontend": 1,
        "pass": 1,
        "observer": 1,
        "target": 1,
        "backend": 1,
        "report": 1,
    }


def test_a_recipe_runs_the_pass_inside_the_wrapper():
    registry = Registry(onnxpress_template)
    before = model(CHAIN)
    after, run = transform(before, ["merge-scales"], registry, Context(catalog=registry))
    assert_equivalent(before, after, FEEDS, rtol=2e-7, atol=0)
    assert run.steps[0].notes.details == {"bytes of weights": [20, 16]}
    lines = registry.get(Report, "csv").render(run).splitlines()
    assert lines[0] == "step,modified,seconds,nodes before,nodes after,declined"
    assert lines[1].startswith("merge-scales,True,")
    assert lines[1].endswith(",2,1,0")


def test_trackers_merge_to_the_same_range():
    samples = np.random.default_rng(0).standard_normal((6, 10)).astype(np.float32)
    whole, parts = ABSOLUTE_MAXIMUM.build(), [ABSOLUTE_MAXIMUM.build() for _ in range(2)]
    for index, sample in enumerate(samples):
        extremes = float(sample.min()), float(sample.max())
        whole.update(sample, *extremes)
        parts[index % 2].update(sample, *extremes)
    parts[1].merge(parts[0])
    limit = float(np.abs(samples).max())
    assert parts[1].range() == whole.range() == (-limit, limit)


def test_a_margin_widens_the_range():
    tracker = ABSOLUTE_MAXIMUM.build(margin=0.5)
    tracker.update(np.array([-2, 1], np.float32), -2.0, 1.0)
    assert tracker.range() == (-3.0, 3.0)


def test_the_target_is_data():
    rule = TOY_NPU.rule("Conv")
    assert rule is not None
    assert rule.role(1) == "weight"
    assert TOY_NPU.rule("Softmax") is None


def test_text_is_written_and_read_back_exactly(tmp_path: Path):
    before = model(CHAIN)
    path = tmp_path / "model.onnxtxt"
    assert WRITER.emit(before, path) == [path]
    assert READER.accepts(path)
    assert_equivalent(before, READER.load(path), FEEDS, rtol=0, atol=0)


def test_text_without_weights_is_short(tmp_path: Path):
    WRITER.emit(model(CHAIN), tmp_path / "model.onnxtxt", weights=False)
    assert "{1" not in (tmp_path / "model.onnxtxt").read_text()


def test_what_is_no_text_of_onnx_is_refused(tmp_path: Path):
    (tmp_path / "model.onnxtxt").write_text("agraph (float")
    with pytest.raises(InvalidModel, match=r"^cannot read .*model\.onnxtxt: "):
        READER.load(tmp_path / "model.onnxtxt")
    assert not READER.accepts(tmp_path / "model.onnx")
    assert not READER.accepts(ir.Model)
