from __future__ import annotations

from typing import Any

import pytest

from onnxpress.errors import InvalidOption, UnsupportedModel
from onnxpress_frontends.tensorflow_source import load


@pytest.fixture(scope="module")
def module(tf: Any) -> Any:
    class Linear(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = tf.Variable(tf.reshape(tf.range(12.0), (4, 3)))

        @tf.function(input_signature=[tf.TensorSpec((None, 4), name="rows")])
        def __call__(self, rows: Any) -> Any:
            return rows @ self.weight

        @tf.function
        def free(self, x: Any, scale: float = 2.0) -> Any:
            return x @ self.weight * scale

    return Linear()


def names(values: Any) -> list[str]:
    return [value.name for value in values]


def test_a_module(agree: Any, module: Any) -> None:
    model = agree(module)
    assert (names(model.graph.inputs), names(model.graph.outputs)) == (["rows"], ["output"])
    assert str(model.graph.inputs[0].shape[0]) == "N"


def test_a_function_with_a_signature(agree: Any, module: Any) -> None:
    assert names(agree(module.__call__).graph.inputs) == ["rows"]


def test_a_concrete_function_keeps_its_python_arguments(agree: Any, tf: Any, module: Any) -> None:
    model = agree(module.free.get_concrete_function(tf.TensorSpec((None, 4)), 3.0))
    assert names(model.graph.inputs) == ["x"]
    assert model.graph.name == "free"


def test_several_outputs_are_numbered(agree: Any, tf: Any) -> None:
    @tf.function(input_signature=[tf.TensorSpec((None, 4), name="x")])
    def split(x: Any) -> Any:
        return x[:, :1] + 0.0, (x[:, 1:] * 2.0, x - 1.0)

    assert names(agree(split).graph.outputs) == ["output_0", "output_1", "output_2"]


def test_an_input_that_is_not_used_stays(agree: Any, tf: Any) -> None:
    @tf.function(input_signature=[tf.TensorSpec((None, 4), name="x"), tf.TensorSpec((2,), name="unused")])
    def double(x: Any, unused: Any) -> Any:
        return 2 * x

    assert names(agree(double).graph.inputs) == ["x", "unused"]


def test_loops_and_conditions(agree: Any, tf: Any) -> None:
    @tf.function(input_signature=[tf.TensorSpec((None, 4), name="x")])
    def loop(x: Any) -> Any:
        return tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, y * 1.5 + 1), (0, x))[1]

    assert "Loop" in [node.op_type for node in agree(loop).graph]


def test_a_function_without_a_signature_says_what_to_do(module: Any) -> None:
    with pytest.raises(UnsupportedModel, match=r"'free' cannot be traced .*; give its tf\.function an input_signature"):
        load(module.free)


def test_a_module_that_cannot_be_called(tf: Any) -> None:
    with pytest.raises(UnsupportedModel, match=r"'module' cannot be called as a tf\.function; decorate its __call__"):
        load(tf.Module())


def test_an_input_without_a_rank_is_refused(tf: Any) -> None:
    @tf.function(input_signature=[tf.TensorSpec(None, name="x")])
    def shapeless(x: Any) -> Any:
        return x + 1

    with pytest.raises(UnsupportedModel, match="input 'x' of 'shapeless' has no known rank; give it a shape"):
        load(shapeless)


def test_a_signature_is_for_folders(module: Any) -> None:
    with pytest.raises(InvalidOption, match="option 'signature' is for SavedModel folders only"):
        load(module, signature="serving_default")


def test_other_objects_are_refused() -> None:
    with pytest.raises(UnsupportedModel, match="an object of type 'int' is no TensorFlow model or function"):
        load(3)
