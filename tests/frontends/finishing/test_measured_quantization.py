from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from onnxpress.runtime import Session
from onnxpress_frontends.tensorflow_source import load

X = (np.random.default_rng(0).standard_normal((6, 5, 4)) * 3).astype(np.float32)


def converted_and_original(tf: Any, x: np.ndarray[Any, Any], **options: Any) -> tuple[Any, Any]:
    channels = x.shape[options["axis"]] if "axis" in options else ()
    ends = {name: np.zeros(channels, np.float32) for name in ("input_min", "input_max")}
    function = tf.function(
        lambda x: tf.raw_ops.QuantizeAndDequantizeV2(input=x, **ends, range_given=False, **options),
        input_signature=[tf.TensorSpec((None, *x.shape[1:]), name="x")],
    )
    model = load(function)
    assert not {"QuantizeLinear", "DequantizeLinear"} & {node.op_type for node in model.graph}
    return Session(model).run({"x": x})["output"], function(tf.constant(x)).numpy()


@pytest.mark.parametrize("signed_input", [True, False])
@pytest.mark.parametrize("round_mode", ["HALF_TO_EVEN", "HALF_UP"])
@pytest.mark.parametrize("options", [{}, {"narrow_range": True}, {"num_bits": 5}, {"axis": 2}])
def test_the_range_of_the_data_is_found_as_tensorflow_finds_it(
    tf: Any, signed_input: bool, round_mode: str, options: dict[str, Any]
) -> None:
    actual, expected = converted_and_original(tf, X, signed_input=signed_input, round_mode=round_mode, **options)
    np.testing.assert_allclose(actual, expected, rtol=1e-6)
    assert len(np.unique(expected)) > 10


def test_twenty_bits_are_no_obstacle_where_no_integer_is_stored(tf: Any) -> None:
    actual, expected = converted_and_original(tf, X, num_bits=20)
    np.testing.assert_allclose(actual, expected, atol=1.01 * np.abs(X).max() / 2**19, rtol=0)


def test_zeros_stay_zeros(tf: Any) -> None:
    actual, _ = converted_and_original(tf, 0 * X)
    np.testing.assert_array_equal(actual, 0 * X)
