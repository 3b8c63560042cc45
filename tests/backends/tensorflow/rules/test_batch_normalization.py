"""BatchNormalization of any rank and layout, by statistics that are given, of the batch, or updated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from onnxpress.errors import UnsupportedModel
from onnxpress.testing import model
from onnxpress_backends.tensorflow.preparing import lowered

Agree = Callable[..., list[str]]

RNG = np.random.default_rng(0)
STATISTICS = {
    "s": RNG.uniform(0.5, 2, 6).astype(np.float32),
    "b": RNG.standard_normal(6).astype(np.float32),
    "m": RNG.standard_normal(6).astype(np.float32),
    "v": RNG.uniform(0.5, 2, 6).astype(np.float32),
}
LISTED = ", ".join(f"float[6] {name} = {{{', '.join(map(str, array))}}}" for name, array in STATISTICS.items())
INITIALIZERS = f"<{LISTED}>"


def text(shape: str, node: str = "y = BatchNormalization<epsilon = 0.01>(x, s, b, m, v)", outputs: str = "") -> str:
    return f"agraph (float[{shape}] x) => (float[{shape}] y{outputs}) {INITIALIZERS} {{ {node} }}"


@pytest.mark.parametrize(("shape", "size"), [("n,6", (3, 6)), ("n,6,w", (3, 6, 4)), ("n,6,d,h,w", (2, 6, 2, 3, 4))])
def test_any_rank(agree: Agree, shape: str, size: tuple[int, ...]):
    ops = agree(text(shape), {"x": RNG.standard_normal(size).astype(np.float32)})
    assert not {"FusedBatchNormV3", "Transpose"}.intersection(ops)


def test_an_image_whose_channels_are_last_takes_one_operator(agree: Agree):
    x = RNG.standard_normal((2, 4, 5, 6)).astype(np.float32)
    source = f"""agraph (float[2,4,5,6] x) => (float[2,4,5,6] y) {INITIALIZERS} {{
        c = Transpose<perm = [0, 3, 1, 2]>(x) n = BatchNormalization(c, s, b, m, v)
        y = Transpose<perm = [0, 2, 3, 1]>(n) }}"""
    ops = agree(source, {"x": x})
    assert "FusedBatchNormV3" in ops and "Transpose" not in ops


def test_an_image_that_lies_as_onnx_says_is_not_moved(agree: Agree):
    ops = agree(text("2,6,4,5"), {"x": RNG.standard_normal((2, 6, 4, 5)).astype(np.float32)})
    assert "Transpose" not in ops


@pytest.mark.parametrize("kind", ["float16", "double"])
def test_other_types(emitted: Callable[[str], Any], kind: str):
    dtype = "float64" if kind == "double" else kind
    x = RNG.standard_normal((2, 4, 5, 6)).astype(dtype)
    s, b, m, v = (array.astype(dtype) for array in STATISTICS.values())
    inputs = ", ".join(f"{kind}[6] {name}" for name in STATISTICS)
    run = emitted(
        f"agraph ({kind}[2,4,5,6] x, {inputs}) => ({kind}[2,6,4,5] y) "
        "{ c = Transpose<perm = [0, 3, 1, 2]>(x) y = BatchNormalization(c, s, b, m, v) }"
    )
    expected = ((x - m) / np.sqrt(v + 1e-5) * s + b).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(run(x, s, b, m, v), expected, rtol=2e-2 if kind == "float16" else 1e-6, atol=1e-2)


@pytest.mark.parametrize("size", [(4, 6), (2, 6, 3, 5)])
def test_training_mode(run_tensorflow: Callable[..., dict[str, Any]], size: tuple[int, ...]):
    shape = ",".join(map(str, size))
    node = "y, mean, variance = BatchNormalization<training_mode = 1, momentum = 0.8>(x, s, b, m, v)"
    x = RNG.standard_normal(size).astype(np.float32)
    axes, wide = (0, *range(2, len(size))), (6, *(1,) * (len(size) - 2))
    results = run_tensorflow(model(text(shape, node, ", float[6] mean, float[6] variance")), {"x": x})
    mean, variance = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    s, b, m, v = STATISTICS.values()
    expected = (x - mean) / np.sqrt(variance + 1e-5) * s.reshape(wide) + b.reshape(wide)
    np.testing.assert_allclose(results["y"], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(results["mean"], m * 0.8 + mean.reshape(-1) * 0.2, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(results["variance"], v * 0.8 + variance.reshape(-1) * 0.2, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("shape", "op"), [("n,6", "AddV2"), ("n,4,5,6", "FusedBatchNormV3")])
def test_a_graph_to_train_knows_what_its_statistics_become(shape: str, op: str):
    turn = "c = Transpose<perm = [0, 3, 1, 2]>(x)" if shape.count(",") == 3 else "c = Identity(x)"
    node = "n = BatchNormalization<momentum = 0.7>(c, s, b, m, v)"
    source = f"agraph (float[{shape}] x) => (float[n,k] y) {INITIALIZERS} {{ {turn} {node} y = Flatten(n) }}"
    graph = lowered(model(source), training=True)
    updates = {old.node.weight.constant.name: new.node for old, new in graph.updates.items() if old.node.weight}
    assert list(updates) == ["m", "v"]
    assert {node.op for node in updates.values()} == {op}
    assert all(node in graph.nodes for node in updates.values())
    for node in graph.nodes:
        if node.op == "FusedBatchNormV3":
            assert node.attrs["is_training"] and node.attrs["exponential_avg_factor"] == pytest.approx(0.3)
    assert not lowered(model(source)).updates


def test_statistics_as_outputs_before_opset_14_are_refused(run_tensorflow: Callable[..., Any]):
    node = "y, mean, variance, saved_mean, saved_variance = BatchNormalization(x, s, b, m, v)"
    source = f'<ir_version: 7, opset_import: ["" : 11]> {text("2,6,4,5", node)}'
    with pytest.raises(UnsupportedModel, match="statistics are outputs, which before opset 14 only training had"):
        run_tensorflow(model(source), {})
