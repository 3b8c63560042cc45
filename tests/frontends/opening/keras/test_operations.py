from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxpress.errors import UnsupportedModel
from onnxpress_frontends.opening.keras.operations import custom_objects, function_of_tensorflow, named_here


@pytest.mark.parametrize(
    "name",
    [
        "math.multiply",
        "nn.relu6",
        "__operators__.getitem",
        "compat.v1.transpose",
        "image.resize",
        "concat",
        "linalg.norm",
        "quantization.fake_quant_with_min_max_vars",
    ],
)
def test_functions_that_compute_numbers_are_found(name: str) -> None:
    assert callable(function_of_tensorflow(name))


@pytest.mark.parametrize(
    "name",
    [
        "io.read_file",
        "py_function",
        "numpy_function",
        "compat.v1.py_func",
        "map_fn",
        "math.__class__",
        "nn.relu.__globals__",
        "__operators__.__class__",
        "math.no_such_function",
        "saved_model.load",
        "load_library",
        "raw_ops.ReadFile",
        "nn.RNNCellDeviceWrapper",
        "nn.fixed_unigram_candidate_sampler",
        "nn.dropout",
        "image.decode_image",
        "",
    ],
)
def test_nothing_else_is_looked_up(name: str) -> None:
    with pytest.raises(UnsupportedModel, match=f"calls tf.{name}, which is not among the functions that are looked up"):
        function_of_tensorflow(name)


@given(st.floats(-10, 10, width=32))
def test_the_hard_sigmoid_of_keras_2(x: float) -> None:
    changed = named_here({"activation": "hard_sigmoid"})["activation"]
    assert float(custom_objects()[changed["config"]](np.float32(x))) == pytest.approx(
        np.clip(0.2 * x + 0.5, 0, 1), abs=1e-6
    )


def test_the_hard_sigmoid_is_replaced_where_it_is_an_activation_only() -> None:
    config = {"name": "hard_sigmoid", "layers": [{"recurrent_activation": "hard_sigmoid", "activation": "tanh"}]}
    changed = named_here(config)
    assert changed["name"] == "hard_sigmoid"
    assert changed["layers"][0]["recurrent_activation"]["class_name"] == "function"
    assert changed["layers"][0]["activation"] == "tanh"


def test_arguments_are_filled_in(tf: Any) -> None:
    spec = [{"class_name": "__ellipsis__"}, {"start": None, "stop": {"tensor": 1}, "step": 2}, None]
    arguments = {"first": {"tensor": 0}, "keywords": {"slice_spec": spec}}
    layer = custom_objects()["SlicingOpLambda"](function="__operators__.getitem", arguments=arguments, name="cut")
    array = np.arange(12.0, dtype=np.float32).reshape(2, 6)
    np.testing.assert_array_equal(layer([tf.constant(array), tf.constant(5)]), array[..., :5:2, None])
