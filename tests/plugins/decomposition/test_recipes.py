"""decompose among other passes, as its recipes have them: behind the folding of BatchNormalization, before int8."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from calibrated import graph, numbers, ops, runtime_ops
from low_rank_networks import Images, kernel
from onnxpress import compress
from onnxpress.decomposition import info
from onnxpress.runtime import Session


def normalised() -> ir.Model:
    """Two convolutions with BatchNormalization, whose scale says which outputs matter."""
    scale = np.where(np.arange(48) < 8, 3.0, 0.1).astype(np.float32)
    return graph(
        "a = Conv<pads = [1, 1, 1, 1]>(x, w1) n = BatchNormalization(a, s1, o1, m1, v1) r = Relu(n)"
        "b = Conv<pads = [1, 1, 1, 1]>(r, w2) y = BatchNormalization(b, s2, o2, m2, v2)",
        x="float[N,32,16,16] x",
        y="float[N,64,16,16] y",
        w1=kernel(48, 32, 3, 3, rank=12, noise=0.2),
        s1=scale,
        o1=numbers(48),
        m1=numbers(48, seed=1),
        v1=np.abs(numbers(48, seed=2)) + 0.5,
        w2=kernel(64, 48, 3, 3, rank=14, noise=0.2, seed=3),
        s2=np.abs(numbers(64, seed=3)),
        o2=numbers(64, seed=4),
        m2=numbers(64, seed=5),
        v2=np.abs(numbers(64, seed=6)) + 0.5,
    )


def samples(count: int, first: int = 0) -> np.ndarray[Any, Any]:
    images = Images()
    return np.concatenate([images.sample(first + number) for number in range(count)])


def relative_error(before: ir.Model, after: ir.Model) -> float:
    held_out = samples(6, first=50)
    truth, found = (Session(model, optimize=True, threads=1).run({"x": held_out})["y"] for model in (before, after))
    return float(np.linalg.norm(found - truth) / np.linalg.norm(truth - truth.mean()))


def test_low_rank_folds_first() -> None:
    before = normalised()
    made = compress(before, recipe="low-rank", data=samples(8), threads=1)
    assert ops(made.model) == {"Conv": 4, "Relu": 1}
    assert relative_error(before, made.model) < 0.1


def test_low_rank_without_data() -> None:
    made = compress(normalised(), recipe="low-rank", threads=1)
    assert ops(made.model)["Conv"] > 2
    assert any("give samples with --data PATH" in line for step in made.run.steps for line in step.notes.warnings)


def test_low_rank_int8_quantises_both_parts() -> None:
    before = normalised()
    made = compress(
        before, recipe="low-rank-int8", data=samples(8), threads=1, step_options={"decompose.min_gain": 0.0}
    )
    plain = compress(before, recipe="int8", data=samples(8), threads=1)
    convolutions = [node for node in made.model.graph if node.op_type == "Conv"]
    assert len(convolutions) == 4
    for node in convolutions:
        assert all(value is not None for value in node.inputs[:2])
        assert [value.producer().op_type for value in node.inputs[:2]] == ["DequantizeLinear"] * 2
    assert runtime_ops(made.model)["QLinearConv"] == 4 and runtime_ops(plain.model)["QLinearConv"] == 2
    assert relative_error(before, made.model) < relative_error(before, plain.model) + 0.1


@pytest.mark.parametrize(("step", "in_float"), [(16, True), (32, False)])
def test_on_ascend_a_rank_of_16_is_run_in_float(step: int, in_float: bool) -> None:
    options = {"decompose.step": step, "decompose.budget": 0.0, "decompose.max_error": 1.0, "decompose.min_gain": 0.0}
    made = compress(
        normalised(), recipe="low-rank-int8", target="ascend", data=samples(8), threads=1, step_options=options
    )
    reasons = [entry.reason for entry in made.run.steps[-1].notes.declined]
    few = "ascend runs layers of fewer than 17 input channels in floating point"
    assert ops(made.model)["Conv"] == 4 and (few in reasons) == in_float


def test_the_info_file_is_beside_the_model(tmp_path: Path) -> None:
    made = compress(normalised(), recipe="low-rank", data=samples(8), out=tmp_path / "m.onnx", threads=1)
    stacks = info.load(tmp_path / "m.decomposition.json")
    assert [stack.layer.name for stack in stacks] == list(made.run.steps[-1].notes.details["layers"])
    assert all(stack.new_bias for stack in stacks)


@pytest.mark.parametrize("recipe", ["low-rank", "low-rank-int8"])
def test_twice_gives_the_same_bytes(recipe: str) -> None:
    made = [compress(normalised(), recipe=recipe, data=samples(4), threads=1).model for _ in range(2)]
    assert len({ir.serde.serialize_model(model).SerializeToString() for model in made}) == 1
