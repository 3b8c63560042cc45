"""correct-biases: changes them, leaves them alone, declines with the reason, subgraphs untouched, less error."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibrated import calibrated, graph, numbers, ops
from onnxpress.errors import InvalidData, InvalidOption
from onnxpress.runtime import Session
from onnxpress.testing import apply, assert_equivalent
from onnxpress_plugins.quantization.ascend import ASCEND
from onnxpress_plugins.quantization.bias_correction import CORRECT_BIASES, ChannelMeans, grouped_product
from onnxpress_plugins.quantization.calibration import CALIBRATE
from onnxpress_plugins.quantization.qdq_insertion import INSERT_QDQ

WEIGHTS = {"w": numbers(8, 4, 3, 3), "b": numbers(8, seed=2), "k": numbers(8, 1, 3, 3, seed=3)}
BODY = "c = Conv(x, w, b) r = Relu(c) y = Conv<group = 8>(r, k)"


class Samples:
    """Ten samples whose channels have means far from zero."""

    is_random = False

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for seed in range(10):
            yield {"x": numbers(1, 4, 8, 8, seed=seed) + np.arange(4, dtype=np.float32).reshape(1, 4, 1, 1)}


class Rows:
    """Two rows of numbers."""

    is_random = False

    def __iter__(self) -> Iterator[dict[str, Any]]:
        yield {"x": np.array([[3.0, 1.0]], np.float32)}
        yield {"x": np.array([[5.0, 1.0]], np.float32)}


def made() -> ir.Model:
    return calibrated(graph(BODY, y="float[N,8,4,4] y", **WEIGHTS))


def bias(model: ir.Model, node: str) -> np.ndarray[Any, Any] | None:
    value = next(n for n in model.graph if n.name == node).inputs[2]
    return None if value is None or value.const_value is None else value.const_value.numpy()


def mean_error(before: ir.Model, after: ir.Model) -> float:
    """Mean over channels of how far the mean output has moved."""
    outputs = [[Session(m, threads=1).run(feeds)["y"] for feeds in Samples()] for m in (before, after)]
    means = [np.concatenate(arrays).mean(axis=(0, 2, 3)) for arrays in outputs]
    return float(np.abs(means[0] - means[1]).mean())


def with_layer(rounding: str, *, correct: bool) -> float:
    """The mean error of one layer."""
    layer = graph("y = Conv(x, w, b)", y="float[N,8,6,6] y", w=WEIGHTS["w"], b=WEIGHTS["b"])
    model, _ = apply(CALIBRATE, layer, data=Samples())
    chosen = apply(CORRECT_BIASES, model, data=Samples(), rounding=rounding)[0] if correct else model
    return mean_error(model, apply(INSERT_QDQ, chosen, rounding=rounding)[0])


@pytest.mark.parametrize("rounding", ["nearest", "cancelling"])
def test_the_mean_of_a_layer_comes_back(rounding: str) -> None:
    assert with_layer(rounding, correct=True) < 0.5 * with_layer(rounding, correct=False)


def test_the_new_bias_is_the_old_one_less_what_the_error_of_the_weights_adds() -> None:
    weight = np.array([[0.4, 127.0], [0.3, -127.0]], np.float32)
    model = calibrated(graph("y = Gemm<transB = 1>(x, w)", x="float[N,2] x", y="float[N,2] y", w=weight))

    after, notes = apply(CORRECT_BIASES, model, data=Rows())
    assert notes.counts == {"biases corrected": 1}
    np.testing.assert_allclose(bias(after, "y"), [0.4 * 4, 0.3 * 4], rtol=1e-5)


def test_the_bias_that_is_added_behind_a_matmul_is_corrected_there() -> None:
    constants = {"w": np.array([[0.4, 0.3], [127.0, -127.0]], np.float32), "b": np.array([7, 9], np.float32)}
    made = graph("m = MatMul(x, w) y = Add(m, b)", x="float[N,2] x", y="float[N,2] y", **constants)
    after, notes = apply(CORRECT_BIASES, calibrated(made, ASCEND), data=Rows(), target="ascend")
    assert notes.counts == {"biases corrected": 1} and ops(after) == ops(made)
    corrected = after.graph.initializers["b"].const_value
    assert corrected is not None
    np.testing.assert_allclose(corrected.numpy(), [7 + 0.4 * 4, 9 + 0.3 * 4], rtol=1e-5)


@pytest.mark.parametrize("groups", [1, 2])
def test_the_mean_of_a_transposed_convolution_comes_back(groups: int) -> None:
    body = f"y = ConvTranspose<strides = [2, 2], group = {groups}>(x, w)"
    layer = graph(body, y="float[N,8,17,17] y", w=numbers(4, 8 // groups, 3, 3))
    model, _ = apply(CALIBRATE, layer, data=Samples(), target="ascend-narrow")
    corrected, _ = apply(CORRECT_BIASES, model, data=Samples(), rounding="nearest", target="ascend-narrow")
    with_, without = (
        mean_error(model, apply(INSERT_QDQ, chosen, rounding="nearest", target="ascend-narrow")[0])
        for chosen in (corrected, model)
    )
    assert with_ < 0.5 * without


def test_a_layer_without_bias_is_given_one_and_no_node_is_added() -> None:
    before = made()
    after, notes = apply(CORRECT_BIASES, before, data=Samples())
    assert notes.counts == {"biases corrected": 2}
    assert ops(after) == ops(before)
    added = bias(after, "y")
    assert added is not None and added.shape == (8,)
    assert_equivalent(before, after, {"x": numbers(2, 4, 8, 8)}, rtol=0, atol=0.2)


def test_without_data_it_warns_and_leaves_the_model_alone() -> None:
    before = made()
    after, notes = apply(CORRECT_BIASES, before)
    np.testing.assert_array_equal(bias(after, "c"), WEIGHTS["b"])
    assert notes.warnings == ["biases are not corrected: there are no data to measure means on"]


def test_a_matmul_is_declined_because_it_has_no_bias() -> None:
    model = calibrated(graph("y = MatMul(x, w)", x="float[N,4] x", y="float[N,4] y", w=numbers(4, 4)))
    _, notes = apply(CORRECT_BIASES, model, data=Samples())
    assert [(item.node, item.reason) for item in notes.declined] == [("y", "it has no bias to correct")]


def test_a_shared_bias_is_corrected_for_each_of_its_users() -> None:
    body = "c = Conv(x, v, s) y = Conv(c, v, s)"
    model = calibrated(graph(body, y="float[N,4,8,8] y", v=numbers(4, 4, 1, 1), s=numbers(4)))
    after, _ = apply(CORRECT_BIASES, model, data=Samples())
    first, second = bias(after, "c"), bias(after, "y")
    assert first is not None and second is not None and not np.array_equal(first, second)


def test_nodes_in_a_subgraph_are_left_alone() -> None:
    body = """y = If (flag) <
        then_branch = yes () => (float[N,4,8,8] p) { p = Relu(x) },
        else_branch = no () => (float[N,4,8,8] q) { q = Conv(x, v, s) }>"""
    constants = {"v": numbers(4, 4, 1, 1), "s": numbers(4)}
    model = graph(body, x="float[N,4,8,8] x, bool flag", y="float[N,4,8,8] y", **constants)
    after, notes = apply(CORRECT_BIASES, model, data=Samples())
    assert notes.counts == {}
    kept = after.graph.initializers["s"].const_value
    assert kept is not None
    np.testing.assert_array_equal(kept.numpy(), constants["s"])


def test_ranges_must_be_known_first() -> None:
    with pytest.raises(InvalidData, match="have no range"):
        apply(CORRECT_BIASES, graph(BODY, y="float[N,8,4,4] y", **WEIGHTS), data=Samples())


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4), st.integers(0, 99))
def test_grouped_product(groups: int, outputs: int, inputs: int, seed: int) -> None:
    matrix, vector = numbers(groups * outputs, inputs, seed=seed), numbers(groups * inputs, seed=seed + 1)
    blocks = np.split(matrix, groups), np.split(vector, groups)
    expected = np.concatenate([part @ values for part, values in zip(*blocks, strict=True)])
    np.testing.assert_allclose(grouped_product(matrix, vector), expected, atol=1e-5)


@given(st.integers(1, 5), st.sampled_from([1, -1]), st.integers(0, 99))
def test_channel_means_do_not_depend_on_how_samples_are_split(split: int, axis: int, seed: int) -> None:
    data = numbers(6, 3, 4, 3, seed=seed)
    first, second = ChannelMeans(axis), ChannelMeans(axis)
    first.update(data[:split], 0.0, 0.0)
    second.update(data[split:], 0.0, 0.0)
    first.merge(second)
    others = (0, 2, 3) if axis == 1 else (0, 1, 2)
    np.testing.assert_allclose(first.means(), data.mean(axis=others, dtype=np.float64), rtol=1e-9, atol=1e-9)
    assert first.range() == (first.means().min(), first.means().max())


@pytest.mark.parametrize("options", [{"rounding": "nearest"}, {"exclude_ops": ["Conv"]}])
def test_insert_qdq_refuses_what_the_biases_were_not_corrected_for(options: dict[str, Any]) -> None:
    model, _ = apply(CORRECT_BIASES, apply(CALIBRATE, made(), data=Samples())[0], data=Samples())
    with pytest.raises(InvalidOption, match=r"'correct-biases' prepared 'c'.*give both passes the same options"):
        apply(INSERT_QDQ, model, **options)


def test_a_limit_must_leave_a_sample() -> None:
    with pytest.raises(InvalidOption, match=r"pass 'correct-biases': samples must be at least 1, not 0"):
        apply(CORRECT_BIASES, made(), data=Samples(), samples=0)
