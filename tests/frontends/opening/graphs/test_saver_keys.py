from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphs_of_tensorflow_1 import placeholder, values, variable
from onnxpress_frontends.opening.graphs.saver_keys import Key, saver_keys


@pytest.mark.parametrize("use_resource", [False, True])
def test_partitioned_variables(same: Any, make: Any, tf: Any, use_resource: bool) -> None:
    v1 = tf.compat.v1

    def build() -> None:
        weight = v1.get_variable(
            "weight",
            (7, 3),
            initializer=v1.random_uniform_initializer(seed=3),
            partitioner=v1.fixed_size_partitioner(2),
            use_resource=use_resource,
        )
        tf.matmul(placeholder(tf, "x", None, 7), tf.convert_to_tensor(weight), name="y")

    original = make(build, {"x": values(2, 7)}, ["y"])
    assert tf.train.load_checkpoint(str(original.source.with_suffix(""))).get_variable_to_shape_map() == {
        "weight": [7, 3]
    }
    same(original)


@pytest.mark.parametrize("use_resource", [False, True])
def test_a_saver_s_own_names(same: Any, make: Any, tf: Any, use_resource: bool) -> None:
    named: dict[str, Any] = {}

    def build() -> None:
        named["a/b"] = variable(tf, "weight", 4, 3, use_resource=use_resource)
        named["c"] = variable(tf, "bias", 3, use_resource=use_resource)
        tf.add(tf.matmul(placeholder(tf, "x", None, 4), named["a/b"]), named["c"], name="y")

    original = make(build, {"x": values(2, 4)}, ["y"], var_list=named)
    assert "weight" not in tf.train.load_checkpoint(str(original.source.with_suffix(""))).get_variable_to_shape_map()
    same(original)


def test_without_a_saver_the_key_is_the_name(tf: Any) -> None:
    with tf.Graph().as_default() as graph:
        variable(tf, "scope/weight", 4, use_resource=True)
        variable(tf, "bias", 3, use_resource=False)
    assert saver_keys(graph.as_graph_def()) == {"scope/weight": Key("scope/weight"), "bias": Key("bias")}


def test_slices_of_a_value() -> None:
    whole = np.arange(12).reshape(4, 3)
    part = Key("weight", ((1, 2), None))
    np.testing.assert_array_equal(part.cut(whole), whole[1:3])
    assert part.shape((4, 3)) == (2, 3)
    assert Key("weight").shape((4, 3)) == (4, 3)
    np.testing.assert_array_equal(Key("weight").cut(whole), whole)
