from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from graphs_of_tensorflow_1 import placeholder, values, variable
from onnxpress.errors import UnsupportedModel
from onnxpress_frontends.tensorflow_source import load


@pytest.mark.parametrize("use_resource", [False, True])
def test_an_output_that_waits_for_a_change_of_what_it_reads(make: Any, tf: Any, use_resource: bool) -> None:
    def build() -> None:
        count = variable(tf, "count", 4, use_resource=use_resource)
        with tf.control_dependencies([tf.compat.v1.assign_add(count, tf.ones(4), name="step")]):
            tf.add(placeholder(tf, "x", None, 4), count.read_value(), name="y")

    with pytest.raises(UnsupportedModel, match=r"the outputs wait for Assign\w+ '\w+', which changes variable 'count'"):
        load(make(build, {}, []).source, outputs=["y"])


def test_a_change_that_is_read_directly(make: Any, tf: Any) -> None:
    def build() -> None:
        count = variable(tf, "count", 4, use_resource=False)
        tf.add(placeholder(tf, "x", None, 4), tf.compat.v1.assign_add(count, tf.ones(4), name="step"), name="y")

    with pytest.raises(
        UnsupportedModel, match=r"the outputs wait for AssignAdd 'step', which changes variable 'count'"
    ):
        load(make(build, {}, []).source, outputs=["y"])


def test_a_change_of_another_variable_does_not_matter(same: Any, make: Any, tf: Any) -> None:
    def build() -> None:
        count = variable(tf, "count", use_resource=True)
        weight = variable(tf, "weight", 4, use_resource=True)
        checks = [tf.compat.v1.assign_add(count, 1.0), tf.debugging.assert_positive(weight)]
        with tf.control_dependencies(checks):
            tf.multiply(placeholder(tf, "x", None, 4), weight, name="y")

    model = same(make(build, {"x": values(2, 4)}, ["y"]), outputs=["y"])
    assert [node.op_type for node in model.graph] == ["Mul"]


@pytest.mark.parametrize("inside", [False, True], ids=["read outside", "read inside"])
def test_a_function_that_changes_a_variable(make: Any, tf: Any, inside: bool) -> None:
    def build() -> None:
        count = variable(tf, "count", 4, use_resource=True)

        @tf.function(autograph=False)
        def step(x: Any) -> Any:
            count.assign_add(tf.ones(4))
            return x + count if inside else x

        x = step(placeholder(tf, "x", None, 4))
        with tf.control_dependencies([x]):
            tf.multiply(x, 1.0 if inside else count.read_value(), name="y")

    with pytest.raises(UnsupportedModel, match=r"the outputs wait for \w+ '\w+', which changes variable '\w+'"):
        load(make(build, {}, []).source, outputs=["y"])


@pytest.mark.parametrize("name", ["scatter_nd", "tensor_scatter_nd_update"])
def test_scattering_into_a_tensor_is_no_change(same: Any, make: Any, tf: Any, name: str) -> None:
    def build() -> None:
        x, weight = placeholder(tf, "x", 4), variable(tf, "weight", 4, use_resource=True)
        rows = tf.constant([[2], [0], [1], [3]])
        scatter: Callable[..., Any] = getattr(tf, name)
        made = scatter(rows, x, (4,)) if name == "scatter_nd" else scatter(tf.zeros(4), rows, x)
        tf.multiply(made, weight, name="y")

    same(make(build, {"x": values(4)}, ["y"]))
